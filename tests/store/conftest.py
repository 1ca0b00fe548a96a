"""A fresh data folder, and a record of what is brought to stable storage in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An opened, empty data folder."""
    return open_folder(tmp_path / "data")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the process asks of the disk, in order: `(operation, file name)`. Everything is really done."""
    log: list[tuple[str, str]] = []
    real_sync, real_sync_data, real_rename, real_link = os.fsync, os.fdatasync, os.rename, os.link

    def fsync(fd: int) -> None:
        log.append(("fsync", Path(f"/proc/self/fd/{fd}").readlink().name))
        real_sync(fd)

    def fdatasync(fd: int) -> None:
        log.append(("fsync", Path(f"/proc/self/fd/{fd}").readlink().name))
        real_sync_data(fd)

    def rename(source: str, target: str) -> None:
        log.append(("rename", Path(target).name))
        real_rename(source, target)

    def link(source: str, target: str) -> None:
        log.append(("link", Path(target).name))
        real_link(source, target)

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "replace", rename)
    return log
