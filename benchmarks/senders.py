"""Clients: closed loop (send the next request when the last is acknowledged) or open loop (send by the clock)."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.corpus import Template

_HEADERS = {"Content-Type": "application/x-protobuf"}
_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Sent:
    """What the clients saw."""

    latencies_s: list[float] = field(default_factory=list)
    """From the first byte sent (open loop: from the moment it was due) to the acknowledgement, one per request."""
    acknowledged: dict[str, float] = field(default_factory=dict)
    """When each trace was acknowledged, by trace id."""
    refused: int = 0
    """Answers that asked to send again: backpressure."""
    began: float = 0.0
    ended: float = 0.0


class Senders:
    """Threads that send requests which nobody sent before."""

    def __init__(self, port: int, templates: list[Template]) -> None:
        """Send to OTLP/HTTP at `port`."""
        self._port = port
        self._templates = templates
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def closed(self, *, clients: int, duration_s: float) -> Sent:
        """As fast as `clients` connections can, for `duration_s`."""
        return self._run(clients, duration_s, rate=None)

    def open(self, *, clients: int, duration_s: float, rate: float) -> Sent:
        """`rate` requests per second, evenly spaced, whatever the answers take."""
        return self._run(clients, duration_s, rate)

    def _run(self, clients: int, duration_s: float, rate: float | None) -> Sent:
        sent = Sent(began=time.perf_counter())
        turns = itertools.count()
        threads = [
            threading.Thread(target=self._send, args=(sent, turns, sent.began + duration_s, rate))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sent.ended = time.perf_counter()
        return sent

    def _send(self, sent: Sent, turns: itertools.count[int], until: float, rate: float | None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        while True:
            with self._lock:
                turn, number = next(turns), next(self._numbers)
            body, traces = self._templates[number % len(self._templates)].request(number)
            due = time.perf_counter() if rate is None else sent.began + turn / rate
            if due >= until:
                break
            time.sleep(max(0.0, due - time.perf_counter()))
            refused = 0
            while _post(connection, body) != 200:
                refused += 1
                time.sleep(0.2)
            now = time.perf_counter()
            with self._lock:
                sent.latencies_s.append(now - due)
                sent.acknowledged.update(dict.fromkeys(traces, now))
                sent.refused += refused
        connection.close()


def _post(connection: http.client.HTTPConnection, body: bytes) -> int:
    connection.request("POST", "/v1/traces", body, _HEADERS)
    reply = connection.getresponse()
    text = reply.read()
    if reply.status not in (200, 429, 503):
        raise SystemExit(f"refused with {reply.status}: {text!r}")
    return reply.status
