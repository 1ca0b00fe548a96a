"""One client of OTLP/HTTP: uvicorn's HTTP/1.1 connection, held to limits on what comes before a body.

uvicorn waits for ever for a head that does not end, keeps as much of it as there is, and takes any number of
connections. Here a head has a size and a time; and where all connections are taken, whoever has kept us waiting
longest gives way to whoever comes, so that idle connections in any number shut nobody out.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aftertrace.receiver.status import DEFAULT_RETRY_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from aftertrace.receiver.config import ReceiverConfig

MAX_HEAD_BYTES: Final = 16 * 2**10
"""Request line and headers together, and trailers with them. gRPC is held to the same."""
_SPARE_CONNECTIONS: Final = 64
"""Over the limit there is room to be told so, where nobody gives way."""
_PATIENCE_S: Final = 1.0
"""For how long a client whose body is under way is left in peace when all connections are taken."""
_MAX_PIPELINED: Final = 16
"""Requests that wait behind one that is being answered. No OTLP client sends any."""
_LINE_OVERHEAD_BYTES: Final = len(": \r\n")

CERTIFICATE: Final = "aftertrace.certificate"
"""Where the scope of a request has what its client showed in the handshake (DER), if that was anything."""
_TELLING_S: Final = 2.0
_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_NO_UPGRADE: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    % DEFAULT_RETRY_AFTER_S
)
_UPGRADE: Final = re.compile(rb"\r\nupgrade[ \t]*:[^\r\n]*", re.IGNORECASE)


class _HeadTooLarge(Exception):
    """The head of a request is over the limit."""


class _Upgrade(Exception):
    """The parser would take the body of a request for another protocol's, and the request for one without a body."""


class Connection(HttpToolsProtocol):
    """One client's connection."""

    def __init__(
        self,
        settings: Callable[[], ReceiverConfig],
        cut: Callable[[], object],
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Serve by these settings, whichever hold at the time; `cut` is told when we end what a client began."""
        super().__init__(config, server_state, app_state, _loop)
        self._settings = settings
        self._cut = cut
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._unparsed_bytes = 0
        self._upgrades = False
        self._certificate: bytes | None = None
        self.in_head = True
        """Whether the head of a request is what comes next."""
        self.answered = 0
        """How many requests got an answer."""
        self.waiting_since_s: float | None = None
        """Since when we wait for this client, by the loop's clock; None while it waits for us."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Take it in, at the cost of another one if need be."""
        max_connections = self._settings().max_connections
        if len(self.connections) >= max_connections:
            slowest = longest_waiting(cast("Iterable[Connection]", self.connections), self.loop.time())
            if slowest is not None:
                self.connections.discard(slowest)
                slowest.end()
            elif len(self.connections) >= max_connections + _SPARE_CONNECTIONS:
                self.transport = transport
                self.end()
                return
        # uvicorn counts this one too.
        self.limit_concurrency = max_connections + 1
        super().connection_made(transport)
        if (shown := transport.get_extra_info("ssl_object")) is not None:
            # OpenSSL has checked that it leads to a root of ours; where clients need none, there is none.
            self._certificate = shown.getpeercert(binary_form=True)
        self.waiting_since_s = self.loop.time()
        self._expect_within(self._settings().header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        self._expect_within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self.in_head:
            if not self._unparsed_bytes:
                data = without_upgrade(data)
            self._unparsed_bytes += len(data)
            if self._timer is None:
                self._expect_within(self._settings().header_timeout_s)
        super().data_received(data)
        # A line that does not end never becomes a header, and is kept by the parser all the same.
        if self.in_head and self._unparsed_bytes > MAX_HEAD_BYTES:
            self._refuse_head()

    def send_400_response(self, msg: str) -> None:
        """Say why the parser ended."""
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
        elif self._upgrades:
            self._cut()
            self.transport.write(_NO_UPGRADE)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def on_url(self, url: bytes) -> None:
        """A piece of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._count(len(name) + len(value) + _LINE_OVERHEAD_BYTES)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there, and the body's own time begins."""
        if self.parser.should_upgrade():
            self._upgrades = True
            raise _Upgrade
        self.in_head = False
        self.waiting_since_s = self.loop.time()
        # Whoever reads the body tells the client first that it took too long.
        self._expect_within(self._settings().body_timeout_s + _TELLING_S)
        if self._certificate is not None:
            cast("dict[str, Any]", self.scope)[CERTIFICATE] = self._certificate
        super().on_headers_complete()
        if len(self.pipeline) > _MAX_PIPELINED:
            self.end()

    def on_message_complete(self) -> None:
        """All of the request is there: now the client waits for us."""
        self.in_head = True
        self._head_bytes = self._unparsed_bytes = 0
        self.waiting_since_s = None
        self._expect_within(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It has its answer."""
        self.answered += 1
        self.waiting_since_s = self.loop.time()
        super().on_response_complete()

    def end(self) -> None:
        """Cut it off."""
        self._cut()
        self.transport.abort()

    def _count(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _HeadTooLarge

    def _refuse_head(self) -> None:
        if not self.transport.is_closing():
            self._cut()
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def _expect_within(self, timeout_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if timeout_s is None else self.loop.call_later(timeout_s, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        self.end()


def without_upgrade(data: bytes) -> bytes:
    """A request whose head begins the data, without its wish for another protocol: HTTP lets a server not hear of it.

    The HTTP client of Java's standard library wishes for HTTP/2 with the first request on a connection, and sends that
    request with a body. A head that comes in pieces is left as it is, and refused for now if it has such a wish.
    """
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    if end < 0 or _UPGRADE.search(data, 0, end) is None:
        return data
    return _UPGRADE.sub(b"", data[:end]) + data[end:]


def longest_waiting(connections: Iterable[Connection], now_s: float) -> Connection | None:
    """Who gives way: those that never got an answer before the others, and of them whoever keeps us waiting longest.

    A client whose body is under way is left in peace for a moment, and one that waits for us always.
    """
    waiting = [
        (each.answered > 0, each.waiting_since_s, each)
        for each in connections
        if each.waiting_since_s is not None and (each.in_head or now_s - each.waiting_since_s > _PATIENCE_S)
    ]
    return min(waiting, key=lambda found: found[:2])[2] if waiting else None
