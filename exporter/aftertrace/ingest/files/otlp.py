"""Files of OTLP export requests: telemetry that was recorded somewhere else.

==========================  ========================================================================================
file                        holds
==========================  ========================================================================================
OTLP JSON lines             one request per line, ``{"resourceSpans": […]}``; the key tells the signal. One such
                            document over many lines is read too, and a list of them.
tagged JSON lines           ``{"signal": "traces", "request": {…}}`` per line
length-delimited protobuf   a varint length and an `Export*ServiceRequest`, again and again; the signal comes from
                            the file's name (`traces`, `spans`, `logs` or `metrics` in it) or from ``--signal``
==========================  ========================================================================================
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, get_args

import msgspec

from aftertrace.ingest.files import pieces
from aftertrace.ingest.files.item import Item, Refused
from aftertrace.ingest.files.opened import Opened
from aftertrace.ingest.files.pieces import Look
from aftertrace.store.errors import Invalid
from aftertrace.store.request import Signal

MAX_REQUEST_BYTES: Final = 64 << 20
"""A longer length prefix means that the file is something else."""

_MAX_VARINT_BYTES: Final = 10
_KEYS: Final = frozenset(("resourceSpans", "resourceLogs", "resourceMetrics"))
_FIRST_FIELD: Final = b"\x0a"
"""What an export request that is not empty begins with: field 1, which has a length."""


class _Line(msgspec.Struct):
    """A line of JSON, as far as needed to tell its signal; the request inside is not decoded here."""

    signal: Signal | msgspec.UnsetType = msgspec.UNSET
    request: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    spans: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="resourceSpans")
    logs: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="resourceLogs")
    metrics: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="resourceMetrics")


_LINE: Final = msgspec.json.Decoder(_Line)


def is_json(look: Look) -> bool:
    """Whether a file holds requests as JSON."""
    return any(_KEYS & value.keys() or {"signal", "request"} <= value.keys() for value in look.objects())


def is_protobuf(head: bytes) -> bool:
    """Whether a file holds requests as protobuf: a length, and within it the first field of a request with its own."""
    file = io.BytesIO(head)
    try:
        length_bytes = _length("", file)
        begin = file.tell()
        if not length_bytes:
            return length_bytes == 0
        inner_bytes = _length("", file) if file.read(1) == _FIRST_FIELD else None
    except Invalid:
        return False
    return inner_bytes is not None and file.tell() - begin + inner_bytes <= length_bytes


def read(source: Opened, look: Look) -> Iterator[Item | Refused]:
    """The requests of a JSON file, in order.

    Raises:
        Invalid: from some point on it is no JSON.
    """
    for piece in pieces.entries(source.name, source.file, look.form):
        yield piece if isinstance(piece, Refused) else _json_item(piece.text, piece.where)


def read_protobuf(source: Opened, signal: Signal | None) -> Iterator[Item]:
    """The requests of a protobuf file, in order.

    Args:
        source: the file.
        signal: what it holds; None reads it from the file's name.

    Raises:
        Invalid: from some point on it is something else.
    """
    signal = signal or _signal_of_name(source.name)
    offset = 0
    while True:
        length_bytes = _length(source.name, source.file, offset)
        if length_bytes is None:
            return
        body = source.file.read(length_bytes)
        if len(body) < length_bytes:
            raise Invalid(
                f"read {source.name}: {len(body)} bytes after the length at offset {offset}, expected {length_bytes}; "
                "the file is cut short"
            )
        yield Item(signal, "protobuf", body, f"{source.name} at offset {offset}")
        offset += length_bytes + max(1, -(-length_bytes.bit_length() // 7))


def _json_item(text: bytes, where: str) -> Item | Refused:
    try:
        line = _LINE.decode(text)
    except pieces.FAULTS as error:
        return Refused(where, f"not a JSON object of OTLP: {error}")
    if line.signal is not msgspec.UNSET and line.request is not msgspec.UNSET:
        return Item(line.signal, "json", bytes(line.request), where)
    keys = {"traces": line.spans, "logs": line.logs, "metrics": line.metrics}
    found = [name for name in get_args(Signal) if keys[name] is not msgspec.UNSET]
    if len(found) != 1:
        why = f"{len(found)} of resourceSpans, resourceLogs and resourceMetrics, expected one, or signal and request"
        return Refused(where, why)
    return Item(found[0], "json", text, where)


def _length(name: str, file: BinaryIO, offset: int = 0) -> int | None:
    """A base-128 varint, least significant group first; None at the end of the file."""
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            if index == 0:
                return None
            break
        value |= (byte[0] & 0x7F) << (7 * index)
        if value > MAX_REQUEST_BYTES:
            break
        if not byte[0] & 0x80:
            return value
    raise Invalid(
        f"read {name}: no length of at most {MAX_REQUEST_BYTES} bytes at offset {offset}, expected length-delimited "
        "protobuf or OTLP JSON lines"
    )


def _signal_of_name(name: str) -> Signal:
    named: dict[str, Signal] = {signal: signal for signal in get_args(Signal)} | {"spans": "traces"}
    found = {named[word] for word in re.findall(r"[a-z]+", Path(name).name.lower()) if word in named}
    if len(found) != 1:
        raise Invalid(f"read {name}: its name tells no signal, expected traces, logs or metrics in it; give --signal")
    return found.pop()
