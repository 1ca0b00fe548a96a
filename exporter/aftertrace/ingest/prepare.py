"""`prepare`: what is done to a request before it is written. Decode and validate, hold to the caps, redact.

A request is kept whole or refused whole. OTLP would allow to take a part of it, but a sender never sends the
rest again, so for an audit trail that would be loss with an OK. What is odd but decodes is kept as it came
and flagged when it is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError, EncodeError

from aftertrace.ingest import bindings, otlp_json, parts
from aftertrace.ingest.by_reference import RULE, Taking
from aftertrace.ingest.redact import Redactor
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.ingest.wire import split
from aftertrace.store.digest import record_key
from aftertrace.store.errors import Invalid, TooLarge
from aftertrace.store.request import Prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from aftertrace.store.blobs.blobs import Content
    from aftertrace.store.request import Prepare, Request, Signal

_LEVELS: Final[dict[Signal, tuple[str, str, str]]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}

_CAPPED: Final[dict[Signal, tuple[tuple[str, str], ...]]] = {
    "traces": (("attributes", "max_attributes"), ("events", "max_events"), ("links", "max_events")),
    "logs": (("attributes", "max_attributes"),),
    "metrics": (),
}
"""Parts of a record, and which of the limits holds for them."""

_VALUES_PER_PART: Final = 4
"""A message in JSON is an object; its members, and the list that it may stand in, are values too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may hold. More is refused as `TooLarge`, and the sender is told to make smaller
    batches.

    Nesting needs no cap of its own: the protobuf library reads 100 messages inside one another, which is 48
    levels of arrays or maps in an attribute, and JSON is held to the same because it becomes protobuf first.
    """

    max_records: int = 10_000
    """Spans, log records or metrics per request, and half of its resources and scopes; 512 is what SDKs and the
    Collector send at most by default."""
    max_attributes: int = 4_096
    """Attributes per record, resource or scope; SDKs stop at 128 by default."""
    max_events: int = 10_000
    """Events per span, and links per span."""
    max_parts: int = 500_000
    """Messages in all: resources, records, attributes, their values, and whatever is nested in these. 16 MiB of spans
    as agents send them hold 350,000. In JSON, also four times as many values."""

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could be received."""
        for name in ("max_records", "max_attributes", "max_events", "max_parts"):
            if getattr(self, name) < 1:
                raise Invalid(f"configure limits: {name} is {getattr(self, name)}, expected at least 1")


def make_prepare(policy: RedactionPolicy, *, limits: Limits, store_metrics: bool = False, key: bytes) -> Prepare:
    """The function that a receiver applies to each request.

    Args:
        policy: what is secret.
        limits: what one request may hold.
        store_metrics: keep metrics, instead of validating and counting them only.
        key: the store's secret, at most 64 bytes, for redaction tokens and record keys.
    """
    redactor = Redactor(policy, key)
    taking = Taking(key, policy.reference_bytes) if policy.has_references else None
    digest = policy.digest

    def prepare(request: Request) -> Prepared:
        signal = request.signal
        message, received = _decode(request, limits)
        records = _records(message, signal, limits)
        _hold_to(message, signal, limits)
        payload, keys = received, b""
        hits: Counter[str] = Counter()
        contents: list[Content] = []
        if redactor.suspects(received, request.source):
            hits = redactor.redact(message, request.source)
        if taking is not None and policy.capture_for(request.source) == RULE:
            contents = taking.take(message, request)
            hits += Counter({RULE: len(contents)})
        if hits:
            payload = message.SerializeToString()
            keys = b"".join(record_key(key, each.resource, each.scope, each.record) for each in split(received, signal))
        if request.agents:
            bindings.hold_to(request.agents, received, payload, signal)
        return Prepared(
            payload=payload,
            records=records,
            keys=keys,
            redactions=tuple(sorted(hits.items())),
            policy=digest,
            contents=tuple(contents),
            store=signal != "metrics" or store_metrics,
        )

    return prepare


