"""Calls that are carried out, and what they change."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import context as contexts
from opentelemetry.trace import set_span_in_context

from aftertrace.semconv import attributes as names
from aftertrace.semconv import event_names
from aftertrace.semconv.attributes import ActorType, ToolState
from aftertrace.semconv.instrument.actor import Actor
from aftertrace.semconv.instrument.call import Call
from aftertrace.semconv.instrument.content import content_attributes, known, merged
from aftertrace.semconv.instrument.emitter import end_span, error_type
from aftertrace.semconv.instrument.execution import Execution
from aftertrace.semconv.instrument.run import Identity
from aftertrace.semconv.instrument.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.instrument.actor import Reason
    from aftertrace.semconv.instrument.effect import Effect

_CALL: Final = contexts.create_key("aftertrace.call")


class Calls(Sender):
    """Records the execution of calls and their effects."""

    @contextmanager
    def tool_call(
        self, call: Call, *, tool_type: str | None = None, mcp_session_id: str | None = None
    ) -> Iterator[Execution]:
        """Carry out a call: a span around it, and ``tool.called`` when it starts and again when it ends.

        An exception passes. It makes the call failed; an interrupt or a cancelled task makes it cancelled.

        Args:
            call: the call, with the arguments that are used.
            tool_type: `gen_ai.tool.type`: function, extension or datastore.
            mcp_session_id: the MCP session, if MCP carries the call.
        """
        run = Identity.current()
        carrier = {
            names.MCP_METHOD_NAME: "tools/call" if mcp_session_id is not None else None,
            names.MCP_SESSION_ID: mcp_session_id,
        }
        span = self._emitter.start_span(
            f"execute_tool {call.tool}",
            known(
                {
                    names.GEN_AI_OPERATION_NAME: "execute_tool",
                    names.GEN_AI_TOOL_TYPE: tool_type,
                    **run.attributes(),
                    **call.attributes(with_content=self._with_content),
                    **carrier,
                }
            ),
        )
        token = contexts.attach(contexts.set_value(_CALL, call, set_span_in_context(span)))
        execution = Execution(run.agent_actor)
        try:
            self._about(
                event_names.AFTERTRACE_TOOL_CALLED,
                call,
                run.agent_actor,
                {names.AFTERTRACE_TOOL_STATE: ToolState.STARTED, **carrier},
            )
            yield execution
        except BaseException as error:
            _interpret(error, execution)
            raise
        finally:
            ended = {
                **content_attributes(
                    execution.content,
                    names.AFTERTRACE_TOOL_RESULT_DIGEST,
                    names.GEN_AI_TOOL_CALL_RESULT if self._with_content else None,
                ),
                **known({names.ERROR_TYPE: execution.error_type}),
            }
            self._ended(call, execution, {**ended, **carrier})
            contexts.detach(token)
            # A refused call has a span too: without its state, a reader would take the span for an execution.
            span.set_attributes({**ended, names.AFTERTRACE_TOOL_STATE: str(execution.state)})
            end_span(span, execution.error_type, self._emitter.clock_ns())

    def call_ended(self, call: Call, state: ToolState, reason: Reason | None = None, by: Actor | None = None) -> None:
        """Record the end of a call that never ran: an unknown tool, arguments that do not fit, an interrupt."""
        self._ended(call, Execution(by or Identity.current().agent_actor, state, reason), {})

    def effect_applied(self, effect: Effect, call: Call | None = None) -> None:
        """Record a change in a system of record, with its receipt; inside `tool_call`, of that call."""
        self._effect(event_names.AFTERTRACE_EFFECT_APPLIED, effect, call, Identity.current().agent_actor, {})

    def effect_blocked(self, effect: Effect, by: Actor, reason: Reason | None = None, call: Call | None = None) -> None:
        """Record that somebody or something kept a system of record from changing."""
        self._effect(event_names.AFTERTRACE_EFFECT_BLOCKED, effect, call, by, merged(reason))

    def _ended(self, call: Call, execution: Execution, attributes: Mapping[str, AttributeValue | None]) -> None:
        self._about(
            event_names.AFTERTRACE_TOOL_CALLED,
            call,
            execution.actor,
            {
                names.AFTERTRACE_TOOL_STATE: execution.state,
                **merged(execution.reason),
                **attributes,
            },
        )

    def _effect(
        self,
        event: str,
        effect: Effect,
        call: Call | None,
        actor: Actor,
        attributes: Mapping[str, AttributeValue | None],
    ) -> None:
        current = call or contexts.get_value(_CALL)
        of = current if isinstance(current, Call) else None
        self._send(
            event,
            actor,
            effect.target,
            {
                names.GEN_AI_TOOL_NAME: of.tool if of else None,
                names.GEN_AI_TOOL_CALL_ID: of.id if of else None,
                **effect.attributes(),
                **attributes,
            },
        )


def _interpret(error: BaseException, execution: Execution) -> None:
    if isinstance(error, KeyboardInterrupt):
        execution.cancelled(Actor(ActorType.HUMAN))
    elif isinstance(error, asyncio.CancelledError | GeneratorExit | SystemExit):
        execution.cancelled(Actor(ActorType.PROGRAM))
    else:
        execution.failed(error_type(error))
