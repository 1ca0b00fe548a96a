"""The conformance table: each row of OTLP 1.11 that a receiver is held to, sent over a socket, and what is answered.

Rows of HTTP are bytes, so that no library mends them on the way. After each of them the connection still serves. Rows
of OTLP's JSON are in `test_conformance_json`, clients that keep to no rule of HTTP/2 in `test_bad_clients`.
"""

from __future__ import annotations

import gzip
import http.client
import socket
import time
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.ingest.otlp_messages import REQUESTS as KINDS
from tests.ingest.otlp_text import otlp_json

from aftertrace.receiver.status import TooSlow, Unsupported
from aftertrace.store.errors import Corrupt, Forbidden, Invalid, TooLarge, Unauthenticated, Unavailable

from .attacks import varint
from .station import JSON, METHODS, PROTOBUF, REQUESTS, SIGNALS, Answer, Station

TEXT = "text/plain; charset=utf-8"
RETRIED = {429, 502, 503, 504}
"""HTTP statuses after which OTLP has senders try again."""
OK, INVALID, EXHAUSTED, UNIMPLEMENTED = 0, 3, 8, 12

SPANS = REQUESTS["traces"]
IN_JSON = {signal: otlp_json(KINDS[signal].FromString(body)) for signal, body in REQUESTS.items()}
UNKNOWN = b"\xc2\x3e\x04from\xc8\x3e\x07\xcd\x3eabcd\xc9\x3eabcdefgh\xcb\x3e\x08\x01\xcc\x3e"
"""Fields that no version of OTLP has, one of each shape."""


def wrapped(number: int, *parts: bytes) -> bytes:
    """A message as a field of another."""
    inner = b"".join(parts)
    return bytes([number << 3 | 2]) + varint(len(inner)) + inner


SPAN = wrapped(1, bytes(range(16))) + wrapped(2, bytes(range(8)))
FROM_THE_FUTURE = (
    wrapped(
        1,
        wrapped(1, UNKNOWN),
        wrapped(2, wrapped(1, UNKNOWN), wrapped(2, SPAN, UNKNOWN), UNKNOWN),
        UNKNOWN,
    )
    + UNKNOWN
)
"""A span, with unknown fields in every message around it."""


EMPTY_RECORD = wrapped(1, wrapped(2, wrapped(2)))


@dataclass(frozen=True, slots=True)
class Row:
    """A request, and what must come of it."""

    sent: bytes
    status: int
    media: str = PROTOBUF
    code: int = OK
    """Of the `google.rpc.Status` in a refusal."""
    kept: bytes | None = None
    """The request as it is in the log; None: nothing is."""


def http1(
    body: bytes | None = SPANS,
    *headers: str,
    to: str = "POST /v1/traces",
    media: str | None = PROTOBUF,
    version: str = "1.1",
) -> bytes:
    """A request, byte by byte."""
    lines = [f"{to} HTTP/{version}", "Host: x", *headers]
    if media is not None:
        lines.append(f"Content-Type: {media}")
    chunked = any(line.lower() == "transfer-encoding: chunked" for line in headers)
    if body is not None and not chunked:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "\r\n")).encode() + (body or b"")


def chunks(body: bytes, size_bytes: int, extension: bytes = b"") -> bytes:
    """A body in chunks."""
    pieces = [body[start : start + size_bytes] for start in range(0, len(body), size_bytes)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(each), extension, each) for each in (*pieces, b""))


WISH = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
GZIP, CHUNKED = "Content-Encoding: gzip", "Transfer-Encoding: chunked"
packed = gzip.compress(SPANS)


def taken(sent: bytes, kept: bytes = SPANS, media: str = PROTOBUF) -> Row:
    """A row whose request is kept."""
    return Row(sent, 200, media, kept=kept)


