"""A tool is unknown where the model was not offered it: only when the records are there that would offer it."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .stories import ENDED, PROPOSED, calls_of, span

ROOT, AGENT, CHAT = "a" * 16, "b" * 16, "c" * 16
UNLISTED: Final = {**PROPOSED, "tool_names": '["read_db"]', "span_id": CHAT}
"""The model call's own span lists its tools, without the one that it proposes."""
MODEL: Final = span("chat", span_id=CHAT, parent_span_id=AGENT)
UNKNOWN: Final = ("unknown_tool", "inferred", "not_offered")
OPEN: Final = ("pending", "inferred", "open")


def agent(**columns: Any) -> dict[str, Any]:
    """The span of the agent above, within a server's that is still open."""
    return span("invoke_agent", span_id=AGENT, parent_span_id=ROOT, **columns)


def told(*events: dict[str, Any], spans: tuple[dict[str, Any], ...]) -> tuple[Any, ...]:
    """Outcome, basis and rule of the one call."""
    (row,) = calls_of(*events, spans=spans).to_dicts()
    return row["outcome"], row["basis"], row["rules"][0]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ((MODEL, agent()), UNKNOWN),
        ((MODEL, agent(tool_names='["mail"]')), UNKNOWN),
        ((MODEL, agent(tool_names='["mail","pay"]')), OPEN),
        ((MODEL,), OPEN),
        ((), OPEN),
        (
            (span("chat", span_id=CHAT, parent_span_id="d" * 16), span(None, span_id="d" * 16, parent_span_id=AGENT)),
            OPEN,
        ),
    ],
    ids=["agent", "agent with a list", "agent that has it", "no agent yet", "no span yet", "no agent above a step yet"],
)
def test_while_the_agents_span_is_awaited_the_tool_is_not_unknown(
    spans: tuple[dict[str, Any], ...], expected: tuple[Any, ...]
) -> None:
    """It may list more tools than one model call of it."""
    assert told(UNLISTED, spans=spans) == expected


def test_one_of_several_lists_is_enough() -> None:
    """Two instrumentations tell of one model call, and one leaves tools out."""
    other = {**UNLISTED, "tool_names": '["read_db","pay"]', "scope_name": "other"}
    assert told(UNLISTED, other, spans=(MODEL, agent())) == OPEN
    assert told(UNLISTED, {**other, "tool_names": "[]"}, spans=(MODEL, agent())) == UNKNOWN


def test_a_record_that_lies_in_no_span_carries_the_whole_offer() -> None:
    """A request that was logged: nothing else is awaited. The control: a run that ended leaves it unresolved."""
    logged = {**UNLISTED, "span_id": None}
    assert told(logged, spans=()) == UNKNOWN
    assert told(logged, ENDED, spans=()) == ("unresolved", "inferred", "over")
