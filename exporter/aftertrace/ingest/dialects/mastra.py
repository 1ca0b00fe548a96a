"""Mastra (1.71, `@mastra/otel-exporter` 1.4): spans with GenAI attributes, and its own `mastra.*` beside them.

What sets the emitter apart:

- An agent that waits for an approval ends its `agent_run` with the status `suspended`; the answer is the input of the
  next one, in the same trace. A call that was declined has no span of its own.
- `model_step` holds the proposals. `chat` lasts over all steps and the tools between them: it only repeats them.
  The step that a suspended call breaks off has none; the chunks of its answer (`model_chunk`) do, one call each.
- A call that the agent has no body for, its client's or an unknown one, is marked where its step proposes it
  (`observability`); if the run ends with it, its client's answer is in the messages of the next.
- A tool that was given what its schema does not allow has a span like one that ran: its result tells.
- The next `model_step` names the tools whose answers the model is given, in order, and not what they answered. A call
  of a tool that does not exist has such an answer and no span of a tool.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import ai_sdk_messages, genai, messages
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import Record, Span

NAME: Final = "mastra"
READS: Final = (
    ("span: gen_ai.*", "as the dialect genai"),
    ("span model_step: mastra.model_step.output, toolCalls", "action.proposed"),
    ("span model_step: observability of a call, mastra.model_step.is_continued", "handed back to the client"),
    ("span model_chunk: mastra.model_chunk.output, toolCallId, toolName, toolInput", "action.proposed echoed"),
    ("span model_step: mastra.model_step.input, [tool-result: NAME]", "tool.called answered, by position"),
    ("span agent_run: mastra.agent_run.input, a text", "input.resolved user_prompt"),
    ("span agent_run: mastra.agent_run.input, tool-result parts", "tool.called answered, failed, refused …"),
    ("span tool_call: gen_ai.tool.call.result, validationErrors", "tool.called invalid_arguments, failed"),
    ("span tool_call: exception of an abort", "tool.called cancelled"),
    ("span agent_run: mastra.agent_run.output, status=suspended, reason=tool-call-*", "approval.requested"),
    ("span agent_run: mastra.agent_run.input, approved, toolCallId", "approval.granted, approval.rejected"),
    ("span: mastra.metadata.runId", "turn_id"),
    ("span: gen_ai.conversation.id, mastra.metadata.threadId", "conversation_id"),
    ("span: mastra.metadata.userId, mastra.metadata.resourceId", "user_id"),
)  # fmt: skip

_ASKS: Final = {"tool-call-approval": None, "tool-call-suspended": "asks_itself"}
"""Reasons for which a run is suspended, and the rule of the ask: the second one comes from within the tool."""
_NO_INPUT: Final = "Tool input validation failed"
_ABORTED: Final = re.compile(r"(The|This) operation was aborted\b")
"""Message of JavaScript's `AbortError`, whose name Mastra does not send."""
_ANSWER: Final = re.compile(r"\[tool-result: ([^\]\s]{1,200})\]")


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.is_span and outline.has_any("mastra.span.type")


def read(record: Record) -> Reading | None:
    """Read a span of Mastra."""
    kind = record.attributes.get("mastra.span.type")
    if not isinstance(record, Span) or not isinstance(kind, str):
        return None
    attributes = record.attributes
    reading = genai.read(record) or Reading(dialect=NAME, who=genai.who(attributes), operation="step")
    reading.dialect = NAME
    who = reading.who
    who.turn_id = text(attributes.get("mastra.metadata.runId"))
    who.conversation_id = who.conversation_id or text(attributes.get("mastra.metadata.threadId"))
    who.user_id = (
        who.user_id
        or text(attributes.get("mastra.metadata.userId"))
        or text(attributes.get("mastra.metadata.resourceId"))
    )
    if kind == "model_step":
        reading.events = [*_answers(record), *_proposals(record)]
    elif kind == "model_chunk":
        reading.events = _chunk(record)
    elif kind in ("tool_call", "mcp_tool_call"):
        _judge(reading.events)
    elif kind == "agent_run":
        reading.events += _supplied(record)
        reading.events += [*_prompt(record), *_approvals(record)]
    for event in reading.events:
        if event.event == "action.proposed" and kind != "model_step":
            event.state = "echoed"
    return reading


