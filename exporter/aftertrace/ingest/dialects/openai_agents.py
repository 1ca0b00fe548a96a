"""OpenTelemetry's own instrumentations of the OpenAI Agents SDK (`genai-openai-agents` 1.3, `openai-agents-v2` 0.1).

Source: what both were seen to send. Their spans follow the GenAI conventions, with what the SDK leaves out: a tool's
span has no call id, and one without a result may only wait for an approval. The older one writes a proposal as the
Python rendering of the SDK's object into a text part, and the same agent's name on every span.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from aftertrace.ingest.dialects import genai, handoffs, messages
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import flag, mapping, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "openai_agents"
READS: Final = (
    ("span: gen_ai.*", "as the dialect genai"),
    ("span execute_tool without gen_ai.tool.call.result", "tool.called entered: it may only wait"),
    ("span chat: gen_ai.output.messages, a call rendered in a text part", "action.proposed"),
    ("span guardrail_check: gen_ai.guardrail.name, gen_ai.guardrail.triggered", "policy.evaluated allow, deny"),
    ("span agent_handoff: gen_ai.handoff.to_agent", "tool.called completed of transfer_to_*"),
)

_SCOPE: Final = "opentelemetry.instrumentation.genai.openai_agents"
_OLD_SCOPE: Final = "opentelemetry.instrumentation.openai_agents"
"""Also the scope of OpenLLMetry's, which marks each span, or calls it `openai.response`."""
_OPENLLMETRY: Final = "traceloop.span.kind"
_OPENLLMETRY_CHAT: Final = "openai.response"
_RENDERED: Final = ("ResponseFunctionToolCall(", "{'")
"""How an object of the Responses API begins, and a message of the chat completions."""
_RENDERED_CHARACTERS: Final = 65_536
_ERROR: Final = 2


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope in (_SCOPE, _OLD_SCOPE) and outline.is_span


def read(record: Record) -> Reading | None:
    """Read a span of either instrumentation."""
    scope = record.origin.scope_name
    if scope not in (_SCOPE, _OLD_SCOPE) or not isinstance(record, Span):
        return None
    attributes = record.attributes
    is_old = scope == _OLD_SCOPE
    if is_old and (_OPENLLMETRY in attributes or record.name == _OPENLLMETRY_CHAT):
        return None
    reading = genai.read(record)
    if reading is None:
        return None
    reading.dialect = NAME
    operation = attributes.get("gen_ai.operation.name")
    if is_old:
        reading.who.agent_id = None
        if operation != "invoke_agent":
            reading.who.agent_name = None
    if operation == "chat":
        reading.events += _rendered_proposals(attributes.get("gen_ai.output.messages"), record)
    elif operation == "execute_tool":
        _wait_for_a_result(reading.events, record)
    elif operation == "guardrail_check":
        reading.operation, reading.events = "guardrail", [_guardrail(record)]
    elif operation == "agent_handoff":
        reading.events = handoffs.events(record, text(record.attributes.get("gen_ai.handoff.to_agent")))
    return reading


def _wait_for_a_result(events: list[Event], span: Span) -> None:
    """A call that waits for an approval, one that returned None, and one without content look alike here."""
    silent = span.attributes.get("gen_ai.tool.call.result") is None and span.status != _ERROR and span.end_ns
    for event in events:
        if silent and event.state == "completed":
            event.state, event.rule = "entered", "no_content" if event.arguments is None else "null_output"


def _rendered_proposals(made: Any, span: Span) -> list[Event]:
    found: list[Event] = []
    for message in messages.messages(made):
        for part in messages.parts(message):
            content = part.get("content")
            if isinstance(content, str) and content.startswith(_RENDERED):
                found += _proposals(content)
    for position, event in enumerate(found):
        event.time_ns, event.position = span.end_ns or span.start_ns, position
    return found


def _proposals(rendered: str) -> list[Event]:
    """The calls in the Python rendering of an object or a mapping; none where it cannot be read."""
    if len(rendered) > _RENDERED_CHARACTERS:
        return []
    try:
        tree = ast.parse(rendered, mode="eval").body
        told = ast.literal_eval(tree) if isinstance(tree, ast.Dict) else _fields(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return []
    if not isinstance(tree, ast.Dict):
        told = {"tool_calls": [{"id": told.get("call_id"), "function": told}]}
    return messages.function_calls(mapping(told))


def _fields(tree: ast.expr) -> dict[str, Any]:
    """The plain keyword arguments of a constructor's call."""
    listed = tree.keywords if isinstance(tree, ast.Call) else []
    return {item.arg: item.value.value for item in listed if item.arg and isinstance(item.value, ast.Constant)}


def _guardrail(span: Span) -> Event:
    triggered = flag(span.attributes.get("gen_ai.guardrail.triggered"))
    return Event(
        event="policy.evaluated",
        state="unknown" if triggered is None else "deny" if triggered else "allow",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        decided_by="guardrail",
        decider=text(span.attributes.get("gen_ai.guardrail.name")),
        rule="guardrail",
    )
