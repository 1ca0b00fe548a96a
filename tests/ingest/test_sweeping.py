"""Blobs go with the last record that refers to them, and never before."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from aftertrace.store.blobs import blobs, reference
from aftertrace.store.blobs.sweeping import Sweeping
from aftertrace.store.folder import store_key
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.acts import Erasing
from aftertrace.store.ledger.entries import Retained
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.request import Request
from aftertrace.store.retention.erasing import erased
from aftertrace.store.snapshot import Snapshot

from .drain_samples import DAY_NS, NOON_NS, drain, new_store, stored
from .referring import preparing, refer, spans_of
from .referring import tool_call as called
from .retaining import AT_ONCE, apply, checked, codes

DAY = date(2025, 11, 25)
OWN, SHARED = "of one record alone, " * 20, "of two records, " * 20


@pytest.fixture
def filled(tmp_path: Path) -> Layout:
    """Two requests: the first has a content of its own, and one that the second has too."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(called(1, OWN), called(2, SHARED)), spans_of(called(3, SHARED), trace=2))
    drain(layout)
    seal(layout)
    return layout


def there(layout: Layout) -> int:
    """How many blobs."""
    return len(list(layout.blobs.rglob("*.blob")))


def erase(layout: Layout, *places: tuple[str, int, int]) -> None:
    """Carried out, as with nothing else running."""
    schema = {"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32}
    parts = erased(Snapshot.of(layout.data), pl.DataFrame(list(places), schema=schema, orient="row"), ())
    acts.ask_to_destroy(layout, Erasing(after=acts.last_hold(acts.recorded(layout)), by="a", why="b", parts=parts))
    for _ in range(2):
        drain(layout, AT_ONCE)
        seal(layout)


def sweeping(layout: Layout, grace_s: float = 0) -> Sweeping:
    """By the rows that there are."""
    return Sweeping(layout, store_key(layout), lambda: Snapshot.of(layout.data).scan("evidence"), grace_s)


def test_erasure_takes_what_no_other_record_refers_to(filled: Layout) -> None:
    """Then what the last one does, with the key of the day; and nothing is missed."""
    erase(filled, ("main", 1, 0), ("main", 1, 1))
    assert there(filled) == 1
    assert codes(checked(filled)).keys() <= {"erased", "derived_unverified"}
    erase(filled, ("main", 2, 0))
    assert (there(filled), filled.blob_key(DAY).exists(), filled.blobs_of(DAY).exists()) == (0, False, False)
    assert codes(checked(filled)).keys() <= {"erased", "derived_unverified"}


def test_retention_takes_the_blobs_of_its_days(tmp_path: Path) -> None:
    """Also where other days have the same content."""
    layout = new_store(tmp_path / "data")
    for day in range(3):
        refer(layout, spans_of(called(1, SHARED), trace=day + 1), received_ns=NOON_NS + day * DAY_NS)
        drain(layout)
    seal(layout)
    apply(layout)
    assert sorted(path.parent.name for path in layout.blobs.rglob("*.blob")) == ["2025-11-27"]
    assert sorted(path.stem for path in layout.blob_key(DAY).parent.iterdir()) == ["2025-11-27"]
    assert codes(checked(layout)).keys() <= {"destroyed", "derived_unverified"}


def test_an_order_is_not_done_before_its_blobs_are_gone(filled: Layout) -> None:
    """One that is young may be referred to by a request that is about to be written."""
    (place,) = [("main", 1, 0)]
    schema = {"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32}
    parts = erased(Snapshot.of(filled.data), pl.DataFrame([place], schema=schema, orient="row"), ())
    acts.ask_to_destroy(filled, Erasing(after=acts.last_hold(acts.recorded(filled)), by="a", why="b", parts=parts))
    swept, is_young = sweeping(filled, 3600).sweep(DAY)
    assert (swept, is_young, there(filled)) == (0, False, 2)
    for _ in range(2):
        drain(filled)
        seal(filled)
    assert not [each for each in acts.recorded(filled) if isinstance(each.act, Retained)]
    assert there(filled) == 2


def test_what_waits_in_the_wal_is_needed(filled: Layout) -> None:
    """No row refers to it yet."""
    refer(filled, spans_of(called(4, "waits, " * 60), trace=4))
    assert sweeping(filled).sweep(DAY) == (0, False)
    assert there(filled) == 3


def test_what_waits_with_a_reference_to_another_day_needs_nothing(filled: Layout) -> None:
    """A sender has it from a record; put into one each day, it would keep the content for ever."""
    record = stored(filled)["evidence"].sort("seq", "index")["record"][0]
    ((text, _),) = reference.found(record.decode("utf-8", "replace"), store_key(filled))
    refer(filled, spans_of({**called(4, SHARED), "note": text}, trace=4), received_ns=NOON_NS + DAY_NS)
    erase(filled, ("main", 1, 0))
    days = sorted(path.parent.name for path in filled.blobs.rglob("*.blob"))
    assert days == ["2025-11-25", "2025-11-26"]


def test_a_blob_that_nothing_refers_to_goes_when_it_is_old(filled: Layout) -> None:
    """A crash between blob and frame leaves one."""
    prepared = preparing(filled)(Request("traces", "protobuf", spans_of(called(9, "lost, " * 60)), "a", NOON_NS))
    blobs.put(filled, prepared.contents)
    assert sweeping(filled, 60).sweep(DAY) == (0, True)
    before = time.time() - 120
    for path in filled.blobs.rglob("*.blob"):
        os.utime(path, (before, before))
    assert sweeping(filled, 60).sweep(DAY) == (1, False)
    assert there(filled) == 2


def test_one_that_is_used_again_at_that_moment_stays(filled: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is set aside its time tells, and afterwards whoever needs it writes another."""
    content = spans_of(called(9, "again, " * 60), trace=9)
    prepared = preparing(filled)(Request("traces", "protobuf", content, "anonymous", NOON_NS))
    blobs.put(filled, prepared.contents)
    of, key = prepared.contents[0].reference, store_key(filled)
    needed, calls = Sweeping._needed, 0

    def meanwhile(self: Sweeping, day: date) -> set[str]:
        nonlocal calls
        calls += 1
        found = needed(self, day)
        if calls == 2:
            refer(filled, content)
        return found

    monkeypatch.setattr(Sweeping, "_needed", meanwhile)
    assert sweeping(filled).sweep(DAY)[0] == 1
    assert blobs.get(filled, of, key) == "again, " * 60
    drain(filled)
    assert sweeping(filled).sweep(DAY) == (0, False)


def test_a_crash_while_blobs_are_aside_loses_none(filled: Layout) -> None:
    """The next sweep has them back before it looks."""
    (first, second) = sorted(filled.blobs.rglob("*.blob"))
    first.rename(first.with_suffix(".going"))
    assert sweeping(filled).sweep(DAY) == (0, False)
    assert (first.exists(), second.exists()) == (True, True)
