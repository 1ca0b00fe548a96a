"""Retention of large contents as a pretext: orders that somebody who can act as the drain wrote into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from aftertrace.ingest.drain import DrainOptions
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import Entry, Hold, Release, Retained, Tables, Withdrawn, text_of
from aftertrace.store.ledger.orders import day_of
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention.plan import Held

from .drain_samples import DAY_NS, NOON_NS, drain, new_store
from .forging import entries_of
from .referring import refer, spans_of
from .referring import tool_call as called
from .retaining import checked, codes
from .test_retention_forged import ordered

ACT: dict[str, Any] = {"id": "0f" * 16, "uid": 0}
SAID: dict[str, Any] = {"by": "ann", "why": "over"}
FIRST = date(2025, 11, 25)
NUMBER = 3
"""Of the first entry behind those of the store."""
HELD: dict[str, Any] = {**ACT, **SAID, "id": "1f" * 16}


@pytest.fixture
def filled(tmp_path: Path) -> Layout:
    """Two requests of a day, each with a content of its own."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(called(1, "one, " * 80)), spans_of(called(2, "two, " * 80), trace=2))
    drain(layout)
    seal(layout)
    assert len(entries_of(layout)) == NUMBER
    return layout


def blobs(layout: Layout) -> list[str]:
    """Those that are there."""
    return sorted(path.stem for path in layout.blobs_of(FIRST).glob("*.blob"))


def order(layout: Layout, **changed: Any) -> ContentRetention:
    """One for all contents of the day."""
    told: dict[str, Any] = {"plan": text_of(bytes(32)), "term_days": 30, "day": FIRST.isoformat()}
    return ContentRetention(**ACT, **SAID, **{**told, "blobs": tuple(blobs(layout)), **changed})


def hold(of: Any, name: str) -> Hold:
    """Of something."""
    return Hold(**HELD, of=of, name=name)


def destroy(layout: Layout) -> None:
    """What the orders name goes, and people are told when."""
    for path in layout.blobs_of(FIRST).glob("*.blob"):
        path.unlink()
    (ordered_on,) = {day_of(entry) for entry in entries_of(layout) if isinstance(entry, ContentRetention)}
    layout.blobs_destroyed(FIRST).write_text(ordered_on.isoformat())


CONTRADICTIONS: dict[str, Callable[[Layout], list[Entry]]] = {
    "before its term": lambda layout: [order(layout, term_days=40_000)],
    "under a hold of days": lambda layout: [
        hold("days", "2025-11-20/2025-11-25"),
        order(layout, compared=NUMBER),
    ],
    "under a hold of its source": lambda layout: [hold("source", "anonymous"), order(layout, compared=NUMBER)],
    "not compared with a hold": lambda layout: [hold("run", "x"), order(layout)],
    "compared before a hold": lambda layout: [
        Hold(**{**HELD, "id": "2f" * 16}, of="run", name="y"),
        hold("run", "x"),
        order(layout, compared=NUMBER),
    ],
    "carried out under a hold of days": lambda layout: [
        order(layout),
        hold("days", "2025-11-20/2025-11-25"),
        Retained(**ACT, files=2),
    ],
    "carried out under a hold of its source": lambda layout: [
        order(layout),
        hold("source", "anonymous"),
        Retained(**ACT, files=2),
    ],
    "withdrawn": lambda layout: [
        order(layout),
        hold("days", "2025-11-20/2025-11-25"),
        Withdrawn(**ACT, hold="1f" * 16, day="2025-11-25", gone=()),
    ],
    "by a clock that was ahead": lambda layout: [
        order(layout, time_ns=str(NOON_NS + 31 * DAY_NS)),
        Tables(time_ns=str(NOON_NS + 3 * DAY_NS)),
    ],
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_an_order_that_cannot_be_contradicts_the_ledger(filled: Layout, name: str) -> None:
    """Although it is signed; contents that it would explain are gone."""
    ordered(filled, *CONTRADICTIONS[name](filled))
    destroy(filled)
    report = checked(filled)
    assert codes(report).keys() == {"ledger_contradicts", "contents_destroyed"}
    assert report.verdicts["integrity"] == "broken"


CONTROLS: dict[str, Callable[[Layout], list[Entry]]] = {
    "nothing held": lambda layout: [order(layout), Retained(**ACT, files=2)],
    "compared with holds of others": lambda layout: [
        Hold(**{**HELD, "id": "2f" * 16}, of="run", name="y"),
        hold("source", "x"),
        order(layout, compared=NUMBER + 1),
        Retained(**ACT, files=2),
    ],
    "released before": lambda layout: [
        hold("source", "anonymous"),
        Release(**{**ACT, "id": "3f" * 16}, **SAID, hold="1f" * 16),
        order(layout),
        Retained(**ACT, files=2),
    ],
    "held since, and released before it was done": lambda layout: [
        order(layout),
        hold("source", "anonymous"),
        Release(**{**ACT, "id": "3f" * 16}, **SAID, hold="1f" * 16),
        Retained(**ACT, files=2),
    ],
    "by a clock that was set back by hours": lambda layout: [
        order(layout, time_ns=str(NOON_NS + 31 * DAY_NS)),
        Tables(time_ns=str(NOON_NS + 30 * DAY_NS)),
        Retained(**ACT, files=2, time_ns=str(NOON_NS + 31 * DAY_NS)),
    ],
    "by a clock that was right": lambda layout: [
        order(layout, time_ns=str(NOON_NS + 31 * DAY_NS)),
        Tables(time_ns=str(NOON_NS + 31 * DAY_NS)),
        Retained(**ACT, files=2),
    ],
}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_control_an_order_that_can_be_contradicts_nothing(filled: Layout, name: str) -> None:
    """Negative control of the above."""
    ordered(filled, *CONTROLS[name](filled))
    destroy(filled)
    assert codes(checked(filled)) == {"contents_destroyed": {"blobs"}}


def _of_a_run(_: Sequence[Hold]) -> list[Held]:
    return []


@pytest.mark.parametrize(
    ("name", "left"), [("anonymous", 2), ("another", 0)], ids=["that of its source", "the control"]
)
def test_what_is_held_does_not_go_by_an_order_that_was_put_into_the_ledger(
    filled: Layout, name: str, left: int
) -> None:
    """The drain compares it with all that is held before it carries it out, as it does with one of records."""
    acts.ask_hold(filled, "source", name, "bob", "case 7")
    drain(filled)
    ordered(filled, order(filled, compared=len(entries_of(filled)) - 1))
    for _ in range(2):
        drain(filled)
        seal(filled)
    assert len(blobs(filled)) == left


def test_a_hold_of_others_lets_an_order_that_was_entered_go_on(filled: Layout) -> None:
    """Set since; one that keeps some of it lets it wait, until it is released, and `verify` names nothing."""
    options = DrainOptions(telling=_of_a_run)
    ordered(filled, order(filled))
    kept = acts.ask_hold(filled, "source", "anonymous", "bob", "case 7")
    acts.ask_hold(filled, "run", "x", "bob", "case 8")
    for _ in range(2):
        drain(filled, options)
        seal(filled)
    assert (len(blobs(filled)), codes(checked(filled))) == (2, {})
    acts.ask_release(filled, kept, "bob", "closed")
    for _ in range(2):
        drain(filled, options)
        seal(filled)
    assert (blobs(filled), codes(checked(filled))) == ([], {"contents_destroyed": {"blobs"}})
    assert datetime.now(UTC).date() > FIRST
