"""What comes from npm, for the tests that need it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.live.installation import Skipped
from tests.sdk.node import modules


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of the JavaScript SDK. Tests that need it are skipped, with the reason, where it cannot be had."""
    try:
        return modules()
    except Skipped as reason:
        pytest.skip(f"NO JAVASCRIPT SDK, its exporters and the JSON test suite are not tested: {reason}")
