"""Near misses and their rates: what counts, over what, and how sure a rate is."""

from __future__ import annotations

from math import isclose, sqrt
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer import OUTCOMES, Filter
from aftertrace.analyzer.calls.near_misses import Z_95, wilson

from .stories import calls_of, event, stored

DENIED = ("denied", "hook")


def wilson_interval(successes: int, trials: int) -> tuple[float, float] | None:
    """The interval for two numbers, by its formula; None without trials."""
    if trials == 0:
        return None
    share, spread = successes / trials, Z_95**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = (Z_95 / (1 + spread)) * sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def story(call: str, tool: str, ending: dict[str, Any], **columns: Any) -> list[dict[str, Any]]:
    """A proposal and what became of it."""
    about = {"call_id": call, "tool_name": tool, **columns}
    return [event("action.proposed", "proposed", **about), {**ending, **about}]


RAN = event("tool.called", "completed", s=2)
REFUSED = event("policy.evaluated", "deny", s=2, decided_by="hook")
UNKNOWN = event("tool.called", "unknown_tool", s=2)
NOTHING = event("tool.called", "entered", s=2)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_has_the_known_values(successes: int, trials: int, low: float, high: float) -> None:
    """The examples of Newcombe (1998), Statistics in Medicine 17, table I, score method."""
    interval = wilson_interval(successes, trials)
    assert interval is not None
    assert [round(end, 4) for end in interval] == [low, high]


@given(st.integers(1, 10**6).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_both_ends_are_the_shares_that_a_score_test_just_rejects(case: tuple[int, int]) -> None:
    """`|successes/trials - end| = z * sqrt(end * (1 - end) / trials)`: the definition, solved for nothing."""
    successes, trials = case
    interval = wilson_interval(successes, trials)
    assert interval is not None
    low, high = interval
    share = successes / trials
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    for end in interval:
        assert isclose(abs(share - end), Z_95 * sqrt(end * (1 - end) / trials), rel_tol=1e-6, abs_tol=1e-7)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: (min(pair), max(pair)))))
def test_a_column_of_intervals_is_the_interval_of_each(cases: list[tuple[int, int]]) -> None:
    """And null without trials."""
    frame = pl.DataFrame(cases, schema={"successes": pl.Int64, "trials": pl.Int64}, orient="row")
    low, high = wilson(pl.col("successes"), pl.col("trials"))
    found = frame.select(low=low, high=high).rows()
    expected = [wilson_interval(*case) or (None, None) for case in cases]
    assert [tuple(end and round(end, 12) for end in row) for row in found] == [
        tuple(end and round(end, 12) for end in row) for row in expected
    ]


def test_a_rate_counts_the_calls_whose_outcome_says_something_about_a_control() -> None:
    """Two ran and one was refused; what does not exist, and what nothing is known of, stand beside."""
    rows = [
        *story("c-1", "pay", RAN),
        *story("c-2", "pay", REFUSED),
        *story("c-3", "read_db", RAN),
        *story("c-4", "nope", UNKNOWN),
        *story("c-5", "pay", NOTHING),
    ]
    analysis = stored(*rows).analysis()
    measures = ("calls", "near_misses", "consequential", "rate", "floor")
    assert analysis.rates([]).select(measures).rows() == [(3, 1, 1, 1 / 3, False)]
    by_tool = analysis.rates(["tool_name"]).select("tool_name", *measures).rows()
    assert by_tool == [("pay", 2, 1, 1, 0.5, False), ("read_db", 1, 0, 0, 0.0, False)]
    none = analysis.rates([], Filter(tool="nope"))
    assert none.select("calls", "near_misses", "rate", "low", "high").rows() == [(0, 0, None, None, None)]


def test_consequential_near_misses_come_first_then_the_latest() -> None:
    """A refused read is a near miss without consequence."""
    rows = [
        *story("c-1", "read_db", REFUSED),
        *story("c-2", "pay", REFUSED, time_ns=event("x", s=1)["time_ns"]),
        *story("c-3", "pay", REFUSED, time_ns=event("x", s=3)["time_ns"]),
    ]
    found = stored(*rows).analysis().near_misses()
    assert found.select("tool_call_id", "risk", "consequential").rows() == [
        ("c-3", "money", True),
        ("c-2", "money", True),
        ("c-1", "read", False),
    ]


def test_a_cancellation_is_a_near_miss_when_a_person_did_it() -> None:
    """A program that stops its own call was no control."""
    proposed, cancelled = event("action.proposed", "proposed"), event("tool.called", "cancelled", s=2)
    by_program = event("policy.evaluated", "allow", s=1, decided_by="program")
    assert calls_of(proposed, cancelled)["near_miss"].to_list() == [True]
    assert calls_of(proposed, by_program, cancelled)["near_miss"].to_list() == [False]


def test_near_misses_are_a_part_of_the_outcomes_and_say_who() -> None:
    """Of any story; the words are those of the design."""
    calls = calls_of(*story("c-1", "pay", REFUSED), *story("c-2", "pay", RAN))
    assert set(calls["outcome"]) <= set(OUTCOMES)
    assert calls.filter("near_miss").select("outcome", "decided_by").rows() == [DENIED]


@pytest.mark.parametrize(
    ("columns", "floor"),
    [
        ({"dialect": "claude_code", "trace_id": None}, True),
        ({"dialect": "claude_code"}, False),
        ({"dialect": "genai"}, False),
        ({"dialect": "genai", "flags": '["left_out:1"]'}, True),
    ],
)
def test_a_count_is_a_floor_where_an_emitter_hides_refusals(columns: dict[str, Any], floor: bool) -> None:
    """Claude Code without its traces tells nothing of an ask that nobody could answer; nor does content left out."""
    assert stored(*story("c-1", "pay", REFUSED, **columns)).analysis().rates([])["floor"].to_list() == [floor]


def test_a_model_call_without_content_makes_the_count_a_floor() -> None:
    """Proposals are not told then: a refused call leaves nothing at all."""
    assert stored(RAN).analysis().rates([])["floor"].to_list() == [True]