def _decode(request: Request, limits: Limits) -> tuple[Message, bytes]:
    """The request as a message, and as the protobuf bytes it is kept as where nothing is redacted."""
    signal = request.signal
    kind = otlp_json.REQUESTS[signal]
    try:
        if request.encoding == "json":
            if parts.too_many_values(request.body, _VALUES_PER_PART * limits.max_parts):
                raise _crowded(signal, limits)
            message = otlp_json.decode(request.body, signal)
            payload = message.SerializeToString()
        else:
            message, payload = None, request.body
        # Before decoding, since a message in memory is up to 88 times larger than on the wire.
        if parts.too_many(payload, kind.DESCRIPTOR, limits.max_parts, _most(limits)):
            raise _crowded(signal, limits)
        return kind.FromString(payload) if message is None else message, payload
    except (DecodeError, EncodeError) as error:
        hint = "logs go to /v1/logs and metrics to /v1/metrics" if signal == "traces" else "check the endpoint"
        raise Invalid(
            f"prepare {signal} request: the body does not decode, expected an OTLP export of {signal}; {hint}"
        ) from error


def _most(limits: Limits) -> dict[str, int]:
    """By kind of message, how many a request may hold at most: resources and scopes may be empty."""
    places, records = 2 * limits.max_records, limits.max_records
    return {
        **dict.fromkeys(("ResourceSpans", "ScopeSpans", "ResourceLogs", "ScopeLogs"), places),
        **dict.fromkeys(("ResourceMetrics", "ScopeMetrics"), places),
        **dict.fromkeys(("Span", "LogRecord", "Metric"), records),
    }


def _crowded(signal: Signal, limits: Limits) -> TooLarge:
    return TooLarge(
        f"prepare {signal} request: more than {limits.max_records} records or {limits.max_parts} attributes and other "
        "parts, make the sender's batches smaller"
    )


def _records(message: Any, signal: Signal, limits: Limits) -> int:
    """How many records a request holds.

    It is refused over their cap, and where resources and scopes, which may be empty, are more than two for each record
    that there may be: so no loop here and in what follows is longer than that.
    """
    groups, scopes, records = _LEVELS[signal]
    most = limits.max_records
    found, places = 0, len(getattr(message, groups))
    for group in getattr(message, groups):
        places += len(getattr(group, scopes))
        if places > 2 * most or found > most:
            break
        found += sum(map(len, map(attrgetter(records), getattr(group, scopes))))
    if places > 2 * most or found > most:
        raise TooLarge(f"prepare {signal} request: more than {most} records, make the sender's batches smaller")
    return found


def _hold_to(message: Any, signal: Signal, limits: Limits) -> None:
    """Refuse a request whose parts are over a cap, or that is not of its signal."""
    groups, scopes, records = _LEVELS[signal]
    for group in getattr(message, groups):
        _cap(len(group.resource.attributes), limits.max_attributes, "attributes", signal)
        for scoped in getattr(group, scopes):
            _cap(len(scoped.scope.attributes), limits.max_attributes, "attributes", signal)
            kept = list(getattr(scoped, records))
            for what, limit in _CAPPED[signal]:
                # No line of Python runs for a single record.
                most = max(map(len, map(attrgetter(what), kept)), default=0)
                _cap(most, getattr(limits, limit), what, signal)
    spans = _spans(message) if signal == "traces" else iter(())
    first = next(spans, None)
    if first is not None and not any(span.trace_id or span.span_id for span in chain((first,), spans)):
        raise Invalid(
            "prepare traces request: none of its spans has a trace or span id, which is how logs or metrics look at "
            "/v1/traces; post logs to /v1/logs and metrics to /v1/metrics"
        )


def _spans(message: Any) -> Iterator[Any]:
    return (span for group in message.resource_spans for scoped in group.scope_spans for span in scoped.spans)


def _cap(found: int, limit: int, what: str, signal: Signal) -> None:
    if found > limit:
        raise TooLarge(
            f"prepare {signal} request: {found} {what} in one place, expected at most {limit}; limit them in the sender"
        )
