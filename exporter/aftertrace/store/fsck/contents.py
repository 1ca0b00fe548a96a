"""Blobs against the references in stored records: what is gone, what is damaged, and what nothing refers to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final

from aftertrace.store.blobs import blobs
from aftertrace.store.blobs.reference import Reference
from aftertrace.store.blobs.sweeping import ASIDE, referred, waiting
from aftertrace.store.errors import Corrupt
from aftertrace.store.folder import read_store_key
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, files
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.snapshot import Snapshot
from aftertrace.verifier.verdicts import Finding

_NAMED: Final = 20
"""Of one kind and day, so many blobs are named; the message of the last says how many more there are."""
_LEFT_S: Final = 3600.0
"""What is younger may be about to be referred to."""


def check_contents(layout: Layout, snapshot: Snapshot, unsound: set[str]) -> Iterator[Finding]:
    """Blobs of one day after the other, so that memory does not grow with the store."""
    if "evidence" in unsound or not snapshot.watermarks:
        return
    try:
        key = read_store_key(layout)
    except (Corrupt, PermissionError) as failure:
        # `rows` tells of a key that is damaged.
        yield Finding("unchecked", "warning", layout.blobs.name, f"blobs are not looked at: {failure}")
        return
    orders = _Orders(layout)
    stored = {day for _, day in snapshot.files("evidence")}
    for day in sorted(stored | set(_days(layout.blobs)) | set(_days(layout.blob_key(date.min).parent))):
        found = dict(referred(snapshot.scan("evidence"), key, layout.receivers(), day)) if day in stored else {}
        yield from _key(layout, day, found)
        yield from _lost(layout, day, found, key, orders)
        yield from _left(layout, day, found, key)
    if orders.is_unread:
        message = (
            "contents are not there, and the ledger cannot be read, which says whether they were destroyed; "
            "run `aftertrace verify`"
        )
        yield Finding("unchecked", "warning", layout.blobs.name, message)


class _Orders:
    """What orders have destroyed of contents, or will: read where it is needed first, and anew where it has grown."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._size = 0
        """Entries of the ledger when it was read."""
        self._digests: dict[str, set[str]] = {}
        """By day."""
        self.is_unread = False
        """Whether it was needed and could not be read."""

    def without(self, day: date, digests: set[str]) -> set[str]:
        """Those of contents of a day that none names; none where that cannot be told."""
        left = digests - self._digests.get(day.isoformat(), set())
        if not left or self.is_unread:
            return set()
        try:
            # Another order may have come meanwhile.
            size = files.size_of(self._layout.ledger)
            if size != self._size:
                self._read()
                self._size = size
        except (Corrupt, OSError):
            self.is_unread = True
            return set()
        return left - self._digests.get(day.isoformat(), set())

    def _read(self) -> None:
        self._digests = {}
        for each in acts.recorded(self._layout):
            if isinstance(each.act, ContentRetention):
                self._digests.setdefault(each.act.day, set()).update(each.act.blobs)


def _key(layout: Layout, day: date, found: dict[str, Reference]) -> Iterator[Finding]:
    """Without it nothing of the day can be read."""
    where = layout.blob_key(day).relative_to(layout.data).as_posix()
    try:
        length = len(layout.blob_key(day).read_bytes())
    except FileNotFoundError:
        if any(_is_there(layout, each) for each in found.values()):
            yield Finding("blob_key", "error", where, "no key, expected that of blobs; put it back from a backup")
        return
    if length != blobs.KEY_BYTES:
        message = f"{length} bytes, expected {blobs.KEY_BYTES}; put it back from a backup"
        yield Finding("blob_key", "error", where, message)
    elif not layout.blobs_of(day).is_dir():
        yield Finding("blob_unused", "info", where, "a key of a day that has no blobs: nothing needs it")


def _lost(layout: Layout, day: date, found: dict[str, Reference], key: bytes, orders: _Orders) -> Iterator[Finding]:
    missing: set[str] = set()
    differing: set[str] = set()
    for digest, of in found.items():
        try:
            blobs.get(layout, of, key)
        except blobs.Gone:
            if not _is_there(layout, of):
                missing.add(digest)
        except Corrupt:
            # One finding tells of a key that is damaged.
            if _has_whole_key(layout, day):
                differing.add(digest)
    # Whatever went on purpose is ordered, or its record is gone by now.
    missing = orders.without(day, missing)
    if missing:
        now = dict(referred(Snapshot.of(layout.data).scan("evidence"), key, layout.receivers(), day))
        missing &= now.keys()
    yield from _places("blob_missing", day, missing, "no blob, expected the content of a record; no order destroyed it")
    yield from _places("blob_differs", day, differing, "not the content that its record refers to")


def _left(layout: Layout, day: date, found: dict[str, Reference], key: bytes) -> Iterator[Finding]:
    """What nothing refers to. It goes by the term of contents, or when records of its day are destroyed."""
    there = _old(layout.blobs_of(day).glob("*.blob"))
    if any(path.stem not in found for path in there):
        needed = found.keys() | {of.digest for of in waiting(layout, key) if of.day == day}
        there = {path: size for path, size in there.items() if path.stem not in needed}
    else:
        there = {}
    there |= _old(each for form in (f"*{ASIDE}", ".*.new") for each in layout.blobs_of(day).glob(form))
    if there:
        what = f"{len(there):,} files of {sum(there.values()):,} bytes"
        message = f"{what} that no record refers to; they go with their day"
        yield Finding("blob_unused", "info", f"{layout.blobs.name}/{day}", message)


def _old(paths: Iterable[Path]) -> dict[Path, int]:
    """Files that have been there for a while, with their lengths."""
    found: dict[Path, int] = {}
    for path in paths:
        with suppress(FileNotFoundError):
            about = path.stat()
            if time.time() - about.st_mtime >= _LEFT_S:
                found[path] = about.st_size
    return found


def _days(folder: Path) -> Iterator[date]:
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(ValueError):
            if path.suffix in ("", ".key"):
                yield date.fromisoformat(path.stem)


def _is_there(layout: Layout, of: Reference) -> bool:
    return layout.blob(of.day, of.digest).exists()


def _has_whole_key(layout: Layout, day: date) -> bool:
    with suppress(FileNotFoundError):
        return layout.blob_key(day).stat().st_size == blobs.KEY_BYTES
    return False


def _places(code: str, day: date, digests: set[str], message: str) -> Iterator[Finding]:
    for number, digest in enumerate(sorted(digests)[:_NAMED], start=1):
        more = f"; and {len(digests) - _NAMED} more of that day" if number == _NAMED < len(digests) else ""
        yield Finding(code, "error", f"blobs/{day}/{digest}", message + more)
