"""Events: their names, what each must carry, and how severe it is.

Generated from the registry by ``python -m aftertrace.semconv.generate``. Change the registry instead.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

AFTERTRACE_APPROVAL_REQUESTED: Final = "aftertrace.approval.requested"
"""Somebody was asked. Sent at once, so that a request that nobody answers is on record."""

AFTERTRACE_APPROVAL_GRANTED: Final = "aftertrace.approval.granted"
"""The call may go on with the arguments that were asked for."""

AFTERTRACE_APPROVAL_REJECTED: Final = "aftertrace.approval.rejected"
"""The call may not go on."""

AFTERTRACE_APPROVAL_MODIFIED: Final = "aftertrace.approval.modified"
"""The call may go on with other arguments than those that were asked for."""

AFTERTRACE_APPROVAL_EXPIRED: Final = "aftertrace.approval.expired"
"""Nobody answered in time."""

AFTERTRACE_VALIDATION_PASSED: Final = "aftertrace.validation.passed"
"""A check of the call or of the model's output held."""

AFTERTRACE_VALIDATION_FAILED: Final = "aftertrace.validation.failed"
"""A check of the call or of the model's output did not hold."""

AFTERTRACE_POLICY_EVALUATED: Final = "aftertrace.policy.evaluated"
"""A policy, guardrail, hook or permission mode decided about the call. Sent whatever it decided. A denial is
not an error. The status of every span stays unset.
"""

AFTERTRACE_EFFECT_APPLIED: Final = "aftertrace.effect.applied"
"""A system of record changed. The event is the receipt."""

AFTERTRACE_EFFECT_BLOCKED: Final = "aftertrace.effect.blocked"
"""A system of record was kept from changing."""

AFTERTRACE_INPUT_RESOLVED: Final = "aftertrace.input.resolved"
"""The run now rests on this input."""

AFTERTRACE_RETRIEVAL_COMPLETED: Final = "aftertrace.retrieval.completed"
"""A search came back. What it found is part of what the run rests on."""

AFTERTRACE_PLAN_RECORDED: Final = "aftertrace.plan.recorded"
"""The agent made a plan or changed one."""

AFTERTRACE_RUN_CREATED: Final = "aftertrace.run.created"
"""A run begins. Sent at once, so that a run whose process is killed leaves a trace of itself."""

AFTERTRACE_RUN_COMPLETED: Final = "aftertrace.run.completed"
"""The run came to its end. It says nothing about whether the end was a good one."""

AFTERTRACE_RUN_FAILED: Final = "aftertrace.run.failed"
"""The run broke off with an error."""

AFTERTRACE_TOOL_CONSIDERED: Final = "aftertrace.tool.considered"
"""The agent named a tool as a candidate, and chose it or dropped it."""

AFTERTRACE_ACTION_PROPOSED: Final = "aftertrace.action.proposed"
"""The model asked for a tool to be called. Nothing has happened yet."""

AFTERTRACE_TOOL_CALLED: Final = "aftertrace.tool.called"
"""The call reached a state. Sent when it starts and again when it ends."""

REQUIRED_ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        AFTERTRACE_APPROVAL_REQUESTED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.approval.id",
        ),
        AFTERTRACE_APPROVAL_GRANTED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.approval.id",
        ),
        AFTERTRACE_APPROVAL_REJECTED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.approval.id",
        ),
        AFTERTRACE_APPROVAL_MODIFIED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.approval.id",
        ),
        AFTERTRACE_APPROVAL_EXPIRED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.approval.id",
        ),
        AFTERTRACE_VALIDATION_PASSED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.validation.name",
        ),
        AFTERTRACE_VALIDATION_FAILED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.validation.name",
        ),
        AFTERTRACE_POLICY_EVALUATED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.decision.outcome",
        ),
        AFTERTRACE_EFFECT_APPLIED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "aftertrace.effect.system",
        ),
        AFTERTRACE_EFFECT_BLOCKED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "aftertrace.effect.system",
        ),
        AFTERTRACE_INPUT_RESOLVED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "aftertrace.input.type",
        ),
        AFTERTRACE_RETRIEVAL_COMPLETED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
        ),
        AFTERTRACE_PLAN_RECORDED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "aftertrace.plan.digest",
        ),
        AFTERTRACE_RUN_CREATED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
        ),
        AFTERTRACE_RUN_COMPLETED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
        ),
        AFTERTRACE_RUN_FAILED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "error.type",
        ),
        AFTERTRACE_TOOL_CONSIDERED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
        ),
        AFTERTRACE_ACTION_PROPOSED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
        ),
        AFTERTRACE_TOOL_CALLED: (
            "log.record.uid",
            "aftertrace.run.id",
            "aftertrace.actor.type",
            "gen_ai.tool.name",
            "aftertrace.tool.state",
        ),
    }
)
"""What a record of each event must carry whatever the circumstances."""

SEVERITIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        AFTERTRACE_APPROVAL_REQUESTED: "INFO",
        AFTERTRACE_APPROVAL_GRANTED: "INFO",
        AFTERTRACE_APPROVAL_REJECTED: "INFO",
        AFTERTRACE_APPROVAL_MODIFIED: "INFO",
        AFTERTRACE_APPROVAL_EXPIRED: "WARN",
        AFTERTRACE_VALIDATION_PASSED: "INFO",
        AFTERTRACE_VALIDATION_FAILED: "WARN",
        AFTERTRACE_POLICY_EVALUATED: "INFO",
        AFTERTRACE_EFFECT_APPLIED: "INFO",
        AFTERTRACE_EFFECT_BLOCKED: "WARN",
        AFTERTRACE_INPUT_RESOLVED: "INFO",
        AFTERTRACE_RETRIEVAL_COMPLETED: "INFO",
        AFTERTRACE_PLAN_RECORDED: "INFO",
        AFTERTRACE_RUN_CREATED: "INFO",
        AFTERTRACE_RUN_COMPLETED: "INFO",
        AFTERTRACE_RUN_FAILED: "ERROR",
        AFTERTRACE_TOOL_CONSIDERED: "INFO",
        AFTERTRACE_ACTION_PROPOSED: "INFO",
        AFTERTRACE_TOOL_CALLED: "INFO",
    }
)
"""Severity of each event, as OpenTelemetry names severities."""
