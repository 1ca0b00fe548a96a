"""The recordings in this package: real exports of real agents, told again as if they had just happened.

Each file in `recordings/` holds the requests of one run of one agent, as `{"signal": …, "request": …}` lines. What was
recorded stays as it was but for the times, which move together: the order and the lengths of things stay true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from aftertrace.store.request import Signal

_SPACING_NS: Final = 7 * 60 * 1_000_000_000
"""Between the ends of two recordings."""
_LAST_NS: Final = 60 * 1_000_000_000
"""How long before now the last one ended."""


@dataclass(frozen=True, slots=True)
class Export:
    """One export request, as the official exporter would send it."""

    signal: Signal
    body: bytes
    """An `Export*ServiceRequest` in protobuf."""


def names() -> list[str]:
    """Names of the recordings, by emitter and case."""
    return sorted(
        entry.name for entry in (files("aftertrace.cli") / "recordings").iterdir() if entry.name.endswith(".jsonl")
    )


def replay(now_ns: int) -> Iterator[Export]:
    """All recordings, the last of them ending a minute before `now_ns`."""
    recordings = names()
    for index, name in enumerate(recordings):
        ends_ns = now_ns - _LAST_NS - (len(recordings) - 1 - index) * _SPACING_NS
        with as_file(files("aftertrace.cli") / "recordings" / name) as path:
            yield from moved(path, ends_ns)


def moved(path: Path, ends_ns: int) -> Iterator[Export]:
    """The requests of a recording, moved so that its last time is `ends_ns`."""
    from aftertrace.ingest import files as importable
    from aftertrace.ingest import otlp_json

    with importable.opened(path) as source:
        items = [item for item in importable.read(source) if isinstance(item, importable.Item)]
    requests = [(item.signal, otlp_json.decode(item.body, item.signal)) for item in items]
    last_ns = max((time_ns for _, request in requests for time_ns in _times(request)), default=ends_ns)
    for signal, request in requests:
        _move(request, ends_ns - last_ns)
        yield Export(signal, request.SerializeToString())


def _times(message: Message) -> Iterator[int]:
    for field, value in message.ListFields():
        if field.name.endswith("_time_unix_nano") or field.name == "time_unix_nano":
            yield value
        elif field.message_type is not None:
            for part in _parts(value):
                yield from _times(part)


def _move(message: Message, by_ns: int) -> None:
    """Add to every time in the message that is set; one that is 0 says that there is none."""
    for field, value in message.ListFields():
        if field.name.endswith("_time_unix_nano") or field.name == "time_unix_nano":
            setattr(message, field.name, value + by_ns)
        elif field.message_type is not None:
            for part in _parts(value):
                _move(part, by_ns)


def _parts(value: Any) -> list[Any]:
    """The messages of a field: itself, or its elements."""
    return [value] if hasattr(value, "ListFields") else list(value)
