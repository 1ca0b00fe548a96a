"""Verdicts of gateways and policy engines: the attributes that hold them, and their words for them."""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects.values import text

_ABOUT: Final = ("policy", "gateway", "gateway.policy", "mcp.gateway", "mcp.policy", "mcp.authorization", "authz",
                 "authorization", "egress", "egress.policy", "proxy", "network.policy", "opa")  # fmt: skip
KEYS: Final = tuple(f"{about}.{word}" for about in _ABOUT for word in ("decision", "verdict"))
BARE: Final = ("verdict", "decision")
"""Words that others use too: they count beside a policy and a request alone."""
GUARDRAIL: Final = "guardrail_status"
"""LiteLLM's."""
OPA: Final = "decision_id"
"""What sets a decision of Open Policy Agent apart."""
ANY: Final = frozenset((*KEYS, *BARE, GUARDRAIL, OPA))
POLICY_KEYS: Final = ("policy.name", "gateway.policy.name", "mcp.policy.name", "egress.policy.name", "policy.id",
                       "gateway.policy", "mcp.policy", "egress.policy", "authz.policy", "policy", "policy_name",
                       "policy_id", "security_rule.name", "gateway.rule", "rule.name", "rule", "rule_id",
                       "guardrail_name")  # fmt: skip
"""The policy that a verdict follows, and what the request is about: its method, its path, its destination."""
METHOD_KEYS: Final = ("mcp.method.name", "mcp.method", "mcp_method", "rpc.method", "gateway.method",
                       "http.request.method", "http.method", "method")  # fmt: skip
PATH_KEYS: Final = ("url.path", "gateway.path", "http.target", "path", "url.full")
DESTINATION_KEYS: Final = ("server.address", "gateway.destination", "destination.domain", "destination.address",
                            "destination", "mcp.server.name", "mcp.target", "host", "upstream")  # fmt: skip

_STATES: Final = {
    **dict.fromkeys(("allow", "allowed", "permit", "permitted", "pass", "passed", "accept", "accepted", "success"),
                    "allow"),
    **dict.fromkeys(("deny", "denied", "block", "blocked", "reject", "rejected", "forbid", "forbidden", "refused",
                     "drop", "dropped", "guardrail_intervened"), "deny"),
    **dict.fromkeys(("ask", "require_approval", "escalate"), "ask"),
}  # fmt: skip


def state(verdict: Any) -> str | None:
    """A verdict as the state of `policy.evaluated`; None for what is none."""
    if isinstance(verdict, bool):
        return "allow" if verdict else "deny"
    return _STATES.get(verdict.strip().lower()) if isinstance(verdict, str) else None


def stated(told: dict[str, Any]) -> str | None:
    """The verdict that a record states, as above; None where it states none, or says too little of what it is about."""
    for key in KEYS:
        if key in told and (found := state(told[key])) is not None:
            return found
    if GUARDRAIL in told and "guardrail_name" in told:
        return state(told[GUARDRAIL])
    request = first(told, METHOD_KEYS) or first(told, PATH_KEYS) or first(told, DESTINATION_KEYS)
    if request is None or first(told, POLICY_KEYS) is None:
        return None
    return next((found for key in BARE if (found := state(told.get(key))) is not None), None)


def first(told: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first text that is not empty among some attributes."""
    return next((told[key] for key in keys if text(told.get(key))), None)
