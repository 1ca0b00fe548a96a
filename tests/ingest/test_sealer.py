"""What the sealer signs: entries that go on from those before. Whoever may write to the ledger can forge no others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from aftertrace.ingest.drain import DrainOptions
from aftertrace.store import frame
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Batch, Begin, Entry, Gap, Restored, Tables
from aftertrace.store.ledger.sealer import Sealer, seal
from aftertrace.store.ledger.state import CommitRange
from aftertrace.store.verify import Asked, verify
from aftertrace.store.wal import WalWriter

from .drain_samples import SMALL, drain, request, send, traces
from .forging import entries_of, write_entries

ROOT = "A" * 43 + "="


@pytest.fixture
def signed(layout: Layout) -> Layout:
    """Three requests in two entries, and all of it signed."""
    send(layout, traces(1), traces(2))
    drain(layout)
    send(layout, traces(3))
    drain(layout)
    seal(layout)
    return layout


def told_of(entries: list[Entry]) -> Batch:
    """The first requests that were told."""
    return next(entry for entry in entries if isinstance(entry, Batch))


def told_otherwise(entries: list[Entry]) -> Entry:
    """Requests that were told, one of them with other rows."""
    first, *others = told_of(entries).frames
    spans = msgspec.structs.replace(first.spans, root=ROOT)
    return Batch(receiver="main", day="2025-11-25", frames=(msgspec.structs.replace(first, spans=spans), *others))


def another_frame(entries: list[Entry]) -> Entry:
    """A request in the place of one that was told."""
    first = msgspec.structs.replace(told_of(entries).frames[0], digest=ROOT)
    return Batch(receiver="main", day="2025-11-25", frames=(first,))


def skipping(entries: list[Entry]) -> Entry:
    """Requests behind some that nothing says of."""
    return Batch(
        receiver="main", day="2025-11-25", frames=(msgspec.structs.replace(told_of(entries).frames[0], seq=9),)
    )


FORGINGS: dict[str, tuple[Callable[[list[Entry]], Entry], str]] = {
    "a request with other rows": (told_otherwise, "tells request main/1 otherwise than before"),
    "another request in its place": (another_frame, "tells of another request as main/1 than before"),
    "requests left out": (skipping, "leaves out requests of main before 9"),
    "a receiver that nobody began": (
        lambda entries: Batch(receiver="east", day="2025-11-25", frames=told_of(entries).frames),
        "has requests of east, which was not begun",
    ),
    "a beginning once more": (lambda _: Begin(receiver="main", after_seq=0), "begins at 0 of main once more"),
    "a gap over what was told": (
        lambda _: Gap(receiver="main", first_seq=2, last_seq=9),
        "has a gap of main that does not follow what is before",
    ),
    "a commit once more": (
        lambda _: Tables(commits={"spans": CommitRange(1, 1, ROOT)}),
        "tells of version 1 of spans once more",
    ),
    "positions that go back": (lambda _: Tables(upto={"main": 1}), "does not say what the entries before it add up to"),
    "versions that go back": (
        lambda _: Tables(versions={"spans": 1}),
        "does not say what the entries before it add up to",
    ),
    "an act that was none": (lambda _: Tables(last_act=1), "does not say what the entries before it add up to"),
    "tables put back to where they never were": (
        lambda _: Restored(back={"spans": 99}),
        "puts spans back to version 99, which is none before",
    ),
}


@pytest.mark.parametrize("name", FORGINGS)
def test_an_entry_that_takes_back_what_was_signed_is_never_signed(signed: Layout, name: str) -> None:
    """Nor is anything behind it; what was signed is still shown, and `verify` names what waits as not signed."""
    forge, refusal = FORGINGS[name]
    entries, shown = entries_of(signed), signed.checkpoint.read_bytes()
    entry = forge(entries)
    told = {"upto": entry.upto or entries[-1].upto, "versions": entry.versions or entries[-1].versions}
    if isinstance(entry, Tables) and entry.commits:
        told["versions"] = {**entries[-1].versions, "spans": 1}
    write_entries(signed, [*entries, msgspec.structs.replace(entry, time_ns="1", **told)])
    with Sealer(signed) as sealer, pytest.raises(Corrupt, match=f"entry {len(entries)} {refusal}.*nothing more is"):
        sealer.seal()
    seal(signed)
    assert signed.checkpoint.read_bytes() == shown
    report = verify(signed, Asked(patience_s=0))
    assert {found.code for found in report.findings} == {"unsealed"}
    # Put back as it was, it goes on.
    write_entries(signed, entries)
    send(signed, traces(4))
    drain(signed)
    seal(signed)
    assert verify(signed, Asked(patience_s=0)).findings == ()


def test_what_is_told_twice_in_one_turn_is_compared_too(layout: Layout) -> None:
    """Nothing of it was signed yet."""
    send(layout, traces(1), traces(2))
    drain(layout)
    entries = entries_of(layout)
    again = msgspec.structs.replace(told_otherwise(entries), upto=entries[-1].upto, versions=entries[-1].versions)
    write_entries(layout, [*entries, again])
    with Sealer(layout) as sealer, pytest.raises(Corrupt, match="tells request main/1 otherwise than before"):
        sealer.seal()


def test_entries_that_were_signed_are_read_against_what_was_signed(signed: Layout) -> None:
    """Whoever tells a request otherwise cannot make it fit by changing what was told before."""
    entries = entries_of(signed)
    otherwise = told_otherwise(entries)
    assert isinstance(otherwise, Batch)
    place = entries.index(told_of(entries))
    again = msgspec.structs.replace(otherwise, time_ns="1", upto=entries[-1].upto, versions=entries[-1].versions)
    with Sealer(signed) as sealer:
        altered = [*entries[:place], msgspec.structs.replace(entries[place], frames=otherwise.frames)]
        write_entries(signed, [*altered, *entries[place + 1 :], again])
        with pytest.raises(Corrupt, match="expected what was signed"):
            sealer.seal()


def put_back(layout: Layout, backup: Path) -> None:
    """The tables as they were."""
    shutil.rmtree(layout.tables_folder)
    shutil.copytree(backup, layout.tables_folder)


def restored(layout: Layout, tmp_path: Path) -> None:
    """Three requests; the tables are put back to when there was one, and the WAL still has the others."""
    send(layout, traces(1))
    drain(layout)
    backup = tmp_path / "backup"
    shutil.copytree(layout.tables_folder, backup)
    with WalWriter(layout, "main", SMALL) as writer:
        for number in (2, 3):
            writer.append(*request(traces(number))).result(5)
            drain(layout, DrainOptions(fold_at=2))
        seal(layout)
        put_back(layout, backup)
        drain(layout)
    seal(layout)


def test_tables_that_were_put_back_become_what_they_were(layout: Layout, tmp_path: Path) -> None:
    """What the WAL still has is stored once more as the very same rows, so it is not told otherwise; that they were put
    back is recorded.
    """
    restored(layout, tmp_path)
    entries = entries_of(layout)
    frames = [frame for entry in entries if isinstance(entry, Batch) for frame in entry.frames]
    assert [frame.seq for frame in frames] == [1, 2, 3, 2, 3]
    assert frames[1:3] == frames[3:]
    (entry,) = [entry for entry in entries if isinstance(entry, Restored)]
    report = verify(layout, Asked(patience_s=0))
    assert {found.code for found in report.findings} <= {"restored", "commits_uncovered"}
    assert {found.where for found in report.findings if found.code == "restored"} == {
        f"tables/{name}" for name in entry.back
    }
    assert (report.requests, report.verdicts["completeness"]) == (3, "partial")
    assert "broken" not in report.verdicts.values()


def test_what_tables_lost_by_it_is_missed(layout: Layout, tmp_path: Path) -> None:
    """Of which the WAL has nothing any more: recording that they were put back makes nothing of it good."""
    send(layout, traces(1))
    drain(layout)
    backup = tmp_path / "backup"
    shutil.copytree(layout.tables_folder, backup)
    send(layout, traces(2))
    drain(layout)
    seal(layout)
    put_back(layout, backup)
    shutil.rmtree(layout.wal("main"))
    drain(layout)
    seal(layout)
    report = verify(layout, Asked(patience_s=0))
    assert {"evidence main/2", "spans main/2"} <= {
        each.where for each in report.findings if each.code == "rows_missing"
    }
    assert report.verdicts["completeness"] == "broken"


def test_rows_that_are_stored_once_more_as_others_are_not_signed(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: frames without a salt, as an older aftertrace wrote them, become rows with another one."""
    real = frame.seal
    monkeypatch.setattr(frame, "VERSION", 2)
    monkeypatch.setattr(frame, "seal", lambda *told: real(*told, salt=b""))
    restored(layout, tmp_path)
    with Sealer(layout) as sealer, pytest.raises(Corrupt, match="tells request main/2 otherwise than before"):
        sealer.seal()


def test_requests_that_are_told_once_more_take_nothing_back(layout: Layout, tmp_path: Path) -> None:
    """Each in an entry of its own: no entry speaks of less than those before."""
    send(layout, traces(1))
    drain(layout)
    backup = tmp_path / "backup"
    shutil.copytree(layout.tables_folder, backup)
    with WalWriter(layout, "main", SMALL) as writer:
        for number in range(2, 6):
            writer.append(*request(traces(number))).result(5)
        drain(layout)
        seal(layout)
        put_back(layout, backup)
        drain(layout, DrainOptions(batch_bytes=1))
    assert [entry.upto for entry in entries_of(layout)[-4:]] == [{"main": 5}] * 4
    seal(layout)
    assert {found.code for found in verify(layout, Asked(patience_s=0)).findings} <= {"restored", "commits_uncovered"}
