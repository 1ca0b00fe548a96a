"""Where things listen: reading addresses, and finding a port that is free."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aftertrace.store.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection

_TRIES: Final = 50
"""How many ports after a busy default are tried."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str
    port: int
    """0 takes any free one."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``HOST:PORT``; an IPv6 host stands in brackets.

        Raises:
            Invalid: it is written in another way.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise Invalid(f"read address {text!r}: expected HOST:PORT such as 127.0.0.1:4318")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    def __str__(self) -> str:
        """``HOST:PORT``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def is_free(self) -> bool:
        """Whether a server could listen here now."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
                probe.listen(1)
            except OSError:
                return False
        return True

    def free(self) -> Address:
        """The same host with a port that is free now: this one, or one the system picks where it is 0."""
        if self.port:
            return self
        with closing(socket.create_server((self.host, 0))) as probe:
            return Address(self.host, int(probe.getsockname()[1]))


@dataclass(frozen=True, slots=True)
class Places:
    """Where to listen."""

    http: Address
    grpc: Address
    dashboard: Address | None


def settle(default: Address, asked_for: Address | None, taken: Collection[int] = ()) -> Address:
    """Where to listen.

    Args:
        default: of the configuration; when it is busy, the next free port after it is taken.
        asked_for: what the command line says; it is taken or refused.
        taken: ports that are already promised to something that does not listen yet.

    Raises:
        Unavailable: the port that was asked for is busy, or so are all that were tried.
    """
    if asked_for is not None:
        if asked_for.port and not asked_for.is_free():
            raise Unavailable(f"listen on {asked_for}: busy, expected it free; stop what listens there or take port 0")
        return asked_for
    if not default.port:
        return default
    for port in range(default.port, min(default.port + _TRIES, 65536)):
        candidate = Address(default.host, port)
        if port not in taken and candidate.is_free():
            return candidate
    raise Unavailable(f"listen on {default}: it and the {_TRIES - 1} ports after it are busy; take port 0")
