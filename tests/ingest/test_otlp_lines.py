"""Stored records written as lines of OTLP/JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.ingest import otlp_json
from aftertrace.ingest.otlp_lines import line
from aftertrace.ingest.wire import split
from aftertrace.store.request import Signal

from .otlp_messages import requests


@given(signal_and_message=requests)
def test_each_record_is_read_back_as_it_was(signal_and_message: tuple[Signal, Any]) -> None:
    """With its resource and scope, in all three signals, whatever fields it has."""
    signal, message = signal_and_message
    for part in split(message.SerializeToString(), signal):
        told = json.loads(line(signal, part))
        again = otlp_json.decode(json.dumps(told["request"]).encode(), signal)
        (found,) = split(again.SerializeToString(), signal)
        assert told["signal"] == signal
        assert found == part


def test_a_terminal_that_is_shown_a_line_does_nothing() -> None:
    """Its controls may stand in JSON as they are, all but the first 32: a sender's are written out, and read back."""
    controls = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name=f"é{controls}")
    span.attributes.add(key=controls).value.string_value = controls
    assert set(controls) & set(json.dumps(controls, ensure_ascii=False)) == set(controls[0x20:])
    (part,) = split(request.SerializeToString(), "traces")
    written = line("traces", part)
    assert set(controls) & set(written) == set()
    assert "é\\u0000" in written
    again = otlp_json.decode(json.dumps(json.loads(written)["request"]).encode(), "traces")
    assert list(split(again.SerializeToString(), "traces")) == [part]
