"""Large contents go by a term of their own, recorded and signed first; their records stay, and nothing is missed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from aftertrace.analyzer.opening import open_analysis
from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.store import durable
from aftertrace.store.blobs import reference
from aftertrace.store.blobs.sweeping import ASIDE
from aftertrace.store.folder import open_folder, store_key
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.covering import Ledger
from aftertrace.store.ledger.entries import AnyAct, Hold, Retained
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention import contents
from aftertrace.store.retention.contents import ContentsPlan, planned_contents
from aftertrace.store.retention.plan import Held
from aftertrace.store.snapshot import Snapshot

from . import retaining
from .canaries import files_with
from .drain_samples import DAY_NS, NOON_NS, drain, new_store, stored
from .referring import ASKED, refer, spans_of
from .referring import tool_call as called
from .retaining import checked, codes

FIRST = date(2025, 11, 25)
TODAY = FIRST + timedelta(days=31)
OVER = ("one, " * 80, "two, " * 80)


@pytest.fixture
def filled(tmp_path: Path) -> Layout:
    """Two requests of a day that is over, each with a content of its own; and a day that is not."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(called(1, OVER[0])), spans_of(called(2, OVER[1]), trace=2))
    refer(layout, spans_of(called(3, OVER[0]), trace=3), received_ns=NOON_NS + DAY_NS)
    drain(layout)
    seal(layout)
    return layout


def plan(layout: Layout, held: tuple[Held, ...] = (), term_days: int = 30) -> ContentsPlan:
    """What would go."""
    last = acts.last_hold(acts.recorded(layout))
    return planned_contents(Snapshot.of(layout.data), store_key(layout), term_days, held, TODAY, last)


def apply(layout: Layout, chosen: ContentsPlan | None = None, turns: int = 2) -> str:
    """Carry a plan out."""
    ident = acts.ask_to_destroy(layout, (chosen or plan(layout)).order("ann", "over", datetime.now(UTC).date()))
    for _ in range(turns):
        drain(layout)
        seal(layout)
    return ident


def there(layout: Layout) -> list[str]:
    """Days of blobs."""
    return sorted(path.parent.name for path in layout.blobs.rglob("*.blob"))


def results(layout: Layout) -> set[str]:
    """What is shown of results."""
    analysis = open_analysis(layout.data)
    records = [analysis.record(run) for run in analysis.runs["run_id"]]
    return {call.result.begins or "" for record in records for call in record.calls if call.result}


def test_what_is_over_goes_and_its_records_stay(filled: Layout) -> None:
    """Blobs and key of the day; readers say so, verify tells it from tampering, and what was asked is all there."""
    before = stored(filled)
    apply(filled)
    assert there(filled) == ["2025-11-26"]
    assert sorted(path.stem for path in filled.blob_key(FIRST).parent.iterdir()) == ["2025-11-26"]
    after = stored(filled)
    assert all(after[table].equals(before[table]) for table in ("evidence", "spans", "events"))
    assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}
    gone = [text for text in results(filled) if text.startswith("[content of 400 bytes: destroyed on ")]
    assert (len(results(filled)), len(gone)) == (2, 1)
    assert files_with(filled.data, ASKED["body"][:40].encode()) != []


def test_a_blob_that_a_crash_left_aside_goes_with_the_others(filled: Layout) -> None:
    """It had another name while it was looked for once more: no later sweep brings it back."""
    chosen = plan(filled)
    path = min(filled.blobs_of(FIRST).glob("*.blob"))
    path.rename(path.with_suffix(ASIDE))
    apply(filled, chosen)
    assert (there(filled), filled.blobs_of(FIRST).exists(), filled.blob_key(FIRST).exists()) == (
        ["2025-11-26"],
        False,
        False,
    )
    assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}


def test_nothing_goes_before_its_order_is_signed(filled: Layout) -> None:
    """The order is entered, and no sealer runs."""
    acts.ask_to_destroy(filled, plan(filled).order("ann", "over", datetime.now(UTC).date()))
    for _ in range(2):
        drain(filled)
    assert len(there(filled)) == 3


