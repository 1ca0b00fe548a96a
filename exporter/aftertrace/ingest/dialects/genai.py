"""OTel GenAI conventions, old names and new, with the extensions of Pydantic AI, Agent Framework, AI SDK 7 and Google
ADK.

Source: semantic-conventions-genai (spans `invoke_agent`, `chat`, `execute_tool`; event
`gen_ai.client.inference.operation.details`). A span named `execute_tool` does not prove that the tool ran: Pydantic AI
and ADK open one for a call that only waits for an approval, and several emitters for a call that was refused.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages, span_messages, text_calls
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import associated, associated_conversation, mapping
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "genai"
READS: Final = (
    ("span chat, generate_content: gen_ai.output.messages", "action.proposed for every tool_call part"),
    ("span chat, generate_content: gen_ai.input.messages", "tool.called answered, refused, unknown_tool …"),
    ("span execute_tool: status, error.type, gen_ai.tool.call.result", "tool.called completed, failed, refused …"),
    ("span without gen_ai.operation.name: gen_ai.tool.name, gen_ai.tool.call.*", "as span execute_tool, inferred"),
    ("span execute_tool without gen_ai.execute_tool.duration (AI SDK 7)", "tool.called cancelled"),
    ("span execute_tool: pydantic_ai.tool.deferral.name", "approval.requested; the tool did not run"),
    ("span execute_tool: pydantic_ai.tool.failure_stage=validation", "tool.called invalid_arguments"),
    ("span invoke_agent: final_result.approvals (Pydantic AI)", "approval.requested"),
    ("span chat: model_request_parameters (Pydantic AI)",
     "action.proposed: of a tool that needs approval, that the program runs, or that gives the final result"),
    ("span invoke_agent: function_approval_request, function_approval_response parts (Agent Framework)",
     "approval.requested, approval.granted, approval.rejected"),
    ("span, log: gen_ai.system_instructions, gen_ai.tool.definitions", "system_prompt_digest, tool_names"),
    ("log gen_ai.client.inference.operation.details", "as span chat"),
    ("span event gen_ai.client.inference.operation.details", "as the attributes of its span"),
    ("span event gen_ai.{system,user,assistant,tool}.message, gen_ai.choice (deprecated)", "as its span's messages"),
    ("span event gen_ai.content.prompt, gen_ai.content.completion (deprecated)", "as its span's messages"),
    ("log gen_ai.tool.message, gen_ai.choice (deprecated)", "tool.called answered, action.proposed"),
    ("span, log: gen_ai.conversation.id, session.id, traceloop.association.properties.thread_id, session_id",
     "conversation_id"),
    ("span: gen_ai.agent.call.id, gcp.vertex.agent.invocation_id", "turn_id"),
)  # fmt: skip

_MODEL_CALLS: Final = ("chat", "generate_content", "text_completion", "fetch_response")
_AGENTS: Final = ("invoke_agent", "invoke_workflow", "create_agent", "handle_conversation_turn")
_PRINCIPALS: Final = ("user.id", "enduser.id", "user.email", "user.name")
"""Whom a run acts for: the first of these that is told."""
_PSEUDO_TOOLS: Final = ("(merged tools)",)

_ERROR: Final = 2
_OF_KIND: Final = {"unapproved": "needs_approval", "external": "handed_back", "output": "gives_result"}
"""What a kind of tool (Pydantic AI) says of its calls: they wait for an approval, are run by whoever runs the agent, or
are how the model gives its final result."""

TOOL_DETAILS: Final = frozenset(("gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"))
_AI_SDK: Final = "gen_ai"
"""Scope of AI SDK 7, whose agent ends with `tool-calls` when it leaves calls to its caller."""
_FINISHED: Final = "gen_ai.execute_tool.duration"
"""What AI SDK 7 adds to a tool's span once the tool has ended, well or not."""
ABORTED_RULE: Final = "aborted"
"""Rule of a tool that an `AbortSignal` of JavaScript ended: its agent's, or one of the tool's own with a time limit."""


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return not outline.is_span or outline.has_prefix("gen_ai.")


