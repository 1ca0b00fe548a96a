"""Observations of Langfuse, exported and imported: spans again, with the input and output that Langfuse made of them.

Langfuse takes what other instrumentations send, keeps their attributes under `metadata`, and moves messages, arguments
and results into `input` and `output`, in the form in which they came: OpenAI's, LangChain's, or that of the GenAI
conventions.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import message_forms, messages
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "langfuse"
SCOPE: Final = "aftertrace.import.langfuse"
"""Instrumentation scope of the spans that `aftertrace import` makes of observations."""
OBSERVATION: Final = "langfuse.observation"
"""Attribute: the observation as it was exported."""
SESSION: Final = "session.id"
USER: Final = "user.id"
PROMPT: Final = "langfuse.trace.input"
"""Attribute of a trace's outermost observation: what the trace was given."""
READS: Final = (
    ("span: session.id, user.id; observation: metadata thread_id", "conversation_id, user_id"),
    ("observation GENERATION: input, output", "tool.called answered, refused …; action.proposed"),
    ("observation GENERATION: model, usageDetails, costDetails", "model, input_tokens, output_tokens, cost_usd"),
    ("observation TOOL: input, output, level, statusMessage", "tool.called completed, failed, refused …"),
    ("observation AGENT: name", "agent_name"),
    ("observation outermost: input of its trace", "input.resolved user_prompt"),
)  # fmt: skip

_ID_KEYS: Final = ("gen_ai.tool.call.id", "tool_call.id", "tool_call_id")
_NAME_KEYS: Final = ("gen_ai.tool.name", "tool.name")


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == SCOPE and outline.is_span


def read(record: Record) -> Reading | None:
    """Read a span that was made of an observation."""
    if record.origin.scope_name != SCOPE or not isinstance(record, Span):
        return None
    return of_observation(record, mapping(messages.load(record.attributes.get(OBSERVATION))))


def of_observation(record: Span, told: dict[str, Any]) -> Reading:
    """What a span states by its observation: in the words of the export, which those of the SDK are turned into."""
    metadata = mapping(messages.load(told.get("metadata")))
    attributes = mapping(messages.load(metadata.get("attributes")))
    reading = Reading(NAME, _who(record, told, metadata, attributes))
    is_tool = told.get("type") == "TOOL" or attributes.get("gen_ai.operation.name") == "execute_tool"
    if is_tool:
        reading.operation = "execute_tool"
        reading.events = [_tool(record, told, attributes)]
    elif told.get("type") == "GENERATION":
        reading.operation = "chat"
        reading.events = _generation(record, told, reading.who)
    else:
        is_outermost = told.get("type") == "AGENT" or record.parent_span_id is None
        reading.operation = "invoke_agent" if is_outermost else "step"
    prompt = _prompt(record.attributes.get(PROMPT))
    if prompt is not None:
        reading.events.insert(0, Event(event="input.resolved", state="user_prompt", content=prompt))
    return reading


def _who(span: Span, told: dict[str, Any], metadata: dict[str, Any], attributes: dict[str, Any]) -> Who:
    return Who(
        conversation_id=text(span.attributes.get(SESSION)) or text(metadata.get("thread_id")),
        agent_name=text(attributes.get("gen_ai.agent.name"))
        or (text(told.get("name")) if told.get("type") == "AGENT" else None),
        user_id=text(span.attributes.get(USER)),
    )


def _tool(span: Span, told: dict[str, Any], attributes: dict[str, Any]) -> Event:
    output = messages.load(told.get("output"))
    name = next((each for key in _NAME_KEYS if (each := text(attributes.get(key)))), None)
    event = Event(
        event="tool.called",
        state="completed" if span.end_ns else "started",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        tool_name=name or (text(told.get("name")) or "").removeprefix("execute_tool ") or None,
        call_id=next((each for key in _ID_KEYS if (each := text(attributes.get(key)) or _field(output, key))), None),
        arguments=_arguments(messages.load(told.get("input"))),
        content=output,
    )
    if told.get("level") == "ERROR":
        event.state, event.reason = "failed", text(told.get("statusMessage")) or messages.response_text(output)
        messages.judged(event, event.reason)
    return event


def _arguments(given: Any) -> Any:
    """The arguments of a tool; those of a decorated function without those that stand for none."""
    if isinstance(given, dict) and given.keys() == {"args", "kwargs"}:
        return given if given["args"] else given["kwargs"]
    return given


def _generation(span: Span, told: dict[str, Any], who: Who) -> list[Event]:
    usage, cost = mapping(told.get("usageDetails")), mapping(told.get("costDetails"))
    who.model, who.cost_usd = text(told.get("model")), cost.get("total", told.get("totalCost"))
    who.input_tokens = usage.get("input", usage.get("prompt_tokens", usage.get("input_tokens")))
    who.output_tokens = usage.get("output", usage.get("completion_tokens", usage.get("output_tokens")))
    offered = mapping(messages.load(told.get("input"))).get("tools")
    who.tool_names = messages.tool_names(offered) if isinstance(offered, list) else None
    who.tools_digest = messages.repeated_digest(offered) if who.tool_names is not None else None
    given, made = _messages(told.get("input")), _messages(told.get("output"))
    prompt = message_forms.instructions(given)
    found = messages.answers(given)
    if prompt is not None:
        who.system_prompt_digest = messages.value_digest(prompt)
        if messages.opens_conversation(given):
            found.append(Event(event="input.resolved", state="system_prompt", content=prompt))
    for event in found:
        event.time_ns = span.start_ns
    proposed = messages.proposals(made)
    for event in proposed:
        event.time_ns = span.end_ns or span.start_ns
    return found + proposed


def _messages(value: Any) -> list[dict[str, Any]]:
    """Messages in whatever form they came, in that of the GenAI conventions."""
    loaded = messages.load(messages.load(value))
    if isinstance(loaded, dict):
        held = next(
            (loaded[key] for key in ("messages", "choices", "output") if isinstance(loaded.get(key), list)), None
        )
        loaded = [loaded] if held is None else held
    listed = loaded if isinstance(loaded, list) else []
    if any(isinstance(message, dict) and isinstance(message.get("parts"), list) for message in listed):
        return [{"role": None, **message} for message in listed if isinstance(message, dict)]
    return message_forms.normal([_lifted(message) for message in listed])


def _lifted(message: Any) -> Any:
    """A message with the calls that LangChain keeps beside it."""
    beside = mapping(message.get("additional_kwargs")) if isinstance(message, dict) else {}
    is_bare = isinstance(message, dict) and not message.get("tool_calls") and isinstance(beside.get("tool_calls"), list)
    return {**message, "tool_calls": beside["tool_calls"]} if is_bare else message


def _prompt(given: Any) -> str | None:
    """What a user asked; the export wraps a text into JSON, and some instrumentations did so before."""
    loaded = messages.load(messages.load(given))
    return text(loaded) if isinstance(loaded, str) else messages.user_text(_messages(loaded))


def _field(value: Any, key: str) -> str | None:
    return text(value.get(key)) if isinstance(value, dict) else None
