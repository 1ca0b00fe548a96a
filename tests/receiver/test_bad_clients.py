"""gRPC clients that keep to no rule of HTTP/2, HPACK or gRPC: what becomes of each, and of the honest one after it.

Clients that send too much of something are in `attacks`, those that are too slow in `test_slow_streams`.
"""

from __future__ import annotations

import re
import socket
import struct

import pytest

from .http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    TRACES,
    WINDOW_UPDATE,
    block,
    call,
    frame,
    frames,
    message,
    settings,
)
from .station import REQUESTS, Station

SPANS = REQUESTS["traces"]
PRIORITY, PUSH_PROMISE, PADDED, UNHEARD_OF = 2, 5, 0x8, 0xBB
HELLO = PREFACE + settings()

TAKEN = "taken"
RESET = "reset"
"""The stream is, and the connection goes on."""
ENDED = "ended"
"""The connection is, without an answer."""
LEFT = "left"
"""No answer, and nothing taken; who waits for one has a deadline, or goes."""
OK, CANCELLED, INVALID, LATE, EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 1, 3, 4, 8, 12, 13, 14


def headers(flags: int = END_HEADERS, /, *more: tuple[str, str], without: str = "", **changed: str) -> bytes:
    """The head of a call on stream 1; `_method` is `:method`, `content_type` is `content-type`."""
    given = {
        ":method": "POST",
        ":scheme": "http",
        ":path": TRACES,
        ":authority": "x",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    for name, value in changed.items():
        given[f":{name[1:]}" if name.startswith("_") else name.replace("_", "-")] = value
    given.pop(without, None)
    return frame(HEADERS, flags, 1, block([*given.items(), *more]))


def sent(body: bytes) -> bytes:
    """The data of a call on stream 1, and its end."""
    return frame(DATA, END_STREAM, 1, body)


WHOLE = sent(message(SPANS))
START = HELLO + headers()
CUT = START + frame(DATA, 0, 1, message(SPANS)[:9])
ALONE = END_HEADERS | END_STREAM
BLOCK = call()
LONG = "y" * 16_300

CLIENTS: dict[str, tuple[bytes, str | int]] = {
    "a good one": (START + WHOLE, TAKEN),
    # How a connection begins.
    "HTTP/1.1": (b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n", ENDED),
    "TLS": (bytes.fromhex("16030100fa") + bytes(250), ENDED),
    "a preface of HTTP/2.1": (PREFACE.replace(b"2.0", b"2.1") + settings(), ENDED),
    "a preface with another end": (PREFACE[:-1] + b"X" + settings(), ENDED),
    "no settings": (PREFACE + headers() + WHOLE, ENDED),
    "settings of a stream": (PREFACE + frame(SETTINGS, 0, 1), ENDED),
    "settings that are cut": (PREFACE + frame(SETTINGS, 0, 0, b"12345"), ENDED),
    "an ACK that says something": (HELLO + frame(SETTINGS, 1, 0, b"123456"), ENDED),
    "a window of 2 GiB": (PREFACE + settings((4, 2**31)), ENDED),
    "frames of one byte": (PREFACE + settings((5, 1)), ENDED),
    "push, perhaps": (PREFACE + settings((2, 2)), ENDED),
    "settings that nobody knows": (PREFACE + settings((0xFF, 1), (3, 0)) + headers() + WHOLE, TAKEN),
    # Frames.
    "a frame over the limit": (START + frame(DATA, 0, 1, bytes(2**14 + 1)), UNAVAILABLE),
    "a frame that claims 16 MiB": (HELLO + b"\xff\xff\xff" + frame(DATA, 0, 1)[3:], ENDED),
    "a kind of frame that nobody knows": (HELLO + frame(UNHEARD_OF, 0xFF, 1, b"hi") + headers() + WHOLE, TAKEN),
    "priorities": (HELLO + frame(PRIORITY, 0, 1, bytes(5)) + headers() + WHOLE, TAKEN),
    "a ping of one byte": (HELLO + frame(PING, 0, 0, b"1"), ENDED),
    "a window of nothing more": (HELLO + frame(WINDOW_UPDATE, 0, 0, bytes(4)), ENDED),
    "a window update that is cut": (HELLO + frame(WINDOW_UPDATE, 0, 0, b"x"), ENDED),
    "a reset that is cut": (START + frame(RST_STREAM, 0, 1, b"x"), UNAVAILABLE),
    "a farewell that is cut": (HELLO + frame(GOAWAY, 0, 0, b"x"), ENDED),
    "a promise to push": (HELLO + frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4) + BLOCK), LEFT),
    "data before headers": (HELLO + WHOLE, LEFT),
    "data of no stream": (HELLO + frame(DATA, 0, 0, message(SPANS)), LEFT),
    "data after the end": (START + WHOLE + frame(DATA, 0, 1, message(SPANS)), TAKEN),
    "a stream twice": (START + WHOLE + headers() + WHOLE, TAKEN),
    "a stream of the server's": (HELLO + frame(HEADERS, END_HEADERS, 2, BLOCK), LEFT),
    "a reset in the middle": (CUT + frame(RST_STREAM, 0, 1, struct.pack(">I", 8)), LEFT),
    # Headers.
    "headers of no stream": (HELLO + frame(HEADERS, END_HEADERS, 0, BLOCK), LEFT),
    "headers in two frames": (
        HELLO + frame(HEADERS, 0, 1, BLOCK[:9]) + frame(CONTINUATION, END_HEADERS, 1, BLOCK[9:]) + WHOLE,
        TAKEN,
    ),
    "headers that another frame cuts": (HELLO + headers(0) + frame(PING, 0, 0, bytes(8)), UNAVAILABLE),
    "headers that go on elsewhere": (HELLO + headers(0) + frame(CONTINUATION, END_HEADERS, 3, b""), UNAVAILABLE),
    "headers that only go on": (HELLO + frame(CONTINUATION, END_HEADERS, 1, BLOCK), ENDED),
    "padding over the end": (HELLO + frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + BLOCK), INTERNAL),
    "HPACK: no such index": (HELLO + frame(HEADERS, ALONE, 1, b"\xff\xff\xff\x7f"), INTERNAL),
    "HPACK: index 0": (HELLO + frame(HEADERS, ALONE, 1, b"\x80"), INTERNAL),
    "HPACK: a number without end": (HELLO + frame(HEADERS, ALONE, 1, b"\xff" * 20), INTERNAL),
    "HPACK: a table of 256 MiB": (HELLO + frame(HEADERS, ALONE, 1, b"\x3f\xff\xff\xff\x7f" + BLOCK), INTERNAL),
    "HPACK: a text cut off": (HELLO + frame(HEADERS, ALONE, 1, BLOCK[:-3]), INTERNAL),
    "HPACK: no Huffman": (HELLO + frame(HEADERS, ALONE, 1, b"\x00\x84\xff\xff\xff\xff\x01x"), INTERNAL),
    "GET": (HELLO + headers(_method="GET") + WHOLE, RESET),
    "no method": (HELLO + headers(without=":method") + WHOLE, RESET),
    "no path": (HELLO + headers(without=":path") + WHOLE, RESET),
    "another path": (HELLO + headers(_path="/foo/bar") + WHOLE, UNIMPLEMENTED),
    "the path of HTTP": (HELLO + headers(_path="/v1/traces") + WHOLE, UNIMPLEMENTED),
    "an empty path": (HELLO + headers(_path="") + WHOLE, CANCELLED),
    "no scheme of ours": (HELLO + headers(_scheme="ftp") + WHOLE, INTERNAL),
    "no authority": (HELLO + headers(without=":authority") + WHOLE, RESET),
    "no trailers wanted": (HELLO + headers(without="te") + WHOLE, RESET),
    "other encodings of the transfer": (HELLO + headers(te="gzip") + WHOLE, INTERNAL),
    "a name in capitals": (HELLO + headers(END_HEADERS, ("X-Upper", "y")) + WHOLE, INTERNAL),
    "no base64 in binary": (HELLO + headers(END_HEADERS, ("x-bin", "***")) + WHOLE, INTERNAL),
    "a header over the limit": (
        HELLO + headers(END_STREAM, ("x", LONG[:9_000])) + frame(CONTINUATION, END_HEADERS, 1, block([("x", LONG)])),
        EXHAUSTED,
    ),
    "no content type": (HELLO + headers(without="content-type") + WHOLE, TAKEN),
    "protobuf, by name": (HELLO + headers(content_type="application/grpc+proto") + WHOLE, TAKEN),
    "JSON, by name and in truth": (
        HELLO + headers(content_type="application/grpc+json") + sent(message(b'{"resourceSpans":[]}')), INVALID,
    ),
    "a text, by name": (HELLO + headers(content_type="text/html") + WHOLE, TAKEN),
    "no such encoding": (HELLO + headers(END_HEADERS, ("grpc-encoding", "zstd")) + WHOLE, INTERNAL),
    "no such timeout": (HELLO + headers(END_HEADERS, ("grpc-timeout", "a while")) + WHOLE, INTERNAL),
    # Messages.
    "no message": (HELLO + headers(ALONE), INVALID),
    "no message, and data": (START + sent(b""), INVALID),
    "half of a message's head": (START + sent(b"\0\0"), INVALID),
    "a message longer than the data": (START + sent(message(SPANS)[:-1]), INVALID),
    "a message of 4 GiB": (START + sent(b"\0\xff\xff\xff\xff" + SPANS), EXHAUSTED),
    "a message and a half": (START + sent(message(SPANS) + b"\0\0\0"), TAKEN),
    "a message byte by byte": (
        START + b"".join(frame(DATA, 0, 1, bytes([byte])) for byte in message(SPANS)) + sent(b""), TAKEN,
    ),
    "trailers behind a message": (
        START + frame(DATA, 0, 1, message(SPANS)) + frame(HEADERS, ALONE, 1, block([("x", "y")])), TAKEN,
    ),
    "compressed, and it does not say how": (START + sent(b"\1" + message(SPANS)[1:]), INTERNAL),
    "compressed, and it is not": (
        HELLO + headers(END_HEADERS, ("grpc-encoding", "gzip")) + sent(b"\1" + message(SPANS)[1:]), INTERNAL,
    ),
}  # fmt: skip
"""What is sent, and what becomes of it: one of the words above, or the gRPC code of the refusal."""


