"""The certificates of a running receiver: read at its start and whenever it is told to, for every handshake after that.

Connections that are there go on with the certificate that they were made with.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc

from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.receiver.config import Tls

_READINGS: Final = 3
_Pair: TypeAlias = tuple[bytes, bytes]
"""A key and its certificate."""


class _Context(ssl.SSLContext):
    """Hands each handshake to the context that holds at the time."""

    current: ssl.SSLContext

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        return self.current.wrap_bio(*arguments, **named)


class Certificates:
    """What both ports show, and ask for. Safe to use from any thread."""

    def __init__(self, tls: Tls) -> None:
        """Read the files. Raises `Invalid` if one cannot be read."""
        self.context = _Context(ssl.PROTOCOL_TLS_SERVER)
        """For the HTTP port."""
        self.asks_clients = tls.client_ca is not None
        """Whether clients need a certificate."""
        self._given: Any = None
        self.renew(tls)

    def renew(self, tls: Tls) -> None:
        """Read the files anew: the next handshake goes by them. Nothing changes if this raises.

        Raises:
            Invalid: one cannot be read, they go on changing, or clients would no longer need a certificate, or need
                one now.
        """
        if (tls.client_ca is not None) != self.asks_clients:
            raise Invalid("renew certificates: receiver.tls_client_ca comes or goes with a restart only; restart serve")
        context, pair, roots = _read(tls)
        self._configuration = grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)
        self.context.current = context

    def credentials(self) -> grpc.ServerCredentials:
        """For the gRPC port."""
        return grpc.dynamic_ssl_server_credentials(self._configuration, self._changed, self.asks_clients)

    def _changed(self) -> Any:
        """What grpcio asks for before each handshake: the files as they were read last, None if it has them already."""
        # Compared, and not taken away: a renewal in between must not be lost.
        newest = self._configuration
        if newest is self._given:
            return None
        self._given = newest
        return newest


def _read(tls: Tls) -> tuple[ssl.SSLContext, _Pair, bytes | None]:
    """What both ports are to show, from the same bytes.

    OpenSSL takes the names of files and gRPC what is in them. So they are read before and after it: files that are
    alike hold what it read, and no port shows another certificate than the other.
    """
    before = _bytes(tls)
    for _ in range(_READINGS):
        context = tls.context()
        after = _bytes(tls)
        if after == before:
            return context, *after
        before = after
    raise Invalid("renew certificates: they changed each time they were read; reload when they are in their place")


def _bytes(tls: Tls) -> tuple[_Pair, bytes | None]:
    try:
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
        return pair, None if tls.client_ca is None else tls.client_ca.read_bytes()
    except OSError as error:
        raise Invalid(f"renew certificates: {error.filename}: {error.strerror}; make it readable") from error
