"""A fresh data folder, and requests made of nothing but numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An opened, empty data folder."""
    return open_folder(tmp_path / "data")
