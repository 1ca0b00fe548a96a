"""What a receiver may be told: where it listens, and how much it takes in."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftertrace.store.errors import Invalid

MIB: Final = 2**20
DEFAULT_HTTP_PORT: Final = 4318
DEFAULT_GRPC_PORT: Final = 4317
MAX_REQUEST_BYTES: Final = 64 * MIB
"""The most that `ReceiverConfig.max_request_bytes` may be: decoding costs up to 88 bytes of memory per
byte."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of TLS, PEM each; both transports use them. Raises `Invalid` for files that do not go together."""

    certificate: Path
    """The server's certificate, and what leads from it to its root."""
    key: Path
    client_ca: Path | None = None
    """Roots that a client's certificate must lead to. None: clients need no certificate."""

    def __post_init__(self) -> None:
        """Load them once, so that a wrong file is told at the start and not at the first handshake."""
        self.context()

    def context(self) -> ssl.SSLContext:
        """The files as they are now, for the handshakes of a server. Raises `Invalid` as the constructor does."""
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as error:
            files = ", ".join(str(path) for path in (self.certificate, self.key, self.client_ca) if path is not None)
            said = getattr(error, "strerror", None) or str(error)
            raise Invalid(
                f"configure receiver: {files}: {said}; expected a PEM certificate and its key without a password"
            ) from error
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """Where a receiver listens and what it refuses. Raises `Invalid` for values that cannot hold."""

    http_host: str = "127.0.0.1"
    http_port: int = DEFAULT_HTTP_PORT
    """Port of OTLP/HTTP; 0 takes any free one."""
    grpc_host: str = "127.0.0.1"
    grpc_port: int = DEFAULT_GRPC_PORT
    """Port of OTLP/gRPC; 0 takes any free one."""
    tls: Tls | None = None
    """Speak TLS on both ports; None: in the clear, on loopback only."""
    require_token: bool = False
    """Whether every request must show the token of a source. Always so beyond loopback."""
    max_request_bytes: int = 16 * MIB
    """Largest request, as sent and as inflated. A larger one gets 413 or RESOURCE_EXHAUSTED."""
    max_in_flight_bytes: int = 128 * MIB
    """Bytes of all requests that are read or wait for the disk. Over it: 503 or UNAVAILABLE, to be
    retried."""
    max_parses: int = 4
    """How many requests are decoded and redacted at the same time; the others wait. Large ones go one by one."""
    max_connections: int = 512
    """Connections at the same time, on each port. One more is taken by HTTP at the cost of the one that has kept it
    waiting longest, or else answered 503; gRPC does not take it."""
    grpc_threads: int = 32
    """How many gRPC requests are served at the same time; the others wait unread."""
    max_streams: int = 8
    """gRPC requests at the same time on one connection; the sender keeps the others back."""
    header_timeout_s: float = 10.0
    """How long a client may take for a handshake, and for the head of a request."""
    body_timeout_s: float = 30.0
    """How long a client may take to send a body."""
    cors_origins: frozenset[str] = frozenset()
    """Origins of the web pages that may send from a browser."""
    append_timeout_s: float = 30.0
    """How long a request waits for stable storage before its sender is told to try again."""

    def __post_init__(self) -> None:
        """Refuse what would expose the receiver or make its limits meaningless."""
        for field, host in (("http_host", self.http_host), ("grpc_host", self.grpc_host)):
            if not (_is_loopback(host) or (self.tls is not None and self.require_token and host)):
                raise Invalid(
                    f"configure receiver: {field} {host!r} is not a loopback address, expected 127.0.0.1, ::1 or "
                    "localhost; to receive from afar set receiver.tls_certificate, receiver.tls_key and "
                    "receiver.require_token"
                )
        for field, port in (("http_port", self.http_port), ("grpc_port", self.grpc_port)):
            if not 0 <= port <= 65535:
                raise Invalid(f"configure receiver: {field} is {port}, expected 0 (any free port) to 65535")
        if not 1 <= self.max_request_bytes <= MAX_REQUEST_BYTES:
            raise Invalid(
                f"configure receiver: max_request_bytes is {self.max_request_bytes}, expected 1 to {MAX_REQUEST_BYTES}"
            )
        if self.max_in_flight_bytes < 2 * self.max_request_bytes:
            raise Invalid(
                f"configure receiver: max_in_flight_bytes is {self.max_in_flight_bytes}, expected at least "
                f"{2 * self.max_request_bytes}, twice max_request_bytes, so that one compressed request fits"
            )
        for field, number in (
            ("max_parses", self.max_parses),
            ("max_connections", self.max_connections),
            ("grpc_threads", self.grpc_threads),
            ("max_streams", self.max_streams),
            ("header_timeout_s", self.header_timeout_s),
            ("body_timeout_s", self.body_timeout_s),
            ("append_timeout_s", self.append_timeout_s),
        ):
            if number <= 0:
                raise Invalid(f"configure receiver: {field} is {number}, expected more than 0")


def _no_password() -> str:
    # Otherwise OpenSSL asks for it on the terminal.
    raise ValueError("the key has a password")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
