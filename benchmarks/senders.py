"""Clients: closed loop (send the next request when the last is acknowledged) or open loop (send by the clock)."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import grpc

if TYPE_CHECKING:
    from benchmarks.corpus import Request

TAKEN: Final = "taken"
REFUSED: Final = "refused"
"""Asked to send again: backpressure."""

_TIMEOUT_S = 120.0
_AGAIN_S = 0.2
_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Connection(Protocol):
    """What one client sends over."""

    def send(self, body: bytes) -> str:
        """Send a request and wait for the answer: `TAKEN`, `REFUSED`, or what else was answered."""

    def close(self) -> None:
        """Hang up."""


class Transport(Protocol):
    """How clients send."""

    def connect(self) -> Connection:
        """A connection of a client's own."""


@dataclass(frozen=True, slots=True)
class Http:
    """OTLP/HTTP on loopback."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside the content type; protobuf is meant where none is given."""

    def connect(self) -> Connection:
        """A connection that is kept open."""
        return _HttpConnection(self.port, {"Content-Type": "application/x-protobuf", **self.headers})


@dataclass(frozen=True, slots=True)
class Grpc:
    """OTLP/gRPC on loopback."""

    port: int

    def connect(self) -> Connection:
        """A channel that shares its connection with no other."""
        return _GrpcConnection(self.port)


@dataclass(slots=True)
class Sent:
    """What the clients saw."""

    latencies_s: list[float] = field(default_factory=list)
    """From the first byte sent (open loop: from the moment it was due) to the acknowledgement, one per request."""
    acknowledged: dict[str, float] = field(default_factory=dict)
    """When each trace was acknowledged, by trace id."""
    refused: int = 0
    """Answers that asked to send again: backpressure."""
    failed: Counter[str] = field(default_factory=Counter)
    """Other answers, and how many; such a request is not sent again."""
    began: float = 0.0
    ended: float = 0.0


class Senders:
    """Threads that send requests which nobody sent before."""

    def __init__(self, transport: Transport, requests: Iterator[Request]) -> None:
        """Send `requests`, as long as there are any."""
        self._transport = transport
        self._requests = requests
        self._lock = threading.Lock()

    def closed(self, *, clients: int, duration_s: float) -> Sent:
        """As fast as `clients` connections can, for `duration_s`."""
        return self.run(Sent(), clients=clients, duration_s=duration_s)

    def open(self, *, clients: int, duration_s: float, rate: float) -> Sent:
        """`rate` requests per second, evenly spaced, whatever the answers take."""
        return self.run(Sent(), clients=clients, duration_s=duration_s, rate=rate)

    def run(self, sent: Sent, *, clients: int, duration_s: float, rate: float | None = None) -> Sent:
        """Either of both; `sent` can be looked at meanwhile."""
        sent.began = time.perf_counter()
        turns = itertools.count()
        threads = [
            # What is interrupted ends, and does not send on for as long as it was to.
            threading.Thread(target=self._send, args=(sent, turns, sent.began + duration_s, rate), daemon=True)
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sent.ended = time.perf_counter()
        return sent

    def _send(self, sent: Sent, turns: Iterator[int], until: float, rate: float | None) -> None:
        connection = self._transport.connect()
        while True:
            with self._lock:
                turn = next(turns)
                due = time.perf_counter() if rate is None else sent.began + turn / rate
                request = next(self._requests, None) if due < until else None
            if request is None:
                break
            body, traces = request
            due = time.perf_counter() if rate is None else due
            time.sleep(max(0.0, due - time.perf_counter()))
            refused = 0
            while (answer := connection.send(body)) == REFUSED:
                refused += 1
                if rate is None and time.perf_counter() >= until:
                    # The time of a closed loop is up: what is still refused is not acknowledged, and no failure.
                    break
                time.sleep(_AGAIN_S)
            now = time.perf_counter()
            with self._lock:
                sent.refused += refused
                if answer == TAKEN:
                    sent.latencies_s.append(now - due)
                    sent.acknowledged.update(dict.fromkeys(traces, now))
                elif answer != REFUSED:
                    sent.failed[answer] += 1
        connection.close()


class _HttpConnection:
    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._headers = dict(headers)

    def send(self, body: bytes) -> str:
        try:
            self._connection.request("POST", "/v1/traces", body, self._headers)
            reply = self._connection.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return type(error).__name__
        if reply.status == 200:
            return TAKEN
        return REFUSED if reply.status in (429, 502, 503, 504) else str(reply.status)

    def close(self) -> None:
        self._connection.close()


class _GrpcConnection:
    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)])
        self._export = self._channel.unary_unary(_EXPORT, bytes, bytes)

    def send(self, body: bytes) -> str:
        try:
            self._export(body, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            again = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
            return REFUSED if error.code() in again else str(error.code().name)
        return TAKEN

    def close(self) -> None:
        self._channel.close()
