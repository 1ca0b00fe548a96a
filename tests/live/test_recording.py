"""Recordings of live cases: nothing of a vendor's prompt and nothing of this machine is in them."""

from __future__ import annotations

import json

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from aftertrace.store.frame import Frame

from . import recording


def frame(**attributes: str) -> Frame:
    """A request with one span, as the log holds it."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for name, value in (("host.name", "secret-host"), ("service.name", "shop")):
        group.resource.attributes.append(KeyValue(key=name, value=AnyValue(string_value=value)))
    span = group.scope_spans.add().spans.add(
        trace_id=b"\x01" * 16, span_id=b"\x02" * 8, name="work", start_time_unix_nano=5
    )
    for name, value in attributes.items():
        span.attributes.append(KeyValue(key=name, value=AnyValue(string_value=value)))
    payload = request.SerializeToString()
    return Frame("main", 1, b"", b"", 0, "traces", "anonymous", 1, b"", 0, "", payload, b"")


def test_a_recording_holds_ids_as_hex_and_names_no_place_or_host() -> None:
    """Paths become those of nobody's machine; resource attributes of the machine go."""
    (line,) = recording.lines([frame(cwd="/srv/checkout/project/file")], {"/srv/checkout": "/home/user"})
    assert json.loads(line) == {
        "signal": "traces",
        "request": {
            "resourceSpans": [
                {
                    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                    "scopeSpans": [
                        {
                            "spans": [
                                {
                                    "traceId": "01" * 16,
                                    "spanId": "02" * 8,
                                    "name": "work",
                                    "startTimeUnixNano": "5",
                                    "attributes": [{"key": "cwd", "value": {"stringValue": "/home/user/project/file"}}],
                                }
                            ]
                        }
                    ],
                }
            ]
        },
    }
