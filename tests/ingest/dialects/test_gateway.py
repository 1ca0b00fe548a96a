"""Gateways, proxies and policy engines: a verdict with its policy, on a tool call or on another request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import gateway, read
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.records import Record, Span

from .recordings import make_log, make_span, values

CALL = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "pay", "server.address": "bank"}
SERVER = 2


def events(record: Record) -> list[Event]:
    """What a record of a gateway states."""
    reading = gateway.read(record)
    assert reading is not None
    assert reading.dialect == "gateway"
    return reading.events


def between(**attributes: Any) -> Span:
    """A gateway's span of an MCP request."""
    told = {key.replace("__", "."): value for key, value in attributes.items()}
    span = make_span("tools/call pay", {**CALL, **told}, service="edge")
    span.kind = SERVER
    return span


def test_a_refused_mcp_request_is_a_decision_and_never_came_to_its_server() -> None:
    """Under the policy's name, with what the request was about."""
    refused, decided = events(between(policy__name="small-only", policy__decision="deny", policy__reason="over 5"))
    assert (refused.event, refused.state, refused.decided_by, refused.rule) == (
        "tool.called", "refused", "policy", "small-only",
    )  # fmt: skip
    assert decided == Event(
        event="policy.evaluated",
        state="deny",
        time_ns=1_000,
        decided_by="policy",
        decider="edge",
        reason="over 5",
        rule="small-only",
        attributes={"method": "tools/call", "destination": "bank"},
    )


def test_an_allowance_is_a_control_before_the_one_that_decides() -> None:
    """A person's grant counts before it."""
    called, allowed = events(between(policy__name="readers", policy__decision="Allowed"))
    assert (called.state, called.attributes) == ("completed", {"side": "client"})
    assert (allowed.state, allowed.rule, allowed.attributes["weight"]) == ("allow", "readers", "check")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"method": "CONNECT", "destination": "evil.example", "policy": "egress", "verdict": "denied"},
         [("effect.blocked", None, "egress", {"method": "CONNECT", "destination": "evil.example"})]),
        ({"http.request.method": "GET", "url.path": "/x", "egress.verdict": "BLOCK", "egress.policy": "no-ads"},
         [("effect.blocked", None, "no-ads", {"method": "GET", "path": "/x"})]),
        ({"http.request.method": "GET", "egress.verdict": "allow"}, []),
        ({"mcp.method": "call_tool", "mcp.resource.type": "tool", "mcp.resource.name": "pay",
          "gateway.decision": False},
         [("policy.evaluated", "deny", "gateway", {"method": "call_tool"})]),
        ({"tool_call_id": "c-1", "authz.decision": "escalate", "policy_id": "p-1"},
         [("policy.evaluated", "ask", "p-1", {"weight": "check"})]),
        ({"guardrail_name": "pii", "guardrail_status": "guardrail_intervened"}, [("effect.blocked", None, "pii", {})]),
        ({"tool_call_id": "c-1", "policy.decision": "n/a", "gateway.verdict": "deny"},
         [("policy.evaluated", "deny", "gateway", {})]),
    ],
    ids=["egress", "access log", "let through", "agentgateway", "asked", "LiteLLM", "second word"],
)  # fmt: skip
def test_a_log_record_states_a_verdict_on_a_call_or_on_another_request(
    attributes: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    """That another request was let through says nothing of a call."""
    found = events(make_log("x", attributes))
    assert [(event.event, event.state, event.rule, event.attributes) for event in found] == expected


@pytest.mark.parametrize(("verdict", "states"), [("deny", ["refused", "deny"]), ("allow", ["completed", "allow"])])
def test_an_agents_own_span_with_a_verdict_stays_the_agents(verdict: str, states: list[str]) -> None:
    """It is the call, not a copy of it."""
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "policy.decision": verdict}
    reading = read(make_span("execute_tool pay", told))
    assert (reading.dialect, reading.operation) == ("genai", "execute_tool")
    assert [event.state for event in reading.events] == states
    assert "side" not in reading.events[0].attributes


