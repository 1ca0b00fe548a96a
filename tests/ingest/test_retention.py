"""Retention: what is over goes, recorded and signed first; its bytes are gone, and what is kept is proven as before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from aftertrace.analyzer.derived.deriving import derive_all
from aftertrace.ingest.drain import DrainOptions
from aftertrace.store import compaction, derived
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Hold, Retained, Retention
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention import destroying
from aftertrace.store.retention.plan import Going, Held, Staying
from aftertrace.store.retention.policy import Policy, Term, Terms
from aftertrace.store.segment import SEGMENT_BYTES
from aftertrace.store.tables import TableWriter
from aftertrace.store.wal import WalOptions, WalWriter

from .canaries import files_with
from .drain_samples import DAY_NS, NOON_NS, drain, logs, request, send, stored, traces
from .retaining import (
    AT_ONCE,
    FIRST,
    TODAY,
    apply,
    asked,
    canaries,
    canary,
    checked,
    codes,
    every,
    fill,
    holding,
    left,
    plan,
)


@pytest.fixture
def filled(layout: Layout) -> Layout:
    """A store with days that are over."""
    fill(layout)
    return layout


def test_a_plan_says_what_goes_and_what_stays_and_why(filled: Layout) -> None:
    """By day and receiver, with rows and bytes; nothing is changed by it."""
    before = stored(filled)
    ident = acts.ask_hold(filled, "days", "2025-11-26/2025-11-26", "ann", "case 7")
    drain(filled)
    told = plan(filled, holding(filled))
    (going,) = told.going
    rows = {"evidence": 4, "spans": 4, "events": 4}
    assert going == Going("main", FIRST, ((1, 2),), 2, rows, going.stored_bytes, 184, "184 days")
    assert going.stored_bytes > 0
    assert told.staying == (Staying("main", date(2025, 11, 26), "hold 2025-11-26/2025-11-26", 2, 12),)
    assert acts.holds(acts.recorded(filled))[0].id == ident
    assert plan(filled, today=FIRST + timedelta(days=184)).going == ()
    assert plan(filled, terms=Policy(Terms(0))).going == ()
    assert {name: frame.equals(before[name]) for name, frame in stored(filled).items()} == dict.fromkeys(before, True)


def test_what_is_over_goes_and_all_that_is_kept_is_proven(filled: Layout) -> None:
    """The bytes are in no file any more; verify tells what went, fsck and other readers see no damage."""
    derived.write(filled, derived.State("rules", parts=(derived.Part(1, {"runs": derived.add(filled, "runs", b"x")}),)))
    assert canaries(filled) == dict.fromkeys(range(1, 7), True)
    ident = apply(filled)
    assert canaries(filled) == {1: False, 2: False, 3: False, 4: False, 5: True, 6: True}
    assert left(filled) == every([5, 6])
    report = checked(filled)
    assert (report.verdicts["integrity"], report.verdicts["completeness"], report.requests) == ("holds", "holds", 2)
    assert codes(report) == {"destroyed": {"main 2025-11-25", "main 2025-11-26"}}
    assert {found.severity for found in report.findings} == {"info"}
    assert [found for found in fsck(filled) if found.severity != "info"] == []
    done = [each.act for each in acts.recorded(filled)]
    assert [(type(act), act.id) for act in done] == [(Retention, ident), (Retention, ident), (Retained, ident)]
    table = DeltaTable(str(filled.tables_folder / "spans"))
    assert pl.DataFrame(table.to_pyarrow_table()).get_column("seq").unique().sort().to_list() == [5, 6]
    assert [entry["operation"] for entry in table.history()].count("DELETE") == 2
    assert not filled.derived_state.exists()
    assert plan(filled).going == ()


def test_it_goes_on_afterwards(filled: Layout) -> None:
    """What was destroyed comes again as new; seqs go on; a second order finds nothing of the first."""
    apply(filled)
    send(filled, traces(1, service=canary(1)), received_ns=NOON_NS + 3 * DAY_NS)
    send(filled, logs(9), signal="logs", received_ns=NOON_NS + 3 * DAY_NS)
    drain(filled)
    seal(filled)
    assert left(filled)["evidence"] == [5, 6, 7, 8]
    assert stored(filled)["evidence"]["duplicate_of"].to_list() == [None] * 8
    later = plan(filled, today=TODAY + timedelta(days=1))
    assert [(each.day, each.stretches) for each in later.going] == [(date(2025, 11, 27), ((5, 6),))]
    apply(filled, later)
    assert left(filled)["events"] == [7, 8]
    assert codes(checked(filled)).keys() == {"destroyed"}
    assert fsck(filled) == []


def test_what_is_held_stays_and_is_still_proven(filled: Layout) -> None:
    """Requests beside it in the same file go."""
    held = pl.DataFrame({"receiver": ["main"], "seq": [2]})
    compacted(filled)
    told = plan(filled, (Held("hold of a run", requests=held),))
    assert [each.stretches for each in told.going] == [((1, 1),), ((3, 4),)]
    apply(filled, told)
    assert left(filled) == every([2, 5, 6, 7])
    assert canaries(filled) == {1: False, 2: True, 3: False, 4: False, 5: True, 6: True}
    report = checked(filled)
    assert (codes(report).keys(), report.requests) == ({"destroyed"}, 4)
    assert fsck(filled) == []


def compacted(layout: Layout) -> None:
    """All files of a day in one."""
    send(layout, traces(50), received_ns=NOON_NS + 5 * DAY_NS)
    drain(layout, DrainOptions(fold_at=1))
    seal(layout)


@pytest.mark.parametrize("name", ["anonymous", "acme/refunds"])
def test_a_hold_of_a_source_or_tenant(layout: Layout, name: str) -> None:
    """By who sent it, as the server knew them."""
    send(layout, traces(1))
    drain(layout)
    hold = Hold(id="0" * 32, uid=0, of="source", name=name, by="ann", why="why")
    told = plan(layout, (Held("held", hold=hold),))
    assert bool(told.going) is (name != "anonymous")
    tenant = Hold(id="0" * 32, uid=0, of="tenant", name="acme", by="ann", why="why")
    assert plan(layout, (Held("held", hold=tenant),)).going


def test_what_came_again_and_is_held_keeps_its_first_copy(layout: Layout) -> None:
    """The rows of both are those of the first; where neither is held, both go, though the first day is over alone."""
    for day, numbers in ((0, (1, 2)), (1, (1, 3))):
        send(
            layout, *(traces(number, service=canary(number)) for number in numbers), received_ns=NOON_NS + day * DAY_NS
        )
        drain(layout)
    seal(layout)
    assert left(layout) == {"evidence": [1, 2, 3, 4], "spans": [1, 2, 4], "events": [1, 2, 4]}
    assert plan(layout).going[0].stretches == ((1, 2),)
    acts.ask_hold(layout, "days", "2025-11-26/2025-11-26", "ann", "case 7")
    drain(layout)
    seal(layout)
    told = plan(layout, holding(layout))
    assert [each.stretches for each in told.going] == [((2, 2),)]
    assert [(each.day, each.why) for each in told.staying] == [
        (FIRST, "first copy of a record that stays"),
        (date(2025, 11, 26), "hold 2025-11-26/2025-11-26"),
    ]
    apply(layout, told)
    assert left(layout) == {"evidence": [1, 3, 4], "spans": [1, 4], "events": [1, 4]}
    assert checked(layout).verdicts["completeness"] == "holds"


def test_terms_by_source(layout: Layout) -> None:
    """For ever; shorter; and longer: what the term of all others would have made over is told."""
    send(layout, traces(1))
    drain(layout)
    for term, goes in ((Term("source", "*", 0), False), (Term("source", "anon*", 185), True)):
        told = plan(layout, terms=Policy(Terms(184, (term,))))
        assert bool(told.going) is goes, term
    assert [(each.term_days, each.term) for each in told.going] == [(185, "185 days of source anon*")]
    told = plan(layout, terms=Policy(Terms(184, (Term("source", "anonymous", 400),))))
    assert [each.why for each in told.staying] == ["its term is 400 days of source anonymous"]


def test_an_order_that_knows_not_of_a_hold_is_refused(filled: Layout) -> None:
    """Nothing goes, and whoever asked is told why."""
    order = asked(plan(filled))
    acts.ask_hold(filled, "tenant", "acme", "bob", "case 7")
    drain(filled)
    ident = acts.ask_to_destroy(filled, order)
    drain(filled, AT_ONCE)
    assert "plan it again" in (acts.refusal(filled, ident) or "")
    assert (acts.refusal(filled, ident), acts.is_waiting(filled, ident)) == (None, False)
    assert left(filled)["evidence"] == [1, 2, 3, 4, 5, 6]


def test_nothing_goes_before_its_order_is_signed(filled: Layout) -> None:
    """However often the drain comes to it; and files stay as long as somebody may be reading them."""
    acts.ask_to_destroy(filled, asked(plan(filled)))
    for _ in range(3):
        drain(filled, AT_ONCE)
    assert left(filled)["evidence"] == [1, 2, 3, 4, 5, 6]
    seal(filled)
    drain(filled)
    assert left(filled)["evidence"] == [5, 6]
    assert canaries(filled)[1]
    assert not any(isinstance(each.act, Retained) for each in acts.recorded(filled))
    assert codes(checked(filled)).keys() == {"commits_uncovered", "destroyed", "unsealed"}
    drain(filled, AT_ONCE)
    assert (canaries(filled)[1], type(acts.recorded(filled)[-1].act)) == (False, Retained)


def test_a_log_that_is_being_written_begins_another_segment(layout: Layout) -> None:
    """So that the requests that went are in none: whoever sends goes on, and seqs too."""
    with WalWriter(layout, "main", WalOptions()) as writer:
        writer.append(*request(traces(1, service=canary(1)))).result(5)
        drain(layout)
        seal(layout)
        acts.ask_to_destroy(layout, asked(plan(layout)))
        drain(layout)
        seal(layout)
        drain(layout, AT_ONCE)
        assert canaries(layout)[1]
        deadline = time.monotonic() + 10
        while layout.wal_anew("main").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        drain(layout, AT_ONCE)
        seal(layout)
        assert (canaries(layout)[1], type(acts.recorded(layout)[-1].act)) == (False, Retained)
        writer.append(*request(traces(2))).result(5)
    drain(layout)
    seal(layout)
    assert left(layout) == every([2])
    assert codes(checked(layout)).keys() == {"destroyed"}
    assert fsck(layout) == []


def talk(needle: str) -> bytes:
    """A model's turn and a tool that it calls: what was said, proposed and answered has a text that is nowhere else."""
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = f"service {needle}"
    scope = resource.scope_spans.add()
    scope.scope.name = f"scope {needle}"
    said = [{"role": "user", "parts": [{"type": "text", "content": f"prompt {needle}"}]}]
    call = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": f"argument {needle}"}}
    spoken: list[dict[str, str]] = [
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": json.dumps(said),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [call]}]),
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": f"system {needle}"}]),
        },
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "search",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": json.dumps({"q": f"argument {needle}"}),
            "gen_ai.tool.call.result": f"result {needle}",
        },
    ]
    for number, attributes in enumerate(spoken, start=1):
        span = scope.spans.add(
            name=f"{attributes['gen_ai.operation.name']} {needle}",
            trace_id=bytes(15) + b"\x09",
            span_id=number.to_bytes(8, "big"),
            start_time_unix_nano=NOON_NS,
            end_time_unix_nano=NOON_NS + 1,
        )
        span.status.message = f"status {needle}"
        for key, value in attributes.items():
            span.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


