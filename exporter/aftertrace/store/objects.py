"""Where the bytes of the tables are: in a folder, or in a bucket (`store.s3`). The few things that are asked of either.

Bytes have keys, such as `spans/_delta_log/00000000000000000000.json`. What was written is on stable storage when the
call returns, and a reader sees the whole of it or nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

from aftertrace.store import durable

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout

SCHEME: Final = "s3://"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing says of a key."""

    key: str
    size_bytes: int
    modified_s: float
    """Since 1970, by the clock of whoever keeps it."""

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]


class Objects(Protocol):
    """Bytes by key. Every call may raise OSError where they cannot be read or written; ConnectionError of a place that
    cannot be reached, which says nothing of what is there.
    """

    def __hash__(self) -> int:
        """Objects of one place are equal."""

    @property
    def url(self) -> str:
        """What readers of Delta and Parquet are told; a key goes behind it."""

    @property
    def folder(self) -> Path | None:
        """Where they are, if that is on a file system of this machine."""

    def get(self, key: str) -> bytes:
        """The bytes of a key. Raises FileNotFoundError where there are none."""

    def open(self, key: str) -> IO[bytes]:
        """The same to be read in parts."""

    def size_bytes(self, key: str) -> int:
        """How many they are. Raises FileNotFoundError where there are none."""

    def changed_ns(self, key: str) -> int:
        """Tells those of a key from those that replaced them, as far as that is cheap; 0 where it is not."""

    def add(self, key: str, content: bytes) -> None:
        """Write a key that nobody else writes."""

    def put(self, key: str, content: bytes, *, derived: bool = False) -> None:
        """Write a key, replacing what it had; what is `derived` may be lost in a power cut."""

    def create(self, key: str, content: bytes) -> bool:
        """Write a key unless it has something. Of several callers at once exactly one gets True."""

    def remove(self, key: str) -> None:
        """Take a key away, if it is there."""

    def folders(self, under: str) -> list[str]:
        """Next parts of the keys under one, where more parts follow; in order."""

    def list_under(self, under: str, after: str = "") -> list[Listed]:
        """Keys of one more part than the one they are `under`, those behind another, in order."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Files below a folder."""

    folder: Path

    @property
    def url(self) -> str:
        """See `Objects`."""
        return str(self.folder)

    def get(self, key: str) -> bytes:
        """See `Objects`."""
        return (self.folder / key).read_bytes()

    def open(self, key: str) -> IO[bytes]:
        """See `Objects`."""
        return (self.folder / key).open("rb")

    def size_bytes(self, key: str) -> int:
        """See `Objects`."""
        return (self.folder / key).stat().st_size

    def changed_ns(self, key: str) -> int:
        """See `Objects`."""
        return (self.folder / key).stat().st_mtime_ns

    def add(self, key: str, content: bytes) -> None:
        """See `Objects`."""
        path = self.folder / key
        durable.make_folder(path.parent)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        try:
            durable.write_all(fd, content, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        durable.sync_folder(path.parent)

    def put(self, key: str, content: bytes, *, derived: bool = False) -> None:
        """See `Objects`."""
        path = self.folder / key
        if not derived:
            durable.make_folder(path.parent)
            durable.write_file(path, content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        draft.write_bytes(content)
        draft.replace(path)

    def create(self, key: str, content: bytes) -> bool:
        """See `Objects`. A crash leaves all of it, or nothing."""
        path = self.folder / key
        if not path.parent.is_dir():
            durable.make_folder(path.parent)
        return durable.create_file(path, content)

    def remove(self, key: str) -> None:
        """See `Objects`."""
        path = self.folder / key
        path.unlink(missing_ok=True)
        durable.sync_folder(path.parent)

    def folders(self, under: str) -> list[str]:
        """See `Objects`."""
        return sorted(entry.name for entry in self._entries(under) if entry.is_dir())

    def list_under(self, under: str, after: str = "") -> list[Listed]:
        """See `Objects`. Files whose names begin with a dot are drafts: they are passed over."""
        found = []
        for entry in self._entries(under):
            key = f"{under}/{entry.name}"
            if key > after and not entry.name.startswith(".") and entry.is_file():
                stat = entry.stat()
                found.append(Listed(key, stat.st_size, stat.st_mtime))
        return sorted(found, key=lambda listed: listed.key)

    def _entries(self, under: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.folder / under) as entries:
                return list(entries)
        except FileNotFoundError:
            return []


def objects_of(layout: Layout) -> Objects:
    """Where the tables of a store are: `<data>/tables` is their folder or a link to it, or a file with a URL.

    Raises:
        Invalid: what a bucket needs is not installed, or its URL is none.
    """
    tables = layout.tables_folder
    if not tables.is_file():
        return Folder(tables.resolve() if tables.is_symlink() else tables)
    from aftertrace.store.s3 import bucket

    return bucket(tables.read_text("utf-8").strip())
