"""A store with requests in its WAL: agents' spans and logs, small, numbered, always the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.store import durable
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.request import Prepared, Request, Signal
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal import WalOptions, WalWriter

NOON_NS = 1_764_072_000 * 10**9
"""2025-11-25 12:00 UTC."""
DAY_NS = 86_400 * 10**9
SMALL = WalOptions(segment_bytes=4096)


def new_store(path: Path) -> Layout:
    """A fresh data folder whose key is known, so that two stores can be compared byte for byte."""
    layout = open_folder(path)
    durable.make_folder(layout.store_key.parent)
    durable.write_file(layout.store_key, bytes(32), mode=0o600)
    return layout


def traces(number: int, spans: int = 2, service: str = "agent") -> bytes:
    """A request with spans of one trace; each calls a tool."""
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = resource.scope_spans.add()
    scope.scope.name = "samples"
    for index in range(spans):
        span = scope.spans.add(
            name="execute_tool search",
            trace_id=number.to_bytes(16, "big"),
            span_id=(number * 100 + index + 1).to_bytes(8, "big"),
            start_time_unix_nano=NOON_NS + number,
            end_time_unix_nano=NOON_NS + number + 5,
        )
        for key, value in (
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "search"),
            ("gen_ai.tool.call.id", f"call_{number}_{index}"),
        ):
            span.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


def logs(number: int, records: int = 2) -> bytes:
    """A request with log records of Claude Code."""
    data = LogsData()
    resource = data.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "claude-code"
    scope = resource.scope_logs.add()
    scope.scope.name = "com.anthropic.claude_code.events"
    for index in range(records):
        record = scope.log_records.add(time_unix_nano=NOON_NS + number * 1_000 + index)
        record.body.string_value = "claude_code.tool_decision"
        for key, value in (
            ("event.name", "tool_decision"),
            ("session.id", f"session-{number}"),
            ("tool_name", "Bash"),
            ("tool_use_id", f"toolu_{number}_{index}"),
            ("decision", "reject"),
            ("source", "user_reject"),
        ):
            record.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


def request(
    payload: bytes, signal: Signal = "traces", received_ns: int = NOON_NS, records: int = 2, keys: bytes = b""
) -> tuple[Request, Prepared]:
    """A request as it is handed to a WAL."""
    prepared = Prepared(payload, records, keys, (), "sha256:policy")
    return Request(signal, "protobuf", payload, "anonymous", received_ns), prepared


def send(
    layout: Layout,
    *payloads: bytes,
    signal: Signal = "traces",
    receiver: str = "main",
    received_ns: int = NOON_NS,
    records: int = 2,
    keys: bytes = b"",
) -> None:
    """Write requests into a WAL, as a receiver that starts and ends in order."""
    with WalWriter(layout, receiver, SMALL) as writer:
        for payload in payloads:
            writer.append(*request(payload, signal, received_ns, records, keys)).result(5)


def drain(layout: Layout, options: DrainOptions | None = None) -> None:
    """Drain once, as a process that starts and ends in order."""
    with Drain(layout, options) as draining:
        draining.once()


def stored(layout: Layout) -> dict[str, pl.DataFrame]:
    """All rows that a reader sees, in one order, without salts: these are random."""
    snapshot = Snapshot.of(layout.data)
    place = {"resources": ["digest"], "scopes": ["digest"], "events": ["receiver", "seq", "index", "ordinal"]}
    found = {
        table: snapshot.scan(table).sort(place.get(table, ["receiver", "seq", "index"])).collect()
        for table in ("resources", "scopes", "evidence", "spans", "events")
    }
    return {**found, "evidence": found["evidence"].with_columns(salt=pl.lit(None, pl.Binary))}


def places(layout: Layout, table: str) -> list[tuple[str, int, int]]:
    """Which records have rows in a table."""
    return sorted(stored(layout)[table].select("receiver", "seq", "index").rows())
