"""Who acts, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv.instrument.content import known

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.attributes import ActorIdentity, ActorType, TargetType


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an event; of a decision, who decided."""

    type: ActorType
    id: str | None = None
    """An opaque reference is enough."""
    identity: ActorIdentity | None = None
    """How sure the id is: authenticated, asserted or inferred."""

    def attributes(self) -> dict[str, AttributeValue]:
        """Name the actor in the words of the conventions."""
        return known(
            {
                names.AFTERTRACE_ACTOR_TYPE: self.type,
                names.AFTERTRACE_ACTOR_ID: self.id,
                names.AFTERTRACE_ACTOR_IDENTITY: self.identity,
            }
        )


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about."""

    type: TargetType
    id: str | None = None

    def attributes(self) -> dict[str, AttributeValue]:
        """Name the target in the words of the conventions."""
        return known({names.AFTERTRACE_TARGET_TYPE: self.type, names.AFTERTRACE_TARGET_ID: self.id})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: one of few words that can be counted, the actor's own words, or both."""

    code: str | None = None
    text: str | None = None
    """Sent whether or not content is captured: it is the evidence that reviewers are asked for."""

    def attributes(self) -> dict[str, AttributeValue]:
        """Give the reason in the words of the conventions."""
        return known({names.AFTERTRACE_REASON_CODE: self.code, names.AFTERTRACE_REASON_TEXT: self.text})
