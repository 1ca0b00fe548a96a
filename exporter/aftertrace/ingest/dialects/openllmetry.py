"""OpenLLMetry (Traceloop): its new form by the GenAI conventions, and the flattened one before it.

Source: the `traceloop.*` attributes and what its instrumentations of LangChain and of the OpenAI Agents SDK were seen
to send (0.62); the flattened form `gen_ai.prompt.N.*`, `gen_ai.completion.N.*` is that of 0.3x and 0.4x.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, handoffs, langgraph, message_forms, messages, openllmetry_messages
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import associated, has_prefix, mapping, text
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "openllmetry"
READS: Final = (
    ("span chat: gen_ai.input.messages, gen_ai.output.messages", "as in dialect genai"),
    ("span chat: gen_ai.prompt.N, gen_ai.completion.N (flattened)", "tool.called answered, refused …, action.proposed"),
    ("span openai.response: ids of calls in gen_ai.input.messages, and fc_... wherever they are",
     "item ids, of no call: action.proposed without an id"),
    ("span tool: status, traceloop.entity.input, traceloop.entity.output, gen_ai.tool.call.*",
     "tool.called completed, failed …"),
    ("span tool of the OpenAI Agents SDK without gen_ai.tool.call.result", "tool.called entered: it may only wait"),
    ("span task tools (LangGraph): traceloop.entity.input", "tool.called entered, answered"),
    ("span task: exception GraphInterrupt, action_requests", "approval.requested, one per action"),
    ("span workflow: traceloop.entity.input resume.decisions",
     "approval.granted, approval.rejected, approval.modified by position"),
    ("span handoff: gen_ai.handoff.to_agent", "tool.called completed of transfer_to_*"),
    ("span: gen_ai.conversation.id, traceloop.association.properties.thread_id, session_id", "conversation_id"),
    ("span: gen_ai.tool.definitions, llm.request.functions.N.name, crewai.agent.tools", "tool_names"),
)  # fmt: skip

_AGENTS_SDK: Final = "opentelemetry.instrumentation.openai_agents"
"""Scope of the instrumentation of the OpenAI Agents SDK."""
_AGENTS_SDK_CHAT: Final = "openai.response"
"""Name of its model calls: the one kind of its spans that carries no attribute of Traceloop's."""
_TRACED: Final = ("traceloop.",)
"""Attributes that Traceloop's SDK puts on every span of a program, also on those of other instrumentations."""
_SCOPES: Final = ("opentelemetry.instrumentation.", "traceloop.", "@traceloop/")
_KIND: Final = "traceloop.span.kind"
_OWN: Final = (_KIND, "llm.request.type", "gen_ai.prompt.0.role", "gen_ai.completion.0.role")
"""Attributes that its instrumentations alone write, on a decorated function or a flattened model call."""
_OPERATIONS: Final = {"workflow": "invoke_agent", "agent": "invoke_agent", "tool": "execute_tool"}


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.is_span and (
        outline.has_any(*_OWN)
        or outline.scope == _AGENTS_SDK
        or (outline.scope.startswith(_SCOPES) and any(map(outline.has_prefix, _TRACED)))
    )


def read(record: Record) -> Reading | None:
    """Read a span of Traceloop's instrumentations, or a flattened model call."""
    if isinstance(record, Log):
        return None
    attributes = record.attributes
    agents_sdk = record.origin.scope_name == _AGENTS_SDK
    model_call = agents_sdk and record.name == _AGENTS_SDK_CHAT
    is_own = model_call or not attributes.keys().isdisjoint(_OWN)
    if not is_own and not (record.origin.scope_name.startswith(_SCOPES) and has_prefix(attributes, _TRACED)):
        return None
    kind = attributes.get(_KIND)
    reading = Reading(dialect=NAME, who=_who(attributes, kind), operation=_OPERATIONS.get(str(kind), "step"))
    if kind == "tool" or attributes.get("gen_ai.operation.name") == "execute_tool":
        reading.operation = "execute_tool"
        reading.events = [_tool(record, reading.who, agents_sdk=agents_sdk)]
    elif kind is None and (model_call or _is_chat(attributes)):
        reading.operation = "chat"
        reading.events = _model_call(record, reading.who, agents_sdk=agents_sdk)
    elif kind == "handoff":
        reading.events = handoffs.events(record, text(attributes.get("gen_ai.handoff.to_agent")))
    elif kind is not None:
        reading.events = langgraph.step_events(
            record,
            attributes.get("traceloop.entity.input"),
            attributes.get("traceloop.entity.output"),
            associated(attributes, "langgraph_node") or attributes.get("traceloop.entity.name"),
        )
    return reading


