"""verify: is what is stored what was committed to, all of it, and did the key sign that?

It changes nothing and needs no lock. The tables are pinned before the ledger is read, and the ledger is waited for
until it is signed up to what is pinned: while `serve` runs, nothing can seem to be missing or to be too much that was
only not signed yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from aftertrace.store import commits
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.folder import check_format
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import files
from aftertrace.store.ledger.entries import Reads
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import signed
from aftertrace.store.verify.account import Account
from aftertrace.store.verify.expected import Expected
from aftertrace.store.verify.frames import check_frames, check_put_aside
from aftertrace.store.verify.hashing import ORIGINS, Request
from aftertrace.store.verify.history import check_history
from aftertrace.store.verify.kept_answers import check_kept
from aftertrace.store.verify.lake_holds import check_holds
from aftertrace.store.verify.reads import check_reads
from aftertrace.store.verify.refused import check_refused
from aftertrace.store.verify.report import Findings, LogReport, Report
from aftertrace.store.verify.rows import Comparing, Standing, missing, tell_apart
from aftertrace.store.verify.signed import Opened
from aftertrace.store.wire_keys import KEYED
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.note import Note
from aftertrace.verifier.rotations import Retired

__all__ = ["Asked", "verify"]

PATIENCE_S: Final = 5.0
"""How long the sealer may need for what is pinned: it is a second behind at most."""
_POLL_S: Final = 0.1
_IN_ORDER: Final = ("evidence", "spans", "events", "resources", "scopes")


@dataclass(frozen=True, slots=True)
class Asked:
    """What to verify, and against what."""

    keys: tuple[VerifierKey, ...] = ()
    """Keys that may have signed, known from elsewhere; without any, those in the ledgers' own folders."""
    kept: tuple[tuple[str, Note], ...] = ()
    """Checkpoints that somebody kept elsewhere, each with where it is from."""
    ledgers: tuple[Path, ...] = ()
    """Folders of the ledgers of other receivers of a shared lake."""
    since: date | None = None
    """Only what was received from that day on, in UTC."""
    until: date | None = None
    """Only what was received up to that day, in UTC."""
    requests: Collection[Request] | None = None
    """Only these requests."""
    derived: Callable[[Findings], int | None] | None = None
    """Compares kept answers with the records, tells what differs, and of how many runs; None where nothing that is kept
    counts. Given by whoever can derive."""
    patience_s: float = PATIENCE_S
    readers: int | None = None
    """Processes that read beside this one; None: one for each other core, where there is much to read."""

    def is_in(self, day: date) -> bool:
        """Whether a day of receipt is asked for."""
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


@dataclass(slots=True)
class _Pinned:
    """The tables as they are verified."""

    versions: dict[str, int] = field(default_factory=dict)
    stored: dict[str, dict[str, int]] = field(default_factory=dict)
    """Up to which seq of each receiver each table holds everything, by its own account."""


def verify(layout: Layout, asked: Asked | None = None, progress: Callable[[int], object] = lambda _: None) -> Report:
    """Verify a store.

    Args:
        layout: of the store.
        asked: what to verify, and against what; all of it if not given.
        progress: told how many bytes of files have been read.

    Raises:
        Invalid: the folder holds no store, or one of a later version.
        Unavailable: it cannot be read.
    """
    check_format(layout)
    try:
        with ExitStack() as open_things:
            return _verified(layout, asked or Asked(), progress, open_things)
    except OSError as failure:
        raise Unavailable(f"verify {layout.data}: {failure}; it cannot be read: see to its permissions") from failure


