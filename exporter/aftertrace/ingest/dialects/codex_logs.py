"""Log events of Codex: what each states, once `codex` has told them from others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aftertrace.ingest.dialects import permission_modes
from aftertrace.ingest.dialects.codex_decisions import decision
from aftertrace.ingest.dialects.codex_results import result
from aftertrace.ingest.dialects.events import Event, Who
from aftertrace.ingest.dialects.values import text

if TYPE_CHECKING:
    from aftertrace.ingest.records import Log

_HIDDEN: Final = "[REDACTED]"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REQUESTS: Final = ("sse_event", "api_request", "websocket_request")
_SETTINGS: Final = (
    "approval_policy",
    "sandbox_policy",
    "mcp_servers",
    "provider_name",
    "reasoning_effort",
    "reasoning_summary",
)
_MODE: Final = ("approval_policy", "sandbox_policy")
_STATUSES: Final = {"approved": "allow", "denied": "deny"}


def events(kind: str, log: Log, who: Who) -> list[Event]:
    """What a log event states. Those of model calls also complete `who`."""
    attributes, time_ns = log.attributes, _time_ns(log)
    match kind:
        case "conversation_starts":
            return _start_events(attributes, time_ns)
        case "user_prompt":
            prompt = attributes.get("prompt")
            return [_input("user_prompt", time_ns, None if prompt == _HIDDEN else text(prompt))]
        case "tool_decision":
            return _decision_events(log, time_ns)
        case "guardian_assessment":
            return _assessment_events(log, who, time_ns)
        case "tool_result":
            return [result(log, time_ns)]
        case "sandbox_outcome":
            return [sandbox_event(attributes, time_ns)]
        case "turn_cost":
            who.cost_usd = attributes.get("usage.estimated_usd")
            return [Event(event="model.called", time_ns=time_ns, attributes={"whole_turn": True})]
        case _ if kind in _REQUESTS:
            return _model_events(log, who, time_ns)
    return []


def mode_events(attributes: dict[str, Any], time_ns: int) -> list[Event]:
    """The mode of a conversation: who is asked, and what the sandbox holds back."""
    mode = ", ".join(filter(None, (text(attributes.get(key)) for key in _MODE)))
    return [permission_modes.entered(mode, time_ns)] if mode else []


def sandbox_event(attributes: dict[str, Any], time_ns: int) -> Event:
    """What became of a command in the sandbox: its effect was blocked, or it ran (`escalated`: outside of it)."""
    outcome = text(attributes.get("outcome"))
    stated = {} if outcome is None else {"outcome": outcome}
    if outcome == "denied":
        return Event(
            event="effect.blocked", time_ns=time_ns, decided_by="policy", rule="sandbox_outcome", attributes=stated
        )
    return Event(event="tool.called", state="started", time_ns=time_ns, rule="sandbox_outcome", attributes=stated)


def _time_ns(log: Log) -> int:
    """When it happened: the observed time, which is taken as the record is made, else what the event says itself."""
    if log.time_ns:
        return log.time_ns
    try:
        stated = datetime.fromisoformat(text(log.attributes.get("event.timestamp")) or "")
    except ValueError:
        return 0
    return 0 if stated.tzinfo is None else max((stated - _EPOCH) // timedelta(microseconds=1) * 1_000, 0)


def _input(state: str, time_ns: int, content: Any = None, attributes: dict[str, Any] | None = None) -> Event:
    return Event(event="input.resolved", state=state, time_ns=time_ns, content=content, attributes=attributes or {})


def _start_events(attributes: dict[str, Any], time_ns: int) -> list[Event]:
    chosen = {key: attributes[key] for key in _SETTINGS if attributes.get(key) not in (None, "")}
    settings = _input("other", time_ns, attributes={"input": "conversation_starts", **chosen})
    return [settings, *mode_events(attributes, time_ns)]


def _decision_events(log: Log, time_ns: int) -> list[Event]:
    attributes = log.attributes
    decided = decision(
        text(attributes.get("decision")),
        text(attributes.get("source")),
        originator=text(attributes.get("originator")),
        reviewer=text(attributes.get("user.email")),
    )
    for event in decided:
        event.time_ns = time_ns
    return decided


def _assessment_events(log: Log, who: Who, time_ns: int) -> list[Event]:
    """The automatic reviewer's verdict and why; a time-out or failure of its own decides nothing here."""
    attributes = log.attributes
    who.call_id = text(attributes.get("item.id"))
    event = Event(
        event="policy.evaluated",
        state=_STATUSES.get(str(attributes.get("status")), "unknown"),
        time_ns=time_ns,
        decided_by="guardrail",
        reason=text(attributes.get("rationale")),
        rule="guardian_assessment",
    )
    for key in ("status", "risk_level", "user_authorization"):
        if text(attributes.get(key)) is not None:
            event.attributes[key] = attributes[key]
    return [event]


def _model_events(log: Log, who: Who, time_ns: int) -> list[Event]:
    """A model call that ended: with its tokens, or with an error. What else there is in a stream states nothing."""
    attributes = log.attributes
    error = text(attributes.get("error.message"))
    who.input_tokens, who.output_tokens = attributes.get("input_token_count"), attributes.get("output_token_count")
    if who.input_tokens is None and error is None:
        return []
    return [Event(event="model.called", time_ns=time_ns, reason=error)]
