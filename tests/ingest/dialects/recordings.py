"""Recorded telemetry of real emitters, decoded as the drain decodes it, and records made by hand."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.ingest import records
from aftertrace.ingest.records import Log, Origin, Record, Span, SpanEvent
from aftertrace.ingest.rows import EVENT, SPAN, WHO, rows_of

RECORDINGS = Path(__file__).parents[2] / "testdata" / "otlp"
CASES = sorted((path.parent.name, path.name.removesuffix(".truth.json")) for path in RECORDINGS.glob("*/*.truth.json"))
"""`(emitter, case)` of every recording."""

_HEX_IDS = ("traceId", "spanId", "parentSpanId")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
"""Whatever an attribute may hold."""


def read_recording(emitter: str, case: str) -> list[Record]:
    """Every span and log record of a recording, in the order of its arrival."""
    found: list[Record] = []
    for line in (RECORDINGS / emitter / f"{case}.otlp.jsonl").read_text("utf-8").splitlines():
        exported = json.loads(line)
        if exported["signal"] == "traces":
            traces = ParseDict(_with_base64_ids(exported["request"]), ExportTraceServiceRequest())
            for group in traces.resource_spans:
                for scoped in group.scope_spans:
                    of = records.origin(group.resource.SerializeToString(), scoped.scope.SerializeToString())
                    found += [records.span(span.SerializeToString(), of) for span in scoped.spans]
        elif exported["signal"] == "logs":
            logs = ParseDict(_with_base64_ids(exported["request"]), ExportLogsServiceRequest())
            for group in logs.resource_logs:
                for scoped in group.scope_logs:
                    of = records.origin(group.resource.SerializeToString(), scoped.scope.SerializeToString())
                    found += [records.log(log.SerializeToString(), of) for log in scoped.log_records]
    return found


def read_truth(emitter: str, case: str) -> dict[str, Any]:
    """What really happened in a recording."""
    truth: dict[str, Any] = json.loads((RECORDINGS / emitter / f"{case}.truth.json").read_text("utf-8"))
    return truth


def whole_rows(record: Record, **more: Any) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The row of `spans` and the rows of `events` that a record gives, by column, each with what they share."""
    rows = rows_of(record, **more)
    who = dict(zip(WHO, rows.who, strict=True))
    span = None if rows.span is None else {**who, **dict(zip(SPAN, rows.span, strict=True))}
    return span, [{**who, **dict(zip(EVENT, event, strict=True))} for event in rows.events]


def named(found: list[Record], name: str) -> list[Record]:
    """The spans of a name, or the log records with that text as body."""
    return [record for record in found if (record.name if isinstance(record, Span) else record.body) == name]


def make_span(
    name: str,
    attributes: dict[str, Any],
    *,
    scope: str = "",
    service: str = "",
    status: int = 0,
    status_message: str = "",
    events: list[SpanEvent] | None = None,
) -> Span:
    """A span from 1,000 to 5,000,001,000 ns."""
    return Span(
        origin=Origin(resource={"service.name": service}, scope_name=scope),
        trace_id="0" * 31 + "1",
        span_id="0" * 15 + "1",
        parent_span_id=None,
        name=name,
        kind=1,
        start_ns=1_000,
        end_ns=5_000_001_000,
        status=status,
        status_message=status_message,
        attributes=attributes,
        events=events or [],
        links=[],
        flags=[],
    )


def make_log(body: Any, attributes: dict[str, Any], *, scope: str = "", service: str = "") -> Log:
    """A log record at 9,000,000,000 ns."""
    return Log(
        origin=Origin(resource={"service.name": service}, scope_name=scope),
        trace_id=None,
        span_id=None,
        time_ns=9_000_000_000,
        event_name="",
        severity=0,
        body=body,
        attributes=attributes,
        flags=[],
    )


def _with_base64_ids(value: Any) -> Any:
    """Protobuf's JSON wants base64 where OTLP's has hex (OTLP specification, JSON encoding)."""
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: b64encode(bytes.fromhex(item)).decode() if key in _HEX_IDS else _with_base64_ids(item)
            for key, item in value.items()
        }
    return value
