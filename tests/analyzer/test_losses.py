"""The loss ledger: what was lost, by source and day, each count with what it is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from aftertrace.analyzer.identity.run_states import QUIET_NS
from aftertrace.analyzer.reading.tables import Noted, Tables
from aftertrace.analyzer.runs.losses import SCHEMA, losses
from aftertrace.analyzer.schemas.losses import KINDS
from aftertrace.ingest import opened
from aftertrace.ingest.redaction_policy import make_policy
from aftertrace.store.quarantine import PutAside
from aftertrace.store.refusals import Refusals
from aftertrace.verifier.verdicts import Finding

from .frames import LATER_NS, RECEIVED_NS, Frames, of_requests

DAY = datetime.fromtimestamp(RECEIVED_NS / 1e9, UTC).date()
OTHER_DAY = date(2026, 11, 23)


def span(number: int, parent: int = 0, trace: int = 1, **fields: Any) -> Span:
    """An ended span."""
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        **{"start_time_unix_nano": 1, "end_time_unix_nano": 9, **fields},
    )


def traces(*spans: Span, dropped_of_resource: int = 0) -> bytes:
    """A request with spans of one resource."""
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.dropped_attributes_count = dropped_of_resource
    resource.scope_spans.add().spans.extend(spans)
    return data.SerializeToString()


def logs(*, dropped: int = 0, threshold: str = "") -> bytes:
    """A request with a log record that no dialect reads."""
    data = LogsData()
    record = data.resource_logs.add().scope_logs.add().log_records.add(dropped_attributes_count=dropped)
    record.body.string_value = "hello"
    if threshold:
        record.attributes.add(key="sampling.threshold").value.string_value = threshold
    return data.SerializeToString()


def stored(*requests: bytes, signal: Any = "traces") -> Frames:
    """What is stored of requests."""
    return of_requests((signal, "protobuf", request) for request in requests)


def told(tables: Tables, now_ns: int = LATER_NS) -> dict[str, tuple[int, str, str]]:
    """By kind: count, unit and certainty. Each kind is there once."""
    found = losses(tables, tables.noted(), now_ns)
    assert found.schema == SCHEMA
    assert found["kind"].is_unique().all()
    return {row["kind"]: (row["count"], row["unit"], row["certainty"]) for row in found.iter_rows(named=True)}


def test_what_senders_say_they_dropped_is_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of records each time, of a resource once a day; a resend is not counted again."""
    whole = span(1, dropped_attributes_count=3, dropped_events_count=2, dropped_links_count=1)
    whole.events.add(dropped_attributes_count=4)
    whole.events.add(dropped_attributes_count=1)
    whole.links.add(dropped_attributes_count=6)
    request = traces(whole, span(2, dropped_attributes_count=10), dropped_of_resource=7)
    frames = stored(request, request, traces(span(3), dropped_of_resource=7))
    wanted = {
        "dropped_attributes": (13, "attributes", "at_least"),
        "dropped_events": (2, "events", "at_least"),
        "dropped_links": (1, "links", "at_least"),
        "dropped_event_attributes": (5, "attributes", "at_least"),
        "dropped_link_attributes": (6, "attributes", "at_least"),
        "dropped_resource_attributes": (7, "attributes", "at_least"),
    }
    assert told(frames.tables()) == wanted
    # The control: without the flags nobody would know.
    silent = Frames(
        *(frame.with_columns(flags=pl.lit(None, pl.String)) for frame in (frames.spans, frames.events, frames.evidence))
    )
    assert told(silent.tables()) == {}


