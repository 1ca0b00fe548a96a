"""The execution of a tool call, as seen from within."""

from __future__ import annotations

from dataclasses import dataclass, field

from aftertrace.semconv.attributes import ActorType, ToolState
from aftertrace.semconv.instrument.actor import Actor, Reason
from aftertrace.semconv.instrument.content import Content


@dataclass(slots=True)
class Execution:
    """How a tool call ends. It is completed, unless something else is said here or an exception leaves it."""

    actor: Actor
    """Who caused the end."""
    state: ToolState = ToolState.COMPLETED
    reason: Reason | None = None
    error_type: str | None = None
    content: Content | None = field(default=None, repr=False)
    """The result."""

    def result(self, value: object) -> None:
        """Keep the result: a text or a JSON value. Its digest is sent; itself only where content is captured."""
        self.content = Content.of(value)

    def failed(self, error_type: str, reason: Reason | None = None) -> None:
        """Say that the tool ran and returned an error without raising one."""
        self.state, self.error_type, self.reason = ToolState.FAILED, error_type, reason

    def refused(self, reason: Reason | None = None, system: str | None = None) -> None:
        """Say that the system which the tool acts on refused, as with 401 or 403. It is a denial, not an error."""
        self.state, self.reason, self.actor = ToolState.REFUSED, reason, Actor(ActorType.TARGET, system)

    def cancelled(self, by: Actor, reason: Reason | None = None) -> None:
        """Say that somebody interrupted the call."""
        self.state, self.reason, self.actor = ToolState.CANCELLED, reason, by
