"""When records come says nothing: neither their order nor their repetition, and late ones change their own runs alone.

All recordings together are one store here, of one source and one service, as one collector forwards many agents: the
conversations and call ids of each are its own, as those of real programs are.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis

from . import frames
from .frames import RECORDINGS, Frames
from .stories import COMPLETED, PROPOSED, event, stored
from .test_invariants import assert_same, some_events, union

if TYPE_CHECKING:
    from aftertrace.store.request import Encoding, Signal

POINTING: Final = ("evidence", "call_key")
"""Columns that point at where records are stored, which their arrival alone decides."""
OF_RUNS: Final = ("calls", "runs", "near_misses", "approvals")
TOLD: Final = (*OF_RUNS, "configurations")
PATHS: Final = sorted(RECORDINGS.glob("*/*.otlp.jsonl"))
LISTS: Final = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}


def singly(path: Path) -> list[tuple[Signal, Encoding, bytes]]:
    """A recording's spans and log records, each in a request of its own."""
    return [
        (signal, encoding, json.dumps({resources: [{**resource, scopes: [{**scope, records: [record]}]}]}).encode())
        for signal, encoding, body in frames.lines(path)
        if signal in LISTS
        for resources, scopes, records in (LISTS[signal],)
        for resource in json.loads(body).get(resources, ())
        for scope in resource.get(scopes, ())
        for record in scope.get(records, ())
    ]


def told(analysis: Analysis) -> dict[str, pl.DataFrame]:
    """Everything that is told but where the records lie; of evidence, how much there is."""
    tables = {table: analysis.select(table) for table in TOLD}
    counted = {
        table: rows.with_columns(records_behind=pl.col("evidence").list.len()) if "evidence" in rows.columns else rows
        for table, rows in tables.items()
    }
    return {table: rows.drop(POINTING, strict=False) for table, rows in counted.items()}


def assert_told_alike(found: Analysis, expected: Analysis) -> None:
    """Every value of every table, and the order of the rows."""
    wanted = told(expected)
    for table, rows in told(found).items():
        assert_frame_equal(rows, wanted[table])


