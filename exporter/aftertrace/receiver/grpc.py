"""OTLP/gRPC: the `Export` method of the three collector services, on the synchronous grpcio server and raw
bytes.
"""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, cast

import grpc

from aftertrace.receiver.intake import EMPTY_ANSWER, UNKNOWN
from aftertrace.receiver.ports import listen
from aftertrace.receiver.readings import Readings
from aftertrace.store.errors import TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aftertrace.receiver.certificates import Certificates
    from aftertrace.receiver.intake import Intake
    from aftertrace.store.request import Signal

SERVICES: Final[dict[str, Signal]] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
}
"""Full name of each service, and the signal it exports."""

_STATUS_DETAILS: Final = "grpc-status-details-bin"
_MAX_ANSWER_BYTES: Final = 4 * 2**20
_MAX_METADATA_BYTES: Final = 16 * 2**10
_SLACK_BYTES: Final = 4 * 2**20
_IDLE_MS: Final = 60_000
"""After which a connection without requests is closed; senders open another one when they need it."""
_KEEPALIVE_MS: Final = 30_000


class GrpcServer:
    """The three services on a port. grpcio undoes gzip and holds to the message size, inflated, by itself."""

    def __init__(self, intake: Intake, certificates: Certificates | None = None) -> None:
        """Bind the port, so that a busy one is known at once. Raises `Unavailable` naming it."""
        config = intake.config
        self._intake = intake
        self._asks_clients = certificates is not None and certificates.asks_clients
        self._readings = Readings(lambda: intake.config)
        intake.gauges.append(self._gauges)
        self._workers = ThreadPoolExecutor(config.grpc_threads, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(
            self._workers,
            options=(
                # Over it, grpcio answers RESOURCE_EXHAUSTED without RetryInfo by itself, as OTLP asks. What is a little
                # over the limit comes to us, so that the sender learns which limit, and we what was refused.
                ("grpc.max_receive_message_length", config.max_request_bytes + _SLACK_BYTES),
                ("grpc.max_send_message_length", _MAX_ANSWER_BYTES),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.max_concurrent_streams", config.max_streams),
                ("grpc.max_allowed_incoming_connections", config.max_connections),
                ("grpc.server_handshake_timeout_ms", round(config.header_timeout_s * 1000)),
                ("grpc.max_connection_idle_ms", _IDLE_MS),
                # Whoever is no longer there takes no connection.
                ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
                ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS),
                # Otherwise a second server would share the port unseen.
                ("grpc.so_reuseport", 0),
            ),
        )
        self._server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(
                    # A stream of one message is the same on the wire, and lets us see the sender before it is read.
                    service,
                    {"Export": grpc.stream_unary_rpc_method_handler(self._export(signal))},
                )
                for service, signal in SERVICES.items()
            )
        )
        host = f"[{config.grpc_host}]" if ":" in config.grpc_host else config.grpc_host
        try:
            # grpcio does not say why a port cannot be bound, and writes to stderr: find out before it tries.
            listen("OTLP/gRPC", config.grpc_host, config.grpc_port).close()
            self.port: int = self._bind(f"{host}:{config.grpc_port}", certificates)
            """The port it listens on."""
        except RuntimeError as error:
            raise Unavailable(
                f"listen for OTLP/gRPC on {host}:{config.grpc_port}: the address cannot be bound; "
                "choose another port or free this one"
            ) from error

    def start(self) -> None:
        """Answer requests."""
        self._readings.start()
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Take no more requests, let those in flight finish for up to `grace_s` seconds, then end."""
        self._readings.close()
        self._server.stop(grace_s).wait(grace_s + 2.0)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _gauges(self) -> dict[str, tuple[str, float]]:
        about = "gRPC requests whose message is still on its way."
        return {"aftertrace_grpc_readings": (about, float(len(self._readings)))}

    def _bind(self, address: str, certificates: Certificates | None) -> int:
        if certificates is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, certificates.credentials())

    def _export(self, signal: Signal) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
        def export(messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            source = UNKNOWN
            try:
                authorization = _authorization(context)
                sender = self._intake.identify(authorization, _certificate(context) if self._asks_clients else None)
                source = sender.source
                self._intake.admit(source)
                with self._intake.hold() as hold:
                    body = self._readings.read(messages, context)
                    hold.add(len(body))
                    self._intake.take(signal, "protobuf", body, "identity", sender, hold)
            except Exception as error:  # noqa: BLE001 - the edge: refuse logs what is not expected
                answer = self._intake.refuse(signal, source, error)
                context.set_trailing_metadata(((_STATUS_DETAILS, answer.status_protobuf()),))
                context.abort(answer.grpc_code, answer.message)
            return EMPTY_ANSWER["protobuf"]

        return export


def _authorization(context: grpc.ServicerContext) -> str | None:
    """The header of this name. gRPC has names in lower case; of two values none is taken, since neither is the one.

    Raises:
        TooLarge: all headers together are over the limit. grpcio holds each of their frames to it, and not the sum.
    """
    headers = context.invocation_metadata()
    if sum(len(name) + len(value) for name, value in headers) > _MAX_METADATA_BYTES:
        raise TooLarge(f"read request: headers of more than {_MAX_METADATA_BYTES} bytes; send fewer of them")
    values = [str(value) for name, value in headers if name == "authorization"]
    return values[0] if len(values) == 1 else None if not values else ""


def _certificate(context: grpc.ServicerContext) -> bytes | None:
    """What the client showed in its handshake (DER); gRPC has checked that it leads to a root of ours."""
    shown = cast("Mapping[str, Sequence[bytes]]", context.auth_context()).get("x509_pem_cert")
    return ssl.PEM_cert_to_DER_cert(shown[0].decode("ascii")) if shown else None
