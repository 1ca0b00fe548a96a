"""The entries of the ledger as the drain adds to them, under its lock. Only appended to; nothing is written twice.

An append is durable when it returns. A crash in it leaves whole entries, which count, and a torn one behind them, which
is put aside when the log is opened again. The file is then written anew and not synced again: a sync that failed once
may succeed for nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import UNSET

from aftertrace.store import durable, quarantine
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import files
from aftertrace.store.ledger.acts import newest
from aftertrace.store.ledger.entries import Entry, decoded, encoded
from aftertrace.tlog.tiles import WIDTH, Bundle, bundled
from aftertrace.verifier.verdicts import Finding

_LENGTH_BYTES: Final = 2


class LedgerLog:
    """The log, from the making of the object to `close`. After an error, make another one."""

    def __init__(self, layout: Layout) -> None:
        """Read how it ends, and put aside what a crash left in part.

        Raises:
            Corrupt: entries that were signed are not there, or an entry is damaged.
            OSError: the disk fails.
        """
        self._folder = layout.ledger
        self._fd: int | None = None
        durable.make_folder((self._folder / Bundle(0).path).parent)
        signed = files.signed_size(layout)
        self._index = files.bundles(self._folder, signed // WIDTH)
        self._held, self._end = self._recovered(layout, signed)
        if self._held == WIDTH:
            self._filled()
        self.recent = tuple(_tail(self._folder, self._index))
        """The last entries: those of the open bundle, and of the one before it."""
        self.upto = dict(self.recent[-1].upto) if self.recent else {}
        """Last seq of each receiver that the log speaks of."""
        self.versions = dict(self.recent[-1].versions) if self.recent else {}
        """Last version of each table that it speaks of."""
        self.last_act = newest(self.size - 1, self.recent[-1]) if self.recent else UNSET
        """Number of the last entry that is an act."""

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._index * WIDTH + self._held

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries. Durable when this returns; after an error some of them may be in.

        Raises:
            OSError: the disk does not take them.
        """
        written = [encoded(entry) for entry in entries]
        while written:
            part, written = written[: WIDTH - self._held], written[WIDTH - self._held :]
            content = bundled(part)
            fd = self._opened()
            durable.write_all(fd, content, self._end)
            durable.sync_data(fd)
            self._held += len(part)
            self._end += len(content)
            if self._held == WIDTH:
                self._filled()
        if entries:
            self.upto = dict(entries[-1].upto)
            self.versions = dict(entries[-1].versions)
            self.last_act = newest(self.size - 1, entries[-1])

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _opened(self) -> int:
        if self._fd is None:
            path = files.open_bundle(self._folder, self._index)
            durable.make_folder(path.parent)
            self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644)
            # Its name is down before anything in it counts.
            durable.sync_folder(path.parent)
        return self._fd

    def _filled(self) -> None:
        """Give the open bundle its name: all of it is durable."""
        self.close()
        durable.move(files.open_bundle(self._folder, self._index), self._folder / Bundle(self._index).path)
        self._index += 1
        self._held = self._end = 0

    def _recovered(self, layout: Layout, signed: int) -> tuple[int, int]:
        """How many entries the open bundle has, and where they end, when so many of the log were signed."""
        path = files.open_bundle(self._folder, self._index)
        content = path.read_bytes() if path.exists() else b""
        held = end = 0
        for entry in files.split(content)[0]:
            try:
                decoded(entry)
            except Corrupt:
                break
            held, end = held + 1, end + _LENGTH_BYTES + len(entry)
        is_there = not self._index or (self._folder / Bundle(self._index - 1).path).exists()
        if self._index * WIDTH + held < signed or not is_there:
            raise Corrupt(
                f"open {self._folder}: fewer entries than the {signed} that the checkpoint says were signed; "
                "put them back from a backup, and run `aftertrace verify`"
            )
        if end < len(content):
            where = path.relative_to(layout.data).as_posix()
            message = (
                f"{len(content) - end} bytes behind entry {self._index * WIDTH + held} are none; a crash tore them"
            )
            quarantine.keep(layout, Finding("ledger_torn", "info", where, message), content[end:])
        if content:
            durable.write_file(path, content[:end])
        return held, end


def last_seq(layout: Layout, receiver: str) -> int:
    """The last seq of a receiver that the ledger speaks of; 0 where it says nothing that can be read. Needs no lock."""
    try:
        entries = list(_tail(layout.ledger, files.bundles(layout.ledger, files.signed_size(layout) // WIDTH)))
    except (Corrupt, OSError):
        return 0
    return entries[-1].upto.get(receiver, 0) if entries else 0


def _tail(ledger: Path, index: int) -> list[Entry]:
    """The entries of an open bundle and of the full one before it."""
    try:
        found = files.split(files.open_bundle(ledger, index).read_bytes())[0]
    except FileNotFoundError:
        found = []
    if index:
        found = [*files.split((ledger / Bundle(index - 1).path).read_bytes())[0], *found]
    return [decoded(entry) for entry in found]
