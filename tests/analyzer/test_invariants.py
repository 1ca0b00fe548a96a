"""What must hold for any telemetry: the order and the division of the input change nothing, nor do schemas vary."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aftertrace.analyzer import DERIVED, Analysis
from aftertrace.analyzer.schemas.derived import RATES_SCHEMA, TIMELINE_SCHEMA

from . import frames
from .frames import RECORDINGS, Frames
from .stories import event, stored

TABLES: Final = (
    "calls", "runs", "near_misses", "approvals", "decisions", "agents", "effects", "effect_findings",
    "configurations", "configuration_changes", "change_measures",
)  # fmt: skip
PER_THREAD: Final = ("calls", "runs", "near_misses", "approvals", "decisions", "effects")
"""Tables whose rows rest on one conversation alone: a configuration is seen by many, a session may start another."""


@cache
def everything() -> Frames:
    """All recordings in one store, each from a source of its own."""
    parts = [(path, frames.of_recording(path)) for path in sorted(RECORDINGS.glob("*/*.otlp.jsonl"))]
    renamed = [
        Frames(*(frame.with_columns(receiver=pl.lit(name), source=pl.lit(name)) for frame in (part.spans, part.events)))
        for path, part in parts
        if (name := f"{path.parent.name}-{path.name.split('.')[0]}")
    ]
    return union(*renamed)


def union(*parts: Frames) -> Frames:
    """All rows of several stores."""
    return Frames(pl.concat([part.spans for part in parts]), pl.concat([part.events for part in parts]))


@cache
def everything_told() -> Analysis:
    """The analysis of all recordings, which no test changes."""
    return everything().analysis()


def only(whole: Frames, column: str, values: set[str | None]) -> Frames:
    """The rows whose column holds one of some values."""
    kept = [frame.filter(pl.col(column).is_in(list(values), nulls_equal=True)) for frame in (whole.spans, whole.events)]
    return Frames(*kept)


def shuffled(whole: Frames, random: Random) -> Frames:
    """The same rows in another order."""
    return Frames(*(frame.sample(fraction=1, shuffle=True, seed=random.randrange(2**32)) for frame in
                    (whole.spans, whole.events)))  # fmt: skip


def assert_same(found: Analysis, expected: Analysis, tables: tuple[str, ...] = TABLES) -> None:
    """Every value of every table, and the order of the rows."""
    for table in tables:
        assert_frame_equal(found.select(table), expected.select(table))


ORDER: Final = {"runs": ["run_id"], "decisions": ["call_key", "ordinal"], "effects": ["evidence"]}
"""What tells the rows of a table apart, where it is not the call."""


def united(analyses: list[Analysis], table: str) -> pl.DataFrame:
    """The rows of one table of several analyses, in one order."""
    rows = pl.concat([analysis.select(table) for analysis in analyses])
    return rows.sort(ORDER.get(table, ["call_key"]))


MOMENTS: Final = (
    ("action.proposed", "proposed"),
    ("action.proposed", "echoed"),
    ("tool.considered", "dropped"),
    ("approval.requested", None),
    ("approval.granted", None),
    ("approval.rejected", None),
    ("approval.modified", None),
    ("policy.evaluated", "allow"),
    ("policy.evaluated", "deny"),
    ("policy.evaluated", "unknown"),
    ("tool.called", "entered"),
    ("tool.called", "started"),
    ("tool.called", "completed"),
    ("tool.called", "failed"),
    ("tool.called", "answered"),
    ("tool.called", "refused"),
    ("input.resolved", "user_prompt"),
    ("run.completed", None),
)


@st.composite
def some_events(draw: st.DrawFn) -> Frames:
    """Events of a few calls, tools and conversations in any order, many at the same time, some without ids."""
    rows: list[dict[str, Any]] = []
    for name, state in draw(st.lists(st.sampled_from(MOMENTS), min_size=1, max_size=14)):
        conversation = draw(st.sampled_from(("s-1", "s-2", "s-3")))
        source = draw(st.sampled_from(("anonymous", "other")))
        digest = draw(st.sampled_from((None, "sha256:a", "sha256:b")))
        columns = {
            "source": source,
            "conversation_id": conversation,
            "trace_id": f"{len(source)}{conversation[-1]}{draw(st.sampled_from('ab'))}".rjust(32, "0"),
            "call_id": draw(st.sampled_from((None, "c-1", "c-2"))),
            "tool_name": draw(st.sampled_from(("pay", "read_db"))),
            "arguments_digest": digest,
            "group": draw(st.sampled_from((None, "g-1", "g-2"))),
            "position": draw(st.sampled_from((None, 0, 1))),
            "basis": draw(st.sampled_from(("explicit", "inferred"))),
            "agent_name": draw(st.sampled_from(("clerk", "reader", "explorer"))),
            "agent_id": draw(st.sampled_from((None, None, "a-1"))),
            "decided_by": draw(st.sampled_from((None, "human", "policy"))),
        }
        rows.append(event(name, state, s=draw(st.integers(0, 4)), **columns))
    return stored(*rows)


@settings(max_examples=6)
@given(random=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(random: Random) -> None:
    """For all recordings together."""
    assert_same(shuffled(everything(), random).analysis(), everything_told())


@settings(max_examples=40)
@given(whole=some_events(), random=st.randoms(use_true_random=False))
def test_the_order_of_any_events_does_not_matter(whole: Frames, random: Random) -> None:
    """Also for events of the same time, and for those without ids."""
    assert_same(shuffled(whole, random).analysis(), whole.analysis())


@settings(max_examples=5)
@given(data=st.data())
def test_dividing_the_recordings_and_uniting_the_results_changes_nothing(data: st.DataObject) -> None:
    """By source, into two parts."""
    whole = everything()
    sources = sorted(whole.events["source"].unique().to_list())
    some = set(data.draw(st.sets(st.sampled_from(sources))))
    parts = [only(whole, "source", some).analysis(), only(whole, "source", set(sources) - some).analysis()]
    for table in PER_THREAD:
        assert_frame_equal(united(parts, table), united([everything_told()], table))


@settings(max_examples=25)
@given(whole=some_events())
def test_dividing_any_events_by_conversation_changes_nothing(whole: Frames) -> None:
    """Each conversation of each sender is analysed alone; two senders use the same names."""
    senders = [only(whole, "source", {source}) for source in whole.events["source"].unique()]
    parts = [
        only(sender, "conversation_id", {conversation}).analysis()
        for sender in senders
        for conversation in sender.events["conversation_id"].unique()
    ]
    expected = whole.analysis()
    for table in PER_THREAD:
        assert_frame_equal(united(parts, table), united([expected], table))


@settings(max_examples=40)
@given(whole=some_events())
def test_a_schema_never_varies_with_the_data(whole: Frames) -> None:
    """Of any table."""
    analysis = whole.analysis()
    for table in TABLES:
        assert analysis.select(table).schema == DERIVED[table].schema, table


@pytest.mark.parametrize("told", [lambda: stored().analysis(), everything_told], ids=["empty", "everything"])
def test_all_schemas_are_as_declared(told: Callable[[], Analysis]) -> None:
    """Of the derived tables, of rates and of a timeline; not even an empty store has others."""
    analysis = told()
    assert {table: analysis.select(table).schema for table in TABLES} == {
        table: DERIVED[table].schema for table in TABLES
    }
    assert analysis.rates([]).schema == RATES_SCHEMA
    by_tool = analysis.rates(["tool_name", "outcome"]).schema
    assert by_tool == pl.Schema({"tool_name": pl.String, "outcome": pl.String, **RATES_SCHEMA})
    assert analysis.timeline("no such run").schema == TIMELINE_SCHEMA


def test_the_comparison_sees_a_row_that_is_lost() -> None:
    """The control: without one decision, the calls are not the same."""
    whole = everything()
    rejected = whole.events["event"].is_in(["approval.rejected", "policy.evaluated"])
    less = Frames(whole.spans, whole.events.filter(~rejected | (whole.events["source"] != "claude-code-tty_reject")))
    with pytest.raises(AssertionError):
        assert_same(less.analysis(), everything_told(), ("calls",))
