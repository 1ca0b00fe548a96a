"""Timelines: whose they are, what is in them, how their order is known, and what is left out."""

from __future__ import annotations

import json
from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Invalid
from aftertrace.analyzer.timelines.timeline import Timeline, Wanted

from . import frames
from .stories import ASKED, AT_NS, COMPLETED, ENDED, PROPOSED, event, span, stored

S: Final = 10**9
GRANTED: Final = event("approval.granted", s=3, decided_by="human", decider="ana")
PAID: Final = event(
    "effect.applied",
    s=9,
    attributes=json.dumps(
        {"effect_system": "bank", "effect_operation": "pay", "effect_object_type": "order", "effect_object_id": "A-42"}
    ),
)
COURSE: Final = ("action.proposed", "approval.requested", "approval.granted", "tool.called", "effect.applied")


def of(nth: int, *rows: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The rows, in a run of their own, a minute after the one before."""
    whose = {"trace_id": f"{nth:032x}", "conversation_id": f"s-{nth}", **more}
    return [{**row, **whose, "time_ns": row["time_ns"] + 60 * S * (nth - 1)} for row in rows]


def several() -> Analysis:
    """Three runs: of two agents and tenants, with two reviewers and two objects."""
    other = {**PAID, "attributes": PAID["attributes"].replace("42", "43")}
    bob = {**GRANTED, "decider": "bob"}
    return stored(
        *of(1, PROPOSED, ASKED, GRANTED, COMPLETED, PAID, ENDED, tenant="acme"),
        *of(2, PROPOSED, ASKED, bob, COMPLETED, PAID, ENDED, tenant="acme", agent_name="cook"),
        *of(3, PROPOSED, ASKED, GRANTED, COMPLETED, other, ENDED, tenant="umbrella"),
    ).analysis()


def told(found: Timeline) -> list[tuple[int, str]]:
    """In which minute, and what."""
    at = found.rows["at_ns"].to_list()
    return [
        ((each - AT_NS) // (60 * S) + 1, what.split()[0]) for each, what in zip(at, found.rows["what"], strict=True)
    ]


def course(*nths: int, end: bool = False) -> list[tuple[int, str]]:
    """The usual course of some runs; with the end of each, which speaks of no call."""
    return [(nth, what) for nth in nths for what in (*COURSE, *(("run.completed",) if end else ()))]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), course(1, 2, 3, end=True)),
        (Wanted(agent="cook"), course(2, end=True)),
        (Wanted(tenant="acme"), course(1, 2, end=True)),
        (Wanted(target="A-42"), course(1, 2)),
        (Wanted(target="A-43"), course(3)),
        (Wanted(reviewer="ana"), course(1, 3)),
        (Wanted(reviewer="ana", target="A-42"), course(1)),
        (Wanted(reviewer="nobody"), []),
        (Wanted(since_ns=AT_NS + 120 * S), course(3, end=True)),
        (Wanted(until_ns=AT_NS + 60 * S), course(1, end=True)),
    ],
)
def test_a_timeline_is_of_what_is_asked_for_and_of_nothing_else(
    wanted: Wanted, expected: list[tuple[int, str]]
) -> None:
    """Of several questions at once, all must hold."""
    assert told(several().timeline_of(wanted)) == expected


def test_a_timeline_of_a_run_is_of_that_run() -> None:
    """By its id."""
    analysis = several()
    run_id = analysis.runs.filter(pl.col("agent_name") == "cook")["run_id"].item()
    assert told(analysis.timeline_of(Wanted(run_id=run_id))) == course(2, end=True)
    assert set(analysis.timeline(run_id)["run_id"]) == {run_id}


def test_a_text_too_short_to_look_for_is_refused() -> None:
    """As everywhere."""
    with pytest.raises(Invalid, match="expected at least 3"):
        several().timeline_of(Wanted(target="4"))


def test_what_is_left_out_is_counted_and_on_which_side() -> None:
    """The first of them, or the last."""
    analysis = several()
    first, last = (analysis.timeline_of(Wanted(most=5, end=end)) for end in ("first", "last"))
    assert (told(first), first.before, first.later) == (course(1), 0, 13)
    assert (last.rows.height, last.before, last.later) == (5, 13, 0)
    assert told(last)[-1] == (3, "run.completed")


@pytest.mark.parametrize("end", ["first", "last"])
def test_of_many_runs_no_more_are_read_than_it_takes(end: Any) -> None:
    """What is shown is what would be shown had all been read; the runs that were not are counted."""
    rows = [row for nth in range(1, 151) for row in of(nth, PROPOSED, COMPLETED, ENDED)]
    analysis = stored(*rows).analysis()
    found, whole = analysis.timeline_of(Wanted(most=7, end=end)), analysis.timeline_of(Wanted())
    assert (
        found.rows["evidence"].to_list()
        == getattr(whole.rows, {"first": "head", "last": "tail"}[end])(7)["evidence"].to_list()
    )
    assert (found.unread, found.before + found.later) == (150 - 128, 128 * 3 - 7)
    every = analysis.timeline_of(Wanted(most=400, end=end))
    assert (every.rows.height, every.unread, every.before + every.later) == (400, 0, 50)


def test_an_effect_that_only_a_result_tells_is_in_the_timeline_and_marked() -> None:
    """After the call that made it."""
    asked = {"arguments": '{"command":"git commit -m x"}', "tool_name": "Bash"}
    ran = {**COMPLETED, "tool_name": "Bash", "content": "[main de71239] x"}
    rows = stored({**PROPOSED, **asked}, ran).analysis().timeline_of(Wanted()).rows
    assert rows.select("what", "basis", "detail").rows()[-1] == (
        "effect.applied",
        "inferred",
        "commit git commit de71239",
    )
    assert rows["order"][-1] == "cause"


def gate(at_s: float) -> Timeline:
    """A gateway within the span of an agent, whose clock is off, asks and is answered by its own clock."""
    agent = span("invoke_agent", s=10, span_id="a" * 16)
    inner = span("guardrail", s=at_s, span_id="b" * 16, parent_span_id="a" * 16, service_name="gate")
    later = {**COMPLETED, "time_ns": AT_NS + 11 * S}
    return stored({**PROPOSED, "time_ns": AT_NS + 10 * S}, later, spans=(agent, inner)).analysis().timeline_of(Wanted())


def test_a_clock_that_contradicts_what_must_have_come_first_is_told_by_how_much_at_least() -> None:
    """The span stands after the one it lies in, and says so."""
    found = gate(7)
    assert [(skew.behind, skew.ahead, skew.at_least_ns) for skew in found.skews] == [("gate", "shop", 3 * S)]
    assert found.rows.filter(pl.col("behind_ns").is_not_null()).select("what", "behind_ns").rows() == [
        ("span guardrail", 3 * S)
    ]
    whats = found.rows["what"].to_list()
    assert whats.index("span invoke_agent") < whats.index("span guardrail")
    outer = found.rows.filter(pl.col("what") == "span invoke_agent")["evidence"].item()
    assert found.rows["behind_of"].drop_nulls().to_list() == [outer]
    # A second after it by another clock that is three off.
    assert found.rows["order"][-1] == "unsure"


def test_clocks_that_agree_are_not_told_to_disagree() -> None:
    """Negative control: the same, half a second after the begin of the span it lies in."""
    found = gate(10.5)
    assert (found.skews, found.rows["behind_ns"].count()) == ((), 0)
    assert found.rows["order"][-1] == "clock"


def test_an_answer_by_another_clock_is_not_moved_before_the_call_that_it_let_through() -> None:
    """It ran, by its own clock, before it was approved by the other's: that is told, and may be a failed control."""
    granted = {**GRANTED, "service_name": "desk", "time_ns": AT_NS + 30 * S}
    rows = [{**row, "conversation_id": None} for row in (PROPOSED, ASKED, granted, COMPLETED)]
    found = stored(*rows).analysis().timeline_of(Wanted())
    assert [what.split()[0] for what in found.rows["what"]] == [
        "action.proposed", "approval.requested", "tool.called", "approval.granted",
    ]  # fmt: skip
    assert found.rows.select("what", "behind_ns").rows()[2] == ("tool.called completed", 22 * S)
    asked_of = stored(PROPOSED, ASKED, GRANTED, COMPLETED).analysis().timeline_of(Wanted())
    assert asked_of.rows["behind_ns"].count() == 0


def test_an_answer_stands_where_it_came_and_not_where_it_was_asked_for() -> None:
    """One that took five seconds: its bar begins earlier, its place is its end."""
    waited = event("approval.granted", s=6, wait_ns=5 * S, decided_by="human")
    rows = (
        stored(PROPOSED, ASKED, event("policy.evaluated", "allow", s=4), waited).analysis().timeline_of(Wanted()).rows
    )
    assert rows["what"][-1] == "approval.granted"
    assert rows.select("at_ns", "time_ns").rows()[-1] == (AT_NS + 6 * S, AT_NS + S)


@pytest.mark.parametrize(
    "name", ["claude-code/tty_approve", "langchain/openinference_reject_edit", "openhands/pending"]
)
def test_every_record_of_real_runs_has_one_place_and_no_clock_of_one_sender_contradicts_itself(name: str) -> None:
    """Recordings of one machine: no skew is told, and each entry of a run is in the timeline of all."""
    analysis = frames.recording(*name.split("/")).analysis()
    whole = analysis.timeline_of(Wanted())
    assert whole.skews == ()
    assert whole.rows["at_ns"].is_sorted()
    of_runs = sum(analysis.timeline(run_id).height for run_id in whole.rows["run_id"].unique())
    assert of_runs >= whole.rows.height > 0