HTTP: dict[str, Row] = {
    **{
        f"{signal} in protobuf": taken(http1(REQUESTS[signal], to=f"POST /v1/{signal}"), REQUESTS[signal])
        for signal in SIGNALS
    },
    **{
        f"{signal} in JSON": taken(http1(IN_JSON[signal], to=f"POST /v1/{signal}", media=JSON), REQUESTS[signal], JSON)
        for signal in SIGNALS
    },
    "gzip": taken(http1(packed, GZIP)),
    "gzip of JSON": taken(http1(gzip.compress(IN_JSON["traces"]), GZIP, media=JSON), media=JSON),
    "gzip in capitals": taken(http1(packed, "CONTENT-ENCODING: GZIP")),
    "gzip by its old name": taken(http1(packed, "Content-Encoding: x-gzip")),
    "gzip of two members": taken(http1(gzip.compress(SPANS[:9]) + gzip.compress(SPANS[9:]), GZIP)),
    "identity": taken(http1(SPANS, "Content-Encoding: identity")),
    "an empty name of an encoding": taken(http1(SPANS, "Content-Encoding:")),
    "protobuf with a parameter": taken(http1(media="application/x-protobuf; charset=utf-8")),
    "JSON with a parameter": taken(http1(IN_JSON["traces"], media="application/json;charset=UTF-8"), media=JSON),
    "media type in capitals": taken(http1(IN_JSON["traces"], media="Application/JSON"), media=JSON),
    "another type accepted": taken(http1(SPANS, "Accept: application/json")),
    "chunked": taken(http1(chunks(SPANS, 7), CHUNKED)),
    "chunked, with extensions": taken(http1(chunks(SPANS, 20, b";a=b"), CHUNKED)),
    "chunked, with a trailer": taken(http1(chunks(SPANS, 20)[:-2] + b"X-Digest: 1\r\n\r\n", CHUNKED)),
    "chunked gzip of JSON": taken(
        http1(chunks(gzip.compress(IN_JSON["traces"]), 9), CHUNKED, GZIP, media=JSON), media=JSON
    ),
    "HTTP/2 wished for, as Java's client does": taken(http1(SPANS, *WISH)),
    "HTTP/2 wished for, in chunks": taken(http1(chunks(SPANS, 20), CHUNKED, "UPGRADE: h2c", "Connection: upgrade")),
    "a WebSocket wished for": taken(http1(SPANS, "Connection: keep-alive, Upgrade", "Upgrade: websocket")),
    "HTTP/1.0": taken(http1(version="1.0")),
    "a query": taken(http1(to="POST /v1/traces?tenant=a")),
    "a whole URL as target": taken(http1(to="POST http://x/v1/traces")),
    "names of headers in capitals": taken(http1().replace(b"Content-Type", b"CONTENT-TYPE")),
    "no protobuf at all": Row(http1(b""), 200),
    "no body and no length": Row(http1(None), 200),
    "an empty object": Row(http1(b"{}", media=JSON), 200, JSON),
    "a resource without scopes": Row(http1(b"\x0a\x00"), 200),
    "a scope without spans": Row(http1(b"\x0a\x02\x12\x00"), 200),
    "an empty log record": taken(http1(EMPTY_RECORD, to="POST /v1/logs"), EMPTY_RECORD),
    "fields from the future": taken(http1(FROM_THE_FUTURE), FROM_THE_FUTURE),
    "bytes that are no protobuf": Row(http1(b"\xff"), 400, code=INVALID),
    "protobuf cut off": Row(http1(SPANS[:-1]), 400, code=INVALID),
    "text that is no JSON": Row(http1(b"{", media=JSON), 400, JSON, INVALID),
    "an empty text as JSON": Row(http1(b"", media=JSON), 400, JSON, INVALID),
    "JSON of another shape": Row(http1(b'{"resourceSpans":5}', media=JSON), 400, JSON, INVALID),
    "JSON called protobuf": Row(http1(IN_JSON["traces"]), 400, code=INVALID),
    "protobuf called JSON": Row(http1(media=JSON), 400, JSON, INVALID),
    "logs on the path of traces": Row(http1(REQUESTS["logs"]), 400, code=INVALID),
    "no gzip": Row(http1(SPANS, GZIP), 400, code=INVALID),
    "nothing as gzip": Row(http1(b"", GZIP), 400, code=INVALID),
    "gzip cut off": Row(http1(packed[:-5], GZIP, media=JSON), 400, JSON, INVALID),
    "gzip with a wrong sum": Row(http1(packed[:-8] + bytes(4) + packed[-4:], GZIP), 400, code=INVALID),
    "gzip with more behind it": Row(http1(packed + b"more", GZIP), 400, code=INVALID),
    "deflate": Row(http1(zlib.compress(SPANS), "Content-Encoding: deflate"), 415, code=UNIMPLEMENTED),
    "zstd": Row(http1(b"", "Content-Encoding: zstd", media=JSON), 415, JSON, UNIMPLEMENTED),
    "brotli": Row(http1(b"", "Content-Encoding: br"), 415, code=UNIMPLEMENTED),
    "gzip twice": Row(http1(gzip.compress(packed), "Content-Encoding: gzip, gzip"), 415, code=UNIMPLEMENTED),
    "gzip twice, in two headers": Row(http1(gzip.compress(packed), GZIP, GZIP), 415, code=UNIMPLEMENTED),
    "no content type": Row(http1(media=None), 415, TEXT),
    "text": Row(http1(media="text/plain"), 415, TEXT),
    "a form, as browsers send": Row(http1(media="application/x-www-form-urlencoded"), 415, TEXT),
    "a type that begins as ours": Row(http1(media="application/x-protobuf-2"), 415, TEXT),
    "GET": Row(http1(None, to="GET /v1/traces"), 405, TEXT),
    "HEAD": Row(http1(None, to="HEAD /v1/traces"), 405, TEXT),
    "PUT": Row(http1(to="PUT /v1/logs", media=JSON), 405, TEXT),
    "OPTIONS": Row(http1(None, to="OPTIONS /v1/metrics", media=None), 405, TEXT),
    "the root": Row(http1(to="POST /"), 404, TEXT),
    "a slash behind the path": Row(http1(to="POST /v1/traces/"), 404, TEXT),
    "the path in capitals": Row(http1(to="POST /V1/TRACES"), 404, TEXT),
    "profiles": Row(http1(to="POST /v1development/profiles"), 404, TEXT),
    "health": Row(http1(None, to="GET /healthz", media=None), 200, TEXT),
    "readiness, head only": Row(http1(None, to="HEAD /readyz", media=None), 200, TEXT),
    "a POST to health": Row(http1(to="POST /healthz", media=None), 405, TEXT),
}  # fmt: skip


