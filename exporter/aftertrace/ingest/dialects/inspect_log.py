"""Logs of Inspect (0.3): the events of each sample, as `aftertrace import` makes records of them.

A tool event begins when the call was received, before anybody was asked about it, and carries the arguments that ran.
An approval event is written when an approver has decided; one approver may pass a call on to the next.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Decider, Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Log, Record

NAME: Final = "inspect"
SCOPE: Final = "aftertrace.import.inspect"
"""Instrumentation scope of the records that `aftertrace import` makes of such logs."""
SERVICE: Final = "inspect_ai"
EVENT: Final = "inspect.event"
"""Event name of a record that holds an event of a sample."""
SAMPLE: Final = "inspect.sample"
"""Event name of a record that holds what a sample has beside its events."""
TASK: Final = "inspect.task"
ENDED: Final = "inspect.completed_ns"
"""Attribute of an event: when it was over, where it says so."""
BEFORE: Final = "inspect.before_ns"
"""Attribute of an event: when the one before it was over. Then an approver was asked."""
DECISION: Final = "inspect.decision"
"""Attribute of a tool's event: what an approver last decided about its call."""
READS: Final = (
    ("log: gen_ai.conversation.id, inspect.task", "conversation_id, agent_name"),
    ("event model: output.choices tool_calls, output.usage, tools, model", "action.proposed, model.called, tool_names"),
    ("event model: input tool messages since the model's last", "tool.called answered, failed, refused …"),
    ("event tool: result, error.type, failed", "tool.called completed, failed, refused, invalid_arguments …"),
    ("event approval by human: decision, modified, explanation, view",
     "approval.requested; approval.granted, approval.modified, approval.rejected"),
    ("event approval by any other approver: decision", "policy.evaluated allow, deny, ask; approval.modified"),
    ("event sample_init; sample: error, limit, completed_at", "run.created, input.resolved; run.completed, run.failed"),
)  # fmt: skip

_HUMAN: Final = "human"
_REJECTED: Final = ("reject", "terminate")
_UNKNOWN_TOOL: Final = " not found"
_POLICY: Final[dict[Any, str]] = {"approve": "allow", "escalate": "ask"}


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == SCOPE and not outline.is_span


def read(record: Record) -> Reading | None:
    """Read a log record that holds a piece of such a log."""
    if record.origin.scope_name != SCOPE or not isinstance(record, Log):
        return None
    told = record.attributes
    who = Who(
        conversation_id=text(told.get("gen_ai.conversation.id")),
        agent_name=text(told.get(TASK)),
        agent_version=text(told.get("inspect.task_version")),
    )
    reading = Reading(NAME, who)
    if record.event_name not in (EVENT, SAMPLE):
        return reading
    entry = mapping(messages.load(record.body))
    if record.event_name == SAMPLE:
        reading.events = _sample(entry)
        return reading
    match entry.get("event"):
        case "model":
            reading.events = _model(entry, record, who)
        case "tool":
            reading.events = [_tool(entry, record)]
        case "approval":
            reading.events = _approval(entry, record)
        case "sample_init":
            reading.events = _begun(entry)
    return reading


def _begun(entry: dict[str, Any]) -> list[Event]:
    given = mapping(entry.get("sample")).get("input")
    asked = given if isinstance(given, str) else _said(given, "user")
    found = [Event(event="run.created")]
    if asked:
        found.append(Event(event="input.resolved", state="user_prompt", content=asked))
    return found


def _sample(entry: dict[str, Any]) -> list[Event]:
    """How a sample ended; one that has not ended yet is not told of."""
    error = mapping(entry.get("error"))
    if error:
        return [Event(event="run.failed", reason=text(error.get("message")))]
    if text(entry.get("completed_at")) is None:
        return []
    limit = mapping(entry.get("limit")).get("type")
    return [Event(event="run.completed", reason=f"limit: {limit}" if text(limit) else None)]


def _model(entry: dict[str, Any], log: Log, who: Who) -> list[Event]:
    output = mapping(entry.get("output"))
    who.model, who.model_served = text(entry.get("model")), text(output.get("model"))
    usage = mapping(output.get("usage"))
    who.input_tokens, who.output_tokens = usage.get("input_tokens"), usage.get("output_tokens")
    who.tool_names = messages.tool_names(entry.get("tools"))
    if who.tool_names is not None:
        who.tools_digest = messages.value_digest(entry.get("tools"))
    ended_ns = _ended_ns(log) or log.time_ns
    given = messages.messages(entry.get("input"))
    last = max((index for index, message in enumerate(given) if message.get("role") == "assistant"), default=-1)
    system = _said(given, "system") if last < 0 else None
    found = [Event(event="model.called", time_ns=log.time_ns, end_ns=ended_ns)]
    if system is not None:
        who.system_prompt_digest = messages.value_digest(system)
        found.append(Event(event="input.resolved", state="system_prompt", time_ns=log.time_ns, content=system))
    found += [_answer(message, log.time_ns) for message in given[last + 1 :] if message.get("role") == "tool"]
    choices = messages.messages(output.get("choices"))
    made = mapping(choices[0].get("message")) if choices else {}
    for position, call in enumerate(messages.messages(made.get("tool_calls"))):
        proposal = Event(event="action.proposed", state="proposed", time_ns=ended_ns, position=position)
        found.append(_named(proposal, call))
    return found


