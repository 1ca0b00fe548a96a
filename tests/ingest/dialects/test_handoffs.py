"""Hand-offs of the OpenAI Agents SDK: one event, whichever instrumentation tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aftertrace.ingest.dialects import handoffs, logfire, openai_agents, openinference, openllmetry
from aftertrace.ingest.dialects.events import Event

from .recordings import make_span

if TYPE_CHECKING:
    from aftertrace.ingest.dialects.events import Reading


def handed_over(reading: Reading | None) -> list[tuple[str, str | None, str | None, object]]:
    """What is told of a hand-off."""
    events = [] if reading is None else reading.events
    return [(event.event, event.state, event.tool_name, event.attributes[handoffs.TO_AGENT]) for event in events]


def test_each_instrumentation_tells_of_the_same_call_and_of_the_agent_that_takes_over() -> None:
    """The tool is named by the SDK after the agent."""
    told = [
        openinference.read(make_span("handoff to Billing agent", {"openinference.span.kind": "TOOL"})),
        openllmetry.read(
            make_span(
                "a → b.handoff",
                {"traceloop.span.kind": "handoff", "gen_ai.handoff.to_agent": "Billing agent"},
                scope="opentelemetry.instrumentation.openai_agents",
            )
        ),
        openai_agents.read(
            make_span(
                "agent_handoff",
                {"gen_ai.operation.name": "agent_handoff", "gen_ai.handoff.to_agent": "Billing agent"},
                scope="opentelemetry.instrumentation.openai_agents",
            )
        ),
        logfire.read(make_span("Handoff", {"to_agent": "Billing agent"}, scope="logfire.openai_agents")),
    ]
    expected = [("tool.called", "completed", "transfer_to_billing_agent", "Billing agent")]
    assert [handed_over(reading) for reading in told] == [expected] * 4


def test_a_span_that_names_nobody_is_no_call() -> None:
    """The result in the next model input tells of it."""
    assert handoffs.events(make_span("handoff", {}), None) == []


def test_a_hand_off_lasts_as_long_as_its_span() -> None:
    """And its answer is the agent's name, as the SDK gives it to the model."""
    span = make_span("handoff", {})
    assert handoffs.events(span, "b") == [
        Event(
            event="tool.called",
            state="completed",
            time_ns=span.start_ns,
            end_ns=span.end_ns,
            tool_name="transfer_to_b",
            content="b",
            attributes={"to_agent": "b"},
        )
    ]