def exchange(client: socket.socket, sent: bytes) -> Answer:
    """Send some bytes and read one answer."""
    client.sendall(sent)
    response = http.client.HTTPResponse(client, method=sent.partition(b" ")[0].decode())
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers.get("content-type", ""), response.read(), headers)


@pytest.mark.parametrize("row", HTTP.values(), ids=HTTP.keys())
def test_http(station: Station, row: Row) -> None:
    """Status, type and body of the answer; what is kept; and another request over the same connection."""
    with socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10) as client:
        answer = exchange(client, row.sent)
        assert (answer.status, answer.media) == (row.status, row.media)
        assert [frame.payload for frame in station.kept()] == ([] if row.kept is None else [row.kept])
        if row.code:
            assert answer.told() == status_pb2.Status(code=row.code, message=answer.told().message)
            assert answer.told().message
        elif row.media != TEXT:
            assert answer.body == {PROTOBUF: b"", JSON: b"{}"}[row.media]
        assert ("allow" in answer.headers, "retry-after" in answer.headers) == (row.status == 405, False)
        if b"HTTP/1.0" in row.sent:
            assert client.recv(1) == b""
        else:
            assert exchange(client, http1()).status == 200


def test_every_answer_of_success_leaves_partial_success_unset() -> None:
    """An empty message is that, in both encodings; the table above holds the answers to it."""
    for said in (ExportLogsServiceResponse.FromString(b""), json_format.Parse("{}", ExportLogsServiceResponse())):
        assert not said.HasField("partial_success")


def test_expect_100_is_answered_before_the_body_is_sent(station: Station) -> None:
    """As curl does with large bodies; here it also comes byte by byte."""
    with socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10) as client:
        sent = http1(SPANS, "Expect: 100-continue")
        for byte in sent[: -len(SPANS)]:
            client.sendall(bytes([byte]))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for byte in SPANS[:-1]:
            client.sendall(bytes([byte]))
        assert exchange(client, SPANS[-1:]).status == 200
    assert [frame.payload for frame in station.kept()] == [SPANS]


def test_a_wish_for_another_protocol_in_pieces_is_put_off(station: Station) -> None:
    """The parser would take the request for one without a body: an OK to that would be a lie."""
    sent = http1(SPANS, *WISH)
    with socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(sent[:50])
        time.sleep(0.1)
        answer = exchange(client, sent[50:])
        assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "2", "close")
    assert (station.kept(), station.post("traces", SPANS).status) == ([], 200)


