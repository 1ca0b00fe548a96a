"""What is known to be missing from a run: the records that others name."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer import Analysis
from aftertrace.analyzer.reports.coverage import coverage

from . import frames
from .frames import LATER_NS, Frames
from .stories import COMPLETED, ENDED, PROPOSED, span, stored
from .test_invariants import everything

AGENT: Final = span("invoke_agent", span_id="a" * 16, parent_span_id=None)
TOOL: Final = span("execute_tool", s=8, span_id="b" * 16, parent_span_id="a" * 16)
INNER: Final = span("step", s=8, span_id="c" * 16, parent_span_id="d" * 16)
"""Lies in a span that never comes."""


def analysed(*spans: dict[str, Any], over: bool = True, now_ns: int = LATER_NS) -> Analysis:
    """A story of one call and these spans; its end is told where it is over."""
    return stored(PROPOSED, COMPLETED, *([ENDED] if over else []), spans=spans).analysis(now_ns)


def missing(*spans: dict[str, Any], over: bool = True) -> list[int]:
    """How many records the runs of a story are known to lack."""
    return analysed(*spans, over=over).runs["missing"].to_list()


def test_a_span_that_others_lie_in_and_that_never_came_is_missing() -> None:
    """Once, however many lie in it."""
    assert missing(AGENT, TOOL) == [0]
    assert missing(AGENT, TOOL, INNER, INNER | {"span_id": "e" * 16}) == [1]
    assert missing(TOOL) == [1]


def test_nothing_is_missing_while_a_run_goes_on() -> None:
    """A span is sent when it ends, after those that lie in it."""
    assert missing(TOOL, INNER, over=False) == [0]


@pytest.mark.parametrize("kind", [2, 5])
def test_the_caller_of_a_server_need_not_come(kind: int) -> None:
    """Its span is another program's."""
    assert missing(AGENT, INNER | {"kind": kind}) == [0]


def test_a_parent_in_another_program_need_not_come() -> None:
    """An agent that is called by an app which is traced elsewhere; what else is odd about a span is no excuse."""
    assert missing(AGENT, INNER | {"flags": '["remote_parent"]'}) == [0]
    assert missing(AGENT, INNER | {"flags": '["time_clamped"]'}) == [1]


def test_a_run_that_lacks_records_does_not_claim_to_know_its_calls() -> None:
    """A call may have gone with them."""
    listed = {"tool_names": '["pay"]'}
    whole, less = analysed(AGENT | listed, TOOL), analysed(AGENT | listed, TOOL, INNER)
    told = [
        next(answer for answer in each.answers(each.runs["run_id"][0]).six if answer.question == "tools")
        for each in (whole, less)
    ]
    assert [(answer.state, answer.value) for answer in told] == [
        ("known", "available: 1; ran: pay×1; did not run: none seen"),
        (
            "partial",
            "available: 1; ran: pay×1; did not run: none seen; at least 1 record or event missing, and calls may be",
        ),
    ]


def test_an_emitter_whose_runs_lack_records_is_told_of() -> None:
    """As `aftertrace doctor` says it."""
    assert [told.incomplete for told in coverage(analysed(AGENT, TOOL, INNER))] == [1]
    assert [told.incomplete for told in coverage(analysed(AGENT, TOOL))] == [0]


def test_of_all_recordings_only_those_that_lost_records_lack_any() -> None:
    """Opencode loses the last batch of spans as it exits, Mastra the model step that a suspended call breaks off, Codex
    its last batch as a person quits it in a terminal.

    That of Codex was not cut from the recording: what it exports lacks the spans above `handle_responses` already.
    """
    runs = everything().analysis(LATER_NS + 3600 * 10**9).runs.filter(pl.col("missing") > 0)
    lacking = runs.group_by("source").agg(pl.col("missing").sum()).sort("source").rows()
    assert lacking == [("codex-tty_session_grant", 1), ("mastra-decline_approve", 1), ("opencode-rule_deny_rich", 5)]


def test_a_span_that_is_taken_out_of_a_recording_is_missed() -> None:
    """The control: the agent's own span, of a run that is over all the same."""
    whole = frames.recording("pydantic-ai", "v5_deny_approve")
    agents = pl.col("operation") == "invoke_agent"
    less = Frames(whole.spans.filter(~agents.fill_null(value=False)), whole.events)
    assert whole.analysis().runs["missing"].sum() == 0
    assert less.analysis(LATER_NS + 3600 * 10**9).runs["missing"].sum() == whole.spans.filter(agents).height
