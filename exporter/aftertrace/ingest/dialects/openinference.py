"""OpenInference (Arize), flattened attributes: LangChain and LangGraph, OpenAI Agents, smolagents and others.

Source: the OpenInference semantic conventions (`openinference.span.kind`, `llm.input_messages.N.message.*` …), and what
the LangChain and OpenAI Agents instrumentations were seen to send. Tool spans carry no call id; LangGraph's `tools`
node above them does, and the result inside `output.value`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import handoffs, interrupts, langgraph, messages, smolagents, text_calls
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import associated_conversation, mapping
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "openinference"
READS: Final = (
    ("span LLM: llm.output_messages.N.message.tool_calls.M", "action.proposed"),
    ("span LLM: llm.input_messages.N (role tool)", "tool.called answered, refused, unknown_tool …"),
    ("span TOOL: status, tool.name, input.value, output.value", "tool.called completed, failed, entered"),
    (
        "span CHAIN tools (LangGraph): input.value",
        "tool.called entered, with the call id its TOOL child lacks",
    ),
    ("span CHAIN: exception GraphInterrupt, action_requests", "approval.requested, one per action"),
    (
        "span CHAIN: input.value resume.decisions",
        "approval.granted, approval.rejected, approval.modified by position",
    ),
    (
        "span CHAIN Step N (smolagents): event agent.step_recovery, exception",
        "tool.called unknown_tool, invalid_arguments, refused",
    ),
    ("span AGENT (smolagents) in a step", "tool.called completed: the call of a managed agent"),
    ("span LLM (smolagents): llm.input_messages.N (role tool-call, tool-response)", "tool.called answered"),
    ("span CHAIN turn (OpenAI Agents): status message Tool not found", "tool.called unknown_tool"),
    ("span AGENT: smolagents.tools_names", "tool_names"),
    ("span GUARDRAIL", "policy.evaluated unknown: whether it tripped is not exported"),
    ("span: session.id, metadata.thread_id", "conversation_id"),
    ("span: llm.tools.N.tool.json_schema", "tool_names"),
    ("span: llm.model_name, output.value response_metadata.model_name", "model, model_served"),
)

_PYDANTIC_AI: Final = "pydantic-ai"
_FLAT: Final = re.compile(r"llm\.(input|output)_messages\.(\d{1,6})\.message\.(.+)")
_CALL: Final = re.compile(r"tool_calls\.(\d{1,6})\.tool_call\.(id|function\.name|function\.arguments)")
_TEXT: Final = re.compile(r"contents\.(\d{1,6})\.message_content\.text")
_TOOL: Final = re.compile(r"llm\.tools\.(\d{1,6})\.tool\.json_schema")
_NO_WORKBENCH: Final = re.compile(r"Error: tool '[^'\n]{1,200}' not found in any workbench")
_SIGNATURE: Final = re.compile(
    r"([\w.<>]{1,200})\(\) (?:got an unexpected keyword|got multiple values for|missing \d+ required|takes )"
)
_BODY: Final = "forward"
"""What the body of a tool of smolagents that is a class is called."""
_DSPY_CALL: Final = ".__call__"
"""DSPy has its tools' names in those of their spans alone."""
_AGENTS_SDK: Final = "openai_agents"
"""In the scope of the instrumentation of the OpenAI Agents SDK."""
_TOOL_NOT_FOUND: Final = re.compile(r"Tool not found: \{'tool_name': '([^'\n]{1,200})'")
"""What the OpenAI Agents SDK writes on the turn in which it looked for the tool."""
EXPORT: Final = "aftertrace.import.phoenix"
"""Scope of spans that `aftertrace import` makes of what Phoenix exports, which does not keep the instrumentation's."""
_HANDOFF: Final = re.compile(r"handoff to (.{1,200})")


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.is_span and outline.has_any("openinference.span.kind")


def read(record: Record) -> Reading | None:
    """Read a span that carries `openinference.span.kind`."""
    if isinstance(record, Log):
        return None
    kind = record.attributes.get("openinference.span.kind")
    if not isinstance(kind, str):
        return None
    if record.origin.scope_name == _PYDANTIC_AI and "gen_ai.operation.name" in record.attributes:
        # Its own span, to which a span processor added names of OpenInference: only its own tell of an approval.
        return None
    metadata = messages.load(record.attributes.get("metadata"))
    metadata = metadata if isinstance(metadata, dict) else {}
    reading = Reading(dialect=NAME, who=_who(record, metadata))
    match kind.upper():
        case "LLM":
            reading.operation = "chat"
            reading.events = _model_call(record, reading.who)
        case "TOOL":
            reading.operation = "execute_tool"
            reading.events = _tool(record)
        case "GUARDRAIL":
            reading.operation = "guardrail"
            reading.events = [_guardrail(record)]
        case _:
            outermost = kind.upper() == "AGENT" or record.parent_span_id is None
            reading.operation = "invoke_agent" if outermost else "step"
            reading.events = _chain(record, metadata)
    return reading