def test_no_byte_of_content_is_left_in_any_file(layout: Layout) -> None:
    """Prompts, arguments, results, names; in the log and its spares, tables, lookup files and what was derived."""
    kept, gone = "kept-4c1e77", "gone-9ab2f0"
    whole = SEGMENT_BYTES
    with WalWriter(layout, "main", WalOptions(segment_bytes=whole)) as writer:
        for needle, day in ((gone, 0), (kept, 3)):
            writer.append(*request(talk(needle), received_ns=NOON_NS + day * DAY_NS)).result(5)
    drain(layout)
    seal(layout)
    list(derive_all(layout.data))
    places = {path.partition("/received_date")[0].partition("/0000")[0] for path in files_with(layout.data, b"gone-9")}
    tables = {"tables/evidence", "tables/spans", "tables/events", "tables/resources", "tables/scopes"}
    assert {"wal/main", *tables} <= places
    assert any(place.startswith("derived/") for place in places)
    apply(layout)
    list(derive_all(layout.data))
    assert files_with(layout.data, gone.encode()) == []
    assert files_with(layout.data, kept.encode()) != []
    assert codes(checked(layout)).keys() <= {"destroyed", "derived_unverified"}
    assert fsck(layout) == []


class Crash(Exception):
    """The process ends here."""


