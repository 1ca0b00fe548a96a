"""Spans out of exports that are no OTLP: ids of any kind, times as texts or numbers, attributes of any depth."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from aftertrace.ingest.files.item import Value, pairs

_HEX: Final = re.compile(r"[0-9a-f]+")
_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8
_MOST_LEVELS: Final = 16
_MOST_ATTRIBUTES: Final = 4_000
"""Deeper or further attributes are kept as one text."""


def span(trace: str, own: str, parent: str | None, name: str, *, start_ns: int, end_ns: int, error: str | None) -> Span:
    """A span without attributes. Ids that are no OTLP ids become such ones, always the same."""
    status = Status(code=Status.STATUS_CODE_ERROR, message=error) if error is not None else None
    return Span(
        trace_id=_id(trace, _TRACE_BYTES),
        span_id=_id(own, _SPAN_BYTES),
        parent_span_id=_id(parent, _SPAN_BYTES) if parent else b"",
        name=name,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=max(start_ns, end_ns) if end_ns else 0,
        status=status,
    )


def add(to: Span, attributes: dict[str, Value | None]) -> Span:
    """The span with these attributes too."""
    to.attributes.extend(pairs(attributes))
    return to


def flat(value: Any, prefix: str = "", *, level: int = 0) -> dict[str, Value | None]:
    """Nested attributes by dotted keys, elements of lists of objects by their number; lists of plain values stay."""
    if isinstance(value, dict) and value and level < _MOST_LEVELS:
        members = {f"{prefix}.{key}" if prefix else str(key): held for key, held in value.items()}
    elif isinstance(value, list) and any(isinstance(held, dict) for held in value) and level < _MOST_LEVELS:
        members = {f"{prefix}.{index}": held for index, held in enumerate(value)}
    else:
        return {prefix: _plain(value)}
    found: dict[str, Value | None] = {}
    for key, held in members.items():
        if len(found) >= _MOST_ATTRIBUTES:
            found[key] = _plain(held)
        else:
            found |= flat(held, key, level=level + 1)
    return found


def _plain(value: Any) -> Value | None:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(held, str) for held in value):
        return list[Value](value)
    return msgspec.json.encode(value).decode()


def _id(text: str, length: int) -> bytes:
    lowered = text.lower()
    if len(lowered) == 2 * length and _HEX.fullmatch(lowered):
        return bytes.fromhex(lowered)
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:length]