def test_contents_that_went_with_no_order_are_missed(filled: Layout) -> None:
    """Also beside those that an order names, and with their key."""
    held = plan(filled, (_held(filled, 2),))
    (kept,) = held.staying
    apply(filled, held)
    assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}
    filled.blob(FIRST, kept.blobs[0]).unlink()
    assert codes(checked(filled)) == {
        "contents_destroyed": {"blobs"},
        "blob_missing": {f"blobs/2025-11-25/{kept.blobs[0]}"},
    }


def _held(layout: Layout, seq: int) -> Held:
    evidence = stored(layout)["evidence"]
    return Held("hold of a run", evidence.filter(evidence["seq"] == seq).select("receiver", "seq"))


def _held_by(layout: Layout, hold: Hold, seq: int) -> Held:
    return Held(hold.why, _held(layout, seq).requests, hold)


def test_a_hold_keeps_what_its_requests_refer_to(filled: Layout) -> None:
    """The other content of the day goes; the key stays as long as one blob needs it, and goes with that."""
    told = plan(filled, (_held(filled, 2),))
    assert [(len(each.blobs), each.why) for each in (*told.going, *told.staying)] == [(1, None), (1, "hold of a run")]
    apply(filled, told)
    assert there(filled) == ["2025-11-25", "2025-11-26"]
    assert OVER[1] in results(filled)
    apply(filled)
    assert (there(filled), filled.blob_key(FIRST).exists()) == (["2025-11-26"], False)


def test_a_hold_of_days_and_one_set_since_stop_an_order(filled: Layout) -> None:
    """It is planned anew, and then there is nothing to plan."""
    chosen = plan(filled)
    acts.ask_hold(filled, "days", "2025-11-25/2025-11-25", "ann", "case 7")
    drain(filled)
    ident = apply(filled, chosen)
    assert "a hold was set" in (acts.refusal(filled, ident) or "")
    forced = ContentsPlan(30, acts.last_hold(acts.recorded(filled)), chosen.going, ())
    ident = apply(filled, forced)
    assert "of days 2025-11-25/2025-11-25 keeps some of it" in (acts.refusal(filled, ident) or "")
    (hold,) = [each.act for each in acts.recorded(filled) if isinstance(each.act, Hold)]
    assert plan(filled, (Held("hold", hold=hold),)).going == ()
    assert len(there(filled)) == 3


@pytest.mark.parametrize(("name", "left"), [("anonymous", 3), ("another", 1)], ids=["its source", "control"])
def test_a_hold_of_a_source_stops_an_order_whatever_that_says(filled: Layout, name: str, left: int) -> None:
    """Whoever may write to the folder of acts plans nothing, and names the last hold: what is held stays."""
    acts.ask_hold(filled, "source", name, "ann", "case 7")
    drain(filled)
    chosen = plan(filled)
    assert sum(len(each.blobs) for each in chosen.going) == 2
    ident = apply(filled, chosen)
    refusal = acts.refusal(filled, ident)
    assert (len(there(filled)), refusal is None) == (left, left == 1)
    assert codes(checked(filled)).keys() <= {"contents_destroyed"}
    assert refusal is None or "of source anonymous keeps some of it" in refusal


def _pasted(layout: Layout, day: int) -> None:
    """A sender puts the references of all records so far into a record of their own, so many days after the first."""
    records = stored(layout)["evidence"]["record"].to_list()
    key = store_key(layout)
    found = [text for record in records for text, _ in reference.found(record.decode("utf-8", "replace"), key)]
    notes = {f"note {number}": text for number, text in enumerate(found)}
    body = spans_of({**called(9, "own, " * 80), **notes}, trace=9)
    refer(layout, body, received_ns=NOON_NS + day * DAY_NS, source="b/two")
    drain(layout)
    seal(layout)


def test_a_reference_that_is_put_into_a_record_of_another_day_needs_nothing(filled: Layout) -> None:
    """What holds of who did that keeps none of the contents, for the drain and for whoever verifies."""
    _pasted(filled, 1)
    acts.ask_hold(filled, "source", "b/two", "ann", "case 7")
    drain(filled)
    (hold,) = acts.holds(acts.recorded(filled))
    ident = apply(filled, plan(filled, (Held("case 7", hold=hold),)))
    assert (acts.refusal(filled, ident), set(there(filled))) == (None, {"2025-11-26"})
    assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}


