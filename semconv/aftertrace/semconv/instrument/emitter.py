"""The way out: events as log records, or as span events where there is no logs SDK; spans and metrics beside them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from opentelemetry import _logs, metrics, trace
from opentelemetry.trace import SpanKind

from aftertrace.semconv import attributes as names
from aftertrace.semconv.event_names import SEVERITIES
from aftertrace.semconv.instrument.content import known
from aftertrace.semconv.metric_names import (
    AFTERTRACE_APPROVAL_DURATION,
    AFTERTRACE_DECISIONS,
    AFTERTRACE_RUN_DURATION,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context.context import Context
    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.instrument.actor import Actor, Target

SCOPE: Final = "aftertrace.semconv"
"""Name of the instrumentation scope of everything the API sends."""

NS_PER_S: Final = 1_000_000_000


def error_type(error: BaseException) -> str:
    """Name the class of an error, and not its text, which may hold content."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def end_span(span: trace.Span, failure: str | None, end_ns: int) -> None:
    """End a span. Its status stays unset unless there was a failure, which is named by its type."""
    if failure:
        span.set_attribute(names.ERROR_TYPE, failure)
        span.set_status(trace.Status(trace.StatusCode.ERROR, failure))
    span.end(end_ns)


def _random_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitter:
    """Where spans, events and metrics go, and where ids and times come from."""

    tracer_provider: trace.TracerProvider | None = None
    """The global one, if None; the same holds for the next two."""
    logger_provider: _logs.LoggerProvider | None = None
    meter_provider: metrics.MeterProvider | None = None
    new_id: Callable[[], str] = _random_id
    """Makes ids of events, runs and approvals. They must never repeat."""
    clock_ns: Callable[[], int] = time.time_ns
    """Tells Unix time in nanoseconds."""
    tracer: trace.Tracer = field(init=False)
    run_duration: metrics.Histogram = field(init=False)
    approval_duration: metrics.Histogram = field(init=False)
    decisions: metrics.Counter = field(init=False)

    def __post_init__(self) -> None:
        """Make the tracer and the instruments; with the API alone, they do nothing."""
        meter = metrics.get_meter(SCOPE, meter_provider=self.meter_provider)
        made = {
            "tracer": trace.get_tracer(SCOPE, tracer_provider=self.tracer_provider),
            "run_duration": meter.create_histogram(AFTERTRACE_RUN_DURATION, "s", "How long runs took."),
            "approval_duration": meter.create_histogram(
                AFTERTRACE_APPROVAL_DURATION, "s", "How long requests for approval waited for their answer."
            ),
            "decisions": meter.create_counter(
                AFTERTRACE_DECISIONS, "{decision}", "Decisions about calls, those that refused them included."
            ),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def start_span(
        self, name: str, attributes: Mapping[str, AttributeValue], context: Context | None = None
    ) -> trace.Span:
        """Start a span of kind internal, now by our clock. It is the caller's to end."""
        return self.tracer.start_span(
            name, context, SpanKind.INTERNAL, attributes=dict(attributes), start_time=self.clock_ns()
        )

    def event(
        self,
        name: str,
        actor: Actor,
        target: Target,
        attributes: Mapping[str, AttributeValue | None],
        context: Context | None = None,
    ) -> None:
        """Send an event, related to the span of the context; the current one, if none is given.

        Args:
            name: one of `aftertrace.semconv.event_names`.
            actor: who caused it.
            target: what it is about.
            attributes: what else it carries; those that are None are left out.
            context: names the span that the event belongs to.
        """
        stated = {
            names.LOG_RECORD_UID: self.new_id(),
            **actor.attributes(),
            **target.attributes(),
            **known(attributes),
        }
        now_ns = self.clock_ns()
        provider = self.logger_provider or _logs.get_logger_provider()
        # Providers of the API itself stand for "no logs SDK": what they are given is gone.
        if type(provider).__module__.startswith("opentelemetry._logs"):
            trace.get_current_span(context).add_event(name, stated, now_ns)
            return
        provider.get_logger(SCOPE).emit(
            timestamp=now_ns,
            observed_timestamp=now_ns,
            context=context,
            severity_number=_logs.SeverityNumber[SEVERITIES[name]],
            attributes=stated,
            event_name=name,
        )
