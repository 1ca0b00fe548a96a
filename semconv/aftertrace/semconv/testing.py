"""For tests of instrumented agents: what was sent, in memory, with ids and times that repeat.

It needs `opentelemetry-sdk`, which is imported when a `Recorder` is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from aftertrace.semconv.event_names import REQUIRED_ATTRIBUTES
from aftertrace.semconv.instrument.emitter import Emitter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

START_NS: Final = 1_764_547_200_000_000_000
"""What a `CountingClock` says first: 2025-12-01T00:00:00Z, in Unix nanoseconds."""


class CountingClock:
    """A clock that goes on by the same step each time it is read."""

    def __init__(self, start_ns: int = START_NS, step_ns: int = 1_000_000_000) -> None:
        """Start at a Unix time in nanoseconds."""
        self._times_ns = count(start_ns, step_ns)

    def __call__(self) -> int:
        """Tell the time and go on."""
        return next(self._times_ns)


class CountingIds:
    """Ids that count: `id-1`, then `id-2`."""

    def __init__(self) -> None:
        """Start at 1."""
        self._numbers = count(1)

    def __call__(self) -> str:
        """Make the next id."""
        return f"id-{next(self._numbers)}"


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as an exporter would send it."""

    name: str
    time_ns: int
    severity: str
    trace_id: str
    """32 hex digits; zeros outside of a span."""
    span_id: str
    attributes: Mapping[str, object]

    @property
    def missing(self) -> tuple[str, ...]:
        """Attributes that the conventions require of this event and that it does not carry."""
        return tuple(name for name in REQUIRED_ATTRIBUTES.get(self.name, ()) if name not in self.attributes)


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """A span that ended, as an exporter would send it."""

    name: str
    start_ns: int
    end_ns: int
    trace_id: str
    span_id: str
    parent_span_id: str | None
    status: str
    """`UNSET`, `OK` or `ERROR`."""
    attributes: Mapping[str, object]
    events: tuple[RecordedEvent, ...] = ()


class Recorder:
    """OpenTelemetry providers that keep everything in memory: give `emitter` to an `AuditTrail`."""

    def __init__(self, *, with_logs: bool = True) -> None:
        """Make the providers. Without logs, events take the way they take where there is no logs SDK."""
        from opentelemetry._logs import NoOpLoggerProvider
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from opentelemetry.sdk.trace.id_generator import IdGenerator

        class CountingIdGenerator(IdGenerator):
            def __init__(self) -> None:
                self._numbers = count(1)

            def generate_span_id(self) -> int:
                return next(self._numbers)

            def generate_trace_id(self) -> int:
                return next(self._numbers)

        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
        self.tracer_provider: TracerProvider = TracerProvider(id_generator=CountingIdGenerator())
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.logger_provider: LoggerProvider = LoggerProvider()
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.emitter = Emitter(
            tracer_provider=self.tracer_provider,
            logger_provider=self.logger_provider if with_logs else NoOpLoggerProvider(),
            new_id=CountingIds(),
            clock_ns=CountingClock(),
        )

    def events(self) -> tuple[RecordedEvent, ...]:
        """The events that were sent as log records, in order."""
        return tuple(map(_recorded_log, self._logs.get_finished_logs()))

    def spans(self) -> tuple[RecordedSpan, ...]:
        """The spans that ended, in the order of their ends."""
        return tuple(map(_recorded_span, self._spans.get_finished_spans()))


def _recorded_log(log: ReadableLogRecord) -> RecordedEvent:
    record = log.log_record
    return RecordedEvent(
        name=record.event_name or "",
        time_ns=record.timestamp or 0,
        severity=record.severity_number.name if record.severity_number else "",
        trace_id=f"{record.trace_id or 0:032x}",
        span_id=f"{record.span_id or 0:016x}",
        attributes=dict(record.attributes or {}),
    )


def _recorded_span(span: ReadableSpan) -> RecordedSpan:
    trace_id, span_id = f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"
    return RecordedSpan(
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=f"{span.parent.span_id:016x}" if span.parent else None,
        status=span.status.status_code.name,
        attributes=dict(span.attributes or {}),
        events=tuple(
            RecordedEvent(event.name, event.timestamp, "", trace_id, span_id, dict(event.attributes or {}))
            for event in span.events
        ),
    )
