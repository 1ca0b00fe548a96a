"""The ledger as the drain and the sealer write it: every request once, whatever happens in between."""

from __future__ import annotations

import errno
import os
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tlog.go_program import CannotBuild, built

from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.store import durable
from aftertrace.store.errors import Corrupt, Held, Unavailable
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout, segments
from aftertrace.store.ledger import covering, files
from aftertrace.store.ledger.claims import Claim
from aftertrace.store.ledger.entries import (
    Batch,
    Begin,
    Entry,
    FrameEntry,
    Gap,
    Quarantine,
    Tables,
    decoded,
    encoded,
    rows_of,
)
from aftertrace.store.ledger.log import LedgerLog
from aftertrace.store.ledger.sealer import Sealer, seal
from aftertrace.store.schema import TABLES
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.account import Account
from aftertrace.store.verify.report import Findings, Report
from aftertrace.store.wal import WalWriter
from aftertrace.tlog.merkle import leaf_hash, root_of
from aftertrace.tlog.note import Note

from .drain_samples import SMALL, drain, request, send, traces
from .forging import entries_of, files_of, flip


def checked(layout: Layout, **asked: object) -> Report:
    """Sealed and verified."""
    seal(layout)
    return verify(layout, Asked(patience_s=0, **asked))


def kinds(layout: Layout) -> list[str]:
    """What entries there are."""
    return [type(entry).__name__ for entry in entries_of(layout)]


def covered(layout: Layout) -> list[int]:
    """Requests in batches, in order."""
    return [frame.seq for entry in entries_of(layout) if isinstance(entry, Batch) for frame in entry.frames]


def test_entries_tell_what_the_drain_did_and_a_second_drain_adds_none(layout: Layout) -> None:
    """Tables made, a receiver begun, requests, a fold."""
    send(layout, traces(1))
    drain(layout)
    send(layout, traces(2))
    drain(layout)
    assert (kinds(layout), covered(layout)) == (["Tables", "Begin", "Batch", "Batch"], [1, 2])
    send(layout, traces(3))
    drain(layout, DrainOptions(fold_at=2))
    drain(layout)
    assert (kinds(layout)[4:], covered(layout)) == (["Batch", "Tables"], [1, 2, 3])
    assert checked(layout).findings == ()


def test_a_ledger_grows_over_bundles_and_go_reads_it(layout: Layout) -> None:
    """Files are names and tiles of C2SP: Go's own code finds the root that was signed in them."""
    with closing(LedgerLog(layout)) as log:
        for number in range(600):
            log.append([Tables(time_ns=str(number), versions=log.versions)])
        written = sum(path.stat().st_size for path in (layout.ledger / "tile" / "entries").iterdir())
        assert (log.size, written) == (601, sum(2 + len(encoded(entry)) for entry in all_entries(layout)))
    with Sealer(layout) as sealer:
        assert (sealer.seal(), sealer.seal(), sealer.size) == (True, False, 601)
        sealer.rest()
    names = {path.relative_to(layout.ledger).as_posix() for path in layout.ledger.rglob("*") if path.is_file()}
    assert names == {
        "checkpoint",
        "key",
        *(f"tile/{what}/{name}" for what in ("0", "entries") for name in ("000", "001", "002.p/89")),
        "tile/1/000.p/2",
        "tile/entries/002.open",
    }
    assert verify(layout, Asked(patience_s=0)).logs[0].entries == 601
    try:
        program = built()
    except CannotBuild as reason:
        pytest.skip(f"NO GO PROGRAM, the ledger is not tested against golang.org/x/mod/sumdb: {reason}")
    answer = program.check(layout.ledger, layout.ledger_key.read_text().strip(), [0, 300, 600], 400, [])
    assert (answer.size, answer.root) == (601, root_of([leaf_hash(encoded(entry)) for entry in all_entries(layout)]))


def all_entries(layout: Layout) -> list[Entry]:
    """Of all bundles."""
    index = files.bundles(layout.ledger)
    whole = [layout.ledger / f"tile/entries/{number:03d}" for number in range(index)]
    paths = [*whole, files.open_bundle(layout.ledger, index)]
    return [decoded(entry) for path in paths for entry in files.split(path.read_bytes())[0]]


