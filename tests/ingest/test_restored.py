"""Tables that were put back, and frames that become other rows this time: the operator goes on, no forger does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from aftertrace.ingest import dialects
from aftertrace.store import frame
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.covering import roots_of, salts_of
from aftertrace.store.ledger.entries import Batch, Restored, Tables
from aftertrace.store.ledger.sealer import Sealer, seal
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.report import Report
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.note import Note

from .drain_samples import drain, send, traces
from .forging import entries_of, replaced, sign, with_value, write_entries

REFUSED = "tells request main/2 otherwise than before.*`aftertrace seal --restore` signs it and names it"


@dataclass
class Case:
    """Two requests are signed; what the first one left in the WAL, and how the second one is read later on."""

    before: Callable[[pytest.MonkeyPatch], object]
    """As it was when they came."""
    lost: tuple[str, ...] = ()
    """What the restore lost besides, which `verify` names as missing."""
    rows: int = 10
    """That are left of 10."""


def _old_frames(patch: pytest.MonkeyPatch) -> None:
    real = frame.seal
    patch.setattr(frame, "VERSION", 2)
    patch.setattr(frame, "seal", lambda *told: real(*told, salt=b""))


CASES = {
    "a repeat whose first copy is gone": Case(lambda _: None, ("evidence main/1", "events main/1", "spans main/1"), 6),
    "another dialect": Case(
        lambda patch: patch.setattr(dialects, "DIALECTS", dialects.DIALECTS[-1:]),
    ),
    "frames without salts": Case(_old_frames),
}


def put_back(layout: Layout, backup: Path) -> None:
    """The tables as they were."""
    shutil.rmtree(layout.tables_folder)
    shutil.copytree(backup, layout.tables_folder)


def asked(layout: Layout) -> Asked:
    """With key and checkpoint from elsewhere, as they are now."""
    key = VerifierKey.parse(layout.ledger_key.read_text().strip())
    return Asked(keys=(key,), kept=(("kept", Note.parse(layout.checkpoint.read_bytes())),), patience_s=0)


def named(report: Report) -> dict[str, set[str]]:
    """Where each code was found, but what every restore leaves: files of commits that are told no more."""
    found: dict[str, set[str]] = {}
    for each in report.findings:
        if each.code not in ("restored", "commits_uncovered"):
            found.setdefault(each.code, set()).add(each.where)
    return found


@pytest.mark.parametrize("name", CASES)
def test_whoever_put_tables_back_goes_on(layout: Layout, tmp_path: Path, name: str) -> None:
    """The sealer says what it refuses and the way on; that signs what is there, once, and `verify` names it."""
    case, backup = CASES[name], tmp_path / "backup"
    if not case.lost:
        send(layout, traces(1))
        drain(layout)
    shutil.copytree(layout.tables_folder, backup)
    with pytest.MonkeyPatch.context() as patch:
        case.before(patch)
        if case.lost:
            send(layout, traces(2))
            drain(layout)
            shutil.rmtree(layout.wal("main"))
        send(layout, traces(2))
        drain(layout)
    seal(layout)
    kept = asked(layout)
    assert verify(layout, kept).findings == ()
    put_back(layout, backup)
    drain(layout)
    with Sealer(layout) as sealer:
        with pytest.raises(Corrupt, match=REFUSED):
            sealer.seal()
        assert sealer.seal(is_restored=True)
        assert sealer.retold == ["main/2"]
    send(layout, traces(3))
    drain(layout)
    seal(layout)
    report = verify(layout, kept)
    expected = {"restored_otherwise": {"main/2"}, **({"rows_missing": set(case.lost)} if case.lost else {})}
    assert named(report) == expected
    completeness = "broken" if case.lost else "partial"
    assert report.verdicts == {"integrity": "partial", "completeness": completeness, "authenticity": "holds"}


@pytest.fixture
def signed(layout: Layout) -> Layout:
    """Two requests are stored and signed."""
    send(layout, traces(1))
    drain(layout)
    send(layout, traces(2))
    drain(layout)
    seal(layout)
    return layout


def forged(layout: Layout, *, is_behind: bool = True, digest: str | None = None) -> None:
    """Rows replaced, by somebody who may write to the data folder: that tables were put back, the commit that is there
    instead, and the other rows are told as if there had been a restore.
    """
    entries = entries_of(layout)
    batch = [entry for entry in entries if isinstance(entry, Batch)][-1]
    last = entries[-1]
    made, evidence = replaced(layout, "evidence", lambda rows: rows, seq=2)
    remade, spans = replaced(layout, "spans", lambda rows: with_value(rows, "tool_name", "harmless"), seq=2)
    told = msgspec.structs.replace(batch.frames[0], spans=roots_of("spans", spans, salts_of(evidence))[2])
    if digest is not None:
        told = msgspec.structs.replace(told, digest=digest)
    back = {"spans": last.versions["spans"] - 1}
    # What came behind the commit that is said to be gone is told once more, so that all versions are spoken of.
    restored = Restored(back=back, time_ns="1", upto=last.upto, versions={**last.versions, **back})
    again = Tables(time_ns="1", upto=last.upto, versions=last.versions, commits={"spans": last.commits["spans"]})
    commits = {"evidence": made, "spans": remade}
    versions = {**last.versions, **{table: each.last for table, each in commits.items()}}
    retold = Batch(
        receiver="main", day=batch.day, frames=(told,), time_ns="1", upto=last.upto, versions=versions, commits=commits
    )
    write_entries(layout, [*entries, *([restored, again] if is_behind else []), retold])


def test_a_restore_that_was_made_up_is_not_signed(signed: Layout) -> None:
    """All that the folder can tell of one is told, and rows are said to be others since: nothing is signed."""
    kept, shown = asked(signed), signed.checkpoint.read_bytes()
    forged(signed)
    with Sealer(signed) as sealer, pytest.raises(Corrupt, match=REFUSED):
        sealer.seal()
    seal(signed)
    report = verify(signed, kept)
    assert signed.checkpoint.read_bytes() == shown
    assert ("rows_differ", report.verdicts["integrity"]) == (
        next(found.code for found in report.findings if found.where == "spans main/2"),
        "broken",
    )


def test_what_an_operator_is_talked_into_is_named(signed: Layout) -> None:
    """The limit of it: whoever has the key and tells of a restore has it signed, by name, and never sound."""
    kept = asked(signed)
    forged(signed)
    with Sealer(signed) as sealer:
        assert sealer.seal(is_restored=True)
        assert sealer.retold == ["main/2"]
    report = verify(signed, kept)
    assert named(report) == {"restored_otherwise": {"main/2"}}
    assert report.verdicts["integrity"] == "partial"


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ({"is_behind": False}, "tells request main/2 otherwise than before, expected that it goes on"),
        ({"digest": "A" * 43 + "="}, "tells of another request as main/2 than before"),
    ],
    ids=["no restore", "another request"],
)
def test_not_even_after_a_restore_is_signed(signed: Layout, told: dict[str, bool], refusal: str) -> None:
    """What no restore can leave behind, whatever the operator says."""
    forged(signed, **told)
    with Sealer(signed) as sealer, pytest.raises(Corrupt, match=refusal):
        sealer.seal(is_restored=True)


def test_rows_that_are_others_with_no_restore_are_an_error(signed: Layout) -> None:
    """The negative control: signed by somebody who has the key, and no entry says that tables were put back."""
    kept = asked(signed)
    forged(signed, is_behind=False)
    sign(signed)
    report = verify(signed, kept)
    assert named(report) == {"told_again": {"main/2"}}
    assert report.verdicts["integrity"] == "broken"


def test_what_was_allowed_once_is_not_allowed_later(signed: Layout) -> None:
    """It goes for the entries that were there: what is told otherwise behind them is refused again."""
    with Sealer(signed) as sealer:
        sealer.seal(is_restored=True)
        forged(signed)
        with pytest.raises(Corrupt, match=REFUSED):
            sealer.seal()


def told_once_more(layout: Layout, day: str | None = None) -> int:
    """The last request, with the very same rows; the number of the entry."""
    entries = entries_of(layout)
    batch, last = [entry for entry in entries if isinstance(entry, Batch)][-1], entries[-1]
    again = Batch(receiver="main", day=day or batch.day, frames=batch.frames, upto=last.upto, versions=last.versions)
    write_entries(layout, [*entries, again])
    return len(entries)


def test_a_request_is_not_told_again_of_another_day(signed: Layout) -> None:
    """By its day it is held, and its term is over: the very same rows would be of years ago."""
    kept, number = asked(signed), told_once_more(signed, "2020-01-01")
    with Sealer(signed) as sealer, pytest.raises(Corrupt, match="tells of another request as main/2 than before"):
        sealer.seal(is_restored=True)
    # By somebody who has the key.
    sign(signed)
    report = verify(signed, kept)
    rows = {f"{table} main/2" for table in ("evidence", "spans", "events")}
    assert named(report) == {"ledger_contradicts": {f"ledger entry {number}"}, "rows_differ": rows}
    assert report.verdicts["integrity"] == "broken"


def test_a_request_that_is_told_again_as_it_was_is_signed(signed: Layout) -> None:
    """The negative control."""
    kept = asked(signed)
    told_once_more(signed)
    with Sealer(signed) as sealer:
        assert sealer.seal()
    assert verify(signed, kept).findings == ()
