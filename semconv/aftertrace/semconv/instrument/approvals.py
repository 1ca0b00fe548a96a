"""Requests for approval, and the standing grants that make them unnecessary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv import event_names
from aftertrace.semconv.attributes import ActorType
from aftertrace.semconv.instrument.actor import Actor
from aftertrace.semconv.instrument.approval import Approval
from aftertrace.semconv.instrument.content import known, merged
from aftertrace.semconv.instrument.run import Identity
from aftertrace.semconv.instrument.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aftertrace.semconv.instrument.actor import Reason
    from aftertrace.semconv.instrument.call import Call
    from aftertrace.semconv.instrument.decision import Grant


class Approvals(Sender):
    """Records that people are asked, and makes the handles through which they answer."""

    def approval_requested(
        self,
        call: Call,
        *,
        shown: str | None = None,
        asked: Sequence[str] = (),
        channel: str | None = None,
        timeout_s: float | None = None,
        reason: Reason | None = None,
        by: Actor | None = None,
    ) -> Approval:
        """Record that somebody is asked, at once, and open a span for the wait.

        Args:
            call: what they are asked about.
            shown: the text that is put before them.
            asked: who they are.
            channel: where they are asked.
            timeout_s: how long the request stands, in seconds.
            reason: why it takes an approval.
            by: who asks; the agent, if None.
        """
        run = Identity.current()
        approval_id = self._emitter.new_id()
        requested_ns = self._emitter.clock_ns()
        span = self._emitter.start_span(
            f"approval {call.tool}", {**run.attributes(), **call.attributes(with_content=self._with_content)}
        )
        approval = Approval(
            self._emitter,
            run,
            call,
            approval_id,
            requested_ns=requested_ns,
            channel=channel,
            shown=shown,
            span=span,
            with_content=self._with_content,
        )
        asking = known(
            {
                **approval.attributes(),
                names.AFTERTRACE_APPROVAL_ASKED_IDS: list(asked) or None,
                names.AFTERTRACE_APPROVAL_TIMEOUT_S: timeout_s,
            }
        )
        span.set_attributes(asking)
        self._about(
            event_names.AFTERTRACE_APPROVAL_REQUESTED,
            call,
            by or run.agent_actor,
            {**asking, **merged(reason)},
            span,
        )
        return approval

    def approval_resumed(
        self,
        call: Call,
        approval_id: str,
        *,
        requested_ns: int | None = None,
        channel: str | None = None,
        shown: str | None = None,
    ) -> Approval:
        """Take up a request that was made earlier or elsewhere, to answer it. It sends nothing by itself.

        Args:
            call: what was asked about.
            approval_id: `Approval.id` of the request.
            requested_ns: when it was made, Unix time in nanoseconds; None leaves the wait unknown.
            channel: where it was asked.
            shown: the text that was shown.
        """
        return Approval(
            self._emitter,
            Identity.current(),
            call,
            approval_id,
            requested_ns=requested_ns,
            channel=channel,
            shown=shown,
            span=None,
            with_content=self._with_content,
        )

    def standing_grant_used(self, call: Call, grant: Grant, reason: Reason | None = None) -> None:
        """Record that an earlier answer let the call through and nobody was asked now."""
        self._about(
            event_names.AFTERTRACE_APPROVAL_GRANTED,
            call,
            Actor(ActorType.HUMAN, grant.granted_by),
            {
                names.AFTERTRACE_APPROVAL_ID: self._emitter.new_id(),
                names.AFTERTRACE_GRANT_STANDING: True,
                **merged(grant, reason),
            },
        )