@pytest.mark.parametrize("behind", [b"", bytes(9), b"\xff" * 9, b"\x00\x05{}\n\n\n"])
def test_a_torn_append_is_put_aside(layout: Layout, behind: bytes) -> None:
    """At every byte of the last entry, with nothing, zeros or other bytes behind it; whole entries count."""
    send(layout, traces(1))
    drain(layout)
    path = files.open_bundle(layout.ledger, 0)
    content, before = path.read_bytes(), entries_of(layout)
    last = len(encoded(before[-1]))
    for cut in range(len(content) - last - 2, len(content), 37):
        path.write_bytes(content[:cut] + behind)
        with closing(LedgerLog(layout)) as log:
            assert (log.size, log.upto) == (len(before) - 1, before[-2].upto)
        assert path.read_bytes() == content[: len(content) - last - 2]
    drain(layout)
    # The frame is gone from nowhere: its rows are read back.
    assert (covered(layout), checked(layout).findings) == ([1], ())


def test_entries_that_were_signed_are_never_cut(layout: Layout) -> None:
    """A drain that finds them gone or damaged stops, and changes nothing."""
    send(layout, traces(1))
    drain(layout)
    seal(layout)
    path = files.open_bundle(layout.ledger, 0)
    content = path.read_bytes()
    for spoilt in (content[:-1], content[:-40] + b"\x00" * 40, b""):
        path.write_bytes(spoilt)
        with pytest.raises(Corrupt, match="were signed"):
            Drain(layout)
        assert path.read_bytes() == spoilt
    path.write_bytes(content)
    told = layout.checkpoint.read_text()
    layout.checkpoint.write_text(told.replace("\n3\n", "\n512\n"))
    with pytest.raises(Corrupt, match="the 512 that"):
        Drain(layout)
    layout.checkpoint.write_text(told)
    drain(layout)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_costs_nothing(layout: Layout, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The append fails after some of it was written; the next turn covers what is not covered."""
    send(layout, traces(1), traces(2))
    real = durable.sync_data

    def fail(fd: int) -> None:
        if ".open" in Path(f"/proc/self/fd/{fd}").readlink().name:
            raise OSError(number, os.strerror(number))
        real(fd)

    with Drain(layout, DrainOptions(batch_bytes=1)) as draining:
        monkeypatch.setattr(durable, "sync_data", fail)
        for _ in range(2):
            with pytest.raises(Unavailable):
                draining.once()
        monkeypatch.setattr(durable, "sync_data", real)
        draining.once()
    assert (covered(layout), checked(layout).findings) == ([1, 2], ())


def test_requests_from_before_the_ledger_are_named_and_not_read(layout: Layout) -> None:
    """An upgrade: whatever state their files are in, the drain goes on, and says where the ledger begins."""
    with pytest.MonkeyPatch.context() as without:
        for name in ("begin", "cover", "settle"):
            without.setattr(covering.Ledger, name, lambda *_: None)
        without.setattr(covering.Ledger, "covered_seq", lambda *_: 1 << 60)
        send(layout, traces(1), traces(2))
        drain(layout)
    shutil.rmtree(layout.ledger)
    files_of(layout, "spans")[0].write_bytes(b"damaged")
    send(layout, traces(3))
    drain(layout)
    (begun,) = [entry for entry in entries_of(layout) if isinstance(entry, Begin)]
    assert (begun.after_seq, covered(layout)) == (2, [3])
    report = checked(layout)
    assert {(found.code, found.where) for found in report.findings if found.severity == "warning"} == {
        ("uncovered", "evidence main/1 to 2"),
        ("uncovered", "events main/1 to 2"),
        *(("commits_uncovered", f"tables/{name}/_delta_log") for name in TABLES),
    }
    assert {found.code for found in report.findings if found.severity == "error"} == {"file_digest", "file_unreadable"}
    assert (report.requests, report.records, report.uncovered) == (1, 2, 8)


def test_requests_that_the_wal_lost_are_a_gap_and_its_damage_is_told_once(layout: Layout) -> None:
    """Recorded, and so told from tampering; whoever drains again records nothing more."""
    send(layout, traces(1))
    send(layout, traces(2), traces(3))
    path = segments(layout.wal("main"))[-1]
    flip(path, 8 * 300)
    for _ in range(3):
        drain(layout)
    entries = entries_of(layout)
    # The bytes, and that the frames around them do not follow each other.
    assert [type(entry) for entry in entries[2:]] == [Quarantine, Quarantine, Batch, Gap, Batch]
    (gap,) = [entry for entry in entries if isinstance(entry, Gap)]
    assert ((gap.first_seq, gap.last_seq), covered(layout)) == ((2, 2), [1, 3])
    report = checked(layout)
    assert {found.code for found in report.findings} == {"gap", "put_aside"}
    assert report.verdicts["completeness"] == "partial"
    (kept,) = layout.quarantine.glob("*.bin")
    content = kept.read_bytes()
    kept.write_bytes(b"other")
    assert "quarantine_differs" in {found.code for found in checked(layout).findings}
    kept.unlink()
    assert "quarantine_missing" in {found.code for found in checked(layout).findings}
    kept.write_bytes(content)
    assert {found.code for found in checked(layout).findings} == {"gap", "put_aside"}


def test_a_backup_that_copies_the_ledger_first_is_sound(layout: Layout, tmp_path: Path) -> None:
    """Then the tables, then the WAL, while more is stored; and a drain of the copy covers what is behind."""
    copy = Layout(tmp_path / "copy")
    copy.data.mkdir()
    with WalWriter(layout, "main", SMALL) as writer:
        for number, name in enumerate(("FORMAT", "sealer", "ledger", "tables", "wal", "keys"), 1):
            writer.append(*request(traces(number))).result(5)
            drain(layout, DrainOptions(fold_at=2))
            seal(layout)
            if name == "FORMAT":
                shutil.copy(layout.marker, copy.marker)
            else:
                shutil.copytree(layout.data / name, copy.data / name)
    report = verify(copy, Asked(patience_s=0))
    assert {found.severity for found in report.findings} == {"warning"}
    assert {found.code for found in report.findings} == {"unsealed", "commits_uncovered"}
    shutil.rmtree(copy.sealer)
    shutil.copytree(layout.sealer, copy.sealer)
    drain(copy)
    assert sorted(set(covered(copy))) == [1, 2, 3, 4, 5]
    codes = {found.code for found in verify(copy, Asked(patience_s=0)).findings}
    assert codes & {"rows_missing", "rows_differ", "rows_added", "unledgered"} == set()


def test_a_name_is_durable_before_anything_in_the_file_counts(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a new bundle is synced before its first entry is, and again when the bundle is full."""
    steps: list[str] = []
    monkeypatch.setattr(durable, "sync_folder", lambda path: steps.append(f"folder {path.name}"))
    monkeypatch.setattr(durable, "sync_data", lambda fd: steps.append(Path(f"/proc/self/fd/{fd}").readlink().name))
    with closing(LedgerLog(Layout(layout.data / "new"))) as log:
        steps.clear()
        log.append([Tables()] * 257)
    named = [step for step in steps if "entries" in step or ".open" in step]
    first, full, *rest = named[named.index("000.open") :]
    assert named[: named.index("000.open")][-1] == "folder entries"
    assert (first, full, rest[-2:]) == ("000.open", "folder entries", ["folder entries", "001.open"])


def test_memory_does_not_grow_with_the_requests() -> None:
    """What a ledger expects of ten times as many requests takes no more of it."""

    def peak_bytes(batches: int) -> int:
        findings = Findings()
        account = Account("ledger")
        state = {"time_ns": "1", "versions": {}, "commits": {}}
        rows = rows_of([])

        def entries() -> Iterator[Entry]:
            yield Begin(receiver="main", after_seq=0, upto={"main": 0}, **state)
            for number in range(batches):
                seqs = range(number * 200 + 1, number * 200 + 201)
                frames = tuple(
                    FrameEntry(seq=seq, digest=rows.root, evidence=rows, spans=rows, events=rows) for seq in seqs
                )
                upto = {"main": seqs[-1]}
                yield Batch(receiver="main", day="2025-11-25", frames=frames, upto=upto, **state)

        tracemalloc.start()
        account.take(entries(), {}, findings)
        missed = sum(1 for _ in account.receivers["main"].unseen("events", 1 << 62, lambda _: True))
        (_, peak), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
        account.close()
        assert (findings.found, missed) == ([], 0)
        return peak

    # Both are more than is read at a time.
    assert peak_bytes(150) < 1.1 * peak_bytes(50)


def test_a_seq_that_the_ledger_knows_is_not_given_out_again(layout: Layout, tmp_path: Path) -> None:
    """WAL and tables put back from a backup, and the ledger not: what came later is missed, and nothing is doubled."""
    send(layout, traces(1))
    drain(layout)
    backup = tmp_path / "backup"
    shutil.copytree(layout.data, backup)
    send(layout, traces(2), traces(3))
    drain(layout)
    seal(layout)
    for name in ("wal", "tables"):
        shutil.rmtree(layout.data / name)
        shutil.copytree(backup / name, layout.data / name)
    with WalWriter(layout, "main", SMALL) as writer:
        assert writer.append(*request(traces(4))).result(5) == 4
    drain(layout)
    report = checked(layout)
    missing = {found.where for found in report.findings if found.code == "rows_missing"}
    assert {f"{table} main/{seq}" for table in ("evidence", "spans", "events") for seq in (2, 3)} <= missing
    assert "rows_differ" not in {found.code for found in report.findings}


def test_rows_behind_the_ledger_are_not_taken_for_new(layout: Layout) -> None:
    """A drain that was stopped before the ledger knows: they wait for it, and nothing is called sound."""
    send(layout, traces(1))
    drain(layout)
    seal(layout)
    send(layout, traces(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LedgerLog, "append", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "gone")))
        with Drain(layout) as draining, pytest.raises(Unavailable):
            draining.once()
    report = verify(layout, Asked(patience_s=0))
    assert {found.code for found in report.findings} == {"unsealed", "commits_uncovered"}
    assert report.verdicts["integrity"] == "partial"
    drain(layout)
    assert (covered(layout), checked(layout).findings) == ([1, 2], ())


