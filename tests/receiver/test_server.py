"""A receiver's life: start, OK only after the disk, back-pressure, counting, and an end that loses nothing."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import grpc
import pytest

from aftertrace.receiver.config import ReceiverConfig
from aftertrace.receiver.intake import Budget, Hold
from aftertrace.receiver.server import Receiver
from aftertrace.receiver.tally import Accepted, Refused
from aftertrace.store.errors import Unavailable

from .station import REQUESTS, Station


class SlowDisk:
    """An append whose futures resolve when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Future[int]] = []
        self.asked = threading.Semaphore(0)

    def append(self, *_: object) -> Future[int]:
        future: Future[int] = Future()
        self.waiting.append(future)
        self.asked.release()
        return future


def send(station: Station, transport: str) -> Any:
    """One request of traces; the HTTP status or the gRPC code."""
    if transport == "http":
        return station.post("traces", REQUESTS["traces"]).status
    try:
        station.call("traces", REQUESTS["traces"])
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run in a thread; the list gets the result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


@pytest.mark.parametrize(("transport", "ok"), [("http", 200), ("grpc", grpc.StatusCode.OK)])
def test_ok_comes_only_after_the_disk_has_it(open_station: Callable[..., Station], transport: str, ok: Any) -> None:
    """As long as the append has not resolved, the sender waits; then it gets its OK."""
    disk = SlowDisk()
    station = open_station(append=disk.append)
    thread, results = in_background(lambda: send(station, transport))
    assert disk.asked.acquire(timeout=5)
    thread.join(0.2)
    assert results == []
    disk.waiting[0].set_result(1)
    thread.join(5)
    assert results == [ok]


def test_the_test_above_would_see_an_early_ok(open_station: Callable[..., Station]) -> None:
    """Control: an append that resolves before anything is written answers at once."""

    def early(*_: object) -> Future[int]:
        future: Future[int] = Future()
        future.set_result(1)
        return future

    station = open_station(append=early)
    assert (send(station, "http"), station.kept()) == (200, [])


@pytest.mark.parametrize(("transport", "again"), [("http", 503), ("grpc", grpc.StatusCode.UNAVAILABLE)])
def test_a_disk_that_does_not_answer_is_tried_again_later(
    open_station: Callable[..., Station], transport: str, again: Any
) -> None:
    """The sender keeps its data, and gives up waiting here."""
    station = open_station(append=SlowDisk().append, append_timeout_s=0.1)
    assert send(station, transport) == again
    assert station.receiver.in_flight_bytes == 0


def test_bytes_in_flight_are_bounded_over_all_requests(open_station: Callable[..., Station]) -> None:
    """Requests that wait for the disk count; one more is sent away until they are through."""
    disk = SlowDisk()
    size_bytes = len(REQUESTS["traces"])
    station = open_station(append=disk.append, max_request_bytes=size_bytes, max_in_flight_bytes=2 * size_bytes)
    waiting = [in_background(lambda: station.call("traces", REQUESTS["traces"])) for _ in range(2)]
    for _ in waiting:
        assert disk.asked.acquire(timeout=5)
    assert send(station, "http") == 503
    assert send(station, "grpc") is grpc.StatusCode.UNAVAILABLE
    for future in disk.waiting:
        future.set_result(1)
    for thread, results in waiting:
        thread.join(5)
        assert results == [b""]
    assert station.receiver.in_flight_bytes == 0


def test_what_a_request_held_is_given_back_however_it_ends() -> None:
    """A hold that ends in an error gives back what it had, and no more."""
    budget = Budget(10)
    with Hold(budget) as first:
        first.add(4)
        second = Hold(budget)
        with pytest.raises(Unavailable, match="10 bytes are in flight"):
            spend(second, 6, 1)
        assert budget.used_bytes == 4
    assert budget.used_bytes == 0


