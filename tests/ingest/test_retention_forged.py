"""Retention as a pretext: rows that went with no order, with another one, or more of them than it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Act, Entry, Hold, Release, Retained, Retention, Tables, Withdrawn, text_of
from aftertrace.store.ledger.sealer import seal

from .drain_samples import DAY_NS, NOON_NS, drain, send, traces
from .forging import entries_of, rewrite, write_entries
from .retaining import AT_ONCE, apply, asked, checked, codes, fill, plan

ACT: dict[str, Any] = {"id": "0f" * 16, "uid": 0}
SAID: dict[str, Any] = {"by": "ann", "why": "over"}
DIGEST = text_of(bytes(32))


@pytest.fixture
def filled(layout: Layout) -> Layout:
    """A store with days that are over."""
    fill(layout)
    return layout


def without(layout: Layout, *seqs: int) -> None:
    """Rows of requests taken out of all three tables, with digests in commits that fit again."""
    for table in ("evidence", "spans", "events"):
        for seq in seqs:
            rewrite(layout, lambda rows, seq=seq: rows.filter(pa.compute.field("seq") != seq), table, seq)


def retention(**changed: Any) -> Retention:
    """An order for the first request."""
    told: dict[str, Any] = {
        "policy": DIGEST,
        "plan": DIGEST,
        "term_days": 184,
        "floor_days": 183,
        "receiver": "main",
        "day": "2025-11-25",
        "requests": ((1, 1),),
        "rows": {"evidence": 2, "events": 2, "spans": 2},
    }
    return Retention(**ACT, **SAID, **{**told, **changed})


def test_rows_that_went_with_no_order_are_missing(filled: Layout) -> None:
    """Also where an order that is not signed would explain them: then it is not proven, and named."""
    without(filled, 1)
    found = codes(checked(filled))
    assert found["rows_missing"] == {"evidence main/1", "spans main/1", "events main/1"}
    acts.ask_to_destroy(filled, asked(plan(filled)))
    drain(filled, AT_ONCE)
    assert codes(checked(filled))["rows_missing"] == {"evidence main/1", "spans main/1", "events main/1"}


def test_more_rows_gone_than_an_order_says_are_missing(filled: Layout) -> None:
    """Of a day that it does not name, beside those that it does."""
    apply(filled)
    without(filled, 5)
    found = codes(checked(filled))
    assert found["rows_missing"] == {"evidence main/5", "spans main/5", "events main/5"}
    assert found["destroyed"] == {"main 2025-11-25", "main 2025-11-26"}


def test_a_row_of_a_request_that_went_in_part_is_missed(filled: Layout) -> None:
    """An order takes requests whole."""
    apply(filled)
    rewrite(filled, lambda rows: rows.slice(1), "spans", 5)
    assert codes(checked(filled))["rows_missing"] == {"spans main/5"}


CONTRADICTIONS: dict[str, Callable[[], list[Entry]]] = {
    "another day": lambda: [retention(day="2025-11-26")],
    "what was not stored yet": lambda: [retention(requests=((1, 99),))],
    "another receiver": lambda: [retention(receiver="nobody")],
    "below the floor": lambda: [retention(term_days=10)],
    "before its term": lambda: [retention(term_days=40_000, floor_days=183)],
    "under a hold": lambda: [
        Hold(**{**ACT, "id": "1f" * 16}, **SAID, of="days", name="2025-11-20/2025-11-25"),
        retention(),
    ],
    "not compared with a hold": lambda: [
        Hold(**{**ACT, "id": "1f" * 16}, **SAID, of="run", name="x"),
        retention(sources=("anonymous",)),
    ],
    "carried out under a hold": lambda: [
        retention(sources=("acme/refunds",)),
        Hold(**{**ACT, "id": "1f" * 16}, **SAID, of="tenant", name="acme"),
        Retained(**ACT, files=0),
    ],
    "withdrawn for no hold": lambda: [
        retention(),
        Withdrawn(**ACT, hold="1f" * 16, day="2025-11-25", gone=()),
    ],
    "no order withdrawn": lambda: [
        Hold(**{**ACT, "id": "1f" * 16}, **SAID, of="run", name="x"),
        Withdrawn(**ACT, hold="1f" * 16, day="2025-11-25", gone=()),
    ],
    "no hold": lambda: [Release(**ACT, **SAID, hold="2f" * 16)],
    "by a clock that was ahead": lambda: [
        retention(time_ns=str(NOON_NS + 185 * DAY_NS)),
        Tables(time_ns=str(NOON_NS + 3 * DAY_NS)),
    ],
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_an_order_that_cannot_be_contradicts_the_ledger(filled: Layout, name: str) -> None:
    """Although it is signed: whoever could act as the drain put it there."""
    ordered(filled, *CONTRADICTIONS[name]())
    assert "ledger_contradicts" in codes(checked(filled))


def test_the_control_an_order_that_can_be_contradicts_nothing(filled: Layout) -> None:
    """Negative control of the above; and its rows may be there until it is done, not after."""
    ordered(filled, retention())
    assert codes(checked(filled)).keys() == {"destroyed"}
    ordered(filled, Retained(**ACT, files=0))
    report = checked(filled)
    assert codes(report)["destroyed_there"] == {"evidence main/1", "spans main/1", "events main/1"}
    assert report.verdicts["integrity"] == "partial"


def test_the_control_an_order_that_was_compared_with_what_is_held(filled: Layout) -> None:
    """With a hold of another source, entered before it; and one of its own source, under which it is withdrawn."""
    hold = Hold(**{**ACT, "id": "1f" * 16}, **SAID, of="source", name="x")
    number = len(entries_of(filled))
    ordered(filled, hold, retention(sources=("anonymous",), compared=number))
    assert codes(checked(filled)).keys() == {"destroyed"}
    caught = Hold(**{**ACT, "id": "2f" * 16}, **SAID, of="source", name="anonymous")
    ordered(filled, caught, Withdrawn(**ACT, hold=caught.id, day="2025-11-25", gone=()))
    assert codes(checked(filled)).keys() == {"withdrawn"}
    told = {"id": "3f" * 16, "sources": ("anonymous",), "compared": number + 2}
    ordered(filled, msgspec.structs.replace(retention(), **told))
    assert codes(checked(filled)).keys() == {"ledger_contradicts", "destroyed", "withdrawn"}


def ordered(layout: Layout, *entries: Entry) -> None:
    """Entries behind the last, with its time where they have none, and signed."""
    for entry in entries:
        held = entries_of(layout)
        last = held[-1]
        is_act = isinstance(last, Act)
        told = msgspec.structs.replace(
            entry,
            time_ns=last.time_ns if entry.time_ns == "0" else entry.time_ns,
            upto=last.upto,
            versions=last.versions,
            last_act=len(held) - 1 if is_act else last.last_act,
        )
        write_entries(layout, [*held, told])
    seal(layout)


def test_what_was_destroyed_and_comes_again_is_new(filled: Layout) -> None:
    """Negative control of rows that are there again: those have the seqs that they had."""
    apply(filled)
    send(filled, traces(1, service="canary-1-1e7b1"))
    drain(filled)
    seal(filled)
    assert codes(checked(filled)).keys() == {"destroyed"}
