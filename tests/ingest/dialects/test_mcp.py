"""MCP spans state a call that ran, at one end or the other; an agent's own tool span is not theirs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import mcp
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Span

from .recordings import make_log, make_span, values

SERVER, CLIENT, INTERNAL = 2, 3, 1
REQUEST = {"mcp.method.name": "tools/call", "mcp.protocol.version": "2025-11-25", "jsonrpc.request.id": "7"}
SERVED = {**REQUEST, "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay"}


def of_kind(kind: int, name: str, attributes: dict[str, Any], **more: Any) -> Span:
    """A span of the Python SDK."""
    span = make_span(name, attributes, scope="mcp-python-sdk", **more)
    span.kind = kind
    return span


def test_a_server_states_that_its_tool_ran() -> None:
    """Without an id of the call, which the protocol does not pass on."""
    assert mcp.read(of_kind(SERVER, "tools/call pay", SERVED)) == Reading(
        dialect="mcp",
        who=Who(tool_name="pay"),
        operation="mcp",
        events=[
            Event(
                event="tool.called",
                state="completed",
                time_ns=1_000,
                end_ns=5_000_001_000,
                attributes={"side": "server"},
            )
        ],
    )


@pytest.mark.parametrize(
    ("name", "attributes", "tool"),
    [
        ("MCP send tools/call pay", REQUEST, "pay"),
        ("tools/call pay", {"rpc.system": "mcp", "rpc.method": "tools/call"}, "pay"),
        ("anything", SERVED, "pay"),
        ("anything", REQUEST, None),
    ],
)
def test_a_client_names_its_tool_in_an_attribute_or_in_the_name_of_the_span(
    name: str, attributes: dict[str, Any], tool: str | None
) -> None:
    """The Python SDK's client only in the latter."""
    reading = mcp.read(of_kind(CLIENT, name, attributes))
    assert reading is not None
    assert (reading.who.tool_name, reading.events[0].attributes) == (tool, {"side": "client"})


@pytest.mark.parametrize(
    ("attributes", "status", "expected"),
    [
        ({"error.type": "tool_error"}, 2, ("failed", None, "tool_error")),
        ({"error.type": "-32602"}, 2, ("failed", None, "-32602")),
        ({"error.type": "403"}, 2, ("refused", "target", None)),
        ({}, 2, ("failed", None, None)),
        ({}, 1, ("completed", None, None)),
    ],
)
def test_a_request_that_failed_is_told_from_one_that_was_refused(
    attributes: dict[str, Any], status: int, expected: tuple[str, str | None, str | None]
) -> None:
    """By the type of the error: a status of HTTP, a code of JSON-RPC, or a tool's own error."""
    reading = mcp.read(of_kind(SERVER, "tools/call pay", {**SERVED, **attributes}, status=status))
    assert reading is not None
    (event,) = reading.events
    assert (event.state, event.decided_by, event.reason) == expected


@pytest.mark.parametrize(
    ("more", "dialect"),
    [
        ({"decision": "approve invoice"}, "mcp"),
        ({"gen_ai.operation.name": "execute_tool", "verdict": "spam"}, "mcp"),
        ({"decision": "deny"}, "mcp"),
        ({"decision": "deny", "policy.name": "small-only"}, "gateway"),
        ({"policy.decision": "deny"}, "gateway"),
    ],
)
def test_a_servers_span_is_left_to_gateways_only_where_it_states_a_verdict(more: dict[str, Any], dialect: str) -> None:
    """A tool may use the same words of its own matter."""
    reading = dialects.read(of_kind(SERVER, "tools/call pay", {**REQUEST, "gen_ai.tool.name": "pay", **more}))
    assert (reading.dialect, reading.events[0].event) == (dialect, "tool.called")


