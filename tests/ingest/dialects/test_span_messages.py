"""Messages in span events read like those in attributes, in every generation of the conventions."""

from __future__ import annotations

from typing import Any

import pytest

from aftertrace.ingest.dialects import genai, span_messages
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.records import SpanEvent

from .recordings import make_span

CALLS = '[{"id": "c1", "type": "function", "function": {"name": "pay", "arguments": "{\\"eur\\": 900}"}}]'
PLAIN = [
    ("gen_ai.system.message", {"content": "Be careful."}),
    ("gen_ai.user.message", {"content": "pay ann"}),
    ("gen_ai.assistant.message", {"tool_calls": CALLS}),
    ("gen_ai.tool.message", {"id": "c1", "content": "User declined the payment"}),
    ("gen_ai.choice", {"index": 0, "finish_reason": "tool_calls", "message": f'{{"tool_calls": {CALLS}}}'}),
]
"""One event a message, as the conventions have it since 1.28."""
AZURE = [
    ("gen_ai.system.message", {"gen_ai.event.content": '{"role": "system", "content": "Be careful."}'}),
    ("gen_ai.user.message", {"gen_ai.event.content": '{"role": "user", "content": "pay ann"}'}),
    ("gen_ai.assistant.message", {"gen_ai.event.content": f'{{"tool_calls": {CALLS}}}'}),
    ("gen_ai.tool.message", {"gen_ai.event.content": '{"content": "User declined the payment", "id": "c1"}'}),
    ("gen_ai.choice", {"gen_ai.event.content": f'{{"message": {{"tool_calls": {CALLS}}}, "index": 0}}'}),
]
"""As Azure's SDKs send them."""
SIDES = [
    ("gen_ai.system.message", {"content": "Be careful."}),
    (
        "gen_ai.content.prompt",
        {
            "gen_ai.prompt": '[{"role": "user", "content": "pay ann"}, '
            f'{{"role": "assistant", "tool_calls": {CALLS}}}, '
            '{"role": "tool", "tool_call_id": "c1", "content": "User declined the payment"}]'
        },
    ),
    ("gen_ai.content.completion", {"gen_ai.completion": f'[{{"role": "assistant", "tool_calls": {CALLS}}}]'}),
]
"""One event a side, of the conventions of 2024."""


@pytest.mark.parametrize("told", [PLAIN, AZURE, SIDES], ids=["messages", "azure", "sides"])
def test_a_model_call_with_messages_in_events_is_read_whoever_sends_it(told: list[tuple[str, dict[str, Any]]]) -> None:
    """What it was told became of the last call, and the call it proposes now."""
    events = [SpanEvent(name, 7, attributes) for name, attributes in told]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m"}
    reading = genai.read(make_span("chat m", attributes, scope="some.instrumentation", events=events))
    assert reading is not None
    assert reading.who.system_prompt_digest is not None
    call = {"tool_name": "pay", "call_id": "c1", "arguments": {"eur": 900}, "position": 0}
    assert reading.events == [
        Event(event="action.proposed", state="echoed", time_ns=1_000, **call),
        Event(
            event="tool.called",
            state="refused",
            time_ns=1_000,
            tool_name="pay",
            call_id="c1",
            basis="inferred",
            decided_by="human",
            reason="User declined the payment",
            content="User declined the payment",
            rule="text:user_declined",
        ),
        Event(event="action.proposed", state="proposed", time_ns=5_000_001_000, **call),
    ]


def test_events_of_other_names_hold_no_messages() -> None:
    """The control: an exception's message is none of the model's."""
    events = [SpanEvent("exception", 7, {"message": "x", "content": "y"}), SpanEvent("gen_ai.evaluation.result", 7, {})]
    assert span_messages.told(events) == {}


def test_what_stands_on_the_span_outweighs_what_its_events_say() -> None:
    """An emitter may send both, and cut one of them."""
    made = '[{"role": "assistant", "parts": [{"type": "tool_call", "id": "c9", "name": "pay", "arguments": {}}]}]'
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": made}
    events = [SpanEvent(name, 7, told) for name, told in PLAIN]
    reading = genai.read(make_span("chat m", attributes, events=events))
    assert reading is not None
    assert [event.call_id for event in reading.events if event.state == "proposed"] == ["c9"]