@pytest.mark.parametrize("path", PATHS, ids=[f"{path.parent.name}-{path.name.split('.')[0]}" for path in PATHS])
def test_the_order_of_arrival_and_repetitions_change_nothing(path: Path) -> None:
    """Each record is sent alone, in any order, and every tenth of them once more."""
    random, records = Random(path.name), singly(path)
    expected = frames.of_requests(records).analysis()
    for _ in range(2):
        arrived = [*random.sample(records, len(records)), *random.sample(records, 1 + len(records) // 10)]
        assert_told_alike(frames.of_requests(arrived).analysis(), expected)


@settings(max_examples=60)
@given(whole=some_events(), random=st.randoms(use_true_random=False))
def test_the_order_of_arrival_of_any_events_changes_nothing(whole: Frames, random: Random) -> None:
    """Also where many lie at the same time and have no ids: rows of `seq` are drawn anew."""
    seqs = random.sample(range(1, whole.events.height + 1), whole.events.height)
    arrived = Frames(whole.spans, whole.events.with_columns(seq=pl.Series(seqs, dtype=pl.Int64)))
    assert_told_alike(arrived.analysis(), whole.analysis())


@cache
def fleet() -> Frames:
    """All recordings from one source and one service; ids of conversations and calls are unique to a recording."""
    parts: list[Frames] = []
    before = 0
    for path in PATHS:
        whole = frames.of_recording(path)
        own = [
            frame.with_columns(
                seq=pl.col("seq") + before,
                service_name=pl.lit("fleet"),
                **{
                    name: pl.concat_str(pl.lit(f"{path.parent.name}/{path.name}/"), name)
                    for name in ("conversation_id", "call_id")
                },
            )
            for frame in (whole.spans, whole.events)
        ]
        before += 1 + len(path.read_bytes().splitlines())
        parts.append(Frames(*own))
    return union(*parts)


@cache
def fleet_told() -> Analysis:
    """The analysis of them, which no test changes."""
    return fleet().analysis()


def without(whole: Frames, late: list[tuple[int, int]]) -> Frames:
    """The rows of the records that were there before the late ones, which are named by `seq` and `index`."""
    named = pl.DataFrame(late, schema={"seq": pl.Int64, "index": pl.Int32}, orient="row")
    return Frames(*(frame.join(named, on=["seq", "index"], how="anti") for frame in (whole.spans, whole.events)))


def runs_of(analysis: Analysis, late: list[tuple[int, int]]) -> set[str]:
    """The runs that some records touch.

    Those that they are in; those that tell of the same calls, since a later turn or trace repeats what was told before;
    and those with a span right below one of them, which was missing there.
    """
    named = pl.DataFrame(late, schema={"seq": pl.Int64, "index": pl.Int32}, orient="row")
    spans, events = analysis.of().identified.spans, analysis.of().identified.events
    late_spans, late_events = (frame.join(named, on=["seq", "index"], how="semi") for frame in (spans, events))
    touched = (
        late_spans,
        late_events,
        events.join(late_events.drop_nulls("call_id"), on="call_id", how="semi"),
        spans.join(late_spans, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], how="semi"),
    )
    return {run for frame in touched for run in frame["run_id"]}


def places(analysis: Analysis) -> pl.DataFrame:
    """The run of every span and event."""
    identified = analysis.of().identified
    spans = identified.spans.select("seq", "index", pl.lit(-1, dtype=pl.Int32).alias("ordinal"), "run_id")
    return pl.concat([spans, identified.events.select("seq", "index", "ordinal", "run_id")])


def assert_others_unchanged(before: Analysis, after: Analysis, touched: set[str]) -> int:
    """No row of any other run differs by a value: how many calls that was shown of.

    Late records may join runs, give one an earlier key and so another name, or show that a record lies in another run
    than it seemed to: where their records were before, and where others of those are now, is touched as well.
    """
    moved = places(before).join(places(after), on=["seq", "index", "ordinal"], suffix="_after")
    were = set(moved.filter(pl.col("run_id_after").is_in(list(touched)))["run_id"])
    parted = set(moved.filter(pl.col("run_id").is_in(list(were)))["run_id_after"])
    shown = 0
    for table in OF_RUNS:
        old, new = (
            analysis.select(table).filter(~pl.col("run_id").is_in(list(own)))
            for analysis, own in ((before, were), (after, touched | parted))
        )
        assert_frame_equal(old, new)
        shown += new.height if table == "calls" else 0
    return shown


@settings(max_examples=8)
@given(random=st.randoms(use_true_random=False), share=st.sampled_from((0.002, 0.01, 0.05, 0.3)))
def test_late_records_change_only_the_runs_they_touch(random: Random, share: float) -> None:
    """Any records of any recordings come late; what is told of other runs is the same before and after."""
    whole = fleet()
    records = sorted({*whole.spans.select("seq", "index").rows(), *whole.events.select("seq", "index").rows()})
    late = random.sample(records, max(1, int(share * len(records))))
    before, after = without(whole, late).analysis(), fleet_told()
    assert_others_unchanged(before, after, runs_of(after, late))


def test_a_late_run_leaves_every_other_call_as_it_was() -> None:
    """Each recording in turn comes late as a whole: of 150 calls and more, all but its own are shown unchanged."""
    whole = fleet()
    after = fleet_told()
    for name in ("claude-code/", "langchain/", "codex/", "pydantic-ai/"):
        of_emitter = pl.col("conversation_id").str.starts_with(name).fill_null(value=False)
        late = whole.events.filter(of_emitter).select("seq", "index").unique().rows()
        touched = runs_of(after, late)
        own = after.calls.filter(pl.col("run_id").is_in(list(touched))).height
        assert len(late) > 0
        assert assert_others_unchanged(without(whole, late).analysis(), after, touched) == after.calls.height - own


def test_the_comparison_sees_what_a_late_record_changes() -> None:
    """The control: the run that a late rejection touches is not the same before and after."""
    whole = fleet()
    rejected = whole.events.filter(pl.col("event") == "approval.rejected").sort("seq", "index")
    late = rejected.select("seq", "index").head(1).rows()
    after = fleet_told()
    assert len(runs_of(after, late)) == 1
    with pytest.raises(AssertionError):
        assert_others_unchanged(without(whole, late).analysis(), after, touched=set())


def test_the_comparison_sees_what_arrival_would_change() -> None:
    """The control: calls with another time are not told alike."""
    later: dict[str, Any] = event("tool.called", "completed", s=9, end_ns=None)
    with pytest.raises(AssertionError):
        assert_told_alike(stored(PROPOSED, later).analysis(), stored(PROPOSED, COMPLETED).analysis())


@pytest.mark.parametrize(
    ("emitter", "case"),
    [("claude-code", "tty_approve"), ("langchain", "openinference_reject_edit"), ("pydantic-ai", "v5_deny_approve")],
)
def test_what_is_sent_twice_is_told_once(emitter: str, case: str) -> None:
    """Every request of a recording is sent once more: the drain shows one copy."""
    lines = list(frames.lines(RECORDINGS / emitter / f"{case}.otlp.jsonl"))
    once, twice = frames.of_requests(lines), frames.of_requests([*lines, *lines])
    assert_frame_equal(once.events, twice.events)
    assert_same(twice.analysis(), once.analysis())
