"""An honest sender beside hostile ones: what it was answered, and how long it waited for that."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field

import grpc
from tests.receiver.station import METHODS, PROTOBUF, REQUESTS

TAKEN = ("http 200", "grpc OK")
_PAUSE_S = 0.02


@dataclass(slots=True)
class Honest:
    """Sends small requests in turn over both ports, on connections that it keeps."""

    http_port: int
    grpc_port: int
    answers: list[str] = field(default_factory=list)
    latencies_s: dict[str, list[float]] = field(default_factory=lambda: {"http": [], "grpc": []})
    """How long each request took, by transport, refused or not."""

    def send_until(self, ended: threading.Event) -> None:
        """Go on until there is an end. What is refused or cut off is noted, and the next request sent."""
        with (
            closing(http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)) as connection,
            grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}", [("grpc.use_local_subchannel_pool", 1)]) as channel,
        ):
            while not ended.is_set():
                began_s = time.perf_counter()
                self.answers.append(_post(connection))
                posted_s = time.perf_counter()
                self.answers.append(_call(channel))
                self.latencies_s["http"].append(posted_s - began_s)
                self.latencies_s["grpc"].append(time.perf_counter() - posted_s)
                time.sleep(_PAUSE_S)

    @property
    def refused(self) -> list[str]:
        """Answers other than OK."""
        return [answer for answer in self.answers if answer not in TAKEN]


def _post(connection: http.client.HTTPConnection) -> str:
    try:
        connection.request("POST", "/v1/traces", REQUESTS["traces"], {"Content-Type": PROTOBUF})
        response = connection.getresponse()
        response.read()
    except OSError as error:
        connection.close()
        return f"http {type(error).__name__}"
    return f"http {response.status}"


def _call(channel: grpc.Channel) -> str:
    try:
        channel.unary_unary(METHODS["traces"])(REQUESTS["traces"], timeout=30)
    except grpc.RpcError as error:
        return f"grpc {error.code().name}"
    return "grpc OK"
