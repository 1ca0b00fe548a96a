"""Google ADK: model calls of its first schema, and in both what its tool spans say of calls that did not run.

Under the first schema (`ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN=1`, and every version before 2.13) what the model was given
and made lies in a `call_llm` span, in the form of the Gemini API and under names of its own. A second span for the same
model call, `generate_content`, comes with some versions and holds no content; both tell the tokens. All other
spans, and those of the second schema, follow the GenAI conventions and are read there.

A tool's span is no proof that it ran. Its result may be a callback's, which ADK tells with its experimental telemetry
alone; what ADK itself answers in the tool's place, it says in fixed words.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, messages
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping
from aftertrace.ingest.records import Record, Span

NAME: Final = "google-adk"
READS: Final = (
    ("span call_llm: gcp.vertex.agent.llm_response function_call", "action.proposed"),
    ("span call_llm: gcp.vertex.agent.llm_request function_response", "tool.called answered, refused …"),
    ("span call_llm: gcp.vertex.agent.llm_request system_instruction, tools", "system_prompt_digest, tool_names"),
    ("span call_llm: gcp.vertex.agent.session_id, invocation_id", "conversation_id, turn_id"),
    ("span call_llm: gen_ai.usage.*", "model.called"),
    ("span execute_tool", "as the dialect genai"),
    ("span execute_tool: adk.experimental.response.source", "tool.called refused, failed: a callback answered"),
    ("span execute_tool: gen_ai.tool.type", "tool.called unknown_tool: there is no such tool"),
)

_SCOPE: Final = "gcp.vertex.agent"
_REQUEST: Final = "gcp.vertex.agent.llm_request"
_RESPONSE: Final = "gcp.vertex.agent.llm_response"
_SOURCE: Final = "adk.experimental.response.source"
_NO_TOOL: Final = "BaseTool"
"""The type that stands for a tool that does not exist."""
_OWN_WORDS: Final = "text:adk_"
_ROLES: Final = {"model": "assistant"}


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == _SCOPE and outline.is_span


def read(record: Record) -> Reading | None:
    """Read a `call_llm` span, or that of a tool; the first schema's tool spans carry the names of the former, empty."""
    if record.origin.scope_name != _SCOPE or not isinstance(record, Span):
        return None
    if record.attributes.get("gen_ai.operation.name") == "execute_tool":
        return _tool(record)
    return _model_call(record) if record.name == "call_llm" else None


def _tool(record: Span) -> Reading | None:
    reading = genai.read(record)
    if reading is not None:
        reading.dialect = NAME
        for event in reading.events:
            _settle(event, record.attributes)
    return reading


def _settle(event: Event, attributes: dict[str, Any]) -> None:
    """What a tool's span says besides its status: whose answer its result is, and whether there is such a tool."""
    source = attributes.get(_SOURCE)
    if source == "before_tool_callback":
        # What ADK marks as no error may be a refusal in words of its own, or a result that was kept from before.
        event.basis = "explicit" if event.state == "failed" or event.event != "tool.called" else "inferred"
        event.event, event.state, event.rule = "tool.called", "refused", "response_source"
        event.decided_by = "hook"
        event.reason = messages.response_text(messages.load(event.content))
    elif attributes.get("gen_ai.tool.type") == _NO_TOOL and event.state == "failed":
        event.state, event.basis, event.rule = "unknown_tool", "explicit", "no_tool"
    elif source == "on_tool_error_callback" and event.state == "completed":
        event.state, event.rule = "failed", "response_source"
    elif event.rule is not None and event.rule.startswith(_OWN_WORDS) and event.event == "tool.called":
        # In its own span the fixed words are the framework's, and not a tool's.
        event.basis = "explicit"


def _model_call(record: Span) -> Reading:
    request = mapping(messages.load(record.attributes.get(_REQUEST)))
    response = mapping(messages.load(record.attributes.get(_RESPONSE)))
    attributes = {**_standard(request, response), **record.attributes}
    who = genai.who(attributes)
    who.conversation_id = who.conversation_id or attributes.get("gcp.vertex.agent.session_id")
    called = Event(event="model.called", time_ns=record.start_ns, end_ns=record.end_ns or None)
    found = genai.model_call_events(attributes, record.start_ns, record.end_ns)
    return Reading(dialect=NAME, who=who, operation="step", events=[called, *found])


def _standard(request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    config = mapping(request.get("config"))
    contents = request.get("contents")
    given = [_message(item) for item in contents if isinstance(item, dict)] if isinstance(contents, list) else []
    told = {
        "gen_ai.input.messages": given or None,
        "gen_ai.output.messages": [_message(response["content"])]
        if isinstance(response.get("content"), dict)
        else None,
        "gen_ai.system_instructions": config.get("system_instruction"),
        "gen_ai.tool.definitions": _declared(config.get("tools")),
        "gen_ai.response.model": response.get("model_version"),
    }
    return {key: value for key, value in told.items() if value is not None}


def _declared(tools: Any) -> list[Any] | None:
    """The functions that the model could call; None where none are told of, which is unknown and not empty."""
    if not isinstance(tools, list):
        return None
    listed = [tool.get("function_declarations") for tool in tools if isinstance(tool, dict)]
    return [function for functions in listed if isinstance(functions, list) for function in functions]


def _message(content: dict[str, Any]) -> dict[str, Any]:
    listed = content.get("parts")
    parts = [_part(part) for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    role = content.get("role")
    return {"role": _ROLES.get(role, role) if isinstance(role, str) else "user", "parts": parts}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    called, answered = part.get("function_call"), part.get("function_response")
    if isinstance(called, dict):
        return {
            "type": "tool_call",
            "id": called.get("id"),
            "name": called.get("name"),
            "arguments": called.get("args"),
        }
    if isinstance(answered, dict):
        return {
            "type": "tool_call_response",
            "id": answered.get("id"),
            "name": answered.get("name"),
            "response": answered.get("response"),
        }
    return {"type": "text", "content": part.get("text")}
