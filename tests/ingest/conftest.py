"""Stores that the tests of the drain begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aftertrace.store.layout import Layout

from .drain_samples import drain, new_store


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A store whose tables are made."""
    layout = new_store(tmp_path_factory.mktemp("empty") / "data")
    drain(layout)
    return layout


@pytest.fixture
def layout(empty: Layout, tmp_path: Path) -> Layout:
    """An empty store of this test's own."""
    layout = Layout(tmp_path / "data")
    shutil.copytree(empty.data, layout.data)
    return layout
