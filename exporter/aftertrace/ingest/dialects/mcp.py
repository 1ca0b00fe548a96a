"""Model Context Protocol: what clients and servers tell of the requests between them.

Seen from the Python SDK 2.3, which writes a CLIENT span `MCP send tools/call <tool>` and a SERVER span `tools/call
<tool>`, both by default and neither with the model's call id, and from FastMCP 4.1, which writes a CLIENT span of its
own around the SDK's and a SERVER span instead of it. The agent that made the request mostly tells of the same call: the
analyzer leaves these out then. Where an agent carries `mcp.method.name` on its own tool span, that span stays the
agent's.

An answer that tells of an error is an answer to the SDK's client, which does not look into it. FastMCP's server names
the tool on its span as the request reaches it: a request that its middleware answers has a span that names none.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import genai, messages, verdicts
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import Record, Span

NAME: Final = "mcp"
READS: Final = (
    ("span CLIENT, SERVER: mcp.method.name=tools/call, status, error.type", "tool.called completed, failed, refused"),
    ("span CLIENT, SERVER: status message, error.type=NotFoundError", "tool.called unknown_tool, invalid_arguments"),
    ("span SERVER: fastmcp.span.seam without fastmcp.component.key", "tool.called refused, if the client was told so"),
    ("span CLIENT, SERVER: gen_ai.tool.name, else the span's name", "tool_name"),
    ("span CLIENT, SERVER: gen_ai.tool.call.arguments, gen_ai.tool.call.result", "arguments, content"),
    ("span CLIENT, SERVER: mcp.session.id, jsonrpc.request.id", "attributes: request"),
    ("span CLIENT, SERVER: rpc.system=mcp, rpc.method (older FastMCP)", "as mcp.method.name"),
)

SERVER: Final = 2
CLIENT: Final = 3
UNREACHED: Final = "mcp_unreached"
"""Rule of a request that reached its server and no tool. What became of it the other end tells."""
_ERROR: Final = 2
_SDK: Final = "mcp-python-sdk"
_REFUSALS: Final = ("401", "403", "AuthorizationError", "InsufficientScopeError")
"""Types of error by which a server refuses: a status of HTTP, an exception of FastMCP."""
_NAMED: Final = re.compile(r"(?:MCP send )?tools/call (.{1,256})", re.DOTALL)


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.is_span and outline.has_any("mcp.method.name", "rpc.method")


def read(record: Record) -> Reading | None:
    """Read a span of an MCP client or server; that of a gateway with its verdict is left to `gateway`."""
    reading = told(record) if isinstance(record, Span) else None
    return reading if reading is not None and verdicts.stated(record.attributes) is None else None


def told(record: Span) -> Reading | None:
    """What a span says of an MCP request; the tool span of an agent, which has the call's id, is left to others."""
    if record.kind not in (SERVER, CLIENT):
        return None
    attributes = record.attributes
    method = _method(attributes)
    if method is None or "gen_ai.tool.call.id" in attributes:
        return None
    reading = Reading(dialect=NAME, who=genai.who(attributes))
    if method == "tools/call":
        reading.operation = "mcp"
        reading.who.tool_name = text(attributes.get("gen_ai.tool.name")) or _name_in(record.name)
        reading.events = [_called(record)]
    return reading


def request(attributes: dict[str, Any]) -> str | None:
    """What names a request on both ends of a session, and at a gateway between them."""
    session, number = attributes.get("mcp.session.id"), attributes.get("jsonrpc.request.id")
    return f"{session}/{number}" if isinstance(session, str) and isinstance(number, str | int) else None


def _method(attributes: dict[str, Any]) -> str | None:
    older = attributes.get("rpc.method") if attributes.get("rpc.system") == "mcp" else None
    return text(attributes.get("mcp.method.name")) or text(older)


def _name_in(name: str) -> str | None:
    found = _NAMED.fullmatch(name)
    return None if found is None else found[1]


def _called(span: Span) -> Event:
    attributes = span.attributes
    event = Event(
        event="tool.called",
        state="completed" if span.end_ns else "started",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        arguments=messages.load(attributes.get("gen_ai.tool.call.arguments")),
        content=messages.load(attributes.get("gen_ai.tool.call.result")),
        attributes={"side": "server" if span.kind == SERVER else "client"},
    )
    if (named := request(attributes)) is not None:
        event.attributes["request"] = named
    kind = str(attributes.get("error.type") or "")
    if kind in _REFUSALS:
        event.state, event.decided_by, event.rule = "refused", "target", "target_status"
    elif kind or span.status == _ERROR:
        event.state = "failed"
        event.reason = text(span.status_message) or kind or None
        if kind == "NotFoundError":
            event.state, event.basis, event.rule = "unknown_tool", "inferred", "tool_not_found"
        messages.judged(event, text(span.status_message))
    elif attributes.get("fastmcp.span.seam") is True and "fastmcp.component.key" not in attributes:
        event.state, event.decided_by, event.basis, event.rule = "refused", "target", "inferred", UNREACHED
    elif span.kind == CLIENT and span.origin.scope_name == _SDK:
        event.basis, event.rule = "inferred", "mcp_answered"
    return event