def _who(attributes: dict[str, Any], kind: Any) -> Who:
    who = genai.who(attributes)
    entity = attributes.get("traceloop.entity.name")
    who.agent_name = (
        who.agent_name
        or text(associated(attributes, "lc_agent_name"))
        or (text(entity) if kind in ("workflow", "agent") else None)
    )
    who.agent_id = None  # LangChain's run id stands there: another one for each run
    if kind == "agent" and who.tool_names is None:
        who.tool_names = messages.tool_names(attributes.get("crewai.agent.tools"))
        who.tools_digest = messages.value_digest(who.tool_names)
    if kind == "tool":
        who.tool_name = who.tool_name or text(entity)
    return who


def _is_chat(attributes: dict[str, Any]) -> bool:
    if attributes.get("gen_ai.operation.name", attributes.get("llm.request.type")) in ("chat", "completion"):
        return True
    return "gen_ai.prompt.0.role" in attributes or "gen_ai.completion.0.role" in attributes


def _model_call(span: Span, who: Who, *, agents_sdk: bool) -> list[Event]:
    attributes = span.attributes
    given, made = attributes.get("gen_ai.input.messages"), attributes.get("gen_ai.output.messages")
    if given is None and made is None:
        given, made = openllmetry_messages.unflattened(attributes)
    else:
        given = messages.messages(given)
        if agents_sdk:
            given = openllmetry_messages.without_item_ids(given)
    if who.tool_names is None:
        who.tool_names = openllmetry_messages.function_names(attributes)
        who.tools_digest = messages.value_digest(who.tool_names)
    told = attributes.get("gen_ai.system_instructions")
    system = messages.instructions_text(told) or message_forms.instructions([
        {"role": message.get("role"), "parts": messages.parts(message)} for message in given[:1]
    ])  # fmt: skip
    who.system_prompt_digest = who.system_prompt_digest or messages.instructions_digest(system)
    read = {"gen_ai.input.messages": given, "gen_ai.output.messages": made, "gen_ai.system_instructions": system}
    found = genai.model_call_events(read, span.start_ns, span.end_ns)
    for event in found:
        if event.event == "action.proposed" and (event.call_id or "").startswith(openllmetry_messages.ITEM):
            event.call_id, event.rule = None, openllmetry_messages.ITEM_ID
        elif agents_sdk and event.state == "echoed" and event.call_id is None:
            event.rule = openllmetry_messages.ITEM_ID
    return found


def _tool(span: Span, who: Who, *, agents_sdk: bool) -> Event:
    attributes = span.attributes
    given = mapping(
        messages.load(attributes.get("traceloop.entity.input", attributes.get("gen_ai.tool.call.arguments")))
    )
    output = messages.load(attributes.get("traceloop.entity.output", attributes.get("gen_ai.tool.call.result")))
    result = output.get("output") if isinstance(output, dict) and {"output", "kwargs"} <= output.keys() else output
    answer = message_forms.plain_fields(result)
    is_message = answer.get("type") == "tool"
    who.call_id = who.call_id or text(mapping(given.get("kwargs")).get("tool_call_id"))
    if is_message:
        who.call_id = who.call_id or text(answer.get("tool_call_id"))
        result = answer.get("content")
    event = Event(
        event="tool.called",
        state="completed",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        arguments=_arguments(given),
        content=result,
    )
    if genai.is_interrupted(span):
        event.event, event.state, event.rule = "approval.requested", None, "graph_interrupt"
    elif not span.end_ns:
        event.state = "started"
    elif agents_sdk and result is None and span.status != 2:
        # A call that waits for an approval and one that returned None look alike here.
        event.state, event.rule = "entered", "no_content" if event.arguments is None else "null_output"
    elif is_message and answer.get("status") == "error":
        event.state = "failed"
        messages.judged(event, messages.response_text(result))
    else:
        genai.judge(event, span, result)
    return event


def _arguments(given: dict[str, Any]) -> Any:
    """Arguments out of LangChain's callback (`inputs`), of a decorated function (`args`, `kwargs`), or as they are."""
    if isinstance(given.get("inputs"), dict):
        return given["inputs"]
    if given.keys() == {"args", "kwargs"}:
        return given["kwargs"] if given["kwargs"] or not given["args"] else given
    return None if "input_str" in given else given or None
