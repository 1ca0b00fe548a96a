"""Hostile and clumsy senders: bombs, floods of nothing, slow clients. Memory stays bounded, others are served."""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from .station import JSON, PROTOBUF, REQUESTS, SPAN_JSON, Station

MIB = 2**20


def resident_bytes() -> int:
    """Memory of this process, the receiver in it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def varint(value: int) -> bytes:
    """Base-128."""
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def empty_spans(number: int) -> bytes:
    """So many empty spans, two bytes each."""
    spans = b"\x12\x00" * number
    scoped = b"\x12" + varint(len(spans)) + spans
    return b"\x0a" + varint(len(scoped)) + scoped


def test_a_gzip_bomb_costs_no_more_than_the_limit(station: Station) -> None:
    """200 MiB in 200 kB, over both transports."""
    bomb = gzip.compress(bytes(200 * MIB), 9)
    before = resident_bytes()
    answer = station.post("traces", bomb, Content_Encoding="gzip")
    assert answer.status == 413
    assert resident_bytes() - before < 64 * MIB
    with pytest.raises(grpc.RpcError) as caught:
        station.call("traces", bytes(200 * MIB), compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert station.kept() == []


def test_two_million_empty_spans_are_refused_quickly(station: Station) -> None:
    """A decoder would make 88 bytes of each byte: they are counted first."""
    before = resident_bytes()
    began = time.monotonic()
    assert station.post("traces", gzip.compress(empty_spans(2_000_000)), Content_Encoding="gzip").status == 413
    assert time.monotonic() - began < 2
    assert resident_bytes() - before < 64 * MIB


def test_the_test_above_would_see_a_decoder_at_work(station: Station) -> None:
    """Control: decoding the same request takes far more memory than is allowed there."""
    before = resident_bytes()
    decoded = ExportTraceServiceRequest.FromString(empty_spans(2_000_000))
    assert resident_bytes() - before > 64 * MIB
    del decoded


@pytest.mark.parametrize("size_bytes", [2**14, 2**18, 3_333_333])
def test_a_large_body_arrives_as_it_was_sent(station: Station, size_bytes: int) -> None:
    """Whatever the pieces are that it comes in: small, large, or some of each."""
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="n" * size_bytes)
    spans = ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])
    body = ExportTraceServiceRequest(resource_spans=[spans]).SerializeToString()
    ends = sorted({*range(0, len(body), 99_999), *range(0, len(body), 7_777), len(body)})
    pieces = (body[start:end] for start, end in pairwise(ends))
    assert station.post("traces", body).status == 200
    assert station.post("traces", pieces).status == 200
    assert station.post("traces", gzip.compress(body, 1), Content_Encoding="gzip").status == 200
    assert [frame.payload for frame in station.kept()] == [body] * 3


@pytest.mark.parametrize("media", [JSON, PROTOBUF])
@pytest.mark.parametrize("depth", [60, 20_000])
def test_nesting_without_end_is_refused_in_both_encodings(station: Station, media: str, depth: int) -> None:
    """And the server lives on."""
    if media == JSON:
        value = '{"arrayValue":{"values":[' * depth + "]}}" * depth
        body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{value}}}]}}]}}]}}'.encode()
    else:
        body = b""
        for tag in (*(b"\x0a", b"\x2a") * depth, b"\x2a", b"\x12", b"\x12", b"\x0a"):
            body = tag + varint(len(body)) + body
    assert station.post("logs", body, media).status == 400
    assert station.post("logs", REQUESTS["logs"]).status == 200


def test_slow_clients_hold_nobody_up(open_station: Callable[..., Station]) -> None:
    """While twenty clients dribble, both ports answer; the dribblers are sent away in time, to try again."""
    station = open_station(body_timeout_s=1.0)
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 1000\r\n\r\n{{".encode()
    clients = [socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=5) for _ in range(20)]
    for client in clients:
        client.sendall(head)
    began = time.monotonic()
    assert station.post("traces", REQUESTS["traces"]).status == 200
    assert station.call("traces", REQUESTS["traces"]) == b""
    assert time.monotonic() - began < 1
    for client in clients:
        answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 2\r\n" in answer
        assert b"\r\nconnection: close\r\n" in answer
        client.close()
    assert station.receiver.in_flight_bytes == 0


def test_a_client_that_goes_away_leaves_nothing(open_station: Callable[..., Station]) -> None:
    """Half a request is not kept, and holds nothing."""
    station = open_station()
    with socket.create_connection(("127.0.0.1", station.receiver.http_port)) as client:
        client.sendall(
            f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 900\r\n\r\n".encode()
            + SPAN_JSON
        )
        time.sleep(0.1)
    deadline = time.monotonic() + 5
    while station.receiver.in_flight_bytes and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (station.receiver.in_flight_bytes, station.kept()) == (0, [])


def test_answers_repeat_nothing_of_what_was_sent(station: Station) -> None:
    """A canary in a faulty body comes back in no encoding."""
    canary = "hunter2-CANARY"
    for body in (json.dumps({"resourceSpans": canary}), json.dumps({"resourceSpans": [{"resource": canary}]}), canary):
        assert canary.encode() not in station.post("traces", body.encode(), JSON).body
        assert canary.encode() not in station.post("traces", body.encode(), PROTOBUF).body
