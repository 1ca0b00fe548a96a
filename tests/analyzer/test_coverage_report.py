"""The coverage report: which agents cannot answer what, in what share of their runs, and what would tell it."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from aftertrace.analyzer import Filter
from aftertrace.analyzer.documents import html, markdown
from aftertrace.analyzer.reports import agent_coverage as agents_of
from aftertrace.analyzer.reports.agent_coverage import ANSWERED, agent_coverage
from aftertrace.analyzer.reports.coverage_report import coverage, told, written_json

from .frames import LATER_NS, recording
from .stories import COMPLETED, PROPOSED, event, stored

QUESTIONS = ["agent", "model", "system_prompt", "inputs", "tools", "reviewer", "trigger", "checks", "effects"]


def run(at: int, agent: str, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """A run of an agent, in a conversation of its own."""
    where = {"conversation_id": f"s-{at}", "trace_id": f"{at:032x}", "agent_name": agent}
    return [{**row, **where, "time_ns": row["time_ns"] + at * 10**9} for row in (PROPOSED, COMPLETED, *more)]


PROMPTED = event("input.resolved", "user_prompt", content="pay ana", tool_name=None, call_id=None, user_id="ana")
STORY = [*run(1, "clerk", PROMPTED), *run(2, "clerk"), *run(3, "clerk"), *run(4, "cook", PROMPTED)]


def test_each_agent_is_told_by_question_with_its_share_and_a_run_to_look_at() -> None:
    """Of three runs of the clerk one has its input: two lack it. The cook lacks none."""
    analysis = stored(*STORY).analysis()
    found = agent_coverage(analysis, Filter()).answered
    assert found.schema == ANSWERED
    assert found.filter(agent_name="clerk")["question"].to_list() == QUESTIONS
    columns = ("agent_name", "runs", "judged", "known", "partial", "unknown")
    assert sorted(found.filter(question="inputs").select(columns).rows()) == [
        ("clerk", 3, 3, 1, 0, 2),
        ("cook", 1, 1, 1, 0, 0),
    ]
    (row,) = found.filter(agent_name="clerk", question="inputs").iter_rows(named=True)
    assert (round(row["share"], 3), round(row["low"], 3), round(row["high"], 3)) == (0.667, 0.208, 0.939)
    lacking = {run_id for run_id in analysis.runs["run_id"] if analysis.answers(run_id).six[3].state != "known"}
    assert set(row["run_ids"]) == lacking
    assert row["switch_on"] == "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_AND_EVENT"


def test_a_share_is_that_of_the_answers_themselves() -> None:
    """Of a recorded agent: each number counts what `Analysis.answers` says of each run."""
    analysis = recording("claude-code", "v2_1_329_hook_deny").analysis(LATER_NS)
    answers = [analysis.answers(run_id) for run_id in analysis.runs["run_id"]]
    states = [(each.question, each.state) for given in answers for each in (*given.six, *given.more)]
    found = agent_coverage(analysis, Filter()).answered
    summed = found.group_by("question").agg(pl.col("known", "partial", "unknown").sum())
    assert {row[0]: row[1:] for row in summed.rows()} == {
        question: tuple(states.count((question, state)) for state in ("known", "partial", "unknown"))
        for question in QUESTIONS
    }


def test_what_is_always_known_needs_no_switch_and_all_else_has_a_way() -> None:
    """Where an emitter has no switch, the report says that too."""
    found = agent_coverage(stored(*STORY).analysis(), Filter()).answered
    always = pl.col("known") == pl.col("judged")
    assert found.filter(always)["switch_on"].null_count() == found.filter(always).height > 0
    assert found.filter(~always)["switch_on"].null_count() == 0


def test_the_agents_that_leave_most_unknown_come_first_and_filters_hold() -> None:
    """The clerk lacks inputs that the cook has."""
    analysis = stored(*STORY).analysis()
    assert agent_coverage(analysis, Filter()).answered["agent_name"].unique(maintain_order=True).to_list() == [
        "clerk",
        "cook",
    ]
    assert set(agent_coverage(analysis, Filter(agent="cook")).answered["agent_name"]) == {"cook"}


def test_only_the_newest_runs_are_asked() -> None:
    """What was sent long ago is no measure of switches now; all runs are counted."""
    found = agent_coverage(stored(*STORY).analysis(), Filter(agent="clerk"), judged=2).answered
    assert found.filter(question="inputs").select("runs", "judged", "known").rows() == [(3, 2, 0)]


def test_agents_beyond_the_most_are_counted_and_said_to_be_not_judged() -> None:
    """Those with the fewest runs: an agent that takes a new name for each run displaces nobody."""
    analysis = stored(*STORY, *run(5, "cook-5"), *run(6, "cook-6")).analysis()
    found = agent_coverage(analysis, Filter(), agents=2)
    assert found.answered["agent_name"].unique(maintain_order=True).to_list() == ["clerk", "cook"]
    assert (found.agents_left_out, found.runs_left_out) == (2, 2)
    assert json.loads(written_json(found))["left_out"] == {"agents": 2, "runs": 2}
    text = markdown.written(told(found, analysis.now_ns))
    assert (
        "**Not judged: 2 more agents**, those with the fewest runs, 2 runs in all. `--agent NAME` judges one." in text
    )
    assert "Not judged" not in markdown.written(coverage(analysis))


@pytest.mark.parametrize(("in_all", "judged"), [(2_000, 9), (14, 7), (2, 5)])
def test_many_agents_share_the_runs_that_are_asked(in_all: int, judged: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """But five of each are asked."""
    monkeypatch.setattr(agents_of, "JUDGED_IN_ALL", in_all)
    rows = [row for at in range(9) for row in run(at, "clerk")]
    found = agent_coverage(stored(*rows, *run(9, "cook")).analysis(), Filter()).answered
    assert found.filter(agent_name="clerk", question="inputs").select("runs", "judged").rows() == [(9, judged)]


def test_answers_about_many_runs_are_those_about_each() -> None:
    """In the order of `runs`; of a run that is not there, none."""
    analysis = stored(*STORY).analysis()
    run_ids = analysis.runs["run_id"].to_list()
    assert analysis.answers_of([*reversed(run_ids), "none"]) == tuple(analysis.answers(run_id) for run_id in run_ids)


def test_every_format_tells_the_same_and_no_name_is_markup() -> None:
    """An agent may call itself anything."""
    name = "<script>|[x](http://e)\u202e"
    analysis = stored(*STORY, *run(5, name)).analysis()
    found = agent_coverage(analysis, Filter())
    text, page = markdown.written(coverage(analysis)), html.written(told(found, analysis.now_ns))
    assert "**3 of 3 agents** cannot answer all six questions about every run, in 5 runs in all." in text
    assert "| `clerk` | any-otel | 3 |" in text
    assert "`<script>\\|[x](http://e)‹U+202E›`" in text
    assert "\u202e" not in text + page
    assert "<script" not in page
    assert len(json.loads(written_json(found))["answers"]) == found.answered.height == 3 * len(QUESTIONS)


def test_without_runs_it_says_so() -> None:
    """And names what to look at."""
    assert "No runs are recorded. `aftertrace doctor`" in markdown.written(coverage(stored().analysis()))