def _answer(message: dict[str, Any], time_ns: int) -> Event:
    """What the model was told: the only word on a call that an agent ran by itself, inside a sandbox say."""
    part = {"id": message.get("tool_call_id"), "name": message.get("function"), "response": message.get("content")}
    event = messages.answer(part, None)
    event.time_ns = time_ns
    error = mapping(message.get("error"))
    if error:
        _fail(event, error, basis_is_told=False)
    return event


def _tool(entry: dict[str, Any], log: Log) -> Event:
    event = _named(Event(event="tool.called", state="completed", content=entry.get("result")), entry)
    event.end_ns = _ended_ns(log)
    event.attributes["includes_wait"] = True
    error = mapping(entry.get("error"))
    if error:
        _fail(event, error, basis_is_told=True)
    elif log.attributes.get(DECISION) in _REJECTED and not entry.get("result"):
        # The sample was ended in its place: the event was opened and the tool never ran.
        event.state = "entered"
    elif entry.get("failed") is True:
        event.state = "failed"
    elif entry.get("pending") is True or (log.attributes.get(ENDED) is None and entry.get("result") in (None, "")):
        event.state = "started"
    if mapping(mapping(entry.get("metadata")).get("bridge")).get("grant") == "denied":
        event.state, event.decided_by, event.rule = "refused", "policy", "bridge_grant"
    return event


def _fail(event: Event, error: dict[str, Any], *, basis_is_told: bool) -> None:
    """Settle a call that ended in an error, by the error's kind."""
    event.reason = text(error.get("message"))
    event.basis = "explicit" if basis_is_told else "inferred"
    match error.get("type"):
        case "approval":
            event.state, event.decided_by, event.rule = "refused", "policy", "approval_error"
        case "permission":
            event.state, event.decided_by, event.rule = "refused", "target", "permission_error"
        case "cancelled":
            event.state, event.decided_by = "cancelled", "human"
        case "parsing":
            is_unknown = event.reason is not None and event.reason.endswith(_UNKNOWN_TOOL)
            event.state = "unknown_tool" if is_unknown else "invalid_arguments"
        case _:
            event.state = "failed"


def _approval(entry: dict[str, Any], log: Log) -> list[Event]:
    decision, approver = entry.get("decision"), text(entry.get("approver"))
    decided_by: Decider = "human" if approver is not None and approver.split("/")[-1] == _HUMAN else "policy"
    modified = mapping(entry.get("modified"))
    event = Event(
        event="policy.evaluated",
        state=_POLICY.get(decision, "deny") if isinstance(decision, str) else "deny",
        decided_by=decided_by,
        decider=approver if decided_by == "policy" else None,
        identity="inferred" if decided_by == "human" else None,
        reason=text(entry.get("explanation")),
        rule=decision if decision in ("escalate", "terminate") else None,
    )
    _named(event, mapping(entry.get("call")))
    event.arguments = None
    if decision == "modify" and modified:
        event.event, event.state, event.arguments = "approval.modified", None, modified.get("arguments")
    elif decided_by == "human" and decision != "escalate":
        event.event, event.state = "approval.granted" if decision == "approve" else "approval.rejected", None
    return [event] if decided_by == "policy" else [_asked(entry, log), event]


def _asked(entry: dict[str, Any], log: Log) -> Event:
    """What a person was asked and shown: the view of the call, or the model's message and the call itself."""
    view = mapping(entry.get("view"))
    shown = [text(mapping(view.get(part)).get("content")) for part in ("context", "call")]
    before = log.attributes.get(BEFORE)
    event = Event(event="approval.requested", content="\n\n".join(filter(None, shown)) or text(entry.get("message")))
    event.time_ns = before if isinstance(before, int) and 0 < before < log.time_ns else log.time_ns
    return _named(event, mapping(entry.get("call")))


def _named(event: Event, call: dict[str, Any]) -> Event:
    event.tool_name, event.call_id = text(call.get("function")), text(call.get("id"))
    event.arguments = messages.load(call.get("arguments"))
    return event


def _said(given: Any, role: str) -> str | None:
    """The text of the last message of a role."""
    spoken = [message for message in messages.messages(given) if message.get("role") == role]
    return messages.response_text(spoken[-1].get("content")) if spoken else None


def _ended_ns(log: Log) -> int | None:
    ended = log.attributes.get(ENDED)
    return ended if isinstance(ended, int) and not isinstance(ended, bool) and ended >= log.time_ns else None
