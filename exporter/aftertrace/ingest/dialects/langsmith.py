"""LangSmith's OpenTelemetry export: its runs as spans, with inputs and outputs as JSON text.

Source: the `langsmith` SDK's exporter (0.14) and what LangGraph was seen to send through it. `gen_ai.prompt` and
`gen_ai.completion` hold whatever the run was given and gave back; an error is an exception named `Exception`, whose
text is the `repr` of the real one and its traceback.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, interrupts, langgraph, message_forms, messages
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "langsmith"
READS: Final = (
    ("span llm: gen_ai.prompt messages", "tool.called answered, refused, unknown_tool …; system_prompt_digest"),
    ("span llm: gen_ai.completion generations, choices, output", "action.proposed"),
    ("span tool: gen_ai.tool.name, gen_ai.tool.call.id, gen_ai.prompt, gen_ai.completion, status",
     "tool.called completed, failed …"),
    ("span chain tools (LangGraph): gen_ai.prompt", "tool.called entered, answered"),
    ("span chain: exception with GraphInterrupt, action_requests", "approval.requested, one per action"),
    ("span chain: gen_ai.prompt resume.decisions",
     "approval.granted, approval.rejected, approval.modified by position"),
    ("span: langsmith.metadata.thread_id, session_id, conversation_id", "conversation_id"),
    ("span: gen_ai.tool.definitions", "tool_names"),
)  # fmt: skip

_METADATA: Final = "langsmith.metadata."
_OPERATIONS: Final = {"llm": "chat", "tool": "execute_tool", "chain": "step"}
_TRACEBACK: Final = "Traceback (most recent call last)"
_ERROR_CHARACTERS: Final = 4000
_AGENTS_SDK: Final = "openai-agents"
"""Part of `ls_integration` where LangSmith traces the OpenAI Agents SDK."""


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.is_span and outline.has_any("langsmith.span.kind")


def read(record: Record) -> Reading | None:
    """Read a span that carries `langsmith.span.kind`."""
    if isinstance(record, Log):
        return None
    kind = record.attributes.get("langsmith.span.kind")
    if not isinstance(kind, str):
        return None
    who = _who(record)
    reading = Reading(dialect=NAME, who=who, operation=_OPERATIONS.get(kind, "step"))
    given, made = record.attributes.get("gen_ai.prompt"), record.attributes.get("gen_ai.completion")
    if kind == "llm":
        reading.events = _model_call(record, who, messages.load(given), messages.load(made))
    elif kind == "tool":
        reading.events = [_tool(record, messages.load(given), messages.load(made))]
    elif kind == "chain":
        reading.operation = "invoke_agent" if record.parent_span_id is None else "step"
        node = record.attributes.get(f"{_METADATA}langgraph_node")
        reading.events = langgraph.step_events(record, given, made, node)
    return reading


def _who(span: Span) -> Who:
    attributes = span.attributes
    who = genai.who(attributes)
    for key in ("thread_id", "session_id", "conversation_id"):
        who.conversation_id = who.conversation_id or text(attributes.get(f"{_METADATA}{key}"))
    root = span.name if span.parent_span_id is None else None
    who.agent_name = who.agent_name or text(attributes.get(f"{_METADATA}lc_agent_name")) or root
    who.user_id = who.user_id or text(attributes.get(f"{_METADATA}user_id"))
    who.model = who.model or text(attributes.get(f"{_METADATA}ls_model_name"))
    return who


def _model_call(span: Span, who: Who, given: Any, made: Any) -> list[Event]:
    asked = message_forms.normal(_first(given, "messages", "input", "prompts"))
    said = _completion(made)
    if isinstance(given, dict) and isinstance(given.get("instructions"), str):
        asked = [{"role": "system", "parts": [{"type": "text", "content": given["instructions"]}]}, *asked]
    system = message_forms.instructions(asked)
    who.system_prompt_digest = messages.instructions_digest(system)
    metadata = said[0].get("response_metadata") if said else None
    served = mapping(metadata).get("model_name", mapping(metadata).get("model"))
    who.model_served = who.model_served or text(served)
    read = {
        "gen_ai.input.messages": asked,
        "gen_ai.output.messages": message_forms.normal(said),
        "gen_ai.system_instructions": system,
    }
    return genai.model_call_events(read, span.start_ns, span.end_ns)


def _completion(made: Any) -> list[dict[str, Any]]:
    """The messages of a completion: LangChain's generations, OpenAI's choices, a Responses output, or one message."""
    listed = _first(made, "generations", "choices", "output", "messages", "message")
    if listed is None:
        listed = made
    while isinstance(listed, list) and listed and isinstance(listed[0], list):
        listed = listed[0]
    items = listed if isinstance(listed, list) else [listed]
    found = [item.get("message", item) for item in items if isinstance(item, dict)]
    return [message_forms.plain_fields(item) for item in found if isinstance(item, dict)]


def _tool(span: Span, given: Any, made: Any) -> Event:
    result = made.get("output", made) if isinstance(made, dict) else made
    answer = message_forms.plain_fields(result)
    is_message = answer.get("type") == "tool"
    event = Event(
        event="tool.called",
        state="completed",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        tool_name=text(span.attributes.get("gen_ai.tool.name")) or span.name,
        call_id=text(answer.get("tool_call_id")) if is_message else None,
        arguments=_arguments(given),
        content=answer.get("content") if is_message else result,
    )
    asked = interrupts.asked(span)
    if asked:
        event.event, event.state, event.rule = "approval.requested", None, "graph_interrupt"
    elif span.status == 2:
        _failed(event, span)
    elif not span.end_ns:
        event.state = "started"
    elif result in (None, {}) and _AGENTS_SDK in str(span.attributes.get(f"{_METADATA}ls_integration")):
        # A call that waits for an approval and one that returned None look alike here.
        event.state, event.rule = "entered", "null_output"
    elif is_message and answer.get("status") == "error":
        event.state = "failed"
        messages.judged(event, messages.response_text(event.content))
    return event


def _arguments(given: Any) -> Any:
    """The arguments of a tool; older versions of LangChain put them, as text, under `input`."""
    if not isinstance(given, dict):
        return None
    inner = messages.load(given["input"]) if given.keys() == {"input"} else None
    return inner if isinstance(inner, dict) else given


def _failed(event: Event, span: Span) -> None:
    event.state = "failed"
    raised = next((item.attributes for item in span.events if item.name == "exception"), {})
    told = str(raised.get("exception.message", span.status_message))[:_ERROR_CHARACTERS]
    kind, _, quoted = told.partition(_TRACEBACK)[0].strip().partition("(")
    event.reason = quoted.removesuffix(")").removesuffix(",").strip("'\"") if quoted.endswith(")") else told or None
    if kind.endswith("ValidationError"):
        event.state, event.rule = "invalid_arguments", "validation_error"
        return
    messages.judged(event, event.reason)


def _first(value: Any, *keys: str) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None) if isinstance(value, dict) else None