SEAM = {"mcp.method.name": "tools/call", "fastmcp.span.seam": True, "fastmcp.server.name": "records"}
REACHED = {**SEAM, "gen_ai.tool.name": "pay", "fastmcp.component.key": "tool:pay@"}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (SEAM, ("refused", "inferred", "target", "mcp_unreached")),
        (REACHED, ("completed", "explicit", None, None)),
        ({**REACHED, "error.type": "tool_error"}, ("failed", "explicit", None, None)),
        ({**REACHED, "error.type": "InsufficientScopeError"}, ("refused", "explicit", "target", "target_status")),
        ({**REACHED, "error.type": "NotFoundError"}, ("unknown_tool", "inferred", None, "tool_not_found")),
    ],
    ids=["answered by middleware", "ran", "failed", "not authorized", "not found"],
)
def test_a_server_of_fastmcp_names_its_tool_once_the_request_has_reached_it(
    attributes: dict[str, Any], expected: tuple[str, str, str | None, str | None]
) -> None:
    """What its middleware answers reaches none, and its status is unset all the same."""
    span = make_span("tools/call", attributes, scope="fastmcp")
    span.kind = SERVER
    reading = mcp.read(span)
    assert reading is not None
    (event,) = reading.events
    assert (event.state, event.basis, event.decided_by, event.rule) == expected


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("Unknown tool: 'wipe'", "unknown_tool"),
        ("1 validation error for call[pay]", "invalid_arguments"),
        ("Error executing tool pay: 1 validation error for payArguments", "invalid_arguments"),
        ("Error executing tool pay: 1 validation error for Invoice", "failed"),
    ],
)
def test_a_client_that_looks_into_an_answer_tells_why_it_is_an_error(words: str, state: str) -> None:
    """FastMCP's; the words are the server's."""
    span = make_span("tools/call pay", {**REQUEST, "error.type": "tool_error"}, scope="fastmcp", status=2)
    span.kind, span.status_message = CLIENT, words
    reading = mcp.read(span)
    assert reading is not None
    assert reading.events[0].state == state


def test_the_client_of_the_sdk_only_knows_that_an_answer_came() -> None:
    """The answer may tell of an error: that the tool ran is inferred. Another client's is taken at its word."""
    for scope, basis in (("mcp-python-sdk", "inferred"), ("fastmcp", "explicit")):
        span = make_span("MCP send tools/call pay", REQUEST, scope=scope)
        span.kind = CLIENT
        reading = mcp.read(span)
        assert reading is not None
        assert (reading.events[0].state, reading.events[0].basis) == ("completed", basis)


def test_a_request_of_another_method_states_nothing() -> None:
    """Listing tools calls none."""
    assert mcp.read(of_kind(CLIENT, "MCP send tools/list", {"mcp.method.name": "tools/list"})) == Reading(
        dialect="mcp", who=Who()
    )


@pytest.mark.parametrize(
    "record",
    [
        of_kind(INTERNAL, "execute_tool pay", SERVED),
        of_kind(CLIENT, "execute_tool pay", {**SERVED, "gen_ai.tool.call.id": "c1"}),
        of_kind(CLIENT, "POST", {"http.request.method": "POST", "rpc.system": "grpc", "rpc.method": "tools/call"}),
        make_log("tools/call", REQUEST),
    ],
)
def test_records_of_others_are_left_to_others(record: Any) -> None:
    """The conventions let an agent add the protocol's attributes to its own tool span."""
    assert mcp.read(record) is None


@given(
    kind=st.sampled_from([SERVER, CLIENT]),
    name=st.text(max_size=30),
    attributes=st.dictionaries(
        st.sampled_from(["rpc.system", "gen_ai.tool.name", "error.type", "gen_ai.tool.call.arguments"]), values
    ),
    method=st.just("tools/call") | values,
)
def test_no_span_makes_it_fail(kind: int, name: str, attributes: dict[str, Any], method: Any) -> None:
    """Whatever the attributes hold."""
    reading = mcp.read(of_kind(kind, name, {"mcp.method.name": method, **attributes}, status=2))
    assert reading is None or reading.dialect == "mcp"
