"""Rows of `evidence`, `spans` and `events` in a packet: a line each, with what proves it beside it.

::

    {"own":<base64>,"position":<place of its leaf in the tree of its request>,"row":{<column>:<value>,…}}

`row` has all columns that are not null, but the salt. Bytes stand in base64, days as `YYYY-MM-DD`, and a number with a
point that JSON cannot write (NaN, the infinities) as the 16 hex digits of its bytes in IEEE 754, the highest first.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any, Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import HASH_BYTES
from aftertrace.tlog.texts import base64, from_base64
from aftertrace.verifier.leaf import Kind, Value, row_leaf
from aftertrace.verifier.lines import line, member, number, parse

TABLES: Final = ("evidence", "spans", "events")
KINDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "evidence": {
        "credential": "text", "duplicate_of": "text", "flags": "text", "frame_records": "int", "index": "int",
        "policy_digest": "text", "received_date": "date", "received_ns": "int", "receiver": "text",
        "record": "bytes", "record_id": "bytes", "record_key": "bytes", "redactions": "int",
        "resource_digest": "text", "scope_digest": "text", "seq": "int", "signal": "text", "source": "text",
    },
    "spans": {
        "agent_id": "text", "agent_name": "text", "agent_version": "text", "attributes": "text", "call_id": "text",
        "conversation_id": "text", "cost_usd": "float", "dialect": "text", "end_ns": "int", "environment": "text",
        "flags": "text", "index": "int", "input_tokens": "int", "kind": "int", "links": "text", "model": "text",
        "model_served": "text", "name": "text", "operation": "text", "output_tokens": "int", "parent_span_id": "text",
        "receiver": "text", "received_date": "date", "received_ns": "int", "run_key": "text", "scope_name": "text",
        "seq": "int", "service_name": "text", "service_version": "text", "source": "text", "span_id": "text",
        "start_ns": "int", "status": "text", "status_message": "text", "system_prompt_digest": "text",
        "tenant": "text", "tool_name": "text", "tool_names": "text", "tools_digest": "text", "trace_id": "text",
        "turn_id": "text", "user_id": "text",
    },
    "events": {
        "agent_id": "text", "agent_name": "text", "agent_version": "text", "arguments": "text",
        "arguments_digest": "text", "attributes": "text", "basis": "text", "call_id": "text", "content": "text",
        "content_digest": "text", "conversation_id": "text", "cost_usd": "float", "decided_by": "text",
        "decider": "text", "dialect": "text", "end_ns": "int", "environment": "text", "event": "text",
        "flags": "text", "group": "text", "identity": "text", "index": "int", "input_tokens": "int", "model": "text",
        "model_served": "text", "ordinal": "int", "output_tokens": "int", "parent_span_id": "text",
        "position": "int", "reason": "text", "receiver": "text", "received_date": "date", "received_ns": "int",
        "rule": "text", "run_key": "text", "scope_name": "text", "seq": "int", "service_name": "text",
        "service_version": "text", "source": "text", "span_id": "text", "state": "text",
        "system_prompt_digest": "text", "tenant": "text", "time_ns": "int", "tool_name": "text",
        "tool_names": "text", "tools_digest": "text", "trace_id": "text", "turn_id": "text", "user_id": "text",
        "wait_ns": "int",
    },
}  # fmt: skip
"""Columns of each table, as the store declares them."""
_DOUBLE: Final = struct.Struct(">d")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is shown."""

    receiver: str
    seq: int
    index: int
    ordinal: int
    position: int
    """Place of its leaf in the tree of its request and table."""
    leaf: bytes
    values: Mapping[str, Value]

    @property
    def request(self) -> tuple[str, int]:
        """The request that it came with."""
        return self.receiver, self.seq

    @property
    def record(self) -> str:
        """The record of the evidence that it is, or was read from."""
        return f"{self.receiver}/{self.seq}/{self.index}"


def row_line(own: bytes, position: int, row: Mapping[str, Value | None]) -> str:
    """A row as a line."""
    told = {name: _written(value) for name, value in row.items() if value is not None}
    return line({"own": base64(own), "position": position, "row": told})


def parse_row(table: str, content: bytes) -> Row:
    """The inverse of `row_line`.

    Raises:
        Invalid: it is no row of the table.
    """
    what = f"row of {table}"
    told = parse(content, what)
    if told.keys() != {"own", "position", "row"}:
        raise Invalid(f"read {what}: other members, expected own, position and row")
    own = from_base64(member(told, "own", str, what), "own")
    if len(own) != HASH_BYTES:
        raise Invalid(f"read {what}: own has {len(own)} bytes, expected {HASH_BYTES}")
    columns = member(told, "row", dict, what)
    values = {name: _read(table, name, value) for name, value in columns.items()}
    ordinal = number(columns, "ordinal", what) if "ordinal" in KINDS[table] else 0
    return Row(
        receiver=member(columns, "receiver", str, what),
        seq=number(columns, "seq", what),
        index=number(columns, "index", what),
        ordinal=ordinal,
        position=number(told, "position", what),
        leaf=row_leaf(table, own, values),
        values=values,
    )


def bytes_text(content: bytes) -> str:
    """Bytes as they stand in a line; none are an empty text."""
    return base64(content) if content else ""


def bytes_of(text: str, what: str) -> bytes:
    """The inverse of `bytes_text`. Raises `Invalid`."""
    return from_base64(text, what) if text else b""


def _written(value: Value) -> Any:
    match value:
        case bytes():
            return bytes_text(value)
        case date():
            return value.isoformat()
        case float() if not isfinite(value):
            return _DOUBLE.pack(value).hex()
        case _:
            return value


def _read(table: str, name: str, value: Any) -> Value:
    kind = KINDS[table].get(name)
    if kind is None:
        raise Invalid(f"read row of {table}: a column that is not known here; a later aftertrace-verify may know it")
    try:
        match kind, value:
            case ("text", str()) | ("float", float()):
                return value  # type: ignore[no-any-return]
            case "int", int() if not isinstance(value, bool):
                return value
            case "bytes", str():
                return bytes_of(value, name)
            case "date", str() if date.fromisoformat(value).isoformat() == value:
                return date.fromisoformat(value)
            case "float", str() if len(value) == 2 * _DOUBLE.size:
                (found,) = _DOUBLE.unpack(bytes.fromhex(value))
                if not isfinite(found) and _DOUBLE.pack(found).hex() == value:
                    return float(found)
    except ValueError:
        pass
    raise Invalid(f"read row of {table}: {name} is not a value of its column, expected {kind}")
