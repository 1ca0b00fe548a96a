"""Steps of a LangGraph graph, whichever instrumentation tells of them: OpenInference, OpenLLMetry, LangSmith.

Each wraps the same values in its own envelope (`{"inputs": ...}`, `{"input": ...}`, or none): here they are unwrapped
and read. A step that fails with `GraphInterrupt` asks a person, the input of a later run answers (`interrupts`), and
the `tools` node names the calls whose tool spans carry no id.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import interrupts, message_forms, messages
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.records import Span

TOOLS: Final = "tools"
"""Name of the node that runs tools."""

_ENVELOPES: Final = ("inputs", "input", "outputs", "output")


def step_events(span: Span, given: Any, output: Any, node: Any) -> list[Event]:
    """What one step of a graph states.

    Args:
        span: its span.
        given: what it was given, as a value or JSON text.
        output: what it gave back, in the same way.
        node: the node's name, where the span says so.
    """
    found = interrupts.asked(span)
    # A text without the word is no resume: histories are long, and each step repeats the whole of it.
    if not isinstance(given, str) or '"resume"' in given:
        state = _unwrapped(given)
        if isinstance(state, dict) and state.get("resume") is not None:
            return found + interrupts.answered(state["resume"], span.start_ns)
    if node == TOOLS:
        return found + _tool_node(span, _unwrapped(given), _unwrapped(output))
    if span.parent_span_id is None:
        text = _user_text(_unwrapped(given))
        if text is not None:
            found.append(Event(event="input.resolved", state="user_prompt", time_ns=span.start_ns, content=text))
    return found


def _unwrapped(value: Any) -> Any:
    loaded = messages.load(value)
    for _ in _ENVELOPES:
        if not isinstance(loaded, dict) or "messages" in loaded or "resume" in loaded:
            break
        inner = next((loaded[key] for key in _ENVELOPES if loaded.get(key) is not None), None)
        if inner is None:
            break
        loaded = inner
    return loaded


def _tool_node(span: Span, given: Any, output: Any) -> list[Event]:
    calls = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    found = [
        Event(
            event="tool.called",
            state="entered",
            time_ns=span.start_ns,
            tool_name=item.get("name"),
            call_id=item.get("id"),
            arguments=item.get("args"),
            rule="langgraph_tools",
        )
        for item in calls
        if item.get("type") == "tool_call" and isinstance(item.get("name"), str)
    ]
    listed = output.get("messages") if isinstance(output, dict) else None
    for message in message_forms.normal(listed):
        for part in message["parts"]:
            if part["type"] == "tool_call_response" and part["id"]:
                event = messages.answer(part, None)
                event.time_ns = span.end_ns or span.start_ns
                found.append(event)
    return found


def _user_text(given: Any) -> str | None:
    if isinstance(given, str):
        return given
    listed = given.get("messages") if isinstance(given, dict) else None
    for message in reversed(message_forms.normal(listed)):
        if message["role"] == "user":
            return next((part["content"] for part in message["parts"]), None)
    return None
