"""`AuditTrail`: what an agent calls to leave its audit trail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import context as contexts
from opentelemetry.trace import set_span_in_context

from aftertrace.semconv import attributes as names
from aftertrace.semconv import event_names, propagate
from aftertrace.semconv.instrument.approvals import Approvals
from aftertrace.semconv.instrument.calls import Calls
from aftertrace.semconv.instrument.checks import Checks
from aftertrace.semconv.instrument.configuration import Configuration
from aftertrace.semconv.instrument.content import known
from aftertrace.semconv.instrument.emitter import NS_PER_S, end_span, error_type
from aftertrace.semconv.instrument.inputs import Inputs
from aftertrace.semconv.instrument.run import Identity, Run, with_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.instrument.run import Trigger

_UNKNOWN: Final = Configuration()


class AuditTrail(Inputs, Checks, Approvals, Calls):
    """The audit trail of the agents in this process.

    Every method sends one event, or opens a span, for the run of the current context. Digests are always sent;
    content (arguments, results, prompts, plans, what a reviewer was shown) only with ``capture_content=True``.
    """

    @contextmanager
    def run(
        self,
        configuration: Configuration = _UNKNOWN,
        *,
        run_id: str | None = None,
        trigger: Trigger | None = None,
        conversation_id: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        pause_on: tuple[type[BaseException], ...] = (),
    ) -> Iterator[Run]:
        """Carry out a run: a span around it, ``run.created`` at once, ``run.completed`` or ``run.failed`` at its end.

        Args:
            configuration: what the run is made of.
            run_id: made here if None.
            trigger: what started it.
            conversation_id: the conversation, if the agent has one. Never make one up.
            session_id: session of the user.
            user_id: on whose behalf it acts.
            pause_on: exceptions by which the agent says that it goes on later; they pass, and the run stays open.

        Raises:
            NotARunId: the given run id would not survive its way through headers, git and SQL.
        """
        parent = Identity.current().run_id
        identity = _identity(run_id or self._emitter.new_id(), configuration, conversation_id, session_id, user_id)
        described = {
            **configuration.attributes(with_content=self._with_content),
            names.AFTERTRACE_RUN_PARENT_ID: parent,
            **(trigger.attributes() if trigger else {}),
        }
        with self._part(identity, described, pause_on) as run:
            self._send(event_names.AFTERTRACE_RUN_CREATED, identity.agent_actor, identity.target, described)
            yield run

    @contextmanager
    def resume(
        self,
        run_id: str,
        configuration: Configuration = _UNKNOWN,
        *,
        conversation_id: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        pause_on: tuple[type[BaseException], ...] = (),
    ) -> Iterator[Run]:
        """Go on with a run that was paused, here or in another process: as `run`, without ``run.created``."""
        identity = _identity(run_id, configuration, conversation_id, session_id, user_id)
        described = {
            **configuration.attributes(with_content=self._with_content),
            names.AFTERTRACE_RUN_RESUMED: True,
        }
        with self._part(identity, described, pause_on) as run:
            yield run

    @contextmanager
    def _part(
        self,
        identity: Identity,
        described: Mapping[str, AttributeValue | None],
        pause_on: tuple[type[BaseException], ...],
    ) -> Iterator[Run]:
        """Carry out one part of a run, from its root span to its end or its pause."""
        started_ns = self._emitter.clock_ns()
        attributes = known({names.GEN_AI_OPERATION_NAME: "invoke_agent", **identity.attributes(), **described})
        span = self._emitter.start_span(f"invoke_agent {identity.agent or ''}".rstrip(), attributes)
        token = contexts.attach(with_identity(identity, set_span_in_context(span)))
        run = Run(identity.run_id or "", span)
        failure: str | None = None
        try:
            yield run
        except BaseException as error:
            if isinstance(error, pause_on):
                run.pause()
            elif not (isinstance(error, SystemExit) and not error.code):
                failure = error_type(error)
            raise
        finally:
            failed = {names.ERROR_TYPE: failure} if failure else {}
            if failure or not run.paused:
                event = event_names.AFTERTRACE_RUN_FAILED if failure else event_names.AFTERTRACE_RUN_COMPLETED
                self._send(event, identity.agent_actor, identity.target, failed)
            contexts.detach(token)
            ended_ns = self._emitter.clock_ns()
            end_span(span, failure, ended_ns)
            self._emitter.run_duration.record(
                max(0, ended_ns - started_ns) / NS_PER_S,
                known({names.GEN_AI_AGENT_NAME: identity.agent, **failed}),
            )


def _identity(
    run_id: str, configuration: Configuration, conversation_id: str | None, session_id: str | None, user_id: str | None
) -> Identity:
    """Who carries out a run, for whom. Raises `NotARunId`."""
    return Identity(
        run_id=propagate.checked_run_id(run_id),
        agent=configuration.agent,
        model=configuration.model,
        conversation_id=conversation_id,
        session_id=session_id,
        user_id=user_id,
    )