def spend(hold: Hold, *sizes_bytes: int) -> None:
    """Add to a hold one after another, and let go."""
    with hold:
        for size_bytes in sizes_bytes:
            hold.add(size_bytes)


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_stopping_lets_requests_in_flight_finish(open_station: Callable[..., Station], transport: str) -> None:
    """The request that waits for the disk gets its OK; the ports are free at once."""
    disk = SlowDisk()
    station = open_station(append=disk.append)
    ports = (station.receiver.http_port, station.receiver.grpc_port)
    sender, results = in_background(lambda: send(station, transport))
    assert disk.asked.acquire(timeout=5)
    stopper, _ = in_background(lambda: station.receiver.stop(5))
    time.sleep(0.2)
    disk.waiting[0].set_result(1)
    sender.join(5)
    stopper.join(5)
    assert results == [200 if transport == "http" else grpc.StatusCode.OK]
    for port in ports:
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_stopping_ends_although_a_client_never_finishes(open_station: Callable[..., Station]) -> None:
    """After the grace time, half a request is nobody's loss."""
    station = open_station()
    with socket.create_connection(("127.0.0.1", station.receiver.http_port)) as client:
        client.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        time.sleep(0.1)
        began = time.monotonic()
        station.receiver.stop(1)
        assert time.monotonic() - began < 4
    assert station.receiver.in_flight_bytes == 0


@pytest.mark.parametrize("taken", ["http_port", "grpc_port"])
def test_a_busy_port_is_named_and_leaves_nothing_behind(station: Station, taken: str) -> None:
    """Neither transport stays when one of them cannot start."""
    before = set(threading.enumerate())
    port = getattr(station.receiver, taken)
    ports = {"http_port": 0, "grpc_port": 0, taken: port}
    receiver = Receiver(ReceiverConfig(**ports), str, lambda request: request, lambda *_: Future())  # type: ignore[arg-type, return-value]
    with pytest.raises(Unavailable, match=rf":{port}: Address already in use; choose another port"):
        receiver.start()
    # Those of earlier tests may end meanwhile.
    assert set(threading.enumerate()) - before == set()
    with pytest.raises(RuntimeError, match="not started"):
        _ = receiver.http_port
    assert send(station, "http") == 200


def test_it_can_be_started_again_on_the_same_ports(open_station: Callable[..., Station]) -> None:
    """A restart does not wait for old connections to time out."""
    station = open_station()
    port = station.receiver.http_port
    assert send(station, "http") == 200
    station.receiver.stop(1)
    again = Receiver(ReceiverConfig(http_port=port, grpc_port=0), str, None, station.append)  # type: ignore[arg-type]
    with again:
        assert again.http_port == port


def test_an_answer_does_not_wait_for_its_head_to_be_acknowledged(station: Station) -> None:
    """That takes 40 ms, and whoever sends JSON gets a head and a body."""
    with socket.create_connection(("127.0.0.1", station.receiver.http_port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 404"
        assert not client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "what a socket has unasked"
        (accepted,) = sockets_to(client.getsockname())
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def sockets_to(peer: object) -> list[socket.socket]:
    """The other end of a connection, where it is in this process."""
    found = []
    for path in list(Path("/dev/fd").iterdir()):
        try:
            other = socket.socket(fileno=os.dup(int(path.name)))
        except OSError:
            # No socket, or closed meanwhile.
            continue
        try:
            if other.getpeername() == peer:
                found.append(other)
                continue
        except OSError:
            # It listens, or is no connection.
            pass
        other.close()
    return found


def test_everything_is_counted_by_signal_source_and_status(open_station: Callable[..., Station]) -> None:
    """Both transports in one tally; metrics that are not stored are counted as well."""
    station = open_station()
    for signal in ("traces", "logs"):
        station.post(signal, REQUESTS[signal])
        station.call(signal, REQUESTS[signal])
    station.post("traces", b"\xff")
    station.post("logs", b"", Content_Encoding="br")
    with pytest.raises(grpc.RpcError):
        station.call("traces", b"\xff")
    assert station.receiver.tally.accepted() == (
        Accepted("logs", "anonymous", 2, 2, 2 * len(REQUESTS["logs"])),
        Accepted("traces", "anonymous", 2, 2, 2 * len(REQUESTS["traces"])),
    )
    assert station.receiver.tally.refused() == (
        Refused("logs", "anonymous", 415, 1),
        Refused("traces", "anonymous", 400, 2),
    )
