"""A run: its identity, which the context carries, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import context as contexts

from aftertrace.semconv import attributes as names
from aftertrace.semconv import propagate
from aftertrace.semconv.attributes import ActorType, TargetType
from aftertrace.semconv.instrument.actor import Actor, Target
from aftertrace.semconv.instrument.content import known

if TYPE_CHECKING:
    from opentelemetry.context.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.attributes import RunTriggerType

_RUN: Final = contexts.create_key("aftertrace.run")


@dataclass(frozen=True, slots=True)
class Trigger:
    """What started a run."""

    type: RunTriggerType
    id: str | None = None

    def attributes(self) -> dict[str, AttributeValue]:
        """Name the trigger in the words of the conventions."""
        return known({names.AFTERTRACE_RUN_TRIGGER_TYPE: self.type, names.AFTERTRACE_RUN_TRIGGER_ID: self.id})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What every event and span of a run carries."""

    run_id: str | None
    agent: str | None = None
    model: str | None = None
    conversation_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None

    @property
    def agent_actor(self) -> Actor:
        """The agent as the one who acts."""
        return Actor(ActorType.AGENT, self.agent)

    @property
    def model_actor(self) -> Actor:
        """The model as the one who chooses."""
        return Actor(ActorType.MODEL, self.model)

    @property
    def target(self) -> Target:
        """The run as what an event is about."""
        return Target(TargetType.RUN, self.run_id)

    def attributes(self) -> dict[str, AttributeValue]:
        """Name run, agent, conversation and user in the words of the conventions."""
        return known(
            {
                names.AFTERTRACE_RUN_ID: self.run_id,
                names.GEN_AI_AGENT_NAME: self.agent,
                names.GEN_AI_CONVERSATION_ID: self.conversation_id,
                names.SESSION_ID: self.session_id,
                names.USER_ID: self.user_id,
            }
        )

    @classmethod
    def current(cls) -> Identity:
        """The run of the current context; one that only baggage tells of has no more than its id."""
        found = contexts.get_value(_RUN)
        return found if isinstance(found, cls) else cls(run_id=propagate.from_baggage())


def with_identity(identity: Identity, context: Context | None = None) -> Context:
    """Put the run into a context, and its id into the baggage."""
    if identity.run_id is not None:
        context = propagate.to_baggage(identity.run_id, context)
    return contexts.set_value(_RUN, identity, context)


class Run:
    """A run, or the part of it that this process carries out."""

    __slots__ = ("id", "paused", "span")

    def __init__(self, run_id: str, span: Span) -> None:
        """Keep the id and the root span of this part."""
        self.id = run_id
        self.span = span
        self.paused = False

    def pause(self) -> None:
        """Say that the run goes on later, elsewhere: this part ends without ``run.completed``."""
        self.paused = True
