"""What the model chose and what control points said: candidates, proposals, validations, policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv import event_names
from aftertrace.semconv.attributes import ActorType
from aftertrace.semconv.instrument.actor import Actor
from aftertrace.semconv.instrument.content import known, merged
from aftertrace.semconv.instrument.run import Identity
from aftertrace.semconv.instrument.sender import Sender

if TYPE_CHECKING:
    from aftertrace.semconv.attributes import DecisionOutcome
    from aftertrace.semconv.instrument.actor import Reason
    from aftertrace.semconv.instrument.call import Call
    from aftertrace.semconv.instrument.decision import Policy, State


class Checks(Sender):
    """Records choices and decisions about calls that no person made."""

    def tool_considered(
        self,
        call: Call,
        *,
        selected: bool | None = None,
        rank: int | None = None,
        score: float | None = None,
        reason: Reason | None = None,
    ) -> None:
        """Record a candidate. ``selected=False`` says that the model dropped it: a near miss that it averted."""
        self._about(
            event_names.AFTERTRACE_TOOL_CONSIDERED,
            call,
            Identity.current().model_actor,
            {
                names.AFTERTRACE_CANDIDATE_SELECTED: selected,
                names.AFTERTRACE_CANDIDATE_RANK: rank,
                names.AFTERTRACE_CANDIDATE_SCORE: score,
                **merged(reason),
            },
        )

    def action_proposed(self, call: Call) -> None:
        """Record that the model asked for the call. Nothing has happened yet."""
        run = Identity.current()
        self._about(
            event_names.AFTERTRACE_ACTION_PROPOSED, call, run.model_actor, {names.GEN_AI_REQUEST_MODEL: run.model}
        )

    def validated(
        self,
        call: Call,
        check: str,
        *,
        passed: bool,
        reason: Reason | None = None,
        confidence: float | None = None,
        state: State | None = None,
        by: Actor | None = None,
    ) -> None:
        """Record a check of the call and whether it held; the agent's own code made it, unless `by` says otherwise."""
        self._about(
            event_names.AFTERTRACE_VALIDATION_PASSED if passed else event_names.AFTERTRACE_VALIDATION_FAILED,
            call,
            by or Identity.current().agent_actor,
            {
                names.AFTERTRACE_VALIDATION_NAME: check,
                names.AFTERTRACE_DECISION_CONFIDENCE: confidence,
                **merged(reason, state),
            },
        )

    def policy_evaluated(
        self,
        call: Call,
        outcome: DecisionOutcome,
        policy: Policy | None = None,
        *,
        reason: Reason | None = None,
        confidence: float | None = None,
        state: State | None = None,
        permission_mode: str | None = None,
        by: Actor | None = None,
    ) -> None:
        """Record what a control point decided, whatever it was: the policy, unless `by` names a guardrail or hook."""
        actor = by or (policy.actor if policy else Actor(ActorType.POLICY))
        self._about(
            event_names.AFTERTRACE_POLICY_EVALUATED,
            call,
            actor,
            {
                names.AFTERTRACE_DECISION_OUTCOME: outcome,
                names.AFTERTRACE_PERMISSION_MODE: permission_mode,
                names.AFTERTRACE_DECISION_CONFIDENCE: confidence,
                **merged(policy, reason, state),
            },
        )
        self._emitter.decisions.add(
            1,
            known(
                {
                    names.GEN_AI_AGENT_NAME: Identity.current().agent,
                    names.GEN_AI_TOOL_NAME: call.tool,
                    names.AFTERTRACE_DECISION_OUTCOME: outcome,
                    names.AFTERTRACE_ACTOR_TYPE: actor.type,
                }
            ),
        )
