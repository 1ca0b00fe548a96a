"""Verifying a store in a process of its own: `python -P -m aftertrace.analyzer.ledger.verification`.

Reading all that is stored takes minutes, all cores and the memory of its largest files, which whoever shows pages
must not be held up by. The process tells on standard output, a line of JSON each, how far it is, and at last what it
found; it ends when nobody reads that any more.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from aftertrace.store.errors import AftertraceError, Invalid
from aftertrace.store.layout import Layout
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.given import keys_of, notes_in
from aftertrace.store.verify.report import Report

__all__ = ["Progress", "Report", "Told", "command", "main", "read", "verified"]

NICENESS: Final = 10
"""Whoever receives and shows goes first."""
_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    done_bytes: int
    total_bytes: int
    """Of all files of the tables."""


@dataclass(frozen=True, slots=True)
class Told:
    """One line that the process writes."""

    progress: Progress | None = None
    report: Report | None = None
    refusal: str | None = None
    """Why nothing could be verified."""


def verified(data: Path, anchor: Path | None, key: str, progress: Callable[[Progress], object]) -> Report:
    """Verify a store.

    Args:
        data: folder of the store.
        anchor: folder where copies of the checkpoint are kept, if there is one.
        key: the key that signs, as somebody kept it elsewhere; empty: the one that lies there.
        progress: told how far it is.

    Raises:
        Invalid: the folder holds no store, or the key is none.
        Unavailable: it cannot be read.
    """
    kept = notes_in(anchor) if anchor is not None and anchor.is_dir() else ()
    asked = Asked(keys=keys_of(key, "key"), kept=kept)
    total_bytes = _bytes_of(data)
    return verify(Layout(data), asked, lambda done_bytes: progress(Progress(done_bytes, total_bytes)))


def command(data: Path, anchor: Path | None, key: str) -> list[str]:
    """What starts the process; parameters as for `verified`."""
    told = ["--data", str(data), *(["--anchor", str(anchor)] if anchor is not None else []), f"--key={key}"]
    return [sys.executable, "-P", "-m", __spec__.name if __spec__ is not None else __name__, *told]


def read(line: bytes) -> Told:
    """A line that the process wrote. Raises `Invalid` where it is none."""
    try:
        return msgspec.json.decode(line, type=Told)
    except msgspec.DecodeError as refusal:
        raise Invalid(f"read verification: {refusal}; it was ended, or wrote something else") from None


def main(arguments: Sequence[str]) -> None:
    """Verify, and write how far it is and what was found."""
    parser = ArgumentParser(prog="verification")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--anchor", type=Path)
    parser.add_argument("--key", default="")
    given = parser.parse_args(arguments)
    os.nice(NICENESS)
    last_s = 0.0

    def progress(told: Progress) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= _EVERY_S:
            last_s = time.monotonic()
            _write(Told(progress=told))

    try:
        _write(Told(report=verified(given.data, given.anchor, given.key, progress)))
    except AftertraceError as refusal:
        _write(Told(refusal=str(refusal)))
    except BrokenPipeError:
        # Nobody reads it any more.
        os._exit(1)


def _write(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _bytes_of(data: Path) -> int:
    try:
        pinned = Snapshot.of(data)
        return sum(pinned.size_bytes(table) for table in TABLES)
    except AftertraceError:
        # Verifying says what is damaged.
        return 0


if __name__ == "__main__":
    main(sys.argv[1:])
