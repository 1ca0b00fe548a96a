"""Our own conventions: `aftertrace.*` events as log records or span events, from the API or from plain OTel.

The reference is `semconv/REFERENCE.md`. Spans of a run are standard spans and are read as `genai` reads them; what is
ours on them is the run id, and `aftertrace.tool.state` where the span of a call says itself what became of it.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, messages, permission_modes
from aftertrace.ingest.dialects.events import Event, Identity, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import duration_ns, has_prefix
from aftertrace.ingest.records import Log, Record, Span
from aftertrace.ingest.redact_tokens import NOTE
from aftertrace.semconv import attributes as names

NAME: Final = "aftertrace"
READS: Final = (
    ("log: event name aftertrace.*; span event aftertrace.*", "the event of the same name, always explicit"),
    ("aftertrace.run.id", "run_key"),
    ("aftertrace.actor.type, .id, .identity", "decided_by, decider, identity"),
    ("gen_ai.tool.name, gen_ai.tool.call.id, gen_ai.tool.call.arguments, aftertrace.tool.arguments.digest",
     "tool_name, call_id, arguments, arguments_digest"),
    ("aftertrace.decision.outcome, aftertrace.tool.state, aftertrace.input.type", "state"),
    ("aftertrace.approval.wait_s, aftertrace.approval.shown.text, aftertrace.approval.id", "wait_ns, content, group"),
    ("aftertrace.grant.*, aftertrace.permission.mode", "attributes"),
    ("aftertrace.configuration.*", "system_prompt_digest, tools_digest, tool_names"),
    ("aftertrace.effect.*, aftertrace.tool.risk.class", "attributes"),
    ("span: aftertrace.approval.id", "operation approval"),
)  # fmt: skip

_PREFIX: Final = "aftertrace."
_DECIDERS: Final = frozenset(
    ("model", "policy", "guardrail", "hook", "human", "program", "human_or_program", "target", "timeout")
)
_IDENTITIES: Final[tuple[Identity, ...]] = ("authenticated", "asserted", "inferred")
_INPUTS: Final = ("user_prompt", "system_prompt", "tools")
_CONTENT: Final = {
    "input.resolved": names.AFTERTRACE_INPUT_CONTENT,
    "plan.recorded": names.AFTERTRACE_PLAN_CONTENT,
    "approval.requested": names.AFTERTRACE_APPROVAL_SHOWN_TEXT,
    "tool.called": names.GEN_AI_TOOL_CALL_RESULT,
}
_CONTENT_DIGEST: Final = {
    "input.resolved": names.AFTERTRACE_INPUT_DIGEST,
    "plan.recorded": names.AFTERTRACE_PLAN_DIGEST,
    "approval.requested": names.AFTERTRACE_APPROVAL_SHOWN_DIGEST,
    "tool.called": names.AFTERTRACE_TOOL_RESULT_DIGEST,
}
_ELSEWHERE: Final = frozenset(
    (
        names.GEN_AI_TOOL_CALL_ARGUMENTS,
        names.GEN_AI_TOOL_CALL_RESULT,
        names.GEN_AI_SYSTEM_INSTRUCTIONS,
        names.GEN_AI_TOOL_DEFINITIONS,
    )
)
"""Content that has a column of its own."""


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.has_events or not outline.is_span or outline.has_prefix(_PREFIX)


def read(record: Record) -> Reading | None:
    """Read a record that names an aftertrace event, or a span that carries our run id."""
    if isinstance(record, Log):
        name = record.event_name or record.attributes.get("event.name")
        if not isinstance(name, str) or not name.startswith(_PREFIX):
            return None
        event = _event(name, record.attributes, record.time_ns)
        return Reading(NAME, _who(record.attributes), events=[event])
    ours = [event for event in record.events if event.name.startswith(_PREFIX)]
    # What redaction notes on a record does not make it one of ours.
    told = record.attributes
    if NOTE in told:
        told = {name: value for name, value in told.items() if name != NOTE}
    if not ours and not has_prefix(told, (_PREFIX,)):
        return None
    base = genai.read(record)
    reading = Reading(NAME, _who(record.attributes), base.operation if base else None, _span_events(base, record))
    if names.AFTERTRACE_APPROVAL_ID in record.attributes:
        # The span of a wait bears the names of its call, and is no execution.
        reading.operation, reading.events = "approval", []
    reading.events += [_event(event.name, event.attributes, event.time_ns) for event in ours]
    return reading


def _span_events(base: Reading | None, span: Span) -> list[Event]:
    """What the standard says of the span, with the state of the call that the span itself gives."""
    events = base.events if base is not None else []
    state = span.attributes.get(names.AFTERTRACE_TOOL_STATE)
    for event in events:
        if event.event == "tool.called" and isinstance(state, str):
            event.state = state
    return events


def _who(attributes: dict[str, Any]) -> Who:
    who = genai.who(attributes)
    who.run_key = attributes.get(names.AFTERTRACE_RUN_ID)
    who.system_prompt_digest = (
        _text(attributes.get(names.AFTERTRACE_CONFIGURATION_SYSTEM_PROMPT_DIGEST)) or who.system_prompt_digest
    )
    tools = attributes.get(names.AFTERTRACE_CONFIGURATION_TOOLS_NAMES)
    if isinstance(tools, list):
        who.tool_names = [str(tool) for tool in tools]
    who.tools_digest = _text(attributes.get(names.AFTERTRACE_CONFIGURATION_TOOLS_DIGEST)) or who.tools_digest
    return who


def _event(name: str, attributes: dict[str, Any], time_ns: int) -> Event:
    kind = name.removeprefix(_PREFIX)
    actor = _text(attributes.get(names.AFTERTRACE_ACTOR_TYPE))
    wait_s = attributes.get(names.AFTERTRACE_APPROVAL_WAIT_S)
    identity = _text(attributes.get(names.AFTERTRACE_ACTOR_IDENTITY))
    event = Event(
        event=kind,
        state=_state(kind, attributes),
        time_ns=time_ns,
        arguments=messages.load(attributes.get(names.GEN_AI_TOOL_CALL_ARGUMENTS)),
        arguments_digest=_text(attributes.get(names.AFTERTRACE_TOOL_ARGUMENTS_DIGEST)),
        group=_text(attributes.get(names.AFTERTRACE_APPROVAL_ID)),
        reason=_reason(attributes),
        content=attributes.get(_CONTENT.get(kind, "")),
        content_digest=_text(attributes.get(_CONTENT_DIGEST.get(kind, ""))),
        wait_ns=duration_ns(wait_s * 1_000)
        if isinstance(wait_s, int | float) and not isinstance(wait_s, bool)
        else None,
        attributes={
            key.removeprefix(_PREFIX).replace(".", "_"): value
            for key, value in attributes.items()
            if key.startswith(_PREFIX) and key not in _ELSEWHERE
        },
    )
    if actor in _DECIDERS:
        event.decided_by = actor  # type: ignore[assignment]  # one of the set above
        event.decider = _text(attributes.get(names.AFTERTRACE_ACTOR_ID)) or _text(
            attributes.get(names.SECURITY_RULE_NAME)
        )
        event.identity = next((known for known in _IDENTITIES if known == identity), None)
    event.attributes |= permission_modes.stated(_text(attributes.get(names.AFTERTRACE_PERMISSION_MODE)))
    return event


def _state(kind: str, attributes: dict[str, Any]) -> str | None:
    match kind:
        case "action.proposed":
            return "proposed"
        case "tool.called":
            return _text(attributes.get(names.AFTERTRACE_TOOL_STATE)) or "started"
        case "policy.evaluated":
            return _text(attributes.get(names.AFTERTRACE_DECISION_OUTCOME)) or "unknown"
        case "input.resolved":
            given = _text(attributes.get(names.AFTERTRACE_INPUT_TYPE))
            return given if given in _INPUTS else "other"
        case "tool.considered":
            return None if attributes.get(names.AFTERTRACE_CANDIDATE_SELECTED) is not False else "dropped"
    return None


def _reason(attributes: dict[str, Any]) -> str | None:
    told = [
        attributes.get(key) for key in (names.AFTERTRACE_REASON_CODE, names.AFTERTRACE_REASON_TEXT, names.ERROR_TYPE)
    ]
    texts = [text for text in told if isinstance(text, str) and text]
    return ": ".join(texts[:2]) or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
