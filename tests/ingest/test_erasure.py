"""Erasure: single records go, what came with them in one request stays, and all of it is proven as before."""

from __future__ import annotations

import msgspec
import polars as pl
import pytest
from pyarrow.compute import field

from aftertrace.store.errors import Invalid
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.acts import Erasing
from aftertrace.store.ledger.entries import Erasure, Hold, Retained, text_of
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention.erasing import erased
from aftertrace.store.retention.plan import Held
from aftertrace.store.snapshot import Snapshot

from .canaries import files_with
from .drain_samples import drain, places, send, stored, traces
from .forging import entries_of, rewrite, write_entries
from .retaining import AT_ONCE, canary, checked, codes


@pytest.fixture
def filled(layout: Layout) -> Layout:
    """Two requests with three spans each; the second request came twice."""
    send(layout, traces(1, 3, canary(1)), traces(2, 3, canary(2)), traces(2, 3, canary(2)), records=3)
    drain(layout)
    seal(layout)
    return layout


def order(layout: Layout, *places_of: tuple[str, int, int], held: tuple[Held, ...] = ()) -> Erasing:
    """To erase these records."""
    schema = {"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32}
    parts = erased(Snapshot.of(layout.data), pl.DataFrame(list(places_of), schema=schema, orient="row"), held)
    return Erasing(after=acts.last_hold(acts.recorded(layout)), by="ann", why="asked for", parts=parts)


def erase(layout: Layout, *places_of: tuple[str, int, int]) -> None:
    """Carried out, as with nothing else running."""
    acts.ask_to_destroy(layout, order(layout, *places_of))
    for _ in range(2):
        drain(layout, AT_ONCE)
        seal(layout)


def test_a_record_goes_and_its_neighbours_are_proven(filled: Layout) -> None:
    """Rows of all tables; the bytes of the record are in no file, those of its neighbours are."""
    span = f"{101:016x}"
    assert span in stored(filled)["spans"]["span_id"].to_list()
    erase(filled, ("main", 1, 0))
    for table in ("evidence", "spans", "events"):
        assert ("main", 1, 0) not in places(filled, table)
        assert ("main", 1, 1) in places(filled, table)
    assert files_with(filled.data, b"call_1_0") == []
    assert files_with(filled.data, b"call_1_1") != []
    report = checked(filled)
    assert codes(report) == {"erased": {"main 2025-11-25"}}
    assert (report.verdicts["integrity"], report.verdicts["completeness"], report.requests) == ("holds", "holds", 3)
    assert fsck(filled) == []
    assert type(acts.recorded(filled)[-1].act) is Retained


def test_duplicates_go_too_and_whole_requests(filled: Layout) -> None:
    """Of what came twice nothing is left, nor its resource; a second erasure of another record is proven too."""
    erase(filled, *(("main", 2, index) for index in range(3)))
    assert {place[1] for place in places(filled, "evidence")} == {1}
    assert files_with(filled.data, canary(2).encode()) == []
    assert codes(checked(filled)) == {"erased": {"main 2025-11-25"}}
    erase(filled, ("main", 1, 2))
    erase(filled, ("main", 1, 0))
    assert places(filled, "spans") == [("main", 1, 1)]
    assert codes(checked(filled)).keys() == {"erased"}
    assert fsck(filled) == []
    send(filled, traces(3), records=2)
    drain(filled)
    seal(filled)
    assert codes(checked(filled)).keys() == {"erased"}


def test_what_is_held_is_not_erased(filled: Layout) -> None:
    """Nor is anything that was chosen before a hold was set."""
    hold = Hold(id="0" * 32, uid=0, of="source", name="anonymous", by="ann", why="why")
    with pytest.raises(Invalid, match="release it"):
        order(filled, ("main", 1, 0), held=(Held("hold of a source", hold=hold),))
    asked = order(filled, ("main", 1, 0))
    acts.ask_hold(filled, "source", "anonymous", "bob", "case 7")
    drain(filled)
    ident = acts.ask_to_destroy(filled, asked)
    drain(filled, AT_ONCE)
    assert "plan it again" in (acts.refusal(filled, ident) or "")
    assert len(places(filled, "spans")) == 6


def test_rows_that_went_beside_an_erasure_are_missed(filled: Layout) -> None:
    """Negative control: one more than the ledger names, in the same request."""
    erase(filled, ("main", 1, 0))
    rewrite(filled, lambda rows: rows.filter((field("index") != 1) | (field("seq") != 1)), "spans")
    assert codes(checked(filled))["rows_missing"] == {"spans main/1"}


def test_rows_that_are_changed_beside_an_erasure_are_seen(filled: Layout) -> None:
    """And hashes of other rows in a signed entry make no root fit."""
    erase(filled, ("main", 1, 0))
    entries = entries_of(filled)
    (at,) = [number for number, entry in enumerate(entries) if isinstance(entry, Erasure)]
    entry = entries[at]
    assert isinstance(entry, Erasure)
    other = tuple(msgspec.structs.replace(row, leaf=text_of(bytes(32))) for row in entry.rows["events"])
    told = msgspec.structs.replace(entry, id="f" * 32, rows={"events": other}, last_act=len(entries) - 1)
    told = msgspec.structs.replace(told, upto=entries[-1].upto, versions=entries[-1].versions)
    write_entries(filled, [*entries, told])
    seal(filled)
    assert codes(checked(filled))["rows_differ"] == {"events main/1"}


def test_rows_that_are_there_again_are_named(filled: Layout) -> None:
    """As a restore of a table brings them back; before the order is done they may be there."""
    acts.ask_to_destroy(filled, order(filled, ("main", 1, 0)))
    drain(filled, AT_ONCE)
    seal(filled)
    assert codes(checked(filled)).keys() == {"erased"}
    entries = entries_of(filled)
    (ident,) = {entry.id for entry in entries if isinstance(entry, Erasure)}
    last = entries[-1]
    done = Retained(id=ident, uid=0, files=0, time_ns=last.time_ns, upto=last.upto, versions=last.versions)
    write_entries(filled, [*entries, msgspec.structs.replace(done, last_act=len(entries) - 1)])
    seal(filled)
    assert codes(checked(filled))["destroyed_there"] == {"evidence main/1", "spans main/1", "events main/1"}
