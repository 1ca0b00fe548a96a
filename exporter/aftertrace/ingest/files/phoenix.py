"""Exports of Phoenix: spans in OpenInference's names, from its REST API or a data frame's JSON, made OTLP spans again.

The dialect `openinference` reads them. A data frame has a column for each attribute (`attributes.llm.model_name`), the
API nests or flattens them; lists of messages are flattened here, as the instrumentations send them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.ingest.dialects import openinference
from aftertrace.ingest.files import pieces, spans
from aftertrace.ingest.files.item import Made, Origin, Refused, Value, pairs
from aftertrace.ingest.files.opened import Opened
from aftertrace.ingest.files.pieces import Look
from aftertrace.ingest.files.times import time_ns

_PREFIX: Final = "attributes."
_SPAN: Final = frozenset(("span_kind", "start_time", "name"))
_KIND: Final = "openinference.span.kind"


def is_export(look: Look) -> bool:
    """Whether a file holds spans of Phoenix."""
    return any(map(_is_entry, look.objects()))


def read(source: Opened, look: Look) -> Iterator[Made | Refused]:
    """The spans that an export becomes."""
    for piece in pieces.entries(source.name, source.file, look.form):
        yield from [piece] if isinstance(piece, Refused) else _entry(piece.text, piece.where)


def _is_entry(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    listed = value.get("data")
    first = listed[0] if isinstance(listed, list) and listed else None
    return value.keys() >= _SPAN or (isinstance(first, dict) and first.keys() >= _SPAN)


def _entry(text: bytes, where: str) -> Iterator[Made | Refused]:
    value = pieces.decoded(text)
    if not isinstance(value, dict):
        yield Refused(where, "not a JSON object, expected a span of Phoenix")
        return
    listed = value.get("data")
    for each in listed if isinstance(listed, list) and "span_kind" not in value else [value]:
        yield _made(each, where) if isinstance(each, dict) else Refused(where, "a span is no JSON object")


def _made(told: dict[str, Any], where: str) -> Made:
    context = told["context"] if isinstance(told.get("context"), dict) else {}
    own = str(context.get("span_id") or told.get("context.span_id") or "")
    trace = str(context.get("trace_id") or told.get("context.trace_id") or "")
    message = told.get("status_message")
    made = spans.span(
        trace,
        own,
        str(told["parent_id"]) if told.get("parent_id") else None,
        str(told.get("name") or ""),
        start_ns=time_ns(told.get("start_time")),
        end_ns=time_ns(told.get("end_time")),
        error=str(message or "") if told.get("status_code") == "ERROR" else None,
    )
    attributes: dict[str, Value | None] = {_KIND: str(told.get("span_kind"))}
    for key, held in told.items():
        if key == "attributes" and isinstance(held, dict):
            attributes |= spans.flat(held)
        elif key.startswith(_PREFIX) and held is not None:
            attributes |= spans.flat(held, key.removeprefix(_PREFIX))
    made.events.extend(_events(told.get("events")))
    return Made(spans.add(made, attributes), Origin(openinference.EXPORT), where)


def _events(listed: Any) -> Iterator[Span.Event]:
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict):
            attributes = spans.flat(each.get("attributes") if isinstance(each.get("attributes"), dict) else {})
            yield Span.Event(
                name=str(each.get("name") or ""),
                time_unix_nano=time_ns(each.get("timestamp")),
                attributes=pairs({key: held for key, held in attributes.items() if key}),
            )
