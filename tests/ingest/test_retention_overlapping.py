"""Two orders that name the same: where one is withdrawn, what the other one took is gone by that, and not missing."""

from __future__ import annotations

from typing import Any

import msgspec
import polars as pl
import pytest

from aftertrace.ingest.drain import DrainOptions
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.acts import Destroyed, Erasing
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention.erasing import erased
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import TableWriter

from .drain_samples import drain
from .retaining import AT_ONCE, asked, checked, codes, every, fill, left, plan
from .test_retention_forged import without

SLOWLY = DrainOptions(grace_s=3600)
"""Rows go at once, and files that had them not for as long as anybody reads: the order is not done."""


@pytest.fixture
def filled(layout: Layout) -> Layout:
    """Six requests of three days, of which two are over."""
    fill(layout)
    return layout


def turn(layout: Layout, options: DrainOptions = AT_ONCE) -> None:
    """A drain, and what it has entered is signed."""
    drain(layout, options)
    seal(layout)


def of_the_first(layout: Layout) -> acts.Retaining:
    """An order of the first request alone."""
    rows = dict.fromkeys(("evidence", "spans", "events"), 2)
    part = Destroyed("main", "2025-11-25", ((1, 1),), rows)
    return msgspec.structs.replace(asked(plan(layout)), parts=(part,))


def held_now(layout: Layout) -> None:
    """A hold keeps all that is there."""
    acts.ask_hold(layout, "source", "anonymous", "bob", "case 7")
    turn(layout)


@pytest.mark.parametrize("options", [AT_ONCE, SLOWLY], ids=["done", "open"])
def test_what_an_order_took_is_gone_also_where_another_one_is_withdrawn(filled: Layout, options: DrainOptions) -> None:
    """The other one was planned before, and names it too; of what only that one names nothing may be missing."""
    every_day = asked(plan(filled))
    acts.ask_to_destroy(filled, of_the_first(filled))
    for _ in range(2):
        turn(filled, options)
    assert left(filled) == every([2, 3, 4, 5, 6])
    acts.ask_to_destroy(filled, every_day)
    turn(filled, options)
    acts.ask_hold(filled, "source", "anonymous", "bob", "case 7")
    turn(filled, options)
    assert left(filled) == every([2, 3, 4, 5, 6])
    report = checked(filled)
    assert codes(report).keys() == {"destroyed", "withdrawn"}
    assert (report.verdicts["integrity"], report.verdicts["completeness"]) == ("holds", "holds")
    without(filled, 2)
    assert codes(checked(filled))["rows_missing"] == {"evidence main/2", "spans main/2", "events main/2"}


class Crash(Exception):
    """The process ends here."""


def test_what_an_order_took_in_part_is_gone_too(filled: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are withdrawn: one when it had the events of a request, the other when it had nothing."""
    every_day = asked(plan(filled))
    acts.ask_to_destroy(filled, of_the_first(filled))
    turn(filled)
    whole, done = TableWriter.destroy, list[object]()

    def crash(*arguments: Any) -> bool:
        if done:
            raise Crash
        done.append(arguments)
        return whole(*arguments)

    with monkeypatch.context() as crashing:
        crashing.setattr(TableWriter, "destroy", crash)
        with pytest.raises(Crash):
            drain(filled, AT_ONCE)
    held_now(filled)
    turn(filled)
    acts.ask_release(filled, acts.holds(acts.recorded(filled))[0].id, "bob", "closed")
    turn(filled)
    again = msgspec.structs.replace(every_day, after=acts.last_hold(acts.recorded(filled)))
    acts.ask_to_destroy(filled, again)
    turn(filled)
    held_now(filled)
    turn(filled)
    rest = [1, 2, 3, 4, 5, 6]
    assert left(filled) == {**every(rest), "events": rest[1:]}
    assert codes(checked(filled)).keys() == {"destroyed", "withdrawn"}
    without(filled, 2)
    assert codes(checked(filled))["rows_missing"] == {"evidence main/2", "spans main/2", "events main/2"}


@pytest.mark.parametrize("options", [AT_ONCE, SLOWLY], ids=["done", "open"])
def test_a_record_that_was_erased_is_proven_gone_also_where_another_erasure_is_withdrawn(
    filled: Layout, options: DrainOptions
) -> None:
    """Its hash is that of both orders, and the root of its request is made with it."""
    asking = [
        Erasing(by="ann", why="asked for", parts=erased(Snapshot.of(filled.data), _of_first(*found), ()))
        for found in ([0], [0, 1])
    ]
    acts.ask_to_destroy(filled, asking[0])
    for _ in range(2):
        turn(filled, options)
    acts.ask_to_destroy(filled, asking[1])
    turn(filled, options)
    acts.ask_hold(filled, "source", "anonymous", "bob", "case 7")
    turn(filled, options)
    report = checked(filled)
    assert codes(report).keys() == {"erased", "withdrawn"}
    assert (report.verdicts["integrity"], report.verdicts["completeness"]) == ("holds", "holds")
    without(filled, 1)
    assert codes(checked(filled))["rows_missing"] == {"evidence main/1", "spans main/1", "events main/1"}


def _of_first(*indexes: int) -> pl.DataFrame:
    return pl.DataFrame({"receiver": ["main"] * len(indexes), "seq": [1] * len(indexes), "index": list(indexes)})
