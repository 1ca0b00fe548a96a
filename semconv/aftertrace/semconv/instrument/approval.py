"""A request for approval: the wait for its answer, and the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from opentelemetry import trace

from aftertrace.semconv import attributes as names
from aftertrace.semconv import event_names
from aftertrace.semconv.attributes import ActorType, ApprovalOutcome, DecisionOutcome
from aftertrace.semconv.instrument.actor import Actor
from aftertrace.semconv.instrument.content import Content, content_attributes, known, merged
from aftertrace.semconv.instrument.emitter import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from opentelemetry.context.context import Context
    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.instrument.actor import Reason
    from aftertrace.semconv.instrument.call import Call
    from aftertrace.semconv.instrument.decision import Grant
    from aftertrace.semconv.instrument.emitter import Emitter
    from aftertrace.semconv.instrument.run import Identity


class Approval:
    """A request to a person. Each answer is an event of its own; the first one ends the wait.

    Use it as a context manager if the wait may be left without an answer: its span ends, the request stays open, and
    the answer can be given later with `AuditTrail.approval_resumed`.
    """

    def __init__(
        self,
        emitter: Emitter,
        identity: Identity,
        call: Call,
        approval_id: str,
        *,
        requested_ns: int | None,
        channel: str | None,
        shown: str | None,
        span: trace.Span | None,
        with_content: bool,
    ) -> None:
        """Keep what answers need. `AuditTrail.approval_requested` makes approvals; nobody else has to."""
        self.id = approval_id
        self.call = call
        self._emitter = emitter
        self._identity = identity
        self._requested_ns = requested_ns
        self._channel = channel
        self._shown = Content.of(shown)
        self._span = span
        self._context: Context | None = trace.set_span_in_context(span) if span else None
        self._with_content = with_content

    def __enter__(self) -> Self:
        """Start to wait."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop waiting here. Without an answer the request stays open."""
        self._end_span({})

    def shown(self, text: str) -> None:
        """Keep what the person is shown, if it was not known when asking. Each answer carries it."""
        self._shown = Content.of(text)
        if self._span and self._span.is_recording():
            self._span.set_attributes(self.attributes())

    def granted(self, by: Actor, reason: Reason | None = None, grant: Grant | None = None) -> None:
        """Record that the call may go on as asked; `grant` says how far the answer reaches beyond it."""
        self._answer(event_names.AFTERTRACE_APPROVAL_GRANTED, by, reason, merged(grant), self.call)

    def rejected(self, by: Actor, reason: Reason | None = None) -> None:
        """Record that the call may not go on."""
        self._answer(event_names.AFTERTRACE_APPROVAL_REJECTED, by, reason, {}, self.call)

    def modified(self, arguments: object, by: Actor, reason: Reason | None = None) -> Call:
        """Record that the call may go on with other arguments, and answer the call to make."""
        before = self.call.arguments_content()
        changed = replace(self.call, arguments=arguments)
        extra = content_attributes(before, names.AFTERTRACE_TOOL_PROPOSED_ARGUMENTS_DIGEST, None)
        self._answer(event_names.AFTERTRACE_APPROVAL_MODIFIED, by, reason, extra, changed)
        return changed

    def expired(self, reason: Reason | None = None) -> None:
        """Record that nobody answered in time."""
        self._answer(event_names.AFTERTRACE_APPROVAL_EXPIRED, Actor(ActorType.TIMEOUT), reason, {}, self.call)

    def attributes(self) -> dict[str, AttributeValue]:
        """Name the request and what was shown, in the words of the conventions."""
        return known(
            {names.AFTERTRACE_APPROVAL_ID: self.id, names.AFTERTRACE_APPROVAL_CHANNEL: self._channel}
        ) | content_attributes(
            self._shown,
            names.AFTERTRACE_APPROVAL_SHOWN_DIGEST,
            names.AFTERTRACE_APPROVAL_SHOWN_TEXT if self._with_content else None,
        )

    def _answer(
        self, event: str, by: Actor, reason: Reason | None, extra: Mapping[str, AttributeValue], call: Call
    ) -> None:
        wait_s = self._wait_s()
        self._emitter.event(
            event,
            by,
            call.target,
            {
                **self._identity.attributes(),
                **call.attributes(with_content=self._with_content),
                **merged(reason),
                **self.attributes(),
                names.AFTERTRACE_APPROVAL_WAIT_S: wait_s,
                **extra,
            },
            self._context,
        )
        outcome = _OUTCOMES[event]
        self._end_span({names.AFTERTRACE_APPROVAL_OUTCOME: str(outcome)})
        self._count(outcome, by, wait_s)

    def _wait_s(self) -> float | None:
        if self._requested_ns is None:
            return None
        return max(0, self._emitter.clock_ns() - self._requested_ns) / NS_PER_S

    def _end_span(self, attributes: Mapping[str, AttributeValue]) -> None:
        if self._span and self._span.is_recording():
            self._span.set_attributes(dict(attributes))
            self._span.end(self._emitter.clock_ns())

    def _count(self, outcome: ApprovalOutcome, by: Actor, wait_s: float | None) -> None:
        of = known({names.GEN_AI_AGENT_NAME: self._identity.agent, names.GEN_AI_TOOL_NAME: self.call.tool})
        allowed = outcome in (ApprovalOutcome.GRANTED, ApprovalOutcome.MODIFIED)
        decision = DecisionOutcome.ALLOW if allowed else DecisionOutcome.DENY
        self._emitter.decisions.add(
            1, {**of, names.AFTERTRACE_DECISION_OUTCOME: str(decision), names.AFTERTRACE_ACTOR_TYPE: str(by.type)}
        )
        if wait_s is not None:
            self._emitter.approval_duration.record(wait_s, {**of, names.AFTERTRACE_APPROVAL_OUTCOME: str(outcome)})


_OUTCOMES = {
    event_names.AFTERTRACE_APPROVAL_GRANTED: ApprovalOutcome.GRANTED,
    event_names.AFTERTRACE_APPROVAL_REJECTED: ApprovalOutcome.REJECTED,
    event_names.AFTERTRACE_APPROVAL_MODIFIED: ApprovalOutcome.MODIFIED,
    event_names.AFTERTRACE_APPROVAL_EXPIRED: ApprovalOutcome.EXPIRED,
}
