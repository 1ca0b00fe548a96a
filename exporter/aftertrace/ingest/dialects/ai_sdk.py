"""Vercel AI SDK 4 to 6, and 7 with `LegacyOpenTelemetry`: spans with `ai.*` attributes; no logs.

What sets the emitter apart:

- `ai.generateText` and `ai.streamText` are the agent, their `.doGenerate` and `.doStream` the model calls, and
  `ai.toolCall` is a tool that runs. A call that waits, was refused, is unknown or is left to the client has no span.
- An agent that ends with `tool-calls` hands the open ones back to its caller: a person is asked, or a client runs them.
  Nothing tells which until a later trace resumes, whose `ai.prompt` holds the asks, the answers and the results.
- Version 7 opens no `ai.toolCall` for a call that was approved: the next prompt alone tells that it ran.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import ai_sdk_messages, messages
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.genai import ABORTED_RULE, is_aborted
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import Record, Span

NAME: Final = "ai_sdk"
READS: Final = (
    ("span ai.*: ai.operationId", "operation"),
    ("span *.doGenerate, *.doStream: ai.response.toolCalls", "action.proposed"),
    ("span *.doGenerate, *.doStream: ai.prompt.messages, tool-result parts", "tool.called answered, failed, refused …"),
    ("span *.doGenerate, *.doStream: ai.prompt.messages, text parts", "input.resolved user_prompt, system_prompt"),
    ("span *.doGenerate, *.doStream: ai.prompt.tools", "tool_names"),
    ("span ai.generateText, ai.streamText: ai.prompt, tool-approval-* parts",
     "approval.requested and its answer; policy.evaluated of an automatic one"),
    ("span ai.generateText, ai.streamText: ai.response.finishReason=tool-calls", "action.proposed echoed, handed back"),
    ("span ai.toolCall: status, ai.toolCall.args, .result",
     "tool.called completed, failed, invalid_arguments, cancelled"),
    ("span: ai.telemetry.functionId", "agent_name"),
    ("span: ai.telemetry.metadata.sessionId, threadId, conversationId, chatId", "conversation_id"),
    ("span: ai.telemetry.metadata.userId", "user_id"),
    ("span: ai.model.id, ai.response.model", "model, model_served"),
    ("span: ai.usage.*, cost in ai.response.providerMetadata", "input_tokens, output_tokens, cost_usd"),
)  # fmt: skip

HANDED_BACK: Final = "handed_back"
"""Attribute of an echoed proposal: the agent ended with the call open, for its caller to run or to approve."""

_METADATA: Final = "ai.telemetry.metadata."
_CONVERSATIONS: Final = ("sessionid", "threadid", "conversationid", "chatid")
_USERS: Final = ("userid",)
_SEPARATORS: Final = re.compile(r"[^a-z0-9]")
_ERROR: Final = 2
_INVALID: Final = ("AI_InvalidToolInputError", "AI_TypeValidationError", "AI_InvalidToolArgumentsError")


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.is_span and outline.has_any("ai.operationId")


def read(record: Record) -> Reading | None:
    """Read a span of the AI SDK."""
    operation = record.attributes.get("ai.operationId")
    if not isinstance(record, Span) or not isinstance(operation, str) or not operation.startswith("ai."):
        return None
    return reading(record, operation, NAME)


def reading(span: Span, operation: str, dialect: str) -> Reading:
    """What a span of this `ai.operationId` states, for whichever program sent it."""
    made = Reading(dialect=dialect, who=_who(span.attributes))
    if operation == "ai.toolCall":
        made.operation, made.events = "execute_tool", [tool_event(span)]
    elif operation.endswith((".doGenerate", ".doStream")):
        made.operation, made.events = "chat", _model_call(span, made.who)
    elif operation in ("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"):
        made.operation, made.events = "invoke_agent", _agent_events(span)
        # The sums of its model calls, which state their own.
        made.who.input_tokens = made.who.output_tokens = None
        made.who.cost_usd = None
    else:
        made.operation = "step"
    return made


def tool_event(span: Span) -> Event:
    """What a span around the execution of a tool states."""
    attributes = span.attributes
    event = Event(
        event="tool.called",
        state="completed" if span.end_ns else "started",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        arguments=messages.load(attributes.get("ai.toolCall.args")),
        content=attributes.get("ai.toolCall.result"),
    )
    if span.status == _ERROR:
        kind, told = exception(span)
        event.state, event.reason = "failed", told
        if kind in _INVALID:
            event.state, event.rule = "invalid_arguments", "validation_error"
        elif is_aborted(kind, told):
            event.state, event.decided_by, event.rule = "cancelled", "human_or_program", ABORTED_RULE
    return event


def exception(span: Span) -> tuple[str | None, str | None]:
    """Type and message of the exception that a span recorded; its status message where it recorded none."""
    noted = next((event.attributes for event in span.events if event.name == "exception"), {})
    return text(noted.get("exception.type")), text(noted.get("exception.message")) or text(span.status_message)


def _who(attributes: dict[str, Any]) -> Who:
    return Who(
        run_key=attributes.get("aftertrace.run.id"),
        conversation_id=text(attributes.get("session.id")) or _metadata(attributes, _CONVERSATIONS),
        agent_name=text(attributes.get("ai.telemetry.functionId")),
        model=text(attributes.get("ai.model.id")) or text(attributes.get("gen_ai.request.model")),
        model_served=text(attributes.get("ai.response.model")) or text(attributes.get("gen_ai.response.model")),
        user_id=text(attributes.get("user.id")) or _metadata(attributes, _USERS),
        tool_name=text(attributes.get("ai.toolCall.name")),
        call_id=text(attributes.get("ai.toolCall.id")),
        input_tokens=attributes.get("ai.usage.inputTokens", attributes.get("ai.usage.promptTokens")),
        output_tokens=attributes.get("ai.usage.outputTokens", attributes.get("ai.usage.completionTokens")),
        cost_usd=_cost_usd(attributes.get("ai.response.providerMetadata")),
    )


def _metadata(attributes: dict[str, Any], endings: tuple[str, ...]) -> str | None:
    """A value of the program's own metadata, whose keys it chooses: `sessionId`, `session_id`, `langfuseSessionId`."""
    for key, value in attributes.items():
        if key.startswith(_METADATA) and _SEPARATORS.sub("", key.lower()).endswith(endings):
            return text(value)
    return None


