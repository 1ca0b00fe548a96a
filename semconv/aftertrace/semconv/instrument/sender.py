"""What every part of the API shares: events for the run of the current context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import Span, set_span_in_context

from aftertrace.semconv.instrument.emitter import Emitter
from aftertrace.semconv.instrument.run import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.instrument.actor import Actor, Target
    from aftertrace.semconv.instrument.call import Call


class Sender:
    """Sends events of the run that the current context carries."""

    def __init__(self, *, capture_content: bool = False, emitter: Emitter | None = None) -> None:
        """Send through the global OpenTelemetry providers, or through an emitter of your own."""
        self._with_content = capture_content
        self._emitter = emitter or Emitter()

    def _send(
        self,
        event: str,
        actor: Actor,
        target: Target,
        attributes: Mapping[str, AttributeValue | None],
        span: Span | None = None,
    ) -> None:
        context = set_span_in_context(span) if span else None
        self._emitter.event(event, actor, target, {**Identity.current().attributes(), **attributes}, context)

    def _about(
        self,
        event: str,
        call: Call,
        actor: Actor,
        attributes: Mapping[str, AttributeValue | None],
        span: Span | None = None,
    ) -> None:
        described = call.attributes(with_content=self._with_content)
        self._send(event, actor, call.target, {**described, **attributes}, span)
