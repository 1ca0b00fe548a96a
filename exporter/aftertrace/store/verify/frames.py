"""The frames that a WAL still has against what the ledger has of them, and what was put aside of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from aftertrace.store import quarantine
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout, segments
from aftertrace.store.ledger.entries import Quarantine, text_of
from aftertrace.store.segment import opened, tail
from aftertrace.store.verify.expected import Expected
from aftertrace.store.verify.report import Findings
from aftertrace.store.wal_reader import Damage, WalReader
from aftertrace.verifier.verdicts import Finding


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the WALs of a data folder have that the ledger does not."""

    frames: dict[str, tuple[int, int]] = field(default_factory=dict)
    """First and last seq of them, by receiver."""
    unread: set[str] = field(default_factory=set)
    """Receivers whose WAL this account may not read."""


def check_frames(
    layout: Layout,
    receivers: Mapping[str, Expected],
    recorded: Mapping[tuple[str, str], Quarantine],
    findings: Findings,
) -> Waiting:
    """Compare the frames of every WAL of a data folder that this account may read.

    Returns:
        What is behind what the ledger has.

    Raises:
        OSError: a WAL cannot be read.
    """
    waiting = Waiting()
    for receiver in sorted({*layout.receivers(), *receivers}):
        try:
            _check_wal(layout, receiver, receivers.get(receiver), recorded, findings, waiting)
        except PermissionError:
            message = "this account may not read it: verify as the one that the store belongs to compares it"
            findings.add("wal_unread", f"wal/{receiver}", message)
            waiting.unread.add(receiver)
    return waiting


def _check_wal(
    layout: Layout,
    receiver: str,
    expected: Expected | None,
    recorded: Mapping[tuple[str, str], Quarantine],
    findings: Findings,
    waiting: Waiting,
) -> None:
    _check_segments(layout, receiver, expected, findings)
    reader = WalReader(layout, receiver)
    for item in reader.poll():
        if isinstance(item, Damage):
            found = item.finding
            if found.severity == "error" and (found.code, found.where) not in recorded:
                findings.add("frame_damaged", found.where, f"{found.code}: {found.message}")
            continue
        slot = expected.slot(item.seq) if expected is not None else None
        if slot is not None and slot.digest != item.digest:
            findings.add("frame_differs", f"wal/{receiver}/{item.seq}", "another request than the ledger has")
        elif expected is None or item.seq > expected.last_seq:
            waiting.frames[receiver] = waiting.frames.get(receiver, (item.seq, 0))[0], item.seq
    reader.close()


def _check_segments(layout: Layout, receiver: str, expected: Expected | None, findings: Findings) -> None:
    """Segments begin as they were made, and go on to where the ledger is, at least."""
    for path in segments(layout.wal(receiver)):
        with suppress(FileNotFoundError):
            # A drain may have just retired it.
            try:
                with opened(path) as file:
                    file.header()
            except Corrupt as damage:
                findings.add("frame_damaged", path.relative_to(layout.data).as_posix(), str(damage))
    last_seq = tail(layout.wal(receiver), receiver).seq
    if expected is not None and last_seq < expected.last_seq:
        message = f"ends at {last_seq}, and the ledger at {expected.last_seq}: it was lost or put back from an old copy"
        findings.add("wal_behind", f"wal/{receiver}", message)


def check_put_aside(layout: Layout, recorded: Mapping[tuple[str, str], Quarantine], findings: Findings) -> None:
    """Compare what was put aside with what the ledger has of it.

    Raises:
        OSError: a file cannot be read.
    """
    empty = text_of(sha256().digest())
    for entry in recorded.values():
        _check_told(entry, quarantine.named(layout, entry.name), findings)
        if entry.digest == empty:
            continue
        where = f"quarantine/{entry.name}.bin"
        try:
            content = (layout.quarantine / f"{entry.name}.bin").read_bytes()
        except FileNotFoundError:
            findings.add("quarantine_missing", where, "no file, expected the bytes that were put aside")
            continue
        if text_of(sha256(content).digest()) != entry.digest:
            findings.add("quarantine_differs", where, "other bytes than were put aside")


def _check_told(entry: Quarantine, told: Finding | None, findings: Findings) -> None:
    """Compare what is said of it beside its bytes: by that `fsck` and the pages name it."""
    where = f"quarantine/{entry.name}.json"
    if told is None:
        findings.add("quarantine_missing", where, "no file, expected what is known of it")
    elif (told.code, told.where) != (entry.code, entry.where):
        findings.add("quarantine_differs", where, f"tells of {told.code}, expected {entry.code} of {entry.where}")