def _cost_usd(provider_metadata: Any) -> Any:
    """What a gateway says that the model call cost: Vercel's, OpenRouter's."""
    loaded = messages.load(provider_metadata)
    if not isinstance(loaded, dict):
        return None
    gateway, router = loaded.get("gateway"), loaded.get("openrouter")
    if isinstance(gateway, dict) and gateway.get("cost") is not None:
        return gateway["cost"]
    usage = router.get("usage") if isinstance(router, dict) else None
    return usage.get("cost") if isinstance(usage, dict) else None


def _model_call(span: Span, who: Who) -> list[Event]:
    attributes = span.attributes
    given = ai_sdk_messages.prompt(attributes.get("ai.prompt.messages"))
    system = ai_sdk_messages.system_prompt(given)
    who.system_prompt_digest = messages.instructions_digest(system)
    definitions = ai_sdk_messages.tools(attributes.get("ai.prompt.tools"))
    if definitions is not None:
        who.tool_names, who.tools_digest = messages.tool_names(definitions), messages.value_digest(definitions)
    found = ai_sdk_messages.answers(given)
    if system is not None and messages.opens_conversation(given):
        found.append(Event(event="input.resolved", state="system_prompt", content=system))
    asked = messages.user_text(given, last_only=True)
    if asked is not None:
        found.append(Event(event="input.resolved", state="user_prompt", content=asked))
    made = ai_sdk_messages.proposals(attributes.get("ai.response.toolCalls"))
    if attributes.get("ai.response.finishReason") != "tool-calls":
        made += _run_by_provider(made, ai_sdk_messages.provider_tools(definitions or []))
    return [*_at(span.start_ns, found), *_at(_proposed_ns(span), made)]


def _run_by_provider(made: list[Event], names: set[str]) -> list[Event]:
    return [
        Event(
            event="tool.called",
            state="answered",
            tool_name=event.tool_name,
            call_id=event.call_id,
            basis="inferred",
            rule=ai_sdk_messages.PROVIDER_EXECUTED,
        )
        for event in made
        if event.tool_name in names
    ]


def _proposed_ns(span: Span) -> int:
    """A stream's span ends after the tools that ran while it lasted; its first chunk comes before them."""
    chunk = next((event.time_ns for event in span.events if event.name == "ai.stream.firstChunk"), None)
    return chunk or span.end_ns or span.start_ns


def _agent_events(span: Span) -> list[Event]:
    attributes = span.attributes
    given = ai_sdk_messages.prompt(attributes.get("ai.prompt"))
    found = [*ai_sdk_messages.answers(given), *ai_sdk_messages.approvals(given)]
    handed: list[Event] = []
    if attributes.get("ai.response.finishReason") == "tool-calls":
        handed = ai_sdk_messages.proposals(attributes.get("ai.response.toolCalls"), state="echoed")
        for event in handed:
            event.attributes[HANDED_BACK] = True
    return [*_at(span.start_ns, found), *_at(span.end_ns or span.start_ns, handed)]


def _at(time_ns: int, events: list[Event]) -> list[Event]:
    for event in events:
        event.time_ns = time_ns
    return events