def outcome(client: socket.socket) -> str | int:
    """What the server does with stream 1, or with the connection; the timeout of the socket is our patience."""
    try:
        for kind, _, stream, payload in frames(client):
            if stream == 1 and (code := re.search(rb"grpc-status[\x01\x02](\d+)", payload)):
                return int(code[1]) or TAKEN
            if stream == 1 and kind == RST_STREAM:
                return RESET
            # grpcio resets what it cannot make a stream of under the number 0.
            if stream == 0 and kind == RST_STREAM:
                return RESET
    except TimeoutError:
        return LEFT
    return ENDED


@pytest.mark.parametrize(("given", "expected"), CLIENTS.values(), ids=CLIENTS.keys())
def test_a_client_gets_what_it_deserves_and_the_next_one_is_served(
    station: Station, given: bytes, expected: str | int
) -> None:
    """Once taken is once kept, and whatever else it is, nothing is; the server goes on."""
    patience_s = 0.3 if expected == LEFT else 10.0
    with socket.create_connection(("127.0.0.1", station.receiver.grpc_port), timeout=patience_s) as client:
        client.sendall(given)
        assert outcome(client) == expected
    assert [kept.payload for kept in station.kept()] == ([SPANS] if expected == TAKEN else [])
    assert station.call("traces", SPANS) == b""


