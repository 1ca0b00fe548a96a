"""How rows are chosen: filters, names of runs, and the tables there are."""

from __future__ import annotations

from typing import Any

import pytest

from aftertrace.analyzer import Analysis, Filter, Invalid

from .stories import AT_NS, calls_of, event, stored


def told(call: str, **columns: Any) -> list[dict[str, Any]]:
    """A call that a person granted, and that ran."""
    trace = {"trace_id": call[-1] * 32, "call_id": call, "conversation_id": f"s-{call[-1]}", **columns}
    second = int(call[-1])
    return [
        event("action.proposed", "proposed", s=second, **trace),
        event("approval.granted", s=second + 0.5, decided_by="human", decider=f"reviewer-{call[-1]}", **trace),
        event("tool.called", "completed", s=second + 0.9, **trace),
    ]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Three runs of one call each; the second is refused, the third is of another agent and environment."""
    refused = [row for row in told("c-2", tool_name="drop_table") if row["event"] == "action.proposed"]
    refusal = {**refused[0], "event": "policy.evaluated", "state": "deny", "decided_by": "policy"}
    other = told("c-3", agent_name="planner", environment="production", tenant="acme", tool_name="search")
    return stored(*told("c-1"), *refused, refusal, *other).analysis()


@pytest.mark.parametrize(
    ("wanted", "calls", "runs"),
    [
        (Filter(), ["c-1", "c-2", "c-3"], 3),
        (Filter(agent="clerk"), ["c-1", "c-2"], 2),
        (Filter(tool="search"), ["c-3"], 1),
        (Filter(outcome="denied"), ["c-2"], 1),
        (Filter(decided_by="human"), ["c-1", "c-3"], 2),
        (Filter(reviewer="reviewer-1"), ["c-1"], 1),
        (Filter(tenant="acme"), ["c-3"], 1),
        (Filter(environment="production"), ["c-3"], 1),
        (Filter(environment="staging"), [], 0),
        (Filter(since_ns=AT_NS + 2 * 10**9), ["c-2", "c-3"], 2),
        (Filter(until_ns=AT_NS + 2 * 10**9), ["c-1"], 1),
        (Filter(since_ns=AT_NS + 2 * 10**9, until_ns=AT_NS + 3 * 10**9), ["c-2"], 1),
        (Filter(agent="clerk", outcome="executed"), ["c-1"], 1),
        (Filter(agent="planner", outcome="denied"), [], 0),
    ],
    ids=str,
)
def test_a_filter_keeps_what_all_its_fields_hold_for(
    analysis: Analysis, wanted: Filter, calls: list[str], runs: int
) -> None:
    """Calls, and the runs that hold such calls."""
    assert analysis.select("calls", wanted)["tool_call_id"].sort().to_list() == calls
    assert analysis.select("runs", wanted).height == runs


def test_a_filter_by_run_keeps_its_rows_in_every_table(analysis: Analysis) -> None:
    """And near misses are those of the run."""
    run_id = analysis.calls.filter(analysis.calls["outcome"] == "denied")["run_id"][0]
    wanted = Filter(run_id=run_id)
    assert {
        table: analysis.select(table, wanted).height for table in ("calls", "runs", "near_misses", "approvals")
    } == {
        "calls": 1,
        "runs": 1,
        "near_misses": 1,
        "approvals": 0,
    }


def test_a_table_that_is_not_there_is_refused(analysis: Analysis) -> None:
    """With those there are."""
    with pytest.raises(Invalid) as refusal:
        analysis.select("secrets")
    assert str(refusal.value) == (
        "select 'secrets': no such table, expected calls, runs, approvals, decisions, agents, "
        "effects, effect_findings, configurations, configuration_changes, change_measures, near_misses, losses"
    )


def test_a_run_answers_to_its_id_its_beginning_its_trace_its_conversation_and_last(analysis: Analysis) -> None:
    """`last` is the one that began last."""
    listed = analysis.runs
    last, first = listed["run_id"][0], listed["run_id"][2]
    assert listed["conversation_id"].to_list() == ["s-3", "s-2", "s-1"]
    assert {
        text: analysis.resolve_run(text) for text in (first, first[:6], "1" * 32, "s-1", "last")
    } == {first: first, first[:6]: first, "1" * 32: first, "s-1": first, "last": last}  # fmt: skip


def test_a_run_that_cannot_be_told_is_refused_with_the_way_out(analysis: Analysis) -> None:
    """Too short, unknown, several, or none at all."""
    twice = stored(*told("c-1", conversation_id="s"), *told("c-2", conversation_id="s", call_id="c-9")).analysis()
    ids = ", ".join(twice.runs["run_id"])
    short = analysis.runs["run_id"][0][:3]
    unknown = "not found; give an id, its first 4 characters, a trace id, or `last`"
    none_yet = "the store holds no run yet; `aftertrace connect` tells how to send one"
    cases = [
        (analysis, short, f"run '{short}': {unknown}"),
        (analysis, "s-9", f"run 's-9': {unknown}"),
        (twice, "s", f"run 's': 2 runs answer to it ({ids}), expected one; give more of the id"),
        (stored().analysis(), "last", f"run 'last': {none_yet}"),
    ]
    for over, text, reason in cases:
        with pytest.raises(Invalid) as refusal:
            over.resolve_run(text)
        assert str(refusal.value) == reason


def test_a_conversation_that_goes_on_in_another_trace_counts_its_calls_on() -> None:
    """Ordinals are per conversation."""
    calls = calls_of(*told("c-1", conversation_id="s"), *told("c-2", conversation_id="s"), *told("c-3"))
    assert calls.select("conversation_id", "ordinal").rows() == [("s", 0), ("s", 1), ("s-3", 0)]


def test_conversations_of_two_senders_that_share_a_name_never_meet() -> None:
    """Each counts its own calls, and is a run of its own."""
    other = told("c-1", conversation_id="s", source="other", trace_id="9" * 32)
    calls = calls_of(*told("c-1", conversation_id="s"), *other)
    assert calls.select("source", "ordinal", "outcome").sort("source").rows() == [
        ("anonymous", 0, "executed"),
        ("other", 0, "executed"),
    ]
    assert calls["run_id"].n_unique() == 2
