"""A small typed API for agents, on `opentelemetry-api` alone.

::

    audit = AuditTrail()
    with audit.run(Configuration(agent="refund-agent", model="gpt-5")):
        call = Call("refund", {"order": 812, "amount": 250}, id="call_1", risk=Risk(RiskClass.MONEY))
        audit.action_proposed(call)
        approval = audit.approval_requested(call, shown="Refund 250 EUR for order 812?")
        approval.granted(Actor(ActorType.HUMAN, "u-4711", ActorIdentity.AUTHENTICATED))
        with audit.tool_call(call) as execution:
            execution.result(refund(812, 250))

Events leave as log records. Where the process has tracing but no logs SDK, they are written as events of the current
span instead, which arrive when that span ends. Nothing here raises because of telemetry, and nothing swallows an
exception of the agent.
"""

from __future__ import annotations

from aftertrace.semconv.attributes import (
    ActorIdentity,
    ActorType,
    DecisionOutcome,
    GrantScope,
    InputType,
    RunTriggerType,
    TargetType,
    ToolRiskBasis,
    ToolRiskClass,
    ToolState,
)
from aftertrace.semconv.instrument.actor import Actor, Reason
from aftertrace.semconv.instrument.approval import Approval
from aftertrace.semconv.instrument.call import Call, Risk
from aftertrace.semconv.instrument.configuration import Configuration, Prompt
from aftertrace.semconv.instrument.decision import Grant, Policy, State
from aftertrace.semconv.instrument.effect import Effect
from aftertrace.semconv.instrument.execution import Execution
from aftertrace.semconv.instrument.run import Run, Trigger
from aftertrace.semconv.instrument.trail import AuditTrail

__all__ = [
    "Actor",
    "ActorIdentity",
    "ActorType",
    "Approval",
    "AuditTrail",
    "Call",
    "Configuration",
    "DecisionOutcome",
    "Effect",
    "Execution",
    "Grant",
    "GrantScope",
    "InputType",
    "Policy",
    "Prompt",
    "Reason",
    "Risk",
    "Run",
    "RunTriggerType",
    "State",
    "TargetType",
    "ToolRiskBasis",
    "ToolRiskClass",
    "ToolState",
    "Trigger",
]