@pytest.mark.parametrize("mode", ["digest-only", "metadata-only"])
def test_content_that_the_configuration_leaves_out_is_counted_by_value(mode: str) -> None:
    """Of spans and log records of any dialect; where all is kept, nothing is lost."""
    said = span(1)
    for key in ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.name"):
        said.attributes.add(key=key).value.string_value = "x"
    requests: list[Any] = [("traces", "protobuf", traces(said, span(2)))]
    left_out = of_requests(requests, make_policy(capture=mode)).tables()
    assert told(left_out) == {"left_out": (2, "values", "exact")}
    assert told(of_requests(requests).tables()) == {}
    hello = of_requests([("logs", "protobuf", logs())], make_policy(capture=mode)).tables()
    assert told(hello) == {"left_out": (1, "values", "exact")}


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.integers(1, 20), st.integers(0, 2**32 - 1), min_size=1),
    st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=5), max_size=4),
)
def test_a_loss_is_counted_once_however_it_comes(dropped: dict[int, int], resent: list[list[int]]) -> None:
    """In one request or several, and again in any others."""
    spans = [span(number, dropped_attributes_count=count) for number, count in dropped.items()]
    again = [[spans[at % len(spans)] for at in some] for some in resent]
    total = sum(dropped.values())
    wanted = {"dropped_attributes": (total, "attributes", "at_least")} if total else {}
    assert told(stored(traces(*spans), *(traces(*some) for some in again)).tables()) == wanted
    assert told(stored(*(traces(*some) for some in again), *(traces(each) for each in spans)).tables()) == wanted


def test_log_records_that_no_dialect_reads_tell_their_losses_too() -> None:
    """They have no row but their evidence."""
    frames = stored(logs(dropped=2), logs(threshold="c"), logs(threshold="8"), signal="logs")
    assert frames.events.height == 0
    assert told(frames.tables()) == {
        "dropped_attributes": (2, "attributes", "at_least"),
        "sampled_records": (4, "records", "estimate"),
    }


def test_the_odds_that_a_sender_states_may_sum_up_to_more_than_a_column_holds() -> None:
    """A hundred and forty traces of a sampler that keeps one of 2^56: the ledger is shown all the same."""
    kept = [span(number, trace=number, trace_state="ot=th:ffffffffffffff") for number in range(1, 141)]
    assert told(stored(traces(*kept)).tables()) == {"sampled_traces": (2**62, "traces", "estimate")}


def test_a_span_told_twice_lost_what_its_fuller_telling_says() -> None:
    """Sent when it began, and when it ended."""
    began = span(1, end_time_unix_nano=0, dropped_attributes_count=1)
    frames = stored(traces(began), traces(span(1, dropped_attributes_count=3)))
    assert told(frames.tables()) == {"dropped_attributes": (3, "attributes", "at_least")}


