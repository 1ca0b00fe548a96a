"""Files of OTLP export requests: what `aftertrace import` understands.

==========================  ========================================================================================
file                        holds
==========================  ========================================================================================
OTLP JSON lines             one request per line, ``{"resourceSpans": […]}``; the key tells the signal. A file that
                            is one such document over many lines is read too.
tagged JSON lines           ``{"signal": "traces", "request": {…}}`` per line
length-delimited protobuf   a varint length and an `Export*ServiceRequest`, again and again; the signal comes from
                            the file's name (`traces`, `spans`, `logs` or `metrics` in it) or from ``--signal``
==========================  ========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, get_args

import msgspec

from aftertrace.store.errors import Invalid
from aftertrace.store.request import Encoding, Signal

MAX_REQUEST_BYTES: Final = 64 << 20
"""A longer length prefix means that the file is something else."""

_JSON_SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson"})
_PROTOBUF_SUFFIXES: Final = frozenset({".pb", ".binpb", ".bin", ".protobuf"})
_MAX_VARINT_BYTES: Final = 10


@dataclass(frozen=True, slots=True)
class Item:
    """One export request of a file."""

    signal: Signal
    encoding: Encoding
    body: bytes
    where: str
    """File and line, or file and offset: for messages."""
    end_bytes: int
    """How far into the file it reaches: for progress."""


class _Line(msgspec.Struct):
    """A line of JSON, as far as needed to tell its signal; the request inside is not decoded here."""

    signal: Signal | msgspec.UnsetType = msgspec.UNSET
    request: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    spans: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="resourceSpans")
    logs: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="resourceLogs")
    metrics: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="resourceMetrics")


_LINE: Final = msgspec.json.Decoder(_Line)


def read(path: Path, signal: Signal | None) -> Iterator[Item]:
    """The requests of a file, in order.

    Args:
        path: the file.
        signal: of a protobuf file; None reads it from the file's name.

    Raises:
        Invalid: the file cannot be opened, or from some point on it is none of the known forms.
    """
    try:
        with path.open("rb") as file:
            if _is_json(path, file):
                yield from _json_items(path, file)
            else:
                yield from _protobuf_items(path, file, signal or _signal_of_name(path))
    except OSError as error:
        raise Invalid(f"read {path}: {error.strerror}; name a file that can be read") from error


def _is_json(path: Path, file: BinaryIO) -> bool:
    if path.suffix in _JSON_SUFFIXES:
        return True
    if path.suffix in _PROTOBUF_SUFFIXES:
        return False
    # A protobuf file can begin with `{` too, as the length 123; then what follows it is no JSON key.
    begin = file.read(64)
    file.seek(0)
    return re.match(rb'\s*\{\s*"', begin) is not None


def _json_items(path: Path, file: BinaryIO) -> Iterator[Item]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            yield _json_item(line, where, file.tell())
        except Invalid:
            if number > 1:
                raise
            # One document laid out over many lines.
            yield _json_item(line + file.read(), str(path), file.tell())
            return


def _json_item(text: bytes, where: str, end_bytes: int) -> Item:
    try:
        line = _LINE.decode(text)
    except msgspec.DecodeError as error:
        raise Invalid(f"read {where}: not a JSON object of OTLP: {error}") from error
    if line.signal is not msgspec.UNSET and line.request is not msgspec.UNSET:
        return Item(line.signal, "json", bytes(line.request), where, end_bytes)
    found: list[Signal] = []
    if line.spans is not msgspec.UNSET:
        found.append("traces")
    if line.logs is not msgspec.UNSET:
        found.append("logs")
    if line.metrics is not msgspec.UNSET:
        found.append("metrics")
    if len(found) != 1:
        raise Invalid(
            f"read {where}: {len(found)} of resourceSpans, resourceLogs and resourceMetrics, expected one of them, "
            "or signal and request"
        )
    return Item(found[0], "json", text, where, end_bytes)


def _protobuf_items(path: Path, file: BinaryIO, signal: Signal) -> Iterator[Item]:
    while True:
        offset = file.tell()
        length_bytes = _length(path, file)
        if length_bytes is None:
            return
        body = file.read(length_bytes)
        if len(body) < length_bytes:
            raise Invalid(
                f"read {path}: {len(body)} bytes after the length at offset {offset}, expected {length_bytes}; "
                "the file is cut short"
            )
        yield Item(signal, "protobuf", body, f"{path} at offset {offset}", file.tell())


def _length(path: Path, file: BinaryIO) -> int | None:
    """A base-128 varint, least significant group first; None at the end of the file."""
    offset, value = file.tell(), 0
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
        f"read {path}: no length of at most {MAX_REQUEST_BYTES} bytes at offset {offset}, expected length-delimited "
        "protobuf or OTLP JSON lines"
    )


def _signal_of_name(path: Path) -> Signal:
    named: dict[str, Signal] = {name: name for name in get_args(Signal)} | {"spans": "traces"}
    found = {named[word] for word in re.findall(r"[a-z]+", path.name.lower()) if word in named}
    if len(found) != 1:
        raise Invalid(f"read {path}: its name tells no signal, expected traces, logs or metrics in it; give --signal")
    return found.pop()