def _verified(layout: Layout, asked: Asked, progress: Callable[[int], object], open_things: ExitStack) -> Report:
    findings = Findings()
    pinned = _pin(layout, findings)
    entries = files.size_of(layout.ledger)
    _wait(layout, pinned, entries, asked.patience_s)
    logs = [signed.open_log(layout.ledger, layout, asked.keys, findings)]
    logs += [signed.open_log(folder, None, asked.keys, findings) for folder in asked.ledgers]
    if logs[0].checkpoint is None and not entries:
        message = "no entries, expected a ledger: all was stored by an aftertrace without it, or it was taken away"
        findings.add("no_ledger", layout.ledger.name, message)
    elif logs[0].size < entries:
        message = (
            f"{entries - logs[0].size} entries behind the {logs[0].size} that are signed, expected all: no sealer runs"
        )
        findings.add("unsealed", layout.ledger.name, message)
    _check_apart(logs, findings)
    _compare_kept(logs, asked, findings)
    accounts: list[Account] = []
    for log in logs:
        account = Account(log.folder.name if log is logs[0] else str(log.folder))
        open_things.callback(account.close)
        account.take(signed.entries(log, findings), pinned.versions, findings)
        signed.check_forms(log, findings)
        accounts.append(account)
    receivers = _receivers(accounts, findings)
    recorded = accounts[0].put_aside
    waiting = check_frames(layout, accounts[0].receivers, recorded, findings)
    check_put_aside(layout, recorded, findings)
    check_refused(layout, accounts[0].refused, findings)
    tails = [signed.unsealed(log, findings) for log in logs]
    unsigned = [entry.id for entry in tails[0] if isinstance(entry, Reads)]
    check_reads(layout, accounts[0].reads, unsigned, findings, is_whole=logs[0].is_whole)
    check_holds(layout, accounts[0].orders.holds(), findings)
    standing = Standing(
        receivers=receivers,
        tail={receiver: seq for tail in tails for entry in tail for receiver, seq in entry.upto.items()},
        waiting=waiting.frames,
        unread=waiting.unread,
        is_whole=all(log.is_whole for log in logs),
        # Whoever makes a link of the folder must not make rows that nobody sent those of somebody else.
        own=frozenset(layout.receivers()) if layout.is_shared and not accounts[0].is_alone else None,
        chosen=asked.requests,
        is_in=asked.is_in,
    )
    for account in accounts:
        standing.erased.take(account.orders.erased)
    comparing = Comparing(layout, standing, findings, asked.readers)
    open_things.callback(comparing.close)
    read_bytes = 0
    for table in _IN_ORDER:
        claims = [(account.name, account.claims[table]) for account in accounts if table in account.claims]
        log_of_table, version = commits.log_of(layout, table), pinned.versions.get(table, -1)
        live = check_history(log_of_table, version, claims, findings, is_whole=standing.is_whole)
        # An origin stands on the day on which it came first; and which requests are a run's is read from all files with
        # ids, and what leads to them: one that was forged would hide some.
        chosen = (
            file
            for file in live
            if table in ORIGINS or (asked.is_in(file.day) and (table in KEYED or standing.may_have(file)))
        )
        for size_bytes in comparing.files(table, chosen, version):
            read_bytes += size_bytes
            progress(read_bytes)
        if table in ORIGINS:
            comparing.missing_origins(table, version)
        if table in commits.SEQUENCED:
            required = {name: seq for each in accounts for name, seq in each.required.get(table, {}).items()}
            comparing.erased_whole(table)
            missing(table, required, standing, comparing.counts, findings)
    tell_apart(comparing.counts, findings)
    comparing.store_key.check()
    comparing.references.check(accounts[0].orders.contents, is_whole=logs[0].is_whole)
    check_kept(layout, findings, lambda done: progress(read_bytes + done))
    kept_runs = asked.derived(findings) if asked.derived is not None else None
    if kept_runs is None and layout.derived_state.exists():
        message = "kept answers, not compared with what they were made from; `aftertrace verify --derived` does"
        findings.add("derived_unverified", layout.derived.name, message)
    counts = comparing.counts
    return Report(
        logs=tuple(_log_report(log, len(tail)) for log, tail in zip(logs, tails, strict=True)),
        requests=counts.requests,
        records=counts.records,
        rows=counts.rows,
        files=counts.files,
        uncovered=counts.uncovered,
        waiting=sum(last - first + 1 for first, last in waiting.frames.values()),
        evidence_bytes=counts.evidence_bytes,
        kept_runs=kept_runs,
        findings=findings.listed(),
    )