@pytest.mark.parametrize("verdict", ["allow", "none that is known"])
def test_an_agents_span_without_an_operation_still_tells_of_its_call(verdict: str) -> None:
    """What the names alone tell does not get lost beside a verdict; a request at a gateway stays the gateway's."""
    told = {"gen_ai.tool.name": "pay", "gen_ai.tool.call.id": "c-1", "policy.decision": verdict}
    reading = read(make_span("pay", told))
    assert reading.dialect == "genai"
    called = reading.events[0]
    assert (called.event, called.state, called.basis) == ("tool.called", "completed", "inferred")
    passing = make_span("pay", {**told, "policy.decision": "allow"})
    passing.kind = SERVER
    assert [event.event for event in events(passing)] == ["policy.evaluated"]


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(("result", "state"), [({"allow": False, "reason": "off"}, "deny"), (True, "allow")])
def test_a_decision_of_open_policy_agent_is_read_out_of_the_body(as_text: bool, result: Any, state: str) -> None:
    """Its path is the policy, its input the request."""
    asked = {"method": "tools/call", "tool_call_id": "c-1", "params": {"name": "rm", "arguments": {"path": "/"}}}
    decision = {"decision_id": "d-1", "path": "agents/tools", "input": asked, "result": result}
    log = make_log(json.dumps(decision) if as_text else decision, {})
    (event,) = events(log)
    assert (event.state, event.rule, event.arguments) == (state, "agents/tools", {"path": "/"})
    who = read(log).who
    assert (who.call_id, who.tool_name) == ("c-1", "rm")


def test_what_a_policy_was_given_decides_nothing() -> None:
    """Its input is the agent's own, and may hold the words of a verdict; its result alone is one."""
    asked = {"tool_call_id": "c-1", "policy.decision": "allow", "policy": "mine", "reason": "because"}
    log = make_log({"decision_id": "d-1", "path": "agents/tools", "input": asked, "result": False}, {})
    (event,) = events(log)
    assert (event.state, event.rule, event.reason) == ("deny", "agents/tools", None)


def test_the_number_of_a_request_joins_both_ends_of_an_mcp_session() -> None:
    """Where the trace does not go through the gateway."""
    named = {"mcp.session.id": "m-1", "jsonrpc.request.id": "7"}
    assert events(between(policy__decision="deny", **named))[-1].attributes["request"] == "m-1/7"
    client = make_span("tools/call pay", {**CALL, **named})
    client.kind = SERVER
    assert read(client).events[0].attributes == {"side": "server", "request": "m-1/7"}


@pytest.mark.parametrize(
    "record",
    [
        make_span("pick", {"decision": "deny"}),
        make_log("x", {"decision": "reject", "tool_name": "pay", "path": "/"}),
        make_log("x", {"verdict": "guilty", "policy": "law", "path": "/court"}),
        make_log("x", {"policy.decision": 7, "method": "GET"}),
        make_log('{"decision_id":', {}),
        make_log("a text about decision_id", {}),
        make_span("guardrail", {"guardrail_status": "not_run", "guardrail_name": "pii"}),
    ],
)
def test_records_of_others_are_left_to_others(record: Record) -> None:
    """A bare word counts beside a policy and a request alone, and only where it is a verdict."""
    assert gateway.read(record) is None


KEYS = st.sampled_from(
    ("policy.decision", "gateway.verdict", "decision", "verdict", "guardrail_status", "guardrail_name", "policy",
     "path", "method", "mcp.method.name", "mcp.resource.type", "mcp.resource.name", "mcp.session.id", "tool_call_id")
)  # fmt: skip


@given(
    attributes=st.dictionaries(KEYS, values | st.sampled_from(["deny", "allow", "tools/call"])),
    body=values | st.fixed_dictionaries({"decision_id": values, "input": values, "result": values}),
)
def test_no_record_makes_it_fail(attributes: dict[str, Any], body: Any) -> None:
    """Whatever attributes and body hold."""
    for record in (make_span("x", attributes), make_log(body, attributes), make_log(repr(body), attributes)):
        reading = gateway.read(record)
        assert reading is None or reading.dialect in ("gateway", "genai")