@pytest.mark.parametrize("room", [20, opened.EVENTS_PER_REQUEST], ids=["cut", "control"])
def test_calls_that_have_no_rows_are_lost_and_missing_from_their_run(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """A span that tells of fifty calls, sent twice, where a request may have twenty rows."""
    monkeypatch.setattr(opened, "EVENTS_PER_REQUEST", room)
    calls = [{"type": "tool_call", "id": f"call_{number}", "name": "pay", "arguments": {}} for number in range(50)]
    whole = span(1)
    for key, value in (
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.output.messages", json.dumps([{"role": "assistant", "parts": calls}])),
    ):
        whole.attributes.add(key=key).value.string_value = value
    request = TracesData()
    request.resource_spans.add().scope_spans.add().spans.append(whole)
    left_out = 50 - min(50, room * whole.ByteSize() // request.ByteSize())
    frames = stored(request.SerializeToString(), request.SerializeToString())
    assert told(frames.tables()) == ({"cut_events": (left_out, "events", "exact")} if left_out else {})
    (run,) = frames.analysis().runs.iter_rows(named=True)
    assert (run["calls"], run["missing"]) == (50 - left_out, left_out)


ROOT, CHILD, ORPHAN = span(1), span(2, parent=1), span(3, parent=8)
MISSING: dict[str, tuple[tuple[Span, ...], int, int]] = {
    "nobody is missed": ((ROOT, CHILD), LATER_NS, 0),
    "one that two name": ((ROOT, ORPHAN, span(4, parent=8)), LATER_NS, 1),
    "the root may yet come": ((CHILD,), LATER_NS, 0),
    "the root did not come in half an hour": ((CHILD,), RECEIVED_NS + 10**9 + QUIET_NS, 1),
    "a caller of another program": ((ROOT, span(3, parent=8, kind=2)), LATER_NS, 0),
    "a parent that is said to be remote": ((ROOT, span(3, parent=8, flags=0x300)), LATER_NS, 0),
    "a span of that id in another trace": ((ROOT, ORPHAN, span(8, trace=2)), LATER_NS, 1),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_parent_that_never_came_is_missed_once(case: str) -> None:
    """In a trace that is over, and not before."""
    spans, now_ns, missing = MISSING[case]
    found = told(stored(traces(*spans)).tables(), now_ns)
    assert found == ({"missing_parents": (missing, "spans", "at_least")} if missing else {})


def test_samplers_tell_how_many_traces_did_not_come() -> None:
    """One in four of a trace, by whichever sampler let most through; what was not sampled says nothing."""
    sampled = (
        span(1, trace=1, trace_state="ot=th:c"),
        span(2, trace=1, parent=1, trace_state="ot=th:e"),
        span(3, trace=2, trace_state="ot=th:8"),
        span(4, trace=3, trace_state="ot=th:0"),
        span(5, trace=4),
    )
    assert told(stored(traces(*sampled)).tables()) == {"sampled_traces": (4, "traces", "estimate")}


def test_what_was_refused_and_what_is_in_quarantine_stand_beside_it() -> None:
    """By day, source and status; a refusal after which a sender tries again is no loss yet."""
    frames = stored(traces(span(1), span(2)))
    refused = [
        Refusals("2026-11-23", "acme/ci", "traces", 400, 2),
        Refusals("2026-11-23", "unknown", "logs", 401, 1),
        Refusals("2026-11-23", "acme/ci", "traces", 503, 5),
    ]
    put_aside = tuple(
        PutAside(Finding(code, severity, where, ""), OTHER_DAY)
        for code, severity, where in (
            ("record_unreadable", "warning", "evidence main/1/0,1"),
            ("record_unreadable", "warning", "evidence main/9/0"),
            ("frame_unreadable", "error", "evidence main/7"),
            ("frame_damaged", "error", "wal/main/1.wal"),
            ("torn_tail", "info", "wal/main/1.wal"),
        )
    )
    tables = frames.tables(*refused, put_aside=put_aside)
    found = losses(tables, tables.noted(), LATER_NS)
    assert sorted(
        found.select("day", "source", "kind", "signal", "detail", "count", "certainty").rows(), key=str
    ) == sorted(
        [
            (OTHER_DAY, "acme/ci", "refused", "traces", "400", 2, "at_least"),
            (OTHER_DAY, "acme/ci", "deferred", "traces", "503", 5, "at_most"),
            (OTHER_DAY, "unknown", "refused", "logs", "401", 1, "at_least"),
            (OTHER_DAY, "unknown", "quarantined", None, "frame_unreadable", 1, "at_least"),
            (OTHER_DAY, "unknown", "quarantined", None, "frame_damaged", 1, "at_least"),
            (OTHER_DAY, "unknown", "unread", None, None, 1, "exact"),
            (DAY, "anonymous", "unread", "traces", None, 2, "exact"),
        ],
        key=str,
    )
    assert set(found.filter(pl.col("source") == "acme/ci")["tenant"]) == {"acme"}


def test_every_kind_is_declared_once() -> None:
    """And its count is said to be worth something."""
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert {kind.certainty for kind in KINDS} == {"exact", "at_least", "at_most", "estimate"}


def test_nothing_is_read_before_losses_are_asked_for() -> None:
    """A damaged file of notes must not keep anybody from the runs."""

    def damaged() -> Noted:
        raise AssertionError("read")

    read: Callable[[], Noted] = damaged
    frames = stored(traces(span(1)))
    analysis = Frames(frames.spans, frames.events).analysis()
    object.__setattr__(analysis.tables, "noted", read)
    assert analysis.sql("select count(*) as n from spans")["n"].to_list() == [1]
    with pytest.raises(AssertionError, match="read"):
        analysis.select("losses")
