"""The Collector for the tests of `otel-collector.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from collector.build import CannotBuild, otelcol

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def collector_binary() -> Path:
    """A real Collector. Tests that need it are skipped, with the reason, where none can be made."""
    try:
        return otelcol()
    except CannotBuild as reason:
        pytest.skip(f"NO COLLECTOR, otel-collector.yaml is not tested: {reason}")
