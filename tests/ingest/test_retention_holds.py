"""Holds against orders: when they are entered, when they are carried out, and in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from aftertrace.store.errors import Invalid
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Hold, Retained, Retention, Withdrawn
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention.certificate import certificate, check
from aftertrace.store.retention.erasing import erased
from aftertrace.store.retention.plan import Held
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import TableWriter
from aftertrace.store.verify.given import keys_in

from .drain_samples import drain
from .retaining import AT_ONCE, apply, asked, canaries, checked, codes, every, fill, left, plan
from .test_retention_forged import without


@pytest.fixture
def filled(layout: Layout) -> Layout:
    """Six requests of three days, of which two are over."""
    fill(layout)
    return layout


def turns(layout: Layout, told: Callable[[Sequence[Hold]], Sequence[Held]] | None = None) -> None:
    """As often as an order needs."""
    for _ in range(2):
        drain(layout, replace(AT_ONCE, telling=told))
        seal(layout)


def of_kind(layout: Layout, kind: type) -> list[Any]:
    """Acts of a kind."""
    return [each.act for each in acts.recorded(layout) if isinstance(each.act, kind)]


def entered(layout: Layout) -> str:
    """An order that is entered and signed, and not begun."""
    ident = acts.ask_to_destroy(layout, asked(plan(layout)))
    drain(layout, AT_ONCE)
    seal(layout)
    return ident


def test_an_order_that_a_hold_catches_before_it_begins_is_withdrawn(filled: Layout) -> None:
    """All stays, also when the hold is released; then it can be ordered anew."""
    ident = acts.ask_to_destroy(filled, asked(plan(filled)))
    drain(filled, AT_ONCE)
    hold = acts.ask_hold(filled, "source", "anonymous", "bob", "case 7")
    turns(filled)
    (back,) = of_kind(filled, Withdrawn)
    assert (back.id, back.hold, back.day, back.gone) == (ident, hold, "2025-11-25", ())
    assert left(filled) == every([1, 2, 3, 4, 5, 6])
    acts.ask_release(filled, hold, "bob", "closed")
    turns(filled)
    assert (left(filled), of_kind(filled, Retained)) == (every([1, 2, 3, 4, 5, 6]), [])
    assert codes(checked(filled)) == {"withdrawn": {f"order {ident}"}}
    with pytest.raises(Invalid, match="before any of it was gone"):
        certificate(filled, ident)
    apply(filled)
    assert left(filled) == every([5, 6])
    assert codes(checked(filled)).keys() == {"destroyed", "withdrawn"}


class Crash(Exception):
    """The process ends here."""


REACHED: dict[int, tuple[str, tuple[str, ...]]] = {
    0: ("2025-11-25", ()),
    1: ("2025-11-25", ("events",)),
    2: ("2025-11-25", ("spans", "events")),
    3: ("2025-11-26", ()),
    5: ("2025-11-26", ("spans", "events")),
    6: ("2025-11-27", ()),
}
"""By how many commits were made: the first day of which something is left, and the tables that have none of it."""


@pytest.mark.parametrize("commits", REACHED)
def test_an_order_that_is_half_done_ends_where_it_is(
    filled: Layout, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """What is gone is said and its bytes go; what stays is proven, and missed if it goes after all."""
    ident = entered(filled)
    whole, done = TableWriter.destroy, 0

    def crash(*arguments: Any) -> bool:
        nonlocal done
        if done == commits:
            raise Crash
        done += 1
        return whole(*arguments)

    with monkeypatch.context() as crashing:
        crashing.setattr(TableWriter, "destroy", crash)
        crashing.setattr("aftertrace.store.retention.destroying._drop_origins", lambda *_: crash())
        with pytest.raises(Crash):
            drain(filled, AT_ONCE)
    acts.ask_hold(filled, "source", "anonymous", "bob", "case 7")
    turns(filled)
    day, gone = REACHED[commits]
    (back,) = of_kind(filled, Withdrawn)
    assert (back.day, back.gone, len(of_kind(filled, Retained))) == (day, gone, int(commits > 0))
    reached = date.fromisoformat(day).day - 25
    stays = [seq for seq in range(1, 7) if seq > 2 * reached]
    partly = [seq for seq in stays if seq > 2 * (reached + 1)]
    assert left(filled) == {name: partly if name in gone else stays for name in ("evidence", "spans", "events")}
    assert canaries(filled) == {seq: seq in stays for seq in range(1, 7)}
    report = checked(filled)
    assert codes(report).keys() <= {"destroyed", "withdrawn"}
    assert (report.verdicts["integrity"], report.verdicts["completeness"]) == ("holds", "holds")
    assert fsck(filled) == []
    if commits:
        (key,) = keys_in(str(filled.ledger / "key"))
        told, keys = check(certificate(filled, ident), key)
        assert keys == (key,)
        days = ["2025-11-25", "2025-11-26"][: reached + bool(gone)]
        assert [each["day"] for each in told["destroyed"]] == days
        assert told["destroyed"][-1].get("tables", []) == list(gone)
        assert told["withdrawn"] == {"hold": back.hold, "stays_from": day}
        assert json.loads(json.dumps(told)) == told
    without(filled, 5)
    assert codes(checked(filled))["rows_missing"] == {"evidence main/5", "spans main/5", "events main/5"}
    if 3 in stays and not gone:
        without(filled, 3)
        assert "evidence main/3" in codes(checked(filled))["rows_missing"]


def held_of(*seqs: int) -> Callable[[Sequence[Hold]], list[Held]]:
    """An analysis that tells these requests of whatever is held."""
    requests = pl.DataFrame({"receiver": ["main"] * len(seqs), "seq": list(seqs)}, schema_overrides={"seq": pl.Int64})
    return lambda holds: [Held(hold.name, requests, hold) for hold in holds]


def unknown(_: Sequence[Hold]) -> list[Held]:
    """An analysis that does not know the run."""
    raise Invalid("run 'x': not found")


def test_an_order_for_what_is_held_is_refused_whatever_it_is_held_by(filled: Layout) -> None:
    """Although who wrote it knew of the hold: a source, a run or an agent; or where nobody can tell."""
    for of, name, told, why in (
        ("source", "anonymous", held_of(), "of source anonymous keeps some of it"),
        ("run", "x", held_of(2), "of run x keeps some of it"),
        ("agent", "y", held_of(1, 9), "of agent y keeps some of it"),
        ("run", "x", unknown, "what is held could not be told: run 'x': not found"),
    ):
        hold = acts.ask_hold(filled, of, name, "bob", "case 7")  # type: ignore[arg-type]
        turns(filled, told)
        ident = acts.ask_to_destroy(filled, asked(plan(filled)))
        turns(filled, told)
        assert why in (acts.refusal(filled, ident) or ""), of
        acts.ask_release(filled, hold, "bob", "closed")
    turns(filled)
    assert (left(filled), of_kind(filled, Retention)) == (every([1, 2, 3, 4, 5, 6]), [])


def test_an_order_waits_where_nobody_can_tell_what_a_run_is(filled: Layout) -> None:
    """A drain that can comes to it; and the control: a run that has none of it keeps none of it."""
    acts.ask_hold(filled, "run", "x", "bob", "case 7")
    drain(filled)
    ident = acts.ask_to_destroy(filled, asked(plan(filled)))
    turns(filled)
    assert (acts.is_waiting(filled, ident), acts.refusal(filled, ident)) == (True, None)
    drain(filled, replace(AT_ONCE, telling=held_of(5)))
    seal(filled)
    turns(filled)
    assert left(filled) == every([1, 2, 3, 4, 5, 6])
    turns(filled, held_of(5))
    assert left(filled) == every([5, 6])
    assert codes(checked(filled)).keys() == {"destroyed"}


def test_a_hold_of_a_run_catches_an_order_that_was_entered(filled: Layout) -> None:
    """By what the analysis tells at that moment."""
    entered(filled)
    acts.ask_hold(filled, "run", "x", "bob", "case 7")
    turns(filled, held_of(4))
    assert (len(of_kind(filled, Withdrawn)), left(filled)) == (1, every([1, 2, 3, 4, 5, 6]))


def test_an_erasure_that_a_hold_catches_is_withdrawn(filled: Layout) -> None:
    """Its rows stay, and are missed if they go after all: no hash in the ledger stands for them."""
    places = pl.DataFrame({"receiver": ["main"], "seq": [1], "index": [0]})
    parts = erased(Snapshot.of(filled.data), places, ())
    acts.ask_to_destroy(filled, acts.Erasing(by="ann", why="asked for", parts=parts))
    drain(filled, AT_ONCE)
    acts.ask_hold(filled, "days", "2025-11-25/2025-11-25", "bob", "case 7")
    turns(filled)
    report = checked(filled)
    assert (codes(report).keys(), report.verdicts["completeness"]) == ({"withdrawn"}, "holds")
    assert left(filled) == every([1, 2, 3, 4, 5, 6])
    without(filled, 1)
    assert codes(checked(filled))["rows_missing"] == {"evidence main/1", "spans main/1", "events main/1"}
