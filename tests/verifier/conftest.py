"""Packets that tests only read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .packed import MINE, Packed, exported, stored, unpacked


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of whoever runs the tests, and a working directory that is empty."""
    for name in os.environ:
        if name.startswith("AFTERTRACE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A packet of one of the two runs of a request."""
    folder = tmp_path_factory.mktemp("packed")
    return exported(stored(folder), folder / "mine.zip", f"run-{MINE}")


@pytest.fixture
def folder(packed: Packed, tmp_path: Path) -> Path:
    """The same packet, unpacked, of this test's own."""
    return unpacked(packed.file, tmp_path / "unpacked")