def test_nor_is_it_missed_once_the_records_of_its_day_are_destroyed(filled: Layout) -> None:
    """Although it stands in one that is kept for longer."""
    _pasted(filled, 2)
    retaining.apply(filled)
    assert there(filled) == ["2025-11-27"]
    assert codes(checked(filled)).keys() == {"destroyed"}


def test_without_whoever_tells_what_a_run_is_an_order_waits(filled: Layout) -> None:
    """As one of records does; and with them, what a run refers to stays."""
    acts.ask_hold(filled, "run", "r1", "ann", "case 7")
    drain(filled)
    ident = apply(filled, plan(filled))
    assert (acts.is_waiting(filled, ident), acts.refusal(filled, ident), len(there(filled))) == (True, None, 3)
    options = DrainOptions(telling=lambda holds: [_held_by(filled, hold, 2) for hold in holds])
    drain(filled, options)
    assert "of run r1 keeps some of it" in (acts.refusal(filled, ident) or "")
    (day,) = plan(filled, (_held(filled, 2),)).going
    ident = apply(filled, ContentsPlan(30, acts.last_hold(acts.recorded(filled)), (day,), ()), turns=0)
    for _ in range(2):
        drain(filled, options)
        seal(filled)
    assert (acts.refusal(filled, ident), there(filled)) == (None, ["2025-11-25", "2025-11-26"])


@pytest.mark.parametrize(("name", "is_kept"), [("anonymous", True), ("another", False)], ids=["its source", "another"])
def test_an_order_waits_for_a_hold_that_keeps_some_of_it_and_for_no_other(
    filled: Layout, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str, is_kept: bool
) -> None:
    """Entered before it came; it says for which, once, and goes on when that is released."""
    ident = apply(filled, turns=0)
    drain(filled)
    hold = acts.ask_hold(filled, "source", name, "ann", "case 7")
    drain(filled)
    seal(filled)
    monkeypatch.setattr(contents, "_LOOK_S", 0)
    with Drain(filled) as draining:
        for _ in range(3):
            draining.once()
        kept = ["2025-11-25"] * 2 if is_kept else []
        why = f"{ident} waits: hold {hold} of source anonymous keeps some of it"
        told = [each for each in caplog.messages if "waits" in each]
        assert (there(filled), told) == ([*kept, "2025-11-26"], [why] if is_kept else [])
        acts.ask_release(filled, hold, "ann", "closed")
        draining.once()
        draining.once()
    assert there(filled) == ["2025-11-26"]
    seal(filled)
    assert codes(checked(filled)).keys() == {"contents_destroyed"}


def test_where_a_hold_of_the_lake_cannot_be_read_an_order_waits(tmp_path: Path) -> None:
    """Entered and signed before it came; mended, it goes on."""
    layout = open_folder(tmp_path / "east", str(tmp_path / "lake"))
    durable.make_folder(layout.store_key.parent)
    durable.write_file(layout.store_key, bytes(32), mode=0o600)
    refer(layout, spans_of(called(1, OVER[0])))
    drain(layout)
    seal(layout)
    apply(layout, turns=0)
    drain(layout)
    seal(layout)
    damaged = layout.tables_folder / "_holds" / ("0" * 32)
    damaged.parent.mkdir()
    damaged.write_bytes(b"{}")
    drain(layout)
    assert there(layout) == ["2025-11-25"]
    damaged.unlink()
    drain(layout)
    assert there(layout) == []


def test_an_order_before_its_term_is_refused(filled: Layout) -> None:
    """By the drain, whatever was planned."""
    chosen = plan(filled)
    ident = apply(filled, ContentsPlan(100_000, chosen.after, chosen.going, ()))
    assert "before 100000 days were over" in (acts.refusal(filled, ident) or "")
    assert len(there(filled)) == 3