def test_what_could_be_read_in_two_ways_is_no_request(station: Station) -> None:
    """Two lengths, a length and chunks, or no HTTP at all: the parser refuses, and the server goes on."""
    for sent in (
        http1(b"ab", "Content-Length: 1"),
        http1(chunks(SPANS, 7), "Content-Length: 4", CHUNKED),
        http1(SPANS, "Transfer-Encoding: gzip"),
        http1(b"zz\r\n", CHUNKED),
        b"\x00\x01\x02\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10) as client:
            client.sendall(sent)
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert (station.kept(), station.post("traces", SPANS).status) == ([], 200)


SMALL_BYTES = len(SPANS)
LARGE = ExportTraceServiceRequest.FromString(SPANS)
LARGE.resource_spans[0].schema_url = "x" * 1_000
LIMITS: dict[str, tuple[bytes, int]] = {
    "to the last byte": (http1(), 200),
    "a byte more": (http1(SPANS + b"\x0a"), 413),
    "a byte more, in chunks": (http1(chunks(SPANS + b"\x0a", 30), CHUNKED), 413),
    "inflated": (http1(gzip.compress(LARGE.SerializeToString()), GZIP), 413),
    "JSON": (http1(bytes(300_000), media=JSON), 413),
    "JSON in chunks": (http1(chunks(bytes(300_000), 50_000), CHUNKED, media=JSON), 413),
}


@pytest.mark.parametrize(("sent", "status"), LIMITS.values(), ids=LIMITS.keys())
def test_http_sizes(open_station: Callable[..., Station], sent: bytes, status: int) -> None:
    """413 with a status, as sent and as inflated; it is read to its end, so that the sender gets to the answer."""
    station = open_station(max_request_bytes=SMALL_BYTES)
    with socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10) as client:
        answer = exchange(client, sent)
    assert answer.status == status
    if status == 413:
        assert (answer.told().code, answer.headers["connection"]) == (EXHAUSTED, "close")
        assert list(answer.told().details) == []
    assert station.receiver.in_flight_bytes == 0


FAILURES: dict[str, tuple[Exception, int, grpc.StatusCode, float | None]] = {
    "no OTLP": (Invalid("m"), 400, grpc.StatusCode.INVALID_ARGUMENT, None),
    "nobody we know": (Unauthenticated("m"), 401, grpc.StatusCode.UNAUTHENTICATED, None),
    "may not send": (Forbidden("m"), 403, grpc.StatusCode.PERMISSION_DENIED, None),
    "too large": (TooLarge("m"), 413, grpc.StatusCode.RESOURCE_EXHAUSTED, None),
    "no such encoding": (Unsupported("m"), 415, grpc.StatusCode.UNIMPLEMENTED, None),
    "a defect": (KeyError("hunter2"), 500, grpc.StatusCode.INTERNAL, None),
    "too slow": (TooSlow("m"), 503, grpc.StatusCode.DEADLINE_EXCEEDED, 2.0),
    "busy": (Unavailable("m"), 503, grpc.StatusCode.UNAVAILABLE, 2.0),
    "busy for a while": (Unavailable("m", retry_after_s=2.5), 503, grpc.StatusCode.UNAVAILABLE, 2.5),
    "damaged store": (Corrupt("m"), 503, grpc.StatusCode.UNAVAILABLE, 2.0),
}
"""Why a request is not stored, and what is said over HTTP and gRPC; the last is how long to wait."""


@pytest.mark.parametrize(("error", "http_status", "code", "wait_s"), FAILURES.values(), ids=FAILURES.keys())
def test_failures(
    open_station: Callable[..., Station],
    error: Exception,
    http_status: int,
    code: grpc.StatusCode,
    wait_s: float | None,
) -> None:
    """One status message over all ways, with RetryInfo and Retry-After exactly where senders are to try again."""

    def append(*_: object) -> Future[int]:
        raise error

    station = open_station(append=append)
    expected = status_pb2.Status(code=code.value[0], message="m")
    if isinstance(error, KeyError):
        expected.message = "internal error; the receiver's log tells more"
    if wait_s is not None:
        info = error_details_pb2.RetryInfo()
        info.retry_delay.FromMilliseconds(round(wait_s * 1_000))
        expected.details.add().Pack(info)
    for media, body in ((PROTOBUF, SPANS), (JSON, IN_JSON["traces"])):
        answer = station.post("traces", body, media)
        assert (answer.status, answer.media, answer.told()) == (http_status, media, expected)
        assert answer.headers.get("retry-after") == {None: None, 2.0: "2", 2.5: "3"}[wait_s]
        assert ("retry-after" in answer.headers) == (http_status in RETRIED)
        assert answer.headers.get("www-authenticate") == ("Bearer" if http_status == 401 else None)
    assert called(station, METHODS["traces"], SPANS) == (code, expected)


