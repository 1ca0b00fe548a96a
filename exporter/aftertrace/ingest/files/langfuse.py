"""Exports of Langfuse: traces with their observations, as the UI and the API give them, or observations alone.

Each observation becomes a span that holds it word for word; what its trace says of user, session and input stands
beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from aftertrace.ingest.dialects import langfuse
from aftertrace.ingest.files import pieces, spans
from aftertrace.ingest.files.item import Made, Origin, Refused, Value
from aftertrace.ingest.files.opened import Opened
from aftertrace.ingest.files.pieces import Look
from aftertrace.ingest.files.times import time_ns

_OBSERVATION: Final = frozenset(("traceId", "startTime", "type"))
_PAGE: Final = "data"
"""Key of the list in a page of the API."""
_LEVELS: Final = 2
"""A page holds traces, and a trace observations."""


def is_export(look: Look) -> bool:
    """Whether a file holds traces or observations of Langfuse."""
    return any(map(_is_entry, look.objects()))


def read(source: Opened, look: Look) -> Iterator[Made | Refused]:
    """The spans that an export becomes."""
    for piece in pieces.entries(source.name, source.file, look.form):
        yield from [piece] if isinstance(piece, Refused) else _entry(piece.text, piece.where)


def _is_entry(value: Any, levels: int = _LEVELS) -> bool:
    if not isinstance(value, dict):
        return False
    listed = value.get("observations", value.get(_PAGE)) if levels else None
    nested = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    is_trace = "observations" in value and bool(
        {"trace", "projectId"} & value.keys() or {"id", "timestamp"} <= value.keys()
    )
    return value.keys() >= _OBSERVATION or is_trace or any(_is_entry(each, levels - 1) for each in nested[:1])


def _entry(text: bytes, where: str) -> Iterator[Made | Refused]:
    value = pieces.decoded(text)
    if not isinstance(value, dict):
        yield Refused(where, "not a JSON object, expected a trace or an observation of Langfuse")
        return
    if value.keys() >= _OBSERVATION:
        yield _made(value, {}, where)
        return
    listed = value.get("observations", value.get(_PAGE))
    trace = value["trace"] if isinstance(value.get("trace"), dict) else value
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and isinstance(each.get("observations"), list) and not each.keys() >= _OBSERVATION:
            of = each["trace"] if isinstance(each.get("trace"), dict) else each
            yield from _observations(each["observations"], of, where)
        else:
            yield from _observations([each], trace, where)


def _observations(listed: list[Any], trace: dict[str, Any], where: str) -> Iterator[Made | Refused]:
    for each in listed:
        if isinstance(each, dict):
            yield _made(each, trace, where)
        else:
            yield Refused(where, "an observation is no JSON object")


def _made(observation: dict[str, Any], trace: dict[str, Any], where: str) -> Made:
    parent = _text(observation.get("parentObservationId"))
    attributes: dict[str, Value | None] = {
        langfuse.OBSERVATION: msgspec.json.encode(observation).decode(),
        langfuse.SESSION: _text(trace.get("sessionId")),
        langfuse.USER: _text(trace.get("userId")),
        langfuse.PROMPT: _plain(trace.get("input")) if parent is None else None,
    }
    trace_id = _text(observation.get("traceId")) or _text(trace.get("id")) or ""
    own = _text(observation.get("id")) or msgspec.json.encode(observation).decode()
    is_error = observation.get("level") == "ERROR"
    made = spans.span(
        trace_id,
        own,
        parent,
        _text(observation.get("name")) or "",
        start_ns=time_ns(observation.get("startTime")),
        end_ns=time_ns(observation.get("endTime")),
        error=(_text(observation.get("statusMessage")) or "") if is_error else None,
    )
    return Made(spans.add(made, attributes), Origin(langfuse.SCOPE, _resource(observation, trace)), where)


def _resource(observation: dict[str, Any], trace: dict[str, Any]) -> tuple[tuple[str, Value], ...]:
    """What the instrumentation behind it said of the service, and Langfuse of the environment."""
    metadata = observation.get("metadata")
    metadata = pieces.decoded(metadata.encode()) if isinstance(metadata, str) else metadata
    resource = metadata.get("resourceAttributes") if isinstance(metadata, dict) else None
    told = {key: _text(held) for key, held in resource.items()} if isinstance(resource, dict) else {}
    found = {key: told.get(key) for key in ("service.name", "service.version")}
    found["deployment.environment.name"] = _text(observation.get("environment")) or _text(trace.get("environment"))
    return tuple((key, held) for key, held in found.items() if held is not None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _plain(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else msgspec.json.encode(value).decode()