def test_no_term_and_no_day_over_plan_nothing(filled: Layout) -> None:
    """For ever; and one day more."""
    assert (plan(filled, term_days=0).going, plan(filled, term_days=31).going) == ((), ())


class Crash(Exception):
    """The process ends here."""


STEPS: dict[str, tuple[Any, str, str]] = {
    "between blobs": (Path, "unlink", ".blob"),
    "before the key": (durable, "remove", ".key"),
    "before it is said": (durable, "write_file", ".destroyed"),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_is_gone_on_from(filled: Layout, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The order is done by the next drain, and verify holds all along."""
    acts.ask_to_destroy(filled, plan(filled).order("ann", "over", datetime.now(UTC).date()))
    drain(filled)
    seal(filled)
    calls = 0

    def failing(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        raise Crash

    with monkeypatch.context() as patched:
        owner, name, suffix = STEPS[step]
        real = getattr(owner, name)

        def crashing(path: Path, *more: object, **others: object) -> object:
            if path.suffix == suffix and len(there(filled)) < 3:
                failing()
            return real(path, *more, **others)

        patched.setattr(owner, name, crashing)
        with pytest.raises(Crash):
            drain(filled)
    assert calls == 1
    assert codes(checked(filled)).keys() <= {"contents_destroyed", "unsealed"}
    drain(filled)
    seal(filled)
    assert there(filled) == ["2025-11-26"]
    assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}
    assert [each.act.files for each in acts.recorded(filled) if isinstance(each.act, Retained)] in ([0], [1])


class Clock(datetime):
    """That of the drain where it destroys, some days from now."""

    days = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Clock:
        """Then."""
        return cls.fromtimestamp(time.time() + cls.days * 86_400, tz)


@pytest.mark.parametrize("later", ["ordered since", "ordered before"])
def test_a_crash_in_another_order_of_the_day_differs_from_nothing(
    filled: Layout, monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    """It had said already that contents went that day, days after the first order was done."""
    whole = plan(filled)
    (day,) = whole.going
    one, two = (replace(whole, going=(replace(day, blobs=(digest,)),)) for digest in day.blobs)
    monkeypatch.setattr(contents, "datetime", Clock)
    if later == "ordered since":
        apply(filled, one)
        asked = [two]
    else:
        asked = [one, two]
    for each in asked:
        apply(filled, each, turns=0)
        drain(filled)
    seal(filled)
    record, crashes = Ledger.record, iter([True] if later == "ordered since" else [False, True])

    def crash(ledger: Ledger, entries: Sequence[AnyAct]) -> None:
        if any(isinstance(entry, Retained) for entry in entries):
            if next(crashes):
                raise Crash
            Clock.days = 3
        record(ledger, entries)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "record", crash)
        patched.setattr(Clock, "days", 3 if later == "ordered since" else 0)
        with pytest.raises(Crash):
            drain(filled)
        seal(filled)
        said = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
        assert (there(filled), filled.blobs_destroyed(FIRST).read_text()) == (["2025-11-26"], said)
        assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}
        # The control: nothing was ordered by then.
        filled.blobs_destroyed(FIRST).write_text("2025-11-30")
        assert codes(checked(filled)).keys() == {"contents_destroyed", "destroyed_differs"}


def test_blobs_that_were_put_back_are_told(filled: Layout) -> None:
    """From a backup of both folders; that of blobs alone is of no use to anybody."""
    kept = {path: path.read_bytes() for path in (*filled.blobs.rglob("*.blob"), filled.blob_key(FIRST))}
    apply(filled)
    for path, content in kept.items():
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".blob":
            path.write_bytes(content)
    of = plan(filled).going[0]
    assert len(of.blobs) == 2
    assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}
    filled.blob_key(FIRST).write_bytes(kept[filled.blob_key(FIRST)])
    assert codes(checked(filled)).keys() == {"destroyed_there"}


def test_a_key_of_another_day_opens_nothing(filled: Layout) -> None:
    """Keys are drawn by day."""
    keys = sorted(filled.blob_key(FIRST).parent.iterdir())
    keys[0].write_bytes(keys[1].read_bytes())
    assert codes(checked(filled)).keys() == {"blob_differs"}
