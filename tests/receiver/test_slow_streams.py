"""gRPC requests that do not come to an end, by hand-made frames: who sends them waits, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import grpc
import pytest

from aftertrace.receiver import readings
from aftertrace.receiver.tally import Refused
from aftertrace.store.sources import add_token

from .http2 import DATA, END_HEADERS, END_STREAM, HEADERS, call, connected, frame, frames, message
from .station import METHODS, REQUESTS, Station

BEGUN = message(REQUESTS["traces"])[:-1]
"""All but the last byte of a request."""


def start(*more: tuple[str, str], stream: int = 1) -> bytes:
    """A call with a message that is nearly there."""
    return frame(HEADERS, END_HEADERS, stream, call(headers=more)) + frame(DATA, 0, stream, BEGUN)


def test_a_message_that_does_not_end_is_cancelled(open_station: Callable[..., Station]) -> None:
    """CANCELLED, after which a sender tries again; it is counted under what means the same."""
    station = open_station(body_timeout_s=0.3)
    with connected(station.receiver.grpc_port) as client:
        client.sendall(start())
        (kind, flags, _, trailers) = _until_end_of(client, 1)[-1]
    assert (kind, flags & END_STREAM) == (HEADERS, END_STREAM)
    assert b"grpc-status\x011" in trailers
    station.receiver.stop(5)
    assert station.receiver.tally.refused() == (Refused("traces", "anonymous", 503, 1),)
    assert (station.receiver.in_flight_bytes, station.kept()) == (0, [])


def test_the_test_above_would_see_a_stream_that_is_left_alone(open_station: Callable[..., Station]) -> None:
    """Control: with time enough, the last byte makes it a request like any other."""
    station = open_station(body_timeout_s=60)
    with connected(station.receiver.grpc_port) as client:
        client.sendall(start())
        time.sleep(0.7)
        client.sendall(frame(DATA, END_STREAM, 1, message(REQUESTS["traces"])[-1:]))
        kinds = [(kind, flags & END_STREAM) for kind, flags, stream, _ in _until_end_of(client, 1)]
    assert kinds[-1] == (HEADERS, END_STREAM)
    assert [frame.payload for frame in station.kept()] == [REQUESTS["traces"]]


def _until_end_of(client: object, stream: int) -> list[tuple[int, int, int, bytes]]:
    found = []
    for each in frames(client):  # type: ignore[arg-type]
        if each[2] == stream:
            found.append(each)
            if each[1] & END_STREAM:
                break
    return found


def test_slow_streams_keep_nobody_out(open_station: Callable[..., Station]) -> None:
    """More of them than there are threads: they are let go. Who comes new meanwhile may have to come again."""
    station = open_station(grpc_threads=4, body_timeout_s=60)
    with ExitStack() as open_connections:
        for _ in range(3):
            client = open_connections.enter_context(connected(station.receiver.grpc_port))
            client.sendall(b"".join(start(stream=2 * number + 1) for number in range(8)))
        time.sleep(0.2)
        began = time.monotonic()
        while answer := refused(station):
            assert answer is grpc.StatusCode.UNAVAILABLE
            assert time.monotonic() - began < 10
            time.sleep(0.1)
    assert [frame.payload for frame in station.kept()] == [REQUESTS["traces"]]


def refused(station: Station) -> grpc.StatusCode | None:
    """What a request is refused with; None: it is taken."""
    try:
        station.call("traces", REQUESTS["traces"])
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]
        return code
    return None


def test_after_a_moment_those_who_are_known_do_not_notice(open_station: Callable[..., Station]) -> None:
    """Strangers share half of the threads, however many they are; who has sent before is served beside them."""
    station = open_station(grpc_threads=4, body_timeout_s=60)
    assert station.call("traces", REQUESTS["traces"]) == b""
    with ExitStack() as open_connections:
        for _ in range(12):
            client = open_connections.enter_context(connected(station.receiver.grpc_port))
            client.sendall(b"".join(start(stream=2 * number + 1) for number in range(8)))
            time.sleep(0.1)
        began = time.monotonic()
        for _ in range(20):
            assert station.call("traces", REQUESTS["traces"]) == b""
        assert time.monotonic() - began < 10
        stranger = open_connections.enter_context(connected(station.receiver.grpc_port))
        stranger.sendall(b"".join(start(stream=2 * number + 1) for number in range(8)))
        assert b"too many messages come slowly; try again" in _until_end_of(stranger, 15)[-1][3]


def test_the_test_above_would_see_threads_that_are_held(
    open_station: Callable[..., Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without hurry, as many slow messages as there are threads keep everybody out."""
    monkeypatch.setattr(readings, "_HURRY_S", 60.0)
    station = open_station(grpc_threads=4, body_timeout_s=60)
    with connected(station.receiver.grpc_port) as client:
        client.sendall(b"".join(start(stream=2 * number + 1) for number in range(8)))
        time.sleep(0.2)
        with (
            pytest.raises(grpc.RpcError) as caught,
            grpc.insecure_channel(f"127.0.0.1:{station.receiver.grpc_port}") as channel,
        ):
            channel.unary_unary(METHODS["traces"])(REQUESTS["traces"], timeout=2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]


def test_who_may_not_send_is_told_before_sending(open_station: Callable[..., Station]) -> None:
    """A call without a token is answered when nothing but its head is there."""
    station = open_station(require_token=True, body_timeout_s=60)
    token = add_token(station.layout, "ci", 1)
    with connected(station.receiver.grpc_port) as client:
        client.sendall(frame(HEADERS, END_HEADERS, 1, call()))
        assert b"grpc-status\x0216" in _until_end_of(client, 1)[-1][3]
    assert station.call("traces", REQUESTS["traces"], metadata=[("authorization", f"Bearer {token}")]) == b""
    station.receiver.stop(5)
    assert station.receiver.tally.refused() == (Refused("traces", "unknown", 401, 1),)


def test_a_call_without_a_message_is_refused(station: Station) -> None:
    """Half a call is none."""
    with connected(station.receiver.grpc_port) as client:
        client.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 1, call()))
        assert _until_end_of(client, 1)[-1][1] & END_STREAM
    assert station.kept() == []


@pytest.mark.parametrize("size_bytes", [20_000, 200_000])
def test_headers_over_the_limit_are_refused(station: Station, size_bytes: int) -> None:
    """As those of HTTP are."""
    with pytest.raises(grpc.RpcError) as caught:
        station.call("traces", REQUESTS["traces"], metadata=[("x-long", "y" * size_bytes)])
    assert caught.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)  # type: ignore[attr-defined]
    assert station.kept() == []
    assert station.call("traces", REQUESTS["traces"]) == b""


def test_a_connection_that_says_nothing_is_closed(open_station: Callable[..., Station]) -> None:
    """After the time that a handshake may take."""
    import socket

    station = open_station(header_timeout_s=0.5)
    with socket.create_connection(("127.0.0.1", station.receiver.grpc_port), timeout=10) as client:
        while client.recv(65536):
            pass
    assert station.call("traces", REQUESTS["traces"]) == b""


def test_connections_over_the_limit_are_not_taken(open_station: Callable[..., Station]) -> None:
    """Those that are there go on."""
    station = open_station(max_connections=4)
    assert station.call("traces", REQUESTS["traces"]) == b""
    with ExitStack() as open_connections:
        clients = [open_connections.enter_context(connected(station.receiver.grpc_port)) for _ in range(8)]
        ended = 0
        for client in clients:
            client.settimeout(0.5)
            with suppress(TimeoutError):
                ended += next(frames(client), None) is None
        assert ended == 5
        assert station.call("traces", REQUESTS["traces"]) == b""
