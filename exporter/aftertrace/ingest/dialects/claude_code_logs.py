"""Log events of Claude Code: what each states, once `claude_code` has told them from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aftertrace.ingest.dialects import permission_modes
from aftertrace.ingest.dialects.claude_code_bodies import request_events, response_events
from aftertrace.ingest.dialects.claude_code_decisions import (
    TOOL_DECISION,
    TOOL_RESULT,
    decision,
    entrypoint,
    is_side_request,
)
from aftertrace.ingest.dialects.claude_code_inputs import (
    commit_event,
    prompt_event,
    show_input,
    show_parameters,
)
from aftertrace.ingest.dialects.events import Event, Who
from aftertrace.ingest.dialects.values import duration_ns, flag, text

if TYPE_CHECKING:
    from aftertrace.ingest.records import Log

_OTHER_INPUTS: Final = ("skill_activated", "at_mention", "compaction")
"""Events that change what the agent works with."""
_OF_EVERY_RECORD: Final = (
    "event.",
    "user.",
    "session.",
    "prompt.",
    "organization.",
    "terminal.",
    "anthropic.",
)


def events(kind: str, log: Log, who: Who) -> list[Event]:
    """What a log event states. Those of model calls also complete `who`."""
    attributes = log.attributes
    match kind:
        case "user_prompt":
            return [_prompt_event(log)]
        case "tool_decision":
            return [_decision_event(log)]
        case "tool_result":
            return _result_events(log)
        case "api_request" | "api_error":
            return [_model_event(log, who)]
        case "api_request_body" | "api_response_body":
            body = text(attributes.get("body"))
            if body is None or is_side_request(attributes.get("query_source")):
                return []
            read_body = request_events if kind == "api_request_body" else response_events
            return read_body(body, who, log.time_ns)
        case "system_prompt":
            who.system_prompt_digest = text(attributes.get("system_prompt_hash"))
            return [_input("system_prompt", log, {}, attributes.get("system_prompt"))]
        case "tool":
            return [_input("tools", log, {"complete": False}, attributes.get("tool"))]
        case "permission_mode_changed":
            return _mode_events(log)
        case _ if kind in _OTHER_INPUTS:
            own = {key: value for key, value in attributes.items() if not key.startswith(_OF_EVERY_RECORD)}
            return [_input("other", log, {"input": kind, **own})]
    return []


def _prompt_event(log: Log) -> Event:
    event = prompt_event(log.attributes.get("prompt"), log.time_ns)
    command = text(log.attributes.get("command_name"))
    if command is not None:
        event.attributes["command_name"] = command
    return event


def _mode_events(log: Log) -> list[Event]:
    """A new permission mode; it decides on no call."""
    mode, before, trigger = (text(log.attributes.get(key)) for key in ("to_mode", "from_mode", "trigger"))
    if mode is None:
        return []
    told = {} if trigger is None else {"trigger": trigger}
    return [permission_modes.entered(mode, log.time_ns, before=before, **told)]


def _decision_event(log: Log) -> Event:
    attributes = log.attributes
    event = decision(
        text(attributes.get("decision")),
        text(attributes.get("source")),
        rule=TOOL_DECISION,
        reviewer=text(attributes.get("user.email")),
    )
    event.time_ns = log.time_ns
    event.attributes |= permission_modes.stated(text(attributes.get("permission_mode")))
    show_parameters(event, attributes.get("tool_parameters"))
    return event


def _result_events(log: Log) -> list[Event]:
    attributes = log.attributes
    start_ns = max(log.time_ns - (duration_ns(attributes.get("duration_ms")) or 0), 0)
    called = Event(event="tool.called", state="completed", time_ns=start_ns, end_ns=log.time_ns)
    show_parameters(called, attributes.get("tool_parameters"))
    show_input(called, attributes.get("tool_input"), attributes.get("tool_input_size_bytes"))
    success = flag(attributes.get("success"))
    if success is None:
        called.state = "started"
    elif not success:
        error_type = text(attributes.get("error_type"))
        called.state = "invalid_arguments" if error_type == "InputValidationError" else "failed"
        called.reason = text(attributes.get("error")) or error_type
    decided = _repeated_decision(log, start_ns)
    commit = commit_event(attributes.get("tool_parameters"), log.time_ns)
    return [event for event in (decided, called, commit) if event is not None]


def _repeated_decision(log: Log, time_ns: int) -> Event | None:
    """The decision as the result repeats it; headless runs leave it out."""
    decided, source = text(log.attributes.get("decision_type")), text(log.attributes.get("decision_source"))
    if decided is None and source is None:
        return None
    event = decision(
        decided, source, rule=TOOL_RESULT, weight="result", reviewer=text(log.attributes.get("user.email"))
    )
    event.time_ns = time_ns
    return event


def _model_event(log: Log, who: Who) -> Event:
    attributes = log.attributes
    source = attributes.get("query_source")
    who.input_tokens, who.output_tokens = attributes.get("input_tokens"), attributes.get("output_tokens")
    who.cost_usd = attributes.get("cost_usd")
    event = Event(event="model.called", time_ns=log.time_ns, reason=text(attributes.get("error")))
    for key in ("query_source", "request_id", "status_code"):
        if attributes.get(key) is not None:
            event.attributes[key] = attributes[key]
    door = entrypoint(source)
    if door is not None:
        event.attributes["entrypoint"] = door
    if is_side_request(source):
        event.attributes |= {"side_request": True, "model": attributes.get("model")}
    else:
        who.model_served = text(attributes.get("model"))
    return event


def _input(state: str, log: Log, attributes: dict[str, Any], content: Any = None) -> Event:
    return Event(event="input.resolved", state=state, time_ns=log.time_ns, content=content, attributes=attributes)
