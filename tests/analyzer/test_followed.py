"""A tool's span without an output: its call waits for somebody, or the agent went on and it returned nothing."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .stories import PROPOSED, calls_of, event, span

AGENT, HELPER, TOOL = "a" * 16, "b" * 16, "c" * 16
ENTERED: Final = event("tool.called", "entered", s=8, rule="null_output", span_id=TOOL)
SPANS: Final = (
    span("invoke_agent", span_id="d" * 16, parent_span_id=None, s=19),
    span("invoke_agent", span_id=AGENT, parent_span_id="d" * 16),
    span("step", span_id="e" * 16, parent_span_id=AGENT),
    span("execute_tool", span_id=TOOL, parent_span_id="e" * 16, s=8),
    span("invoke_agent", span_id=HELPER, parent_span_id=AGENT, s=8),
)
"""A run, its agent with one turn that holds the call, and an agent that was used as a tool beside it."""


def outcome(*events: dict[str, Any], asked_at: float, under: str) -> list[tuple[str, str, bool, str]]:
    """What becomes of the call where an agent's model is asked at a time."""
    calls = calls_of(*events, spans=(*SPANS, span("chat", s=asked_at, parent_span_id=under)))
    return [(row["outcome"], row["basis"], row["approval_asked"], row["rules"][0]) for row in calls.to_dicts()]


WENT_ON: Final = [("executed", "inferred", False, "went_on")]
WAITS: Final = [("pending", "inferred", True, "waits_without_output")]


@pytest.mark.parametrize(
    ("asked_at", "under", "expected"), [(12, AGENT, WENT_ON), (4, AGENT, WAITS), (12, HELPER, WAITS)]
)
def test_a_later_model_call_of_the_same_agent_tells_that_nothing_waited(
    asked_at: float, under: str, expected: list[tuple[str, str, bool, str]]
) -> None:
    """An earlier one does not, nor one of an agent that runs beside the call that waits."""
    assert outcome(PROPOSED, ENTERED, asked_at=asked_at, under=under) == expected


def test_a_call_that_only_its_span_tells_of_is_a_call() -> None:
    """Without content there is neither a proposal nor an id: nothing says that anybody was asked."""
    silent = {**ENTERED, "call_id": None, "rule": "no_content"}
    assert outcome(silent, asked_at=12, under=AGENT) == WENT_ON
    assert outcome(silent, asked_at=4, under=AGENT) == [("unresolved", "inferred", False, "over")]


def test_a_call_whose_span_has_no_name_for_it_is_the_one_that_was_proposed() -> None:
    """The control: it is not counted a second time."""
    unnamed = {**ENTERED, "call_id": None}
    assert outcome(PROPOSED, unnamed, asked_at=12, under=AGENT) == WENT_ON


def test_what_the_model_was_told_outweighs_that_the_agent_went_on() -> None:
    """A rejection is an answer too (OpenAI Agents, in the resumed run)."""
    refused = event("tool.called", "refused", s=12, basis="inferred", decided_by="human", rule="text:openai_rejected")
    assert outcome(PROPOSED, ENTERED, refused, asked_at=12, under=AGENT) == [
        ("denied", "inferred", True, "refused_by_text")
    ]
