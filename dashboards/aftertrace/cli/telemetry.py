"""Figures of a running `serve`, as OTLP metrics to somebody else's receiver, where the configuration names one.

It cannot go round in a circle. The store's own ports are no way to send them, redirects are not followed, and what is
sent follows the clock alone: one request per interval, never in answer to anything.
"""

from __future__ import annotations

import http.client
import ipaddress
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote, urlsplit

from aftertrace.cli import posting
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.receiver.metrics import Family

_PATH: Final = "/v1/metrics"
_TIMEOUT_S: Final = 10.0
_CUMULATIVE: Final = 2
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t -~]*")
"""What a header may hold: with anything else each request would fail, and the error would quote the value."""

_log = logging.getLogger("aftertrace.telemetry")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where metrics are posted."""

    secure: bool
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, url: str, headers: str) -> Self:
        """Read a base URL, and headers as ``name=value,name=value`` with values percent-encoded, as OpenTelemetry has
        them.

        Raises:
            Invalid: either is something else.
        """
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 4318)
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or not port or parts.query or parts.fragment:
            raise Invalid(f"configure telemetry: endpoint {url!r}, expected a base URL such as http://collector:4318")
        pairs = [pair.partition("=") for pair in headers.split(",") if pair.strip()]
        named = tuple((name.strip(), unquote(value.strip())) for name, _, value in pairs)
        readable = all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in named)
        if not readable or not all(equals for _, equals, _ in pairs):
            # Without quoting them: they hold tokens.
            raise Invalid(
                "configure telemetry: headers cannot be read, expected name=value,name=value, and in values nothing "
                "but ASCII that can be seen, spaces and tabs"
            )
        return cls(parts.scheme == "https", parts.hostname, port, parts.path.rstrip("/") + _PATH, named)

    def is_here(self, ports: Collection[int]) -> bool:
        """Whether it leads to one of these ports of this machine."""
        if self.port not in ports:
            return False
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            return False
        return any(_is_local(family, str(address[0])) for family, _, _, _, address in found)

    def post(self, body: bytes) -> int:
        """Send metrics; the status of the answer.

        Raises:
            OSError: it cannot be reached.
        """
        headers = {"Content-Type": "application/x-protobuf", **dict(self.headers)}
        try:
            return posting.post(
                self.host, self.port, self.path, body, headers, secure=self.secure, timeout_s=_TIMEOUT_S
            )
        except http.client.HTTPException as error:
            raise ConnectionError(type(error).__name__) from error


class Telemetry:
    """Sends metrics as long as it is open."""

    def __init__(
        self,
        endpoint: Endpoint,
        own_ports: Collection[int],
        families: Callable[[], Iterable[Family]],
        instance: str,
        interval_s: float,
    ) -> None:
        """Prepare to send.

        Args:
            endpoint: where to.
            own_ports: where it must not lead.
            families: what there is to tell, whenever it is asked.
            instance: name of this receiver among others.
            interval_s: from one request to the next.

        Raises:
            Invalid: the endpoint is this receiver itself.
        """
        if endpoint.is_here(own_ports):
            raise Invalid(
                f"configure telemetry: endpoint {endpoint.host}:{endpoint.port} is this receiver itself, expected "
                "another one; it would report on its own reports"
            )
        self._endpoint = endpoint
        self._own_ports = own_ports
        self._families = families
        self._instance = instance
        self._interval_s = interval_s
        self._began_ns = time.time_ns()
        self._said: str | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; nothing is sent any more."""
        self._ended.set()
        self._thread.join(_TIMEOUT_S)

    def send(self) -> None:
        """Send the figures of this moment. What fails is logged once and not sent again: the next ones say as much."""
        try:
            if self._endpoint.is_here(self._own_ports):
                failed: str | None = "the endpoint has come to be this receiver itself"
            else:
                body = request(self._families(), self._instance, self._began_ns, time.time_ns())
                status = self._endpoint.post(body)
                failed = None if status == 200 else f"answered {status}"
        except OSError as error:
            failed = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001 - the thread must not end for it: later figures are told all the same
            failed = f"a defect, please report it: {type(error).__name__}"
        if failed is not None and failed != self._said:
            _log.warning("send metrics to %s:%d: %s", self._endpoint.host, self._endpoint.port, failed)
        self._said = failed

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self.send()


def request(families: Iterable[Family], instance: str, began_ns: int, now_ns: int) -> bytes:
    """An OTLP export of metrics, as protobuf."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    _attribute(group.resource.attributes, "service.name", "aftertrace")
    _attribute(group.resource.attributes, "service.instance.id", instance)
    scope = group.scope_metrics.add()
    scope.scope.name = "aftertrace.receiver"
    for family in families:
        metric: Any = scope.metrics.add(name=family.name, description=family.help)
        points: Any = metric.gauge.data_points
        if family.kind == "counter":
            metric.sum.aggregation_temporality = _CUMULATIVE
            metric.sum.is_monotonic = True
            points = metric.sum.data_points
        for labels, value in family.samples:
            point = points.add(time_unix_nano=now_ns, as_double=value)
            if family.kind == "counter":
                point.start_time_unix_nano = began_ns
            for key, text in labels:
                _attribute(point.attributes, key, text)
    return message.SerializeToString()


def _attribute(attributes: Any, key: str, value: str) -> None:
    attributes.add(key=key).value.string_value = value


def _is_local(family: int, host: str) -> bool:
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        return True
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Only an address of this machine can be bound.
            probe.bind((host, 0))
        except OSError:
            return False
    return True
