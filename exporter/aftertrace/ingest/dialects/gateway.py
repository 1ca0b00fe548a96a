"""Gateways, egress proxies and policy engines: a verdict on a request that somebody else tells of too.

There is no convention for them yet (semantic-conventions-genai #239, #291, #461). Read are the words that MCP gateways,
Open Policy Agent's decision logs, LiteLLM's guardrails and access logs use for method, path, destination, policy and
verdict, where a record states a verdict and what it is about. The analyzer joins it to the agent's call.

A verdict on a tool call is a decision. A refusal of any other request is about an effect: the tool that made it was
running. That such a request was let through says nothing of a call.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, mcp, messages, verdicts
from aftertrace.ingest.dialects.events import Decider, Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "gateway"
READS: Final = (
    ("span, log: policy.decision, gateway.verdict, mcp.policy.decision, authz.decision, egress.verdict …",
     "policy.evaluated allow, deny, ask on a tool call; effect.blocked of another request"),
    ("span, log: policy.name, gateway.policy, security_rule.name, rule …", "rule"),
    ("span, log: mcp.method.name, mcp.method, http.request.method, method …", "attributes: method"),
    ("span, log: url.path, path; server.address, destination, mcp.target …", "attributes: path, destination"),
    ("span, log: gen_ai.tool.call.id, tool_call_id; gen_ai.tool.name, mcp.tool.name …", "call_id, tool_name"),
    ("span SERVER, CLIENT: mcp.method.name=tools/call", "as in dialect mcp; tool.called refused where it is denied"),
    ("log body: decision_id, path, input, result (Open Policy Agent)", "policy.evaluated, effect.blocked"),
    ("span guardrail: guardrail_name, guardrail_status (LiteLLM)", "the same, by a guardrail"),
)  # fmt: skip

_REASON_KEYS: Final = ("policy.reason", "gateway.reason", "egress.reason", "authz.reason", "reason", "deny_reason")
_TOOL_KEYS: Final = ("gen_ai.tool.name", "mcp.tool.name", "tool.name", "tool_name", "mcp_primitive_name", "tool")
_CALL_KEYS: Final = ("gen_ai.tool.call.id", "tool.call_id", "tool_call_id", "call_id")
_INPUT_KEYS: Final = frozenset((*verdicts.METHOD_KEYS, *verdicts.PATH_KEYS, *verdicts.DESTINATION_KEYS, *_TOOL_KEYS,
                                *_CALL_KEYS, "mcp.resource.type", "mcp.resource.name", "mcp.session.id",
                                "jsonrpc.request.id", "gen_ai.conversation.id", "gen_ai.agent.name"))  # fmt: skip
"""What the input of a policy may say of its request; whatever else it holds is the agent's own."""
_TOOL_METHODS: Final = ("tools/call", "call_tool")

_RAN: Final = ("completed", "failed", "started")


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return not outline.is_span or outline.has_any(*verdicts.ANY)


def read(record: Record) -> Reading | None:
    """Read a span or log record that states a verdict on a request."""
    body = record.body if isinstance(record, Log) else None
    if record.attributes.keys().isdisjoint(verdicts.ANY) and not _may_be_decision(body):
        return None
    told = {**_decision_log(body), **record.attributes}
    state = verdicts.stated(told)
    if state is None:
        return None
    reading = mcp.told(record) if isinstance(record, Span) else None
    # An agent's own span with a verdict stays the agent's.
    own = genai.read(record) if reading is None and _is_of_an_agent(record) else None
    reading = own or reading or Reading(NAME, genai.who(told))
    reading.dialect = NAME if own is None else genai.NAME
    who = reading.who
    who.call_id, who.tool_name = who.call_id or verdicts.first(told, _CALL_KEYS), who.tool_name or _tool(told)
    policy, reason = verdicts.first(told, verdicts.POLICY_KEYS), verdicts.first(told, _REASON_KEYS)
    decided_by: Decider = "guardrail" if verdicts.GUARDRAIL in told else "policy"
    is_request = verdicts.first(told, verdicts.METHOD_KEYS) in _TOOL_METHODS
    if is_request and state == "deny" and not reading.events and record.trace_id is not None:
        reading.events = [Event(event="tool.called", state="completed")]
    for event in reading.events:
        if own is None:
            event.attributes["side"] = "client"
        if state == "deny" and event.state in _RAN:
            event.state, event.decided_by, event.rule, event.reason = "refused", decided_by, policy, reason
    is_call = is_request or who.call_id is not None or who.tool_name is not None
    if not is_call and state != "deny":
        return reading
    verdict = Event(
        event="policy.evaluated" if is_call else "effect.blocked",
        state=state if is_call else None,
        time_ns=record.start_ns if isinstance(record, Span) else record.time_ns,
        arguments=messages.load(told.get("gen_ai.tool.call.arguments")) if is_call else None,
        decided_by=decided_by,
        decider=text(record.origin.resource.get("service.name")),
        reason=reason,
        rule=policy or "gateway",
        attributes=_request(told, state),
    )
    reading.events.append(verdict)
    return reading


def _is_of_an_agent(record: Record) -> bool:
    """Whether a record with a verdict is an agent's: by its operation, or by a span that is no request's."""
    attributes = record.attributes
    if "gen_ai.operation.name" in attributes:
        return True
    is_inner = isinstance(record, Span) and record.kind not in (mcp.SERVER, mcp.CLIENT)
    return is_inner and not genai.TOOL_DETAILS.isdisjoint(attributes) and "gen_ai.tool.name" in attributes


def _tool(told: dict[str, Any]) -> str | None:
    if told.get("mcp.resource.type") == "tool" and text(told.get("mcp.resource.name")):
        return text(told["mcp.resource.name"])
    return verdicts.first(told, _TOOL_KEYS)


def _request(told: dict[str, Any], state: str) -> dict[str, Any]:
    """What the verdict is about. An allowance is a control before the one that decides (`evidence`)."""
    named = (("method", verdicts.METHOD_KEYS), ("path", verdicts.PATH_KEYS), ("destination", verdicts.DESTINATION_KEYS))
    found = {name: value for name, keys in named if (value := verdicts.first(told, keys)) is not None}
    request = mcp.request(told)
    if request is not None:
        found["request"] = request
    return found if state == "deny" else {**found, "weight": "check"}


def _may_be_decision(body: Any) -> bool:
    return f'"{verdicts.OPA}"' in body if isinstance(body, str) else isinstance(body, dict) and verdicts.OPA in body


def _decision_log(body: Any) -> dict[str, Any]:
    """A decision of Open Policy Agent in the words above: its path is the policy, its input the request."""
    event = mapping(messages.load(body))
    if verdicts.OPA not in event:
        return {}
    given, result = mapping(event.get("input")), event.get("result")
    params, answer = mapping(given.get("params")), mapping(result)
    return {
        **{key: value for key, value in given.items() if key in _INPUT_KEYS and isinstance(value, str)},
        **({"tool_name": params["name"]} if "name" in params else {}),
        "gen_ai.tool.call.arguments": params.get("arguments", given.get("arguments")),
        "policy.name": event.get("path"),
        "policy.reason": answer.get("reason", answer.get("message")),
        "opa.decision": answer.get("allow", answer.get("allowed")) if answer else result,
    }
