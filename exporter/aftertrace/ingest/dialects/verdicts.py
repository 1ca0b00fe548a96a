"""Verdicts of gateways and policy engines: the attributes that hold them, and their words for them."""

from __future__ import annotations

from typing import Any, Final

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
