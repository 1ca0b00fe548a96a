"""Cline: the log events of its extension, its SDK and its CLI, which are its product's own statistics.

Seen from `@cline/core` 0.0.86; the extension's by its source (`services/telemetry` and the tool handlers). A record's
body is the event's name. `success` of `task.tool_used` says less than it seems. In the extension a handler that asks
writes it as soon as it is answered, so that without an automatic approval `false` means that a person refused, and
`true` that one agreed. The SDK never says whether anybody was asked: `false` stands for a call that failed, that a
person refused and of a tool that does not exist alike. There are no ids of calls, no arguments and no results.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import flag, text
from aftertrace.ingest.records import Log, Record

NAME: Final = "cline"
READS: Final = (
    ("log: ulid, taskId", "conversation_id"),
    ("log task.tool_used: autoApproved=true", "policy.evaluated allow; tool.called completed, failed"),
    ("log task.tool_used: autoApproved=false, success",
     "approval.granted, approval.rejected; tool.called completed, refused"),
    ("log task.tool_used without autoApproved: success", "tool.called completed, failed"),
    ("log task.conversation_turn, task.tokens: model, tokensIn, tokensOut, totalCost", "model.called"),
    ("log task.created, task.completed", "run.created, run.completed"),
    ("log task.mode: mode", "input.resolved other"),
    ("log: user_id, distinct_id; cline_version", "user_id; agent_version"),
)  # fmt: skip

_SCOPE: Final = "cline"
_MODEL_CALLS: Final = {"task.conversation_turn": "source", "task.tokens": "agentKind"}
"""Events that may tell the tokens of a model call, and what they carry then: the extension counts the same in both."""
_RUNS: Final = {"task.created": "run.created", "task.completed": "run.completed"}


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == _SCOPE and not outline.is_span


def read(record: Record) -> Reading | None:
    """Read a log record of Cline."""
    if record.origin.scope_name != _SCOPE or not isinstance(record, Log):
        return None
    attributes = record.attributes
    task = text(attributes.get("ulid")) or text(attributes.get("taskId"))
    who = Who(
        conversation_id=task,
        agent_name=_SCOPE,
        agent_version=text(attributes.get("cline_version")) or text(attributes.get("extension_version")),
        model=text(attributes.get("modelId")) or text(attributes.get("model")),
        user_id=text(attributes.get("user_id")) or text(attributes.get("distinct_id")),
    )
    reading = Reading(dialect=NAME, who=who)
    name = record.body
    if not isinstance(name, str):
        return reading
    if name == "task.tool_used":
        reading.events = _used(attributes, record.time_ns)
    elif "tokensIn" in attributes and _MODEL_CALLS.get(name) in attributes:
        who.input_tokens, who.output_tokens = attributes.get("tokensIn"), attributes.get("tokensOut")
        who.cost_usd = attributes.get("totalCost")
        reading.events = [Event(event="model.called", time_ns=record.time_ns)]
    elif name == "task.mode":
        mode = text(attributes.get("mode"))
        reading.events = [Event(event="input.resolved", state="other", time_ns=record.time_ns, content=mode)]
    elif name in _RUNS:
        reading.events = [Event(event=_RUNS[name], time_ns=record.time_ns)]
    return reading


def _used(attributes: dict[str, Any], time_ns: int) -> list[Event]:
    tool, success = text(attributes.get("tool")), flag(attributes.get("success"))
    automatic = flag(attributes.get("autoApproved"))
    called = Event(
        event="tool.called",
        state="failed" if success is False else "completed",
        time_ns=time_ns,
        tool_name=tool,
        basis="explicit" if automatic is None and success else "inferred",
        rule="tool_used",
    )
    if automatic is None:
        return [called]
    decided = Event(event="policy.evaluated", state="allow", time_ns=time_ns, tool_name=tool, decided_by="policy")
    if not automatic:
        decided.event, decided.state = "approval.granted", None
        decided.decided_by, decided.identity = "human", "inferred"
        if success is None:
            # Somebody answered, and nothing says what; a tool that was used is likely to have been granted.
            decided.basis = "inferred"
        elif not success:
            decided.event, decided.basis = "approval.rejected", "inferred"
            called.state, called.decided_by = "refused", "human"
    return [decided, called]