def read(record: Record) -> Reading | None:
    """Read a span or log record with `gen_ai.*` attributes."""
    if isinstance(record, Log):
        return _read_log(record)
    attributes = record.attributes
    if not any(key.startswith("gen_ai.") for key in attributes):
        return None
    operation = attributes.get("gen_ai.operation.name")
    if record.events and operation in (*_MODEL_CALLS, *_AGENTS):
        attributes = {**span_messages.told(record.events), **attributes}
    if operation in _MODEL_CALLS:
        attributes = _read_once(attributes)
    reading = Reading(dialect=NAME, who=who(attributes))
    if operation in _MODEL_CALLS:
        reading.operation = "chat"
        reading.events = model_call_events(attributes, record.start_ns, record.end_ns)
    elif operation in _AGENTS:
        reading.operation = "invoke_agent"
        reading.events = _agent_events(record, attributes)
    elif operation == "execute_tool":
        reading.operation = "execute_tool"
        reading.events = _tool_events(record)
    elif operation is not None:
        reading.operation = "step"
    elif not TOOL_DETAILS.isdisjoint(attributes) and reading.who.tool_name is not None:
        # Of an emitter that gives its tools' spans the names and no operation.
        reading.operation = "execute_tool"
        reading.events = _tool_events(record)
        for event in reading.events:
            event.basis = "inferred"
    return reading