def _proposals(span: Span) -> list[Event]:
    output = messages.load(span.attributes.get("mastra.model_step.output"))
    listed = output.get("toolCalls") if isinstance(output, dict) else None
    is_last = span.attributes.get("mastra.model_step.is_continued") is False
    found: list[Event] = []
    for item in listed if isinstance(listed, list) else []:
        inner = item.get("payload", item) if isinstance(item, dict) else None
        if isinstance(inner, dict) and inner.get("providerExecuted") is not True:
            found.append(
                Event(
                    event="action.proposed",
                    state="proposed",
                    time_ns=span.end_ns or span.start_ns,
                    tool_name=text(inner.get("toolName")),
                    call_id=text(inner.get("toolCallId")),
                    arguments=messages.load(inner.get("args", inner.get("input"))),
                    position=len(found),
                )
            )
            if is_last and "observability" in inner:
                found[-1].attributes["handed_back"] = True
    return found


def _chunk(span: Span) -> list[Event]:
    """The call that one chunk of a model's answer holds, which its step tells too if nothing breaks it off."""
    told = messages.load(span.attributes.get("mastra.model_chunk.output"))
    if not isinstance(told, dict) or "toolInput" not in told or text(told.get("toolCallId")) is None:
        return []
    return [
        Event(
            event="action.proposed",
            state="echoed",
            time_ns=span.end_ns or span.start_ns,
            tool_name=text(told.get("toolName")),
            call_id=text(told["toolCallId"]),
            arguments=messages.load(told["toolInput"]),
        )
    ]


def _answers(span: Span) -> list[Event]:
    """The answers that end a step's input, of the calls of the step before it in the same run."""
    given = messages.messages(span.attributes.get("mastra.model_step.input"))
    last = given[-1] if given and span.attributes.get("mastra.model_step.step_index") else {}
    told = last.get("content") if last.get("role") == "tool" else None
    return [
        Event(
            event="tool.called",
            state="answered",
            time_ns=span.start_ns,
            tool_name=name,
            position=position,
            basis="inferred",
            rule="step_input",
        )
        for position, name in enumerate(_ANSWER.findall(told) if isinstance(told, str) else [])
    ]


def _judge(found: list[Event]) -> None:
    """Settle what a tool's span says where it ran by its status alone, and by its result did not."""
    for event in found:
        if event.state == "failed" and _ABORTED.match(event.reason or ""):
            event.state, event.decided_by, event.rule = "cancelled", "human_or_program", genai.ABORTED_RULE
            event.basis = "inferred"
        result = messages.load(event.content) if event.state == "completed" else None
        if isinstance(result, dict) and result.get("error") is True and "validationErrors" in result:
            event.reason, event.rule = text(result.get("message")), "validation_errors"
            event.state = "invalid_arguments" if (event.reason or "").startswith(_NO_INPUT) else "failed"


def _supplied(span: Span) -> list[Event]:
    """The answers to calls of an earlier run that this one was given as messages, in the form of the AI SDK."""
    found = ai_sdk_messages.answers(ai_sdk_messages.prompt(span.attributes.get("mastra.agent_run.input")))
    for event in found:
        event.time_ns = span.start_ns
    return [event for event in found if event.call_id is not None and event.event == "tool.called"]


def _prompt(span: Span) -> list[Event]:
    given = span.attributes.get("mastra.agent_run.input")
    prompt = text(given) if isinstance(messages.load(given), str) else messages.user_text(given)
    if prompt is None:
        return []
    return [Event(event="input.resolved", state="user_prompt", time_ns=span.start_ns, content=prompt)]


def _approvals(span: Span) -> list[Event]:
    given = messages.load(span.attributes.get("mastra.agent_run.input"))
    made = messages.load(span.attributes.get("mastra.agent_run.output"))
    found: list[Event] = []
    call_id = _call_id(given)
    if call_id is not None and isinstance(given["approved"], bool):
        found.append(
            Event(
                event="approval.granted" if given["approved"] else "approval.rejected",
                time_ns=span.start_ns,
                call_id=call_id,
                decided_by="human",
                identity="inferred",
                reason=text(given.get("reason")),
            )
        )
    if isinstance(made, dict) and made.get("status") == "suspended" and text(made.get("reason")) in _ASKS:
        found.append(
            Event(
                event="approval.requested",
                time_ns=span.end_ns or span.start_ns,
                tool_name=text(made.get("toolName")),
                call_id=text(made.get("toolCallId")),
                arguments=messages.load(made.get("args")),
                rule=_ASKS[made["reason"]],
            )
        )
    return [event for event in found if event.call_id is not None]


def _call_id(given: Any) -> str | None:
    return text(given.get("toolCallId")) if isinstance(given, dict) and "approved" in given else None