def _pin(layout: Layout, findings: Findings) -> _Pinned:
    pinned = _Pinned()
    try:
        versions = dict(Snapshot.of(layout.data).versions)
    except Corrupt as damage:
        # The newest commit of a table: what is before it is verified.
        findings.add("commit_altered", layout.tables_folder.name, str(damage))
        versions = {}
        for table in TABLES:
            newest = commits.newest_version(commits.log_of(layout, table))
            if newest is not None:
                versions[table] = newest
    for table, version in versions.items():
        pinned.versions[table] = version
        try:
            pinned.stored[table] = commits.read(commits.log_of(layout, table), version).stored
        except Corrupt:
            pinned.stored[table] = {}
    return pinned


def _wait(layout: Layout, pinned: _Pinned, entries: int, patience_s: float) -> None:
    """Let the sealer sign what is pinned, and so many entries."""
    deadline = time.monotonic() + patience_s
    own = set(layout.receivers())
    while layout.ledger.exists() and time.monotonic() < deadline:
        size, entry = signed.last_signed(layout)
        if entry is not None and size >= entries:
            is_told = all(entry.versions.get(table, -1) >= version for table, version in pinned.versions.items())
            behind = [
                receiver
                for stored in pinned.stored.values()
                for receiver, seq in stored.items()
                if receiver in own and entry.upto.get(receiver, 0) < seq
            ]
            if (is_told or layout.is_shared) and not behind:
                return
        time.sleep(_POLL_S)


def _check_apart(logs: Sequence[Opened], findings: Findings) -> None:
    """Each ledger has a key of its own: whoever has one of those that are given could sign the others with it."""
    origins: set[str] = set()
    for log in logs:
        if log.checkpoint is not None and log.checkpoint.origin in origins:
            message = f"of the log {log.checkpoint.origin}, as another ledger here, expected one of its own"
            findings.add("checkpoint_foreign", f"{log.folder}/checkpoint", message)
        elif log.checkpoint is not None:
            origins.add(log.checkpoint.origin)


def _compare_kept(logs: Sequence[Opened], asked: Asked, findings: Findings) -> None:
    for where, note in asked.kept:
        try:
            kept = Checkpoint.parse(note.text)
        except Invalid as refusal:
            findings.add("checkpoint_foreign", where, str(refusal))
            continue
        of = [log for log in logs if log.checkpoint is not None and log.checkpoint.origin == kept.origin]
        try:
            if not of:
                note.verified(*asked.keys, *(key for log in logs for key in log.keys))
            for log in of:
                signed.check_kept(log, note, kept, asked.keys)
        except Retired as refusal:
            findings.add("key_retired", where, str(refusal))
            continue
        except Invalid as refusal:
            findings.add("checkpoint_foreign", where, str(refusal))
            continue
        if not of:
            findings.add("checkpoint_foreign", where, f"of the log {kept.origin}, expected that of this store")
        for log in of:
            signed.compare(log, kept, where, findings)


def _receivers(accounts: Sequence[Account], findings: Findings) -> dict[str, Expected]:
    found: dict[str, Expected] = {}
    for account in accounts:
        for receiver, expected in account.receivers.items():
            if receiver in found:
                findings.add("receiver_twice", account.name, f"speaks of {receiver}, as another ledger does")
            else:
                found[receiver] = expected
    return found


def _log_report(log: Opened, unsealed: int) -> LogReport:
    return LogReport(
        origin=log.checkpoint.origin if log.checkpoint else None,
        key=str(log.keys[-1]) if log.keys else None,
        led_by=tuple(map(str, log.keys[:-1])),
        key_is_own=log.key_is_own,
        checkpoint=str(log.checkpoint) if log.checkpoint else None,
        entries=log.size,
        unsealed=unsealed,
        compared=log.compared,
    )