def called(
    station: Station, method: str, body: bytes, **options: Any
) -> tuple[grpc.StatusCode, status_pb2.Status | None]:
    """What a gRPC call is answered: its code, and the status message beside it; an empty answer is OK."""
    try:
        assert station.reach(method, body, **options) == b""
    except grpc.RpcError as error:
        packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")  # type: ignore[attr-defined]
        return error.code(), packed and status_pb2.Status.FromString(packed)  # type: ignore[attr-defined]
    return grpc.StatusCode.OK, None


NONE, GRPC_GZIP, DEFLATE = grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate
GRPC: dict[str, tuple[str, bytes, grpc.Compression, grpc.StatusCode, bool]] = {
    **{
        f"{signal}, {compression.name}": (METHODS[signal], REQUESTS[signal], compression, grpc.StatusCode.OK, True)
        for signal in SIGNALS
        for compression in (NONE, GRPC_GZIP, DEFLATE)
    },
    "nothing": (METHODS["logs"], b"", NONE, grpc.StatusCode.OK, False),
    "nothing, compressed": (METHODS["logs"], b"", GRPC_GZIP, grpc.StatusCode.OK, False),
    "a resource without scopes": (METHODS["traces"], b"\x0a\x00", NONE, grpc.StatusCode.OK, False),
    "fields from the future": (METHODS["traces"], FROM_THE_FUTURE, NONE, grpc.StatusCode.OK, True),
    "no protobuf": (METHODS["traces"], b"\xff", NONE, grpc.StatusCode.INVALID_ARGUMENT, False),
    "cut off": (METHODS["traces"], SPANS[:-1], GRPC_GZIP, grpc.StatusCode.INVALID_ARGUMENT, False),
    "JSON": (METHODS["traces"], IN_JSON["traces"], NONE, grpc.StatusCode.INVALID_ARGUMENT, False),
    "logs as traces": (METHODS["traces"], REQUESTS["logs"], NONE, grpc.StatusCode.INVALID_ARGUMENT, False),
    "profiles": (
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        b"", NONE, grpc.StatusCode.UNIMPLEMENTED, False,
    ),
    "another method": (METHODS["traces"] + "2", SPANS, NONE, grpc.StatusCode.UNIMPLEMENTED, False),
    "the path of HTTP": ("/v1/traces", SPANS, NONE, grpc.StatusCode.UNIMPLEMENTED, False),
}  # fmt: skip


@pytest.mark.parametrize(("method", "body", "compression", "code", "keeps"), GRPC.values(), ids=GRPC.keys())
def test_grpc(
    station: Station, method: str, body: bytes, compression: grpc.Compression, code: grpc.StatusCode, keeps: bool
) -> None:
    """The code, a status message that says the same with nothing to wait for, and what is kept."""
    found, status = called(station, method, body, compression=compression)
    assert found is code
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        assert status == status_pb2.Status(code=code.value[0], message=status.message if status else "")
    else:
        assert status is None
    assert [frame.payload for frame in station.kept()] == ([body] if keeps else [])


@pytest.mark.parametrize("size_bytes", [SMALL_BYTES + 1, 20_000_000])
@pytest.mark.parametrize("compression", [NONE, GRPC_GZIP])
def test_grpc_sizes(open_station: Callable[..., Station], compression: grpc.Compression, size_bytes: int) -> None:
    """RESOURCE_EXHAUSTED without RetryInfo, inflated size counts; far over the limit it is grpcio's own answer."""
    station = open_station(max_request_bytes=SMALL_BYTES)
    found, status = called(station, METHODS["traces"], bytes(size_bytes), compression=compression)
    assert found is grpc.StatusCode.RESOURCE_EXHAUSTED
    if size_bytes == SMALL_BYTES + 1:
        assert status is not None
        assert status == status_pb2.Status(code=EXHAUSTED, message=status.message)
        assert f"over the limit of {SMALL_BYTES} bytes" in status.message
    assert called(station, METHODS["traces"], SPANS) == (grpc.StatusCode.OK, None)
    station.receiver.stop(5)
    assert [(each.http_status, each.requests) for each in station.receiver.tally.refused()] == [(413, 1)]