def test_a_client_that_has_no_time_is_told_so(station: Station) -> None:
    """Its deadline may pass before the request is read, or after it was taken: sent again, it is one record."""
    with socket.create_connection(("127.0.0.1", station.receiver.grpc_port), timeout=10) as client:
        client.sendall(HELLO + headers(END_HEADERS, ("grpc-timeout", "0n")) + WHOLE)
        assert outcome(client) == LATE
    assert [kept.payload for kept in station.kept()] in ([], [SPANS])
    assert station.call("traces", SPANS) == b""


@pytest.mark.parametrize("second", [message(SPANS), b"\2" + message(SPANS)[1:]])
def test_what_follows_the_one_message_of_a_call_is_not_read(station: Station, second: bytes) -> None:
    """`Export` has one. To look for another would cost each call of an honest client a fifth of what it takes."""
    with socket.create_connection(("127.0.0.1", station.receiver.grpc_port), timeout=10) as client:
        client.sendall(START + sent(message(SPANS) + second))
        assert outcome(client) == TAKEN
    assert [kept.payload for kept in station.kept()] == [SPANS]


def test_a_message_marked_as_no_version_of_grpc_does_is_an_empty_one(station: Station) -> None:
    """Grpcio hands it on without its bytes, as it hands on one that is empty, so that the two cannot be told apart."""
    with socket.create_connection(("127.0.0.1", station.receiver.grpc_port), timeout=10) as client:
        client.sendall(START + sent(b"\2" + message(SPANS)[1:]))
        assert outcome(client) == TAKEN
    assert station.kept() == []