def test_several_receivers_into_one_lake_have_a_ledger_each(tmp_path: Path) -> None:
    """From one folder alone the rows of the other are named; with both ledgers all is verified."""
    layouts = {}
    for name in ("east", "west"):
        layout = layouts[name] = open_folder(tmp_path / name, str(tmp_path / "lake"))
        durable.make_folder(layout.store_key.parent)
        durable.write_file(layout.store_key, bytes(32), mode=0o600)
        for number in (1, 2):
            send(layout, traces(ord(name[0]) + number), receiver=name)
            drain(layout)
        seal(layout)
    alone = verify(layouts["west"], Asked(patience_s=0))
    assert {found.code for found in alone.findings} == {"receiver_uncovered", "commits_uncovered"}
    assert (alone.requests, alone.uncovered, alone.verdicts["integrity"]) == (2, 12, "partial")
    for one, other in (("west", "east"), ("east", "west")):
        both = verify(layouts[one], Asked(patience_s=0, ledgers=(layouts[other].ledger,)))
        assert (both.requests, both.uncovered, both.findings) == (4, 0, ())


def test_one_sealer_at_a_time_and_its_key_is_its_own(layout: Layout) -> None:
    """Made at the first start, for nobody else to read; and never anew where something was signed."""
    send(layout, traces(1))
    drain(layout)
    with Sealer(layout) as sealer:
        with pytest.raises(Held):
            Sealer(layout)
        seal(layout)
        assert sealer.seal()
    assert (layout.sealer.stat().st_mode & 0o777, layout.sealer_key.stat().st_mode & 0o777) == (0o700, 0o600)
    shutil.rmtree(layout.sealer)
    with pytest.raises(Corrupt, match="expected the key that signed"):
        Sealer(layout)