def _who(span: Span, metadata: dict[str, Any]) -> Who:
    attributes = span.attributes
    # The root of the OpenAI Agents SDK is named after the workflow, which is no agent.
    is_workflow = _is_agents_sdk(span)
    root = span.parent_span_id is None and attributes.get("openinference.span.kind") == "AGENT" and not is_workflow
    return Who(
        run_key=attributes.get("aftertrace.run.id"),
        conversation_id=attributes.get("session.id")
        or metadata.get("thread_id")
        or associated_conversation(attributes),
        agent_name=metadata.get("lc_agent_name")
        or attributes.get("agent.name")
        or attributes.get("graph.node.id")
        or (span.name if root and "session.id" not in attributes and not metadata else None),
        model=attributes.get("llm.request.model_name") or attributes.get("llm.model_name"),
        model_served=attributes.get("llm.response.model_name"),
        user_id=attributes.get("user.id") or metadata.get("user_id"),
        tool_name=attributes.get("tool.name"),
        call_id=attributes.get("tool_call.id") or attributes.get("tool.id"),
        input_tokens=attributes.get("llm.token_count.prompt"),
        output_tokens=attributes.get("llm.token_count.completion"),
        cost_usd=attributes.get("llm.cost.total"),
        tool_names=messages.tool_names(attributes["smolagents.tools_names"])
        if "smolagents.tools_names" in attributes
        else None,
    )


def _model_call(span: Span, who: Who) -> list[Event]:
    given, made = _unflatten(span.attributes)
    if smolagents.SCOPE in span.origin.scope_name:
        given = smolagents.messages(given)
    system = next((m for m in given if m["role"] in ("system", "developer")), None)
    prompt = "\n".join(str(part.get("content", "")) for part in system["parts"]) if system is not None else None
    who.system_prompt_digest = messages.instructions_digest(prompt)
    schemas = [messages.load(value) for key, value in sorted(span.attributes.items()) if _TOOL.fullmatch(key)]
    if schemas:
        who.tool_names, who.tools_digest = messages.tool_names(schemas), messages.value_digest(schemas)
    who.model_served = who.model_served or _served(span.attributes.get("output.value"))
    found = [*messages.answers(given), *text_calls.feedback(given)]
    if prompt is not None and messages.opens_conversation(given):
        found.append(Event(event="input.resolved", state="system_prompt", content=prompt))
    text = messages.user_text(given, last_only=True)
    if text is not None:
        found.append(Event(event="input.resolved", state="user_prompt", content=text))
    for event in found:
        event.time_ns = span.start_ns
    proposed = messages.proposals(made)
    for event in proposed:
        event.time_ns = span.end_ns or span.start_ns
    return found + proposed


