"""Clients that send while the server dies: each keeps a journal of what it sent and what it was told."""

from __future__ import annotations

import http.client
import random
import threading
from typing import TYPE_CHECKING, Final, Protocol, Self

import grpc
from faults.payload import RequestId, request

if TYPE_CHECKING:
    from faults.serve import Endpoints

TIMEOUT_S: Final = 10.0
RESEND_SHARE: Final = 0.1
"""Share of the acknowledged requests that are sent once more where no other number is wanted, as if the answer had been
lost on its way."""

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_AGAIN_HTTP: Final = frozenset({429, 502, 503, 504})
_AGAIN_GRPC: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


class NoAnswer(Exception):
    """The client does not know whether the request was taken: it sends the same bytes again."""


class Refused(Exception):
    """The server says that the request is wrong. No request of these clients is."""


class Wire(Protocol):
    """One way to send a request."""

    def send(self, endpoints: Endpoints, body: bytes) -> None:
        """Return on OK. Raises `NoAnswer` where the client has to send again, `Refused` where it must not."""

    def close(self) -> None:
        """Close connections."""


class Http:
    """OTLP/HTTP with protobuf over one kept connection."""

    def __init__(self) -> None:
        """Connect later."""
        self._connection: http.client.HTTPConnection | None = None

    def send(self, endpoints: Endpoints, body: bytes) -> None:
        """See `Wire`."""
        if self._connection is None or self._connection.port != endpoints.http:
            self.close()
            self._connection = http.client.HTTPConnection("127.0.0.1", endpoints.http, timeout=TIMEOUT_S)
        try:
            self._connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            reply = self._connection.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NoAnswer from error
        if reply.status in _AGAIN_HTTP:
            raise NoAnswer
        if reply.status != 200:
            raise Refused(f"HTTP {reply.status}: {text!r}")

    def close(self) -> None:
        """See `Wire`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Grpc:
    """OTLP/gRPC over one kept channel."""

    def __init__(self) -> None:
        """Connect later."""
        self._port = 0
        self._channel: grpc.Channel | None = None

    def send(self, endpoints: Endpoints, body: bytes) -> None:
        """See `Wire`."""
        if self._channel is None or self._port != endpoints.grpc:
            self.close()
            self._port = endpoints.grpc
            self._channel = grpc.insecure_channel(f"127.0.0.1:{endpoints.grpc}")
        try:
            self._channel.unary_unary(_EXPORT, None, None)(body, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            self.close()
            if error.code() in _AGAIN_GRPC:
                raise NoAnswer from error
            raise Refused(f"gRPC {error.code()}: {error.details()}") from error

    def close(self) -> None:
        """See `Wire`."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


class Serving(Protocol):
    """What takes requests."""

    @property
    def endpoints(self) -> Endpoints | None:
        """Where; None while nothing is ready."""


class Load:
    """Client threads, half over HTTP and half over gRPC, and what they know."""

    def __init__(
        self,
        serve: Serving,
        *,
        clients: int,
        seed: int,
        pause_s: float = 0.02,
        copies: int = 1,
        first_client: int = 0,
    ) -> None:
        """Prepare threads that send to `serve`.

        Args:
            serve: what they send to, over all its starts.
            clients: how many; each second one speaks gRPC.
            seed: chooses pauses and resends.
            pause_s: between two requests of a client, on average.
            copies: how many times every request is sent, each after an OK; 1 lets a tenth of them be sent twice.
            first_client: number of the first, so that two loads on one data folder do not send the same.
        """
        self.attempted: set[RequestId] = set()
        self.acknowledged: set[RequestId] = set()
        self.resends = 0
        """Requests that reached a server at least twice, as far as the clients can tell."""
        self.waits = 0
        """Answers, or their absence, that meant: again."""
        self.errors: list[str] = []
        """What no client may meet: an answer that says the request is wrong."""
        self._serve = serve
        self._pause_s = pause_s
        self._copies = copies
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(client, random.Random(f"{seed}/{client}")))
            for client in range(first_client, first_client + clients)
        ]

    def __enter__(self) -> Self:
        """Start sending."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sending. A request without an answer stays unknown."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def known(self) -> tuple[frozenset[RequestId], frozenset[RequestId]]:
        """What was sent and what was acknowledged until now."""
        with self._lock:
            return frozenset(self.attempted), frozenset(self.acknowledged)

    def _run(self, client: int, rng: random.Random) -> None:
        wire: Wire = Http() if client % 2 == 0 else Grpc()
        try:
            number = 0
            while not self._stop.is_set():
                self._deliver(wire, RequestId(client, number), rng)
                number += 1
                self._stop.wait(rng.expovariate(1 / self._pause_s))
        except Refused as error:
            with self._lock:
                self.errors.append(f"client {client}: {error}")
        finally:
            wire.close()

    def _deliver(self, wire: Wire, of: RequestId, rng: random.Random) -> None:
        """Send until there is an answer, always the same bytes; sometimes once more after it."""
        body = request(of)
        with self._lock:
            self.attempted.add(of)
        answers_wanted = self._copies + (self._copies == 1 and rng.random() < RESEND_SHARE)
        while answers_wanted and not self._stop.is_set():
            endpoints = self._serve.endpoints
            if endpoints is None:
                self._stop.wait(0.02)
                continue
            try:
                wire.send(endpoints, body)
            except NoAnswer:
                with self._lock:
                    self.waits += 1
                self._stop.wait(0.02)
                continue
            answers_wanted -= 1
            with self._lock:
                self.resends += of in self.acknowledged
                self.acknowledged.add(of)