def _read_once(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a model call, messages decoded; a system prompt among them stands where it belongs."""
    given = messages.messages(attributes.get("gen_ai.input.messages"))
    read = {**attributes, "gen_ai.input.messages": given}
    if "gen_ai.system_instructions" not in attributes:
        read["gen_ai.system_instructions"] = messages.system_text(given)
    return read


def who(attributes: dict[str, Any]) -> Who:
    """Identity by the standard names."""
    definitions = attributes.get("gen_ai.tool.definitions")
    names = None if definitions is None else messages.tool_names(definitions)
    return Who(
        run_key=attributes.get("aftertrace.run.id"),
        conversation_id=attributes.get("gen_ai.conversation.id")
        or attributes.get("session.id")
        or associated_conversation(attributes),
        turn_id=attributes.get("gcp.vertex.agent.invocation_id") or attributes.get("gen_ai.agent.call.id"),
        agent_name=attributes.get("gen_ai.agent.name") or attributes.get("agent_name"),
        agent_id=attributes.get("gen_ai.agent.id"),
        agent_version=attributes.get("gen_ai.agent.version"),
        model=_named(attributes.get("gen_ai.request.model")),
        model_served=_named(attributes.get("gen_ai.response.model")),
        user_id=next(filter(None, map(attributes.get, _PRINCIPALS)), None) or associated(attributes, "user_id"),
        tool_name=_real_tool(attributes.get("gen_ai.tool.name")),
        call_id=_specified(attributes.get("gen_ai.tool.call.id") or attributes.get("gen_ai.tool.call_id")),
        input_tokens=attributes.get("gen_ai.usage.input_tokens", attributes.get("gen_ai.usage.prompt_tokens")),
        output_tokens=attributes.get("gen_ai.usage.output_tokens", attributes.get("gen_ai.usage.completion_tokens")),
        cost_usd=attributes.get("gen_ai.usage.cost.amount", attributes.get("operation.cost")),
        system_prompt_digest=messages.instructions_digest(attributes.get("gen_ai.system_instructions")),
        tool_names=names,
        tools_digest=messages.repeated_digest(definitions) if names is not None else None,
    )


def model_call_events(attributes: dict[str, Any], start_ns: int, end_ns: int) -> list[Event]:
    """What one model call states: the answers it was given, what the user asked, what it proposed."""
    given, made = attributes.get("gen_ai.input.messages"), attributes.get("gen_ai.output.messages")
    found = _at(start_ns, [*messages.answers(given), *text_calls.feedback(given)])
    asked = messages.asks_without_ids(given)
    found += [
        Event(event="approval.requested", time_ns=start_ns, position=index, rule="ask_without_id")
        for index in range(asked)
    ]
    system = messages.instructions_text(attributes.get("gen_ai.system_instructions"))
    if system is not None and messages.opens_conversation(given):
        found.append(Event(event="input.resolved", state="system_prompt", time_ns=start_ns, content=system))
    text = messages.user_text(given, last_only=True)
    if text is not None:
        found.append(Event(event="input.resolved", state="user_prompt", time_ns=start_ns, content=text))
    proposed = _at(end_ns or start_ns, messages.proposals(made))
    kinds = _tool_kinds(attributes.get("model_request_parameters"))
    for event in proposed:
        told = _OF_KIND.get(kinds.get(event.tool_name or "", ""))
        if told is not None:
            event.attributes[told] = True
    return found + proposed


def _agent_events(span: Span, attributes: dict[str, Any]) -> list[Event]:
    given = messages.messages(attributes.get("gen_ai.input.messages"))
    made = messages.messages(attributes.get("gen_ai.output.messages"))
    found = _at(span.start_ns, messages.approvals(given))
    text = messages.user_text(given)
    if text is not None:
        found.append(Event(event="input.resolved", state="user_prompt", time_ns=span.start_ns, content=text))
    echoed = [event for event in messages.proposals(made, state="echoed") if event.call_id]
    if span.origin.scope_name == _AI_SDK and _finished(attributes) == "tool-calls":
        for event in echoed:
            event.attributes["handed_back"] = True
    answered = [event for event in messages.answers(made) if event.call_id and event.state != "echoed"]
    history = [event for event in messages.answers(attributes.get("pydantic_ai.all_messages")) if event.call_id]
    asked = [*messages.approvals(made), *_deferred_approvals(attributes.get("final_result"))]
    return found + _at(span.end_ns or span.start_ns, [*echoed, *answered, *history, *asked])


def _deferred_approvals(final_result: Any) -> list[Event]:
    result = messages.load(final_result)
    listed = result.get("approvals") if isinstance(result, dict) else None
    if not isinstance(listed, list):
        return []
    return [
        Event(
            event="approval.requested",
            tool_name=item.get("tool_name"),
            call_id=item.get("tool_call_id"),
            arguments=messages.load(item.get("args")),
            rule="deferred_result",
        )
        for item in listed
        if isinstance(item, dict)
    ]


def _tool_events(span: Span) -> list[Event]:
    attributes = span.attributes
    if attributes.get("gen_ai.tool.name") in _PSEUDO_TOOLS:
        return []
    result = _first(attributes, "gen_ai.tool.call.result", "tool_response", "gcp.vertex.agent.tool_response")
    event = Event(
        event="tool.called",
        state="completed",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        arguments=messages.load(
            _first(attributes, "gen_ai.tool.call.arguments", "tool_arguments", "gcp.vertex.agent.tool_call_args")
        ),
        content=result,
    )
    deferral = attributes.get("pydantic_ai.tool.deferral.name")
    if deferral == "ApprovalRequired" or is_interrupted(span):
        event.event, event.state, event.rule = "approval.requested", None, "deferral"
        event.reason = _reason(attributes.get("pydantic_ai.tool.deferral.metadata"))
    elif deferral is not None:
        event.state, event.rule = "entered", "deferral"
        event.attributes["handed_back"] = True
    elif attributes.get("pydantic_ai.tool.failure_stage") == "validation":
        event.state, event.rule = "invalid_arguments", "validation_stage"
    elif not span.end_ns:
        event.state = "started"
    elif _is_cut_off(span, result):
        event.state, event.decided_by, event.rule = "cancelled", "human_or_program", "cut_off"
        event.basis = "inferred"
    else:
        judge(event, span, result)
    return [event]


def _is_cut_off(span: Span, result: Any) -> bool:
    """Whether AI SDK 7 ended a tool's span because a stream was aborted, and not because the tool had ended."""
    return (
        span.origin.scope_name == _AI_SDK
        and span.status != _ERROR
        and result is None
        and "gen_ai.tool.type" in span.attributes
        and _FINISHED not in span.attributes
    )


def is_aborted(kind: str | None, told: str | None) -> bool:
    """Whether an error is what JavaScript throws where an `AbortSignal` says stop, by hand or when its time is up."""
    return kind == "AbortError" or (kind == "TimeoutError" and (told or "").startswith("The operation was aborted"))


def judge(event: Event, span: Span, result: Any) -> None:
    """Settle what the span of a tool says: by its status, its error, and the wording of its result."""
    loaded = messages.load(result)
    failed = span.status == _ERROR
    error_type = str(span.attributes.get("error.type") or "")
    spoken = messages.response_text(loaded) if failed or _is_error(loaded) else None
    text = span.status_message or _exception(span, "exception.message") or spoken
    event.reason = text if failed else None
    if failed:
        event.state = "failed"
        kind = _exception(span, "exception.type") or error_type
        if error_type in ("401", "403"):
            event.state, event.decided_by, event.rule = "refused", "target", "target_status"
            return
        if error_type in ("denied", "permission_denied"):
            event.state, event.decided_by, event.rule = "refused", "policy", "error_type"
            return
        if error_type == "tool_not_found":
            event.state, event.rule = "unknown_tool", "error_type"
            return
        if kind.endswith("ValidationError"):
            event.state, event.rule = "invalid_arguments", "validation_error"
            return
        if is_aborted(kind, text):
            event.state, event.decided_by, event.rule = "cancelled", "human_or_program", ABORTED_RULE
            return
        if kind.endswith("CancelledError"):
            # Python's word for a task that was cancelled from outside: by a person's stop, or by the program.
            event.state, event.decided_by, event.rule = "cancelled", "human_or_program", "task_cancelled"
            return
    for candidate in dict.fromkeys(filter(None, (spoken, text))):
        before = event.state
        messages.judged(event, candidate)
        if event.rule is not None:
            if event.state == before and event.event == "tool.called":
                event.basis = "explicit"
            return


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"error"}


