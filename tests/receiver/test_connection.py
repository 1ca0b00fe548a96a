"""A client of OTLP/HTTP before its body: heads without end or that never end, more connections than there may be."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.receiver.connection import MAX_HEAD_BYTES, longest_waiting

from .station import REQUESTS, Station

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n"
BODY_TO_COME = HEAD + b"Content-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\n"
WHOLE = (
    HEAD
    + b"Content-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n" % len(REQUESTS["traces"])
    + REQUESTS["traces"]
)


def connect(station: Station) -> socket.socket:
    """A connection to the HTTP port."""
    return socket.create_connection(("127.0.0.1", station.receiver.http_port), timeout=10)


def answered(client: socket.socket) -> bytes:
    """All that comes until the connection ends; empty too where it is cut."""
    found = b""
    try:
        while part := client.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def statuses(answers: bytes) -> list[int]:
    """The status of each answer."""
    return [int(line.split()[1]) for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def pieces(data: bytes, size_bytes: int) -> Iterator[bytes]:
    """The same bytes, a few at a time."""
    return (data[start : start + size_bytes] for start in range(0, len(data), size_bytes))


def deliver(client: socket.socket, data: bytes, size_bytes: int) -> bytes:
    """Send as much as is taken, in pieces; what is answered."""
    try:
        for piece in pieces(data, size_bytes):
            client.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return answered(client)


@pytest.mark.parametrize("size_bytes", [1_000, 100_000])
@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X-Long: " + b"y" * 20_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(3_000)) + b"\r\n",
        b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\n\r\n",
        HEAD + b"y" * 20_000,
    ],
    ids=["one header", "many headers", "path", "no colon"],
)
def test_a_head_over_the_limit_is_refused_however_it_comes(station: Station, head: bytes, size_bytes: int) -> None:
    """Also a line that never ends. Whoever still sends when the connection is cut may miss the answer."""
    with connect(station) as client:
        assert statuses(deliver(client, head, size_bytes)) in ([431], [])
    assert station.post("traces", REQUESTS["traces"]).status == 200


def test_what_is_cut_off_is_counted(open_station: Callable[..., Station]) -> None:
    """There is no source and no signal yet to count it under."""
    station = open_station(max_connections=2, header_timeout_s=0.2)
    assert station.post("/metrics", None, None, method="GET").status == 200
    with connect(station) as large:
        large.sendall(HEAD + b"y" * 20_000)
        assert statuses(answered(large)) in ([431], [])
    with connect(station) as slow:
        assert answered(slow) == b""
    with connect(station) as idle, connect(station):
        assert answered(idle) == b""
        told = station.post("/metrics", None, None, method="GET").body
    assert b"\naftertrace_http_cut_total 3\n" in told


def test_a_head_just_below_the_limit_is_taken(station: Station) -> None:
    """Tokens, trace headers and cookies of a proxy fit."""
    assert station.post("traces", REQUESTS["traces"], X_Long="y" * (MAX_HEAD_BYTES - 500)).status == 200
    with connect(station) as client:
        client.sendall(HEAD + b"X-Long: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n")
        assert statuses(answered(client)) == [431]


def test_trailers_count_as_headers_do(station: Station) -> None:
    """They are kept in the same place."""
    trailers = b"".join(b"X-%d: y\r\n" % number for number in range(3_000))
    chunked = HEAD + b"Content-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with connect(station) as client:
        assert 200 not in statuses(deliver(client, chunked + trailers + b"\r\n", 1_000))
    assert station.kept() == []


@pytest.mark.parametrize("sent", [b"", b"POST /v1/tra", HEAD, b"\r\n", WHOLE + b"\r\n", WHOLE + HEAD])
def test_a_head_that_does_not_end_is_given_up(open_station: Callable[..., Station], sent: bytes) -> None:
    """Also one that goes on a little all the time, and one after a request that was served."""
    station = open_station(header_timeout_s=0.3)
    with connect(station) as client:
        client.settimeout(0.1)
        client.sendall(sent)
        ended = time.monotonic() + 5
        found = b""
        while time.monotonic() < ended:
            try:
                client.sendall(b"\r\n" if sent.endswith(b"\r\n") and HEAD not in sent[-50:] else b"x")
                part = client.recv(65536)
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
            if not part:
                break
            found += part
        assert time.monotonic() < ended
    assert statuses(found) in ([200], [200, 400]) if sent.startswith(WHOLE) else statuses(found) in ([], [400])


def test_the_test_above_would_see_a_head_without_limit(open_station: Callable[..., Station]) -> None:
    """Control: with time enough, the same connection is still there."""
    station = open_station(header_timeout_s=60)
    with connect(station) as client:
        client.sendall(HEAD)
        client.settimeout(0.7)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.sendall(WHOLE.removeprefix(HEAD))
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_a_body_that_nobody_waits_for_has_an_end_too(open_station: Callable[..., Station]) -> None:
    """The answer came before it; the rest must not keep the connection for ever."""
    station = open_station(body_timeout_s=0.2, require_token=True)
    with connect(station) as client:
        client.sendall(BODY_TO_COME)
        began = time.monotonic()
        assert statuses(answered(client)) == [401]
        assert time.monotonic() - began < 8


def test_idle_connections_give_way(open_station: Callable[..., Station]) -> None:
    """The first that never asked for anything goes; whoever had an answer stays."""
    station = open_station(max_connections=3)
    assert station.post("traces", REQUESTS["traces"]).status == 200
    with ExitStack() as open_connections:
        idle = [open_connections.enter_context(connect(station)) for _ in range(6)]
        for client in idle[:4]:
            assert answered(client) == b""
        assert station.post("traces", REQUESTS["traces"]).status == 200
        idle[5].sendall(WHOLE)
        assert idle[5].recv(100).startswith(b"HTTP/1.1 200 ")


def test_where_nobody_gives_way_the_newest_is_told_to_come_again(open_station: Callable[..., Station]) -> None:
    """Bodies under way are left in peace for a second; then they give way as well."""
    station = open_station(max_connections=3)
    with ExitStack() as open_connections:
        busy = [open_connections.enter_context(connect(station)) for _ in range(3)]
        for client in busy:
            client.sendall(BODY_TO_COME)
        time.sleep(0.2)
        assert station.post("traces", REQUESTS["traces"]).status == 503
        station.close_connection()
        time.sleep(1)
        assert station.post("traces", REQUESTS["traces"]).status == 200
        assert answered(busy[0]) == b""


def test_requests_sent_without_waiting_are_few(station: Station) -> None:
    """Thousands fit into one packet, and each would be kept until those before it are answered."""
    with connect(station) as client:
        client.sendall(
            BODY_TO_COME[:-4] + b"\r\n\r\n" + bytes(1000) + (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3_000)
        )
        assert len(statuses(answered(client))) < 20
    assert station.post("traces", REQUESTS["traces"]).status == 200


@dataclass(slots=True)
class Client:
    """What `longest_waiting` looks at."""

    answered: int
    waiting_since_s: float | None
    in_head: bool


@given(
    st.lists(
        st.builds(Client, st.integers(0, 2), st.none() | st.integers(0, 100).map(float), st.booleans()), max_size=20
    )
)
def test_whoever_gives_way_kept_us_waiting(clients: list[Client]) -> None:
    """Never one that waits for us; one that was served only if there is no other; and the oldest of them."""
    now_s = 100.0
    found = longest_waiting(clients, now_s)  # type: ignore[arg-type, type-var]
    idle = [
        each for each in clients if each.waiting_since_s is not None and (each.in_head or each.waiting_since_s < 99)
    ]
    assert (found is None) == (not idle)
    if found is not None:
        assert found in idle
        for each in idle:
            assert (found.answered > 0, found.waiting_since_s) <= (each.answered > 0, each.waiting_since_s)
