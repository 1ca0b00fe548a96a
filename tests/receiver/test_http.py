"""OTLP/HTTP over the wire: every status and encoding that the specification asks for."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from .station import JSON, PROTOBUF, REQUESTS, SIGNALS, SPAN_JSON, Station


def status_of(body: bytes) -> dict[int, Any]:
    """The fields of a `google.rpc.Status` on the wire: 1 is the code, 2 the message, 3 the details."""
    fields: dict[int, Any] = {}
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = body[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(body):
        tag = varint()
        if tag & 7 == 0:
            fields[tag >> 3] = varint()
        else:
            length = varint()
            fields[tag >> 3] = body[position : position + length]
            position += length
    return fields


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("coding", [None, "gzip", "identity", "GZIP"])
def test_protobuf_of_every_signal_is_kept_before_it_is_answered(
    station: Station, signal: str, coding: str | None
) -> None:
    """The answer is an empty message of the same type, and the request is in the log as it came."""
    body = gzip.compress(REQUESTS[signal]) if coding in ("gzip", "GZIP") else REQUESTS[signal]
    answer = station.post(signal, body, **({"Content_Encoding": coding} if coding else {}))
    assert (answer.status, answer.media, answer.body) == (200, PROTOBUF, b"")
    assert [(frame.signal, frame.payload, frame.source, frame.records) for frame in station.kept()] == [
        (signal, REQUESTS[signal], "anonymous", 1)
    ]


@pytest.mark.parametrize("media", [JSON, "application/json; charset=utf-8", "Application/JSON"])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_json_is_kept_as_protobuf_and_answered_as_json(station: Station, media: str, coding: str | None) -> None:
    """Hex ids in either case; the answer is an empty object."""
    body = gzip.compress(SPAN_JSON) if coding else SPAN_JSON
    answer = station.post("traces", body, media, **({"Content_Encoding": coding} if coding else {}))
    assert (answer.status, answer.media, answer.body) == (200, JSON, b"{}")
    (frame,) = station.kept()
    assert b"\x0a\x10" + b"\x0a" * 16 + b"\x12\x08" + b"\x0b" * 8 in frame.payload


@pytest.mark.parametrize(("media", "empty"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_an_empty_request_is_a_success_that_leaves_nothing(station: Station, media: str, empty: bytes) -> None:
    """OTLP asks for it; senders probe an endpoint this way."""
    assert station.post("logs", empty, media).status == 200
    assert station.kept() == []


def test_partial_trees_are_kept(station: Station) -> None:
    """Groups without a resource, without a scope, without records."""
    body = {"resourceLogs": [{}, {"resource": {}}, {"scopeLogs": [{}, {"logRecords": [{}]}]}]}
    assert station.post("logs", json.dumps(body), JSON).status == 200
    assert [frame.records for frame in station.kept()] == [1]


def test_chunked_bodies_need_no_length(station: Station) -> None:
    """Exporters in JavaScript send them."""
    chunks = (REQUESTS["traces"][place : place + 7] for place in range(0, len(REQUESTS["traces"]), 7))
    answer = station.post("traces", chunks)
    assert (answer.status, station.kept()[0].payload) == (200, REQUESTS["traces"])


def test_a_request_in_tiny_pieces_with_expect_continue_is_kept(station: Station) -> None:
    """Byte by byte, waiting for the interim answer, as curl does with large bodies."""
    body = REQUESTS["logs"]
    head = (
        f"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10) as client:
        for byte in head:
            client.sendall(bytes([byte]))
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        for byte in body:
            client.sendall(bytes([byte]))
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert [frame.payload for frame in station.kept()] == [body]


@pytest.mark.parametrize(
    ("body", "headers", "media", "status", "code"),
    [
        pytest.param(b"\xff", {}, PROTOBUF, 400, 3, id="bytes that are no protobuf"),
        pytest.param(REQUESTS["traces"][:-1], {}, PROTOBUF, 400, 3, id="protobuf cut off"),
        pytest.param(b"{", {}, JSON, 400, 3, id="text that is no JSON"),
        pytest.param(b'{"resourceSpans":5}', {}, JSON, 400, 3, id="JSON of another shape"),
        pytest.param(SPAN_JSON, {}, PROTOBUF, 400, 3, id="JSON called protobuf"),
        pytest.param(REQUESTS["logs"], {}, PROTOBUF, 400, 3, id="logs on the path of traces"),
        pytest.param(b"no gzip", {"Content_Encoding": "gzip"}, PROTOBUF, 400, 3, id="no gzip"),
        pytest.param(
            gzip.compress(REQUESTS["traces"])[:-5], {"Content_Encoding": "gzip"}, JSON, 400, 3, id="gzip cut off"
        ),
        pytest.param(zlib.compress(b""), {"Content_Encoding": "deflate"}, PROTOBUF, 415, 12, id="deflate"),
        pytest.param(b"", {"Content_Encoding": "zstd"}, JSON, 415, 12, id="zstd"),
        pytest.param(b"", {"Content_Encoding": "br"}, JSON, 415, 12, id="brotli"),
        pytest.param(b"", {"Content_Encoding": "gzip, gzip"}, PROTOBUF, 415, 12, id="gzip twice"),
    ],
)
def test_refusals_are_a_status_message_in_the_encoding_of_the_request(
    station: Station, body: bytes, headers: dict[str, str], media: str, status: int, code: int
) -> None:
    """Code and message; no Retry-After, since nothing would change; nothing is kept; the connection lives on."""
    answer = station.post("traces", body, media, **headers)
    assert (answer.status, answer.media, answer.headers.get("retry-after")) == (status, media, None)
    if media == JSON:
        found = json.loads(answer.body)
        assert (found["code"], sorted(found)) == (code, ["code", "message"])
    else:
        found = status_of(answer.body)
        assert (found[1], sorted(found)) == (code, [1, 2])
    assert station.kept() == []
    assert station.post("traces", REQUESTS["traces"]).status == 200


@pytest.mark.parametrize(
    ("method", "path", "media", "status"),
    [
        ("GET", "/v1/traces", PROTOBUF, 405),
        ("PUT", "/v1/logs", JSON, 405),
        ("OPTIONS", "/v1/metrics", None, 405),
        ("POST", "/v1/traces", None, 415),
        ("POST", "/v1/traces", "text/plain", 415),
        ("POST", "/v1/traces", "application/x-protobuf-2", 415),
        ("POST", "/", PROTOBUF, 404),
        ("POST", "/v1/traces/", PROTOBUF, 404),
        ("POST", "/v1/profiles", PROTOBUF, 404),
        ("POST", "/healthz", None, 405),
        ("GET", "/healthz", None, 200),
        ("GET", "/readyz", None, 200),
        ("HEAD", "/readyz", None, 200),
    ],
)
def test_outside_of_otlp_answers_are_plain_text(
    station: Station, method: str, path: str, media: str | None, status: int
) -> None:
    """There is no encoding to answer in; 405 names the methods."""
    answer = station.post(path, None if method in ("GET", "HEAD") else b"", media, method=method)
    assert (answer.status, answer.media) == (status, "text/plain; charset=utf-8")
    assert ("allow" in answer.headers) == (status == 405)
    assert station.kept() == []


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_read_to_its_end_and_refused(
    open_station: Callable[..., Station], media: str, chunked: bool
) -> None:
    """413 with a status; the sender can read it, because it was allowed to write all it had."""
    station = open_station(max_request_bytes=1_000)
    body = bytes(300_000)
    answer = station.post("traces", iter([body]) if chunked else body, media)
    code = json.loads(answer.body)["code"] if media == JSON else status_of(answer.body)[1]
    assert (answer.status, code, answer.headers["connection"]) == (413, 8, "close")
    assert station.receiver.in_flight_bytes == 0


def test_the_limit_is_the_last_size_that_passes(open_station: Callable[..., Station]) -> None:
    """To the byte, as sent and as inflated."""
    size_bytes = len(REQUESTS["traces"])
    fits, short = open_station(max_request_bytes=size_bytes), open_station(max_request_bytes=size_bytes - 1)
    packed = gzip.compress(REQUESTS["traces"])
    for body, headers in ((REQUESTS["traces"], {}), (packed, {"Content_Encoding": "gzip"})):
        if len(body) <= size_bytes:
            assert fits.post("traces", body, **headers).status == 200
        assert short.post("traces", body, **headers).status == 413


def test_two_content_lengths_or_a_bare_line_are_no_request(station: Station) -> None:
    """What could be read in two ways is refused by the parser; the server goes on."""
    for head in (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10) as client:
            client.sendall(head)
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert station.kept() == []


def test_connections_are_kept_alive(station: Station) -> None:
    """One socket serves many requests, refused ones between them."""
    client = http.client.HTTPConnection("127.0.0.1", station.receiver.http_port, timeout=10)
    client.connect()
    port = client.sock.getsockname()[1]
    for body in (REQUESTS["traces"], b"\xff", REQUESTS["traces"]):
        client.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
        client.getresponse().read()
        assert client.sock.getsockname()[1] == port
    client.close()
    assert len(station.kept()) == 2