def kill_sealer(call: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the n-th file that is written fail, as if the process had ended there."""
    real, calls = durable.write_file, iter(range(1, 1000))

    def write(path: Path, content: bytes, mode: int = 0o644) -> None:
        if next(calls) == call:
            raise KeyboardInterrupt
        real(path, content, mode)

    monkeypatch.setattr(durable, "write_file", write)
    return monkeypatch.undo


@pytest.mark.parametrize("call", range(1, 8))
def test_a_sealer_killed_anywhere_is_finished_by_the_next(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Before each file that it writes, the first of all and later ones; what was shown stays true."""
    send(layout, traces(1))
    drain(layout)
    shown: list[bytes] = []
    for number in (2, 3):
        undo = kill_sealer(call, monkeypatch)
        try:
            with Sealer(layout) as sealer:
                sealer.seal()
                sealer.rest()
        except KeyboardInterrupt:
            pass
        undo()
        if layout.checkpoint.exists():
            shown.append(layout.checkpoint.read_bytes())
        send(layout, traces(number))
        drain(layout)
    kept = tuple((str(number), Note.parse(each)) for number, each in enumerate(shown))
    report = checked(layout, kept=kept)
    assert (report.findings, report.requests) == ((), 3)


def test_claims_go_on_where_the_ledger_ends(layout: Layout) -> None:
    """Commits that a drain made and did not tell of before it was killed are read back."""
    send(layout, traces(1))
    drain(layout)
    with Drain(layout) as draining:
        table = draining._tables["evidence"]
        behind = Claim(table, table.version - 1)
        assert (behind.count, behind.last, behind.is_due) == (1, table.version, True)
        assert Claim(table, table.version).count == 0
