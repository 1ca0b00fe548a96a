"""HTTP/2 as no library would speak it: frames by hand, for a client that keeps to no rule (RFC 9113 and 7541)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_BYTES = 9

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in pairs))


def block(headers: Iterable[tuple[str, str]]) -> bytes:
    """A header block of literals that are neither indexed nor compressed."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers)


def call(headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The header block of a gRPC call."""
    pseudo = ((":method", "POST"), (":scheme", "http"), (":path", TRACES), (":authority", "x"))
    return block((*pseudo, ("content-type", "application/grpc"), ("te", "trailers"), *headers))


def message(body: bytes) -> bytes:
    """A gRPC message: not compressed, its length, and its bytes."""
    return b"\x00" + struct.pack(">I", len(body)) + body


@contextmanager
def connected(port: int, *, timeout_s: float = 10.0) -> Iterator[socket.socket]:
    """A connection on which both have said hello."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as client:
        client.sendall(PREFACE + settings())
        yield client


def frames(client: socket.socket) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, stream and payload of each frame that comes, until the server ends the connection."""
    kept = b""
    while True:
        while len(kept) < _HEAD_BYTES or len(kept) < _HEAD_BYTES + int.from_bytes(kept[:3], "big"):
            try:
                part = client.recv(65536)
            except ConnectionResetError:
                return
            if not part:
                return
            kept += part
        end = _HEAD_BYTES + int.from_bytes(kept[:3], "big")
        yield kept[3], kept[4], int.from_bytes(kept[5:9], "big"), kept[_HEAD_BYTES:end]
        kept = kept[end:]


def _text(text: str) -> bytes:
    raw = text.encode()
    return _integer(len(raw)) + raw


def _integer(value: int) -> bytes:
    """With a prefix of seven bits, of which the first says that the text is not compressed."""
    if value < 0x7F:
        return bytes([value])
    rest = value - 0x7F
    encoded = b"\x7f"
    while rest >= 0x80:
        encoded += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return encoded + bytes([rest])
