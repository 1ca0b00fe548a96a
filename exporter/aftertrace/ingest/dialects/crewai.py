"""CrewAI (1.15): its own spans, and the agent's span of OpenInference's instrumentation of it.

Source: `crewai.telemetry.tracing`, run with an exporter of one's own, and `openinference-instrumentation-crewai` 1.1.
What sets the emitter apart:

- A hook that blocks a call leaves a tool's span that ended well: its result is the text that the model was given.
- A tool's failure is told twice, by the tool's span and by one at an instant beside it.
- What the model is given repeats its calls in quotation marks, and answers without the ids of their calls.
- A person's feedback is asked for by a step of a flow, or for a task's result: it is about no tool call.
- Through OpenInference, tools have no span when they are blocked or unknown: the agent's output tells of them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import genai, message_forms, messages, openinference, refusals
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "crewai"
READS: Final = (
    ("span: gen_ai.*", "as the dialect genai; answers without ids are left out"),
    ("span call tool: gen_ai.tool.call.result, crewai.tool.failure.reason",
     "tool.called completed, failed, refused, unknown_tool"),
    ("span tool failure", "nothing: it repeats the tool's span"),
    ("span request human feedback: crewai.human_feedback.message", "input.resolved other"),
    ("span receive human feedback: crewai.human_feedback.feedback, outcome", "input.resolved other"),
    ("span evaluate guardrail: crewai.guardrail.success, description", "policy.evaluated allow, deny"),
    ("span: crewai.execution_uuid", "turn_id"),
    ("span: crewai.agent.role", "agent_name"),
    ("span TOOL of OpenInference: tool.name", "tool.called, by the name that the model knows"),
    ("span AGENT of OpenInference: output.value messages", "action.proposed echoed; tool.called answered, refused …"),
)  # fmt: skip

_SCOPE: Final = "crewai"
_OPENINFERENCE: Final = "openinference.instrumentation.crewai"
_REPEATED: Final = "tool_failure_detected"
_FEEDBACK: Final = {
    "human_feedback_requested": ("crewai.human_feedback.message",),
    "human_feedback_received": ("crewai.human_feedback.outcome", "crewai.human_feedback.feedback"),
}
_GUARDRAIL: Final = "evaluate guardrail"
_BLOCKED: Final = refusals.Verdict("refused", "hook", "crewai_hook")
"""What CrewAI says in a tool's place; any other text is the tool's own."""
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_QUOTES: Final = str.maketrans("", "", "'\"")
_LONGEST: Final = 64
_VERDICTS: Final = {True: "allow", False: "deny"}


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope in (_SCOPE, _OPENINFERENCE) and outline.is_span


def read(record: Record) -> Reading | None:
    """Read a span of CrewAI's, or that of an agent through OpenInference."""
    scope = record.origin.scope_name
    if not scope.endswith(_SCOPE) or not isinstance(record, Span):
        return None
    if scope == _OPENINFERENCE:
        return _agent_output(record)
    if scope != _SCOPE:
        return None
    reading = genai.read(record) or Reading(dialect=NAME, who=genai.who(record.attributes), operation="step")
    reading.dialect = NAME
    attributes, who = record.attributes, reading.who
    who.turn_id = text(attributes.get("crewai.execution_uuid"))
    who.agent_name, who.agent_id = text(attributes.get("crewai.agent.role")), None
    event_name = attributes.get("crewai.event_name")
    if event_name == _REPEATED:
        reading.operation, reading.events = "step", []
    elif reading.operation == "execute_tool":
        for event in reading.events:
            _settle(event, attributes)
    elif isinstance(event_name, str) and event_name in _FEEDBACK:
        reading.events = _feedback(record, _FEEDBACK[event_name])
    elif record.name == _GUARDRAIL:
        reading.operation, reading.events = "guardrail", [_guardrail(record)]
    else:
        reading.events = [event for event in reading.events if event.state != "echoed" and event.event != "tool.called"]
    return reading


def _settle(event: Event, attributes: dict[str, Any]) -> None:
    """What a tool's span says: a hook's refusal ends well, a tool that does not exist has failed."""
    if attributes.get("crewai.tool.failure.reason") == "unknown_tool":
        event.state, event.rule, event.basis = "unknown_tool", "failure_reason", "explicit"
        return
    told = messages.response_text(messages.load(attributes.get("gen_ai.tool.call.result")))
    if event.state == "completed" and told is not None and refusals.classify(told) == _BLOCKED:
        messages.judged(event, told)


def _feedback(span: Span, keys: tuple[str, ...]) -> list[Event]:
    told = next(filter(None, (text(span.attributes.get(key)) for key in keys)), None)
    if told is None:
        return []
    return [Event(event="input.resolved", state="other", time_ns=span.start_ns, content=told, rule="human_feedback")]


def _guardrail(span: Span) -> Event:
    success = span.attributes.get("crewai.guardrail.success")
    return Event(
        event="policy.evaluated",
        state=_VERDICTS[success] if isinstance(success, bool) else "unknown",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        decided_by="guardrail",
        decider=text(span.attributes.get("crewai.guardrail.description")),
        reason=text(span.attributes.get("crewai.guardrail.error")),
        rule="guardrail",
    )


def _called(name: str | None) -> str | None:
    """What the model knows a tool as: the name in small letters, with `_` for all that is neither letter nor digit."""
    if name is None:
        return None
    words = _CAMEL.sub("_", name.translate(_QUOTES)).lower()
    return _OTHER.sub("_", words).strip("_")[:_LONGEST] or name


def _agent_output(span: Span) -> Reading | None:
    """The messages of an agent's run, with its calls and their answers, blocked ones too."""
    reading = openinference.read(span)
    if reading is not None and reading.operation == "execute_tool":
        reading.who.tool_name = _called(text(reading.who.tool_name))
        for event in reading.events:
            event.tool_name = _called(text(event.tool_name))
    if reading is None or span.attributes.get("openinference.span.kind") != "AGENT":
        return reading
    output = mapping(messages.load(span.attributes.get("output.value")))
    told = message_forms.normal(output.get("messages"))
    answers = [event for event in messages.answers(told) if event.event != "action.proposed"]
    found = [event for event in (*messages.proposals(told, state="echoed"), *answers) if event.call_id]
    for event in found:
        event.time_ns = span.end_ns or span.start_ns
    reading.events += found
    return reading