STEPS: dict[str, tuple[Any, str]] = {
    "before a commit": (TableWriter, "destroy"),
    "before origins": (destroying, "_drop_origins"),
    "before what was derived": (derived, "forget"),
    "before the log": (destroying, "_left_log"),
    "before files go": (destroying, "vacuum"),
    "between files": (compaction.lookup, "sweep"),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_crash_at_any_step_is_gone_on_from(
    filled: Layout, monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    """Whichever: the next drain ends with the same, and verify finds nothing wrong at any time."""
    filled.derived.mkdir()
    acts.ask_to_destroy(filled, asked(plan(filled)))
    drain(filled, AT_ONCE)
    seal(filled)
    where, name = STEPS[step]
    calls = 0
    whole: Callable[..., Any] = getattr(where, name)

    def crash(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth + 1:
            raise Crash
        return whole(*arguments, **named)

    with monkeypatch.context() as crashing:
        crashing.setattr(where, name, crash)
        try:
            drain(filled, AT_ONCE)
        except Crash:
            assert not any(isinstance(each.act, Retained) for each in acts.recorded(filled))
    seal(filled)
    assert codes(checked(filled)).keys() <= {"destroyed", "commits_uncovered"}
    drain(filled, AT_ONCE)
    seal(filled)
    assert canaries(filled) == {1: False, 2: False, 3: False, 4: False, 5: True, 6: True}
    assert codes(checked(filled)).keys() == {"destroyed"}
    assert fsck(filled) == []
