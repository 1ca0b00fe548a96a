"""Log events of Gemini CLI (`gemini_cli.*`) and Qwen Code (`qwen-code.*`): what became of a call, without its id.

Of a model call three records tell: `api_request`, `api_response` and `gen_ai.client.inference.operation.details`, the
last twice, with the request alone and with the answer. Tokens are taken from `api_response`, messages from the
inference event, the model asked for from its first record: the second names the model that served in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aftertrace.ingest.dialects import gemini_messages, messages, permission_modes
from aftertrace.ingest.dialects.events import Event, Who
from aftertrace.ingest.dialects.gemini_decisions import Told, exit_code
from aftertrace.ingest.dialects.gemini_decisions import events as call_events
from aftertrace.ingest.dialects.values import duration_ns, flag, text

INFERENCE: Final = "gen_ai.client.inference.operation.details"
_OTHER_INPUTS: Final = frozenset({"plan.approval_mode_duration", "chat_compression", "loop_detected"})
_VERDICTS: Final = {"allow": "allow", "deny": "deny", "block": "deny", "ask": "ask", "ask_user": "ask"}


def events(kind: str, attributes: Mapping[str, Any], time_ns: int, batch: str | None, who: Who) -> list[Event]:
    """What a log event states; those of model calls also complete `who`.

    Args: kind: its name without the prefix. batch: the span it was written in.
    """
    match kind:
        case "tool_call":
            return call_events(_told(attributes, time_ns, batch, is_qwen=who.agent_name == "qwen-code"))
        case "user_prompt":
            return _prompt(text(attributes.get("prompt")), time_ns)
        case "api_response" | "api_error":
            return [_model_call(kind, attributes, time_ns, who)]
        case _ if kind == INFERENCE:
            return _inference(attributes, time_ns, who)
        case "conseca.verdict":
            return _verdict(attributes, time_ns)
        case "hook_call":
            return _hook(attributes, time_ns)
        case "config" if flag(attributes.get("interactive")):
            # At a terminal the program starts before any run; a batch of calls names its mode itself.
            return []
        case "config" | "model_routing":
            return _mode(text(attributes.get("approval_mode")), time_ns)
        case "plan.approval_mode_switch":
            return _mode(text(attributes.get("to_mode")), time_ns, text(attributes.get("from_mode")))
        case _ if kind in _OTHER_INPUTS:
            own = {key: attributes[key] for key in ("mode", "loop_type") if text(attributes.get(key))}
            return [Event(event="input.resolved", state="other", time_ns=time_ns, attributes={"input": kind, **own})]
    return []


def _told(attributes: Mapping[str, Any], time_ns: int, batch: str | None, *, is_qwen: bool) -> Told:
    error = text(attributes.get("error.message")) or text(attributes.get("error"))
    error_type = text(attributes.get("error_type")) or text(attributes.get("error.type"))
    status = text(attributes.get("status"))
    success = flag(attributes.get("success"))
    if status is None and success is not None:
        status = "success" if success else "error" if error or error_type else "cancelled"
    lasted_ns = duration_ns(attributes.get("duration_ms"))
    return Told(
        status=status,
        decision=text(attributes.get("decision")),
        error=error,
        error_type=error_type,
        interactive=flag(attributes.get("interactive")),
        is_qwen=is_qwen,
        is_edited=_is_edited(attributes.get("metadata")),
        exit_code=exit_code(messages.load(attributes.get("metadata"))),
        tool_name=text(attributes.get("function_name")),
        call_id=next((text(attributes[key]) for key in ("call_id", "tool.call_id") if key in attributes), None),
        arguments=messages.load(attributes.get("function_args")),
        start_ns=max(time_ns - (lasted_ns or 0), 0),
        end_ns=time_ns,
        duration_ns=lasted_ns,
        batch=batch,
    )


def _is_edited(metadata: Any) -> bool:
    """Whether a person changed the proposed file before allowing it: the difference counts their lines apart."""
    counted = messages.load(metadata)
    if not isinstance(counted, dict):
        return False
    lines = (counted.get(f"user_{change}_lines") for change in ("added", "removed"))
    return any(isinstance(count, int) and count > 0 for count in lines)


def _mode(mode: str | None, time_ns: int, before: str | None = None) -> list[Event]:
    return [] if mode is None else [permission_modes.entered(mode, time_ns, before=before)]


def _prompt(prompt: str | None, time_ns: int) -> list[Event]:
    return [] if prompt is None else [
        Event(event="input.resolved", state="user_prompt", time_ns=time_ns, content=prompt)
    ]  # fmt: skip


def _model_call(kind: str, attributes: Mapping[str, Any], time_ns: int, who: Who) -> Event:
    event = Event(event="model.called", time_ns=time_ns)
    who.input_tokens, who.output_tokens = attributes.get("input_token_count"), attributes.get("output_token_count")
    if kind == "api_error":
        event.reason = next(filter(None, (text(attributes.get(key)) for key in ("error_message", "error"))), kind)
        who.model = text(attributes.get("model_name")) or text(attributes.get("model"))
    else:
        who.model_served = text(attributes.get("model"))
    for key in ("role", "subagent_name", "response_id", "cached_content_token_count", "thoughts_token_count"):
        if attributes.get(key) is not None:
            event.attributes[key] = attributes[key]
    return event


def _inference(attributes: Mapping[str, Any], time_ns: int, who: Who) -> list[Event]:
    system = gemini_messages.instructions(attributes.get("gen_ai.system_instructions"))
    who.system_prompt_digest = messages.repeated_digest(system)
    who.model_served = text(attributes.get("gen_ai.response.model"))
    if who.model_served is not None:
        found = messages.proposals(gemini_messages.made(attributes.get("gen_ai.output.messages")))
        for event in found:
            event.group = text(attributes.get("gen_ai.response.id"))
        return _at(time_ns, found)
    who.model = text(attributes.get("gen_ai.request.model"))
    given = gemini_messages.given(attributes.get("gen_ai.input.messages"))
    found = [event for event in messages.answers(given) if event.state != "echoed"]
    if system is not None and messages.opens_conversation(given):
        found.append(Event(event="input.resolved", state="system_prompt", content=system))
    return _at(time_ns, found)


def _verdict(attributes: Mapping[str, Any], time_ns: int) -> list[Event]:
    """What the safety checker said of a call; the policy engine follows a `deny` and an `ask`."""
    call = messages.load(attributes.get("tool_call"))
    call = call if isinstance(call, dict) else {}
    event = _check(text(attributes.get("verdict")), time_ns, rule="conseca")
    event.decided_by, event.decider = "guardrail", "conseca"
    event.tool_name, event.arguments = text(call.get("name")), call.get("args")
    event.reason = text(attributes.get("verdict_rationale")) or text(attributes.get("error"))
    return [event]


def _hook(attributes: Mapping[str, Any], time_ns: int) -> list[Event]:
    """A hook before a tool is a control point; the other hooks only watch."""
    if attributes.get("hook_event_name") not in ("BeforeTool", "PreToolUse"):
        return []
    given, made = messages.load(attributes.get("hook_input")), messages.load(attributes.get("hook_output"))
    given, made = (value if isinstance(value, dict) else {} for value in (given, made))
    stopped = made.get("continue") is False or flag(attributes.get("success")) is False
    event = _check("deny" if stopped else text(made.get("decision")) or "allow", time_ns, rule="hook_call")
    event.decided_by, event.decider, event.identity = "hook", text(attributes.get("hook_name")), "asserted"
    event.tool_name, event.arguments = text(given.get("tool_name")), given.get("tool_input")
    event.reason = text(made.get("reason")) or text(made.get("stopReason"))
    return [event]


def _check(verdict: str | None, time_ns: int, *, rule: str) -> Event:
    """A control point before the policy engine's; only its refusal outweighs what follows."""
    state = _VERDICTS.get((verdict or "").lower(), "unknown")
    event = Event(event="policy.evaluated", state=state, time_ns=time_ns, rule=rule)
    if state != "deny":
        event.attributes["weight"] = "check"
    return event


def _at(time_ns: int, events: list[Event]) -> list[Event]:
    for event in events:
        event.time_ns = time_ns
    return events
