"""A receiver: OTLP over gRPC and HTTP, side by side, into one log."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from aftertrace.receiver.certificates import Certificates
from aftertrace.receiver.grpc import GrpcServer
from aftertrace.receiver.http import HttpServer
from aftertrace.receiver.intake import Append, Gauges, Intake
from aftertrace.receiver.tally import Tally
from aftertrace.store.errors import AftertraceError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from aftertrace.receiver.config import ReceiverConfig
    from aftertrace.receiver.metrics import Family
    from aftertrace.store.request import Identify, Prepare, Quotas

RELOADED: Final = ("tls", "max_connections", "header_timeout_s", "body_timeout_s", "append_timeout_s", "cors_origins")
"""What of a configuration `Receiver.reload` brings into force."""


class Receiver:
    """Both transports of OTLP in front of one `identify`, one `prepare` and one `append`.

    Use it as a context manager, or call `start` and `stop`. Stopping lets requests in flight finish, so it
    may be called from the handling of SIGTERM, outside of the signal handler itself.
    """

    def __init__(
        self,
        config: ReceiverConfig,
        identify: Identify,
        prepare: Prepare,
        append: Append,
        quotas: Quotas | None = None,
        gauges: Gauges = dict,
    ) -> None:
        """Keep what to serve; nothing is bound yet. `gauges` are told at `/metrics` beside the receiver's own."""
        self.tally = Tally()
        """What was taken and refused."""
        self._intake = Intake(config, identify, prepare, append, self.tally, quotas)
        self._intake.gauges.append(gauges)
        self._http: HttpServer | None = None
        self._grpc: GrpcServer | None = None
        self._certificates: Certificates | None = None

    @property
    def http_port(self) -> int:
        """The port of OTLP/HTTP, once started."""
        if self._http is None:
            raise RuntimeError("the receiver is not started")
        return self._http.port

    @property
    def grpc_port(self) -> int:
        """The port of OTLP/gRPC, once started."""
        if self._grpc is None:
            raise RuntimeError("the receiver is not started")
        return self._grpc.port

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of requests that are being read or wait for the disk."""
        return self._intake.budget.used_bytes

    def metrics(self) -> Iterable[Family]:
        """What `/metrics` tells."""
        return self._intake.metrics()

    def start(self) -> None:
        """Bind both ports and answer. When either fails, neither stays: raises `Unavailable` naming the
        port.
        """
        try:
            tls = self._intake.config.tls
            self._certificates = None if tls is None else Certificates(tls)
            self._http = HttpServer(self._intake, self._certificates)
            self._grpc = GrpcServer(self._intake, self._certificates)
            self._http.start()
            self._grpc.start()
        except AftertraceError:
            self.stop(grace_s=0)
            raise

    def reload(self, config: ReceiverConfig, prepare: Prepare | None = None) -> None:
        """Go on by another configuration, with certificates read anew, and by another `prepare` if one is given; no
        connection ends. Nothing changes if this raises.

        Addresses, and what the servers were made with (`grpc_threads`, `max_streams`, `max_parses`, the sizes), stay.

        Raises:
            Invalid: the certificates cannot be read, or TLS would begin or end.
        """
        was = self._intake.config
        if (config.tls is None) != (was.tls is None):
            raise Invalid("reload receiver: TLS begins or ends with a restart only; restart serve")
        if self._certificates is not None and config.tls is not None:
            self._certificates.renew(config.tls)
        changed = {name: getattr(config, name) for name in RELOADED}
        self._intake.config = replace(was, **changed)
        self._intake.prepare = prepare or self._intake.prepare

    def stop(self, grace_s: float = 5.0) -> None:
        """Take no more requests and let those in flight finish for up to `grace_s` seconds. May be called
        twice.
        """
        http, self._http = self._http, None
        grpc, self._grpc = self._grpc, None
        ending = []
        for server in (http, grpc):
            if server is not None:
                thread = threading.Thread(target=server.stop, args=(grace_s,), name="otlp-stop")
                thread.start()
                ending.append(thread)
        for thread in ending:
            thread.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