def _unflatten(attributes: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The flattened messages as GenAI messages, input and output."""
    fields: dict[str, dict[int, dict[str, Any]]] = {"input": {}, "output": {}}
    for key, value in attributes.items():
        match = _FLAT.fullmatch(key)
        if match is not None:
            fields[match[1]].setdefault(int(match[2]), {})[match[3]] = value
    return (
        [_message(fields["input"][index]) for index in sorted(fields["input"])],
        [_message(fields["output"][index]) for index in sorted(fields["output"])],
    )


def _message(flat: dict[str, Any]) -> dict[str, Any]:
    role = flat.get("role")
    text = flat.get("content")
    if text is None:
        texts = sorted((int(m[1]), value) for key, value in flat.items() if (m := _TEXT.fullmatch(key)))
        text = "\n".join(str(value) for _, value in texts) if texts else None
    if role == "tool":
        part = {
            "type": "tool_call_response",
            "id": flat.get("tool_call_id"),
            "name": flat.get("name"),
            "response": text,
        }
        return {"role": role, "parts": [part]}
    parts: list[dict[str, Any]] = [] if text is None else [{"type": "text", "content": text}]
    calls: dict[int, dict[str, Any]] = {}
    for key, value in flat.items():
        match = _CALL.fullmatch(key)
        if match is not None:
            calls.setdefault(int(match[1]), {})[match[2]] = value
    for index in sorted(calls):
        call = calls[index]
        parts.append(
            {
                "type": "tool_call",
                "id": call.get("id"),
                "name": call.get("function.name"),
                "arguments": call.get("function.arguments", {}),
            }
        )
    return {"role": role, "parts": parts}


def _tool(span: Span) -> list[Event]:
    attributes = span.attributes
    handoff = _HANDOFF.fullmatch(span.name) if "tool.name" not in attributes else None
    name = handoffs.tool(handoff[1]) if handoff else attributes.get("tool.name")
    output = messages.load(attributes.get("output.value"))
    data = mapping(output.get("data")) if isinstance(output, dict) else {}
    given = messages.load(attributes.get("input.value"))
    event = Event(
        event="tool.called",
        state="completed",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        tool_name=name if isinstance(name, str) else span.name.removesuffix(_DSPY_CALL),
        call_id=data.get("tool_call_id") if isinstance(data.get("tool_call_id"), str) else None,
        arguments=_arguments(given, span) if isinstance(given, dict) and not handoff else None,
        content=data.get("content", output),
        attributes={handoffs.TO_AGENT: handoff[1]} if handoff else {},
    )
    if (interrupt := _interrupt(span)) is not None:
        # A tool that stopped to ask has the status of one that ran.
        event.event, event.state, event.rule = "approval.requested", None, "graph_interrupt"
        event.group, event.position = interrupts.group_of(str(interrupt.get("exception.message", ""))), 0
    elif span.status == 2:
        _failed(event, span)
    elif not span.end_ns:
        event.state = "started"
    elif output is None and _is_agents_sdk(span):
        # A call that waits for an approval and one that returned None look alike here.
        event.state, event.rule = "entered", "null_output"
    elif isinstance(output, str) and "autogen" in span.origin.scope_name:
        # AutoGen's workbench answers for a tool that it does not hold, as if it had run.
        _outside_workbench(event, output)
    elif data.get("status") == "error":
        event.state = "failed"
        messages.judged(event, messages.response_text(data.get("content")))
    return [event]


def _outside_workbench(event: Event, output: str) -> None:
    if _NO_WORKBENCH.fullmatch(output):
        event.state, event.rule, event.reason = "unknown_tool", "autogen_workbench", output


def _arguments(given: dict[str, Any], span: Span) -> dict[str, Any] | None:
    """The arguments of a tool; smolagents and DSPy tell of the call of its wrapper, which holds them."""
    if "sanitize_inputs_outputs" not in given and not span.name.endswith(_DSPY_CALL):
        return given
    inner = given.get("kwargs")
    return inner if isinstance(inner, dict) and not given.get("args") else None


def _unknown_tool(span: Span) -> list[Event]:
    """A tool that does not exist has no span; the turn of the OpenAI Agents SDK in which it was looked for tells."""
    match = _TOOL_NOT_FOUND.search(span.status_message) if _AGENTS_SDK in span.origin.scope_name else None
    if match is None:
        return []
    return [
        Event(
            event="tool.called",
            state="unknown_tool",
            time_ns=span.end_ns or span.start_ns,
            tool_name=match[1],
            reason=span.status_message,
            rule="openai_turn",
            # The model may be told as well, with the call's id: then this is of the same call.
            position=0,
        )
    ]


def _interrupt(span: Span) -> dict[str, Any] | None:
    """The exception by which a tool stopped to ask, whatever it had raised and caught before."""
    told = (item.attributes for item in span.events)
    return next((item for item in told if str(item.get("exception.type")).endswith("GraphInterrupt")), None)


def _failed(event: Event, span: Span) -> None:
    event.state = "failed"
    exception = next((item.attributes for item in span.events if item.name == "exception"), {})
    kind, text = str(exception.get("exception.type", "")), str(exception.get("exception.message", ""))
    event.reason = text or span.status_message or None
    if kind.endswith("ValidationError") or (kind == "TypeError" and _is_of_signature(text, event.tool_name)):
        event.state, event.rule = "invalid_arguments", "validation_error"
        return
    messages.judged(event, event.reason)


def _is_of_signature(text: str, tool_name: str | None) -> bool:
    """Whether Python says that the tool's own function takes no such arguments: then its body never ran."""
    match = _SIGNATURE.match(text)
    return match is not None and match[1].rpartition(".")[2] in (tool_name, _BODY)


def _guardrail(span: Span) -> Event:
    return Event(
        event="policy.evaluated",
        state="unknown",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        decided_by="guardrail",
        decider=span.name,
        rule="guardrail_without_verdict",
    )


def _chain(span: Span, metadata: dict[str, Any]) -> list[Event]:
    attributes = span.attributes
    node = langgraph.TOOLS if span.name == langgraph.TOOLS else metadata.get("langgraph_node")
    steps = langgraph.step_events(span, attributes.get("input.value"), attributes.get("output.value"), node)
    if smolagents.SCOPE in span.origin.scope_name:
        is_run = attributes["openinference.span.kind"].upper() == "AGENT"
        return [*steps, *(smolagents.run_events(span) if is_run else smolagents.step_events(span))]
    return [*steps, *_unknown_tool(span)]


def _served(output: Any) -> str | None:
    loaded = messages.load(output)
    try:
        served = loaded["generations"][0][0]["message"]["kwargs"]["response_metadata"]["model_name"]
    except (KeyError, IndexError, TypeError):
        return None
    return served if isinstance(served, str) else None


def _is_agents_sdk(span: Span) -> bool:
    """Whether a span comes from the OpenAI Agents SDK; an export keeps no scope, and its spans have their own marks."""
    if span.origin.scope_name != EXPORT:
        return _AGENTS_SDK in span.origin.scope_name
    attributes = span.attributes
    if attributes.get("openinference.span.kind") == "TOOL":
        # The title that the SDK gives to the parameters of each function.
        schema = mapping(messages.load(attributes.get("tool.parameters")))
        return schema.get("title") == f"{attributes.get('tool.name')}_args"
    # A workflow has a name and nothing else.
    return attributes.keys() <= {"openinference.span.kind", "metadata", "session.id", "user.id"}
