"""An honest sender beside hostile ones: what it was answered, how long it waited for that, and what it could not send.

It does as OTLP asks: what is refused for now is sent again, after as long a wait as the refusal tells.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.rpc import error_details_pb2, status_pb2
from tests.receiver.station import METHODS, PROTOBUF, REQUESTS

TAKEN = ("http 200", "grpc OK")
UNTOLD_S: Final = 1.0
"""How long to wait where nobody says: an SDK's first step back."""
_RETRIED: Final = (429, 502, 503, 504)
"""The statuses after which OTLP/HTTP sends again."""
_RETRIED_CODES: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
"""Those of OTLP/gRPC; `RESOURCE_EXHAUSTED` only where it tells how long to wait."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one try came to."""

    said: str
    wait_s: float | None = None
    """Until the same is to be sent again; none where it is not."""


@dataclass(slots=True)
class Honest:
    """Sends small requests in turn over both ports, on connections that it keeps."""

    http_port: int
    grpc_port: int
    wait: Callable[[float], None] = time.sleep
    pause_s: float = 0.02
    """Between two rounds over both ports."""
    answers: list[str] = field(default_factory=list)
    latencies_s: dict[str, list[float]] = field(default_factory=lambda: {"http": [], "grpc": []})
    """How long each try took, by transport, refused or not; waits between tries are no part of it."""
    given_up: list[str] = field(default_factory=list)
    """The last answer to each request that was never taken."""
    waits_s: list[float] = field(default_factory=list)
    """How long it waited after each refusal, as it was told."""

    def send_until(self, ended: threading.Event) -> None:
        """Go on until there is an end. What is refused by then is tried once more after it."""
        with (
            closing(http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)) as connection,
            grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}", [("grpc.use_local_subchannel_pool", 1)]) as channel,
        ):
            while not ended.is_set():
                self._send("http", lambda: _post(connection), ended)
                self._send("grpc", lambda: _call(channel), ended)
                time.sleep(self.pause_s)

    def _send(self, transport: str, attempt: Callable[[], Answer], ended: threading.Event) -> None:
        """One request, until it is taken, or refused for good, or refused after the end."""
        while True:
            is_last = ended.is_set()
            began_s = time.perf_counter()
            answer = attempt()
            self.latencies_s[transport].append(time.perf_counter() - began_s)
            self.answers.append(answer.said)
            if answer.said in TAKEN:
                return
            if answer.wait_s is None or is_last:
                self.given_up.append(answer.said)
                return
            self.waits_s.append(answer.wait_s)
            self.wait(answer.wait_s)

    def refused_at_most(self, refusing_s: float) -> int:
        """How often it can have been refused in so many seconds: once at first, and once after each wait that was told.

        The shortest of these counts, and an SDK's first step back where a receiver asks for less: that is no excuse.
        """
        return 1 + int(refusing_s / max(UNTOLD_S, min(self.waits_s, default=UNTOLD_S)))

    @property
    def refused(self) -> list[str]:
        """Answers other than OK."""
        return [answer for answer in self.answers if answer not in TAKEN]

    @property
    def last(self) -> tuple[str, ...]:
        """The last answer of each transport, in the order of `TAKEN`."""
        return tuple(
            next((answer for answer in reversed(self.answers) if answer.startswith(transport)), "")
            for transport in self.latencies_s
        )


def _post(connection: http.client.HTTPConnection) -> Answer:
    try:
        connection.request("POST", "/v1/traces", REQUESTS["traces"], {"Content-Type": PROTOBUF})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Answer(f"http {type(error).__name__}", UNTOLD_S)
    told = float(response.getheader("Retry-After", UNTOLD_S))
    return Answer(f"http {response.status}", told if response.status in _RETRIED else None)


def _call(channel: grpc.Channel) -> Answer:
    try:
        channel.unary_unary(METHODS["traces"])(REQUESTS["traces"], timeout=30)
    except grpc.RpcError as error:
        told = _told(error)
        if told is None and error.code() in _RETRIED_CODES:
            told = UNTOLD_S
        return Answer(f"grpc {error.code().name}", told)
    return Answer("grpc OK")


def _told(error: grpc.RpcError) -> float | None:
    """How long RetryInfo says to wait, where there is one."""
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    info = error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(packed).details:
        if detail.Unpack(info):
            return float(info.retry_delay.ToNanoseconds() / 1e9)
    return None