def _read_log(log: Log) -> Reading | None:
    name = log.event_name or log.attributes.get("event.name")
    if not isinstance(name, str) or not name.startswith("gen_ai."):
        return None
    # Semantic Kernel's loggers make a text of the body.
    body = mapping(messages.load(log.body))
    attributes = log.attributes
    if name == "gen_ai.client.inference.operation.details":
        attributes = _read_once({**body, **attributes})
    reading = Reading(dialect=NAME, who=who(attributes))
    if name == "gen_ai.client.inference.operation.details":
        reading.events = model_call_events(attributes, log.time_ns, log.time_ns)
    elif name == "gen_ai.tool.message":
        call_id = body.get("id") or body.get("tool_call_id")
        part = {"id": call_id, "response": body.get("content"), "name": body.get("name")}
        reading.events = _at(log.time_ns, [messages.answer(part, None)] if call_id else [])
    elif name == "gen_ai.choice":
        message = body.get("message")
        reading.events = _at(log.time_ns, messages.function_calls(message if isinstance(message, dict) else body))
    return reading


def _tool_kinds(parameters: Any) -> dict[str, str]:
    """The kind of each tool by its name, as Pydantic AI lists them beside the tool definitions."""
    loaded = messages.load(parameters)
    found: dict[str, str] = {}
    for key in ("function_tools", "output_tools") if isinstance(loaded, dict) else ():
        listed = loaded.get(key)
        for tool in listed if isinstance(listed, list) else []:
            if isinstance(tool, dict) and isinstance(tool.get("kind"), str):
                found[str(tool.get("name"))] = tool["kind"]
    return found


def is_interrupted(span: Span) -> bool:
    """Whether a tool's span ended because an approval was wanted."""
    return str(_exception(span, "exception.type") or "").endswith(("GraphInterrupt", "ApprovalRequired"))


def _exception(span: Span, key: str) -> str | None:
    for event in span.events:
        if event.name == "exception" and isinstance(event.attributes.get(key), str) and event.attributes[key]:
            return str(event.attributes[key])
    return None


def _reason(metadata: Any) -> str | None:
    loaded = messages.load(metadata)
    reason = loaded.get("reason") if isinstance(loaded, dict) else None
    return reason if isinstance(reason, str) else None


def _first(attributes: dict[str, Any], *keys: str) -> Any:
    return next((attributes[key] for key in keys if attributes.get(key) is not None), None)


def _finished(attributes: dict[str, Any]) -> Any:
    reasons = attributes.get("gen_ai.response.finish_reasons")
    return reasons[-1] if isinstance(reasons, list) and reasons else None


def _named(model: Any) -> Any:
    """A model's name; OpenLLMetry writes `unknown` where it has none."""
    return None if model == "unknown" else model


def _specified(call_id: Any) -> Any:
    """A call's id; ADK writes `<not specified>` where the model gave none."""
    return None if call_id == "<not specified>" else call_id


def _real_tool(name: Any) -> Any:
    return None if name in _PSEUDO_TOOLS else name


def _at(time_ns: int, events: list[Event]) -> list[Event]:
    for event in events:
        event.time_ns = time_ns
    return events
