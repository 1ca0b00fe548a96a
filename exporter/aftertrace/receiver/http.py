"""OTLP/HTTP: `POST /v1/{traces,logs,metrics}` as protobuf or JSON, HTTP/1.1, on uvicorn and httptools."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self

import uvicorn

from aftertrace.receiver import cors, metrics
from aftertrace.receiver.connection import CERTIFICATE, Connection
from aftertrace.receiver.inflate import coding, too_large
from aftertrace.receiver.intake import EMPTY_ANSWER, UNKNOWN
from aftertrace.receiver.ports import listen
from aftertrace.receiver.status import CONTENT_TYPES, Refusal, TooSlow, Unsupported, refusal
from aftertrace.store.errors import AftertraceError, Forbidden, Unavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable

    from aftertrace.receiver.certificates import Certificates
    from aftertrace.receiver.config import ReceiverConfig
    from aftertrace.receiver.intake import Hold, Intake
    from aftertrace.store.request import Encoding, Signal

PATHS: Final[dict[str, Signal]] = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
"""Where each signal is posted (OTLP 1.11, OTLP/HTTP Request)."""

_ENCODINGS: Final[dict[str, Encoding]] = {media: encoding for encoding, media in CONTENT_TYPES.items()}
_DRAIN_BYTES: Final = 64 * 2**20
_BLOCK_BYTES: Final = 2**14
"""Smaller pieces of a body are put together as they come; larger ones once all are there, while other threads run."""
_START_TIMEOUT_S: Final = 10.0
_BACKLOG: Final = 128
_KEEP_ALIVE_S: Final = 75
"""How long a connection may be idle; senders export every few seconds."""

_CHALLENGE: Final = ("www-authenticate", "Bearer")

_Headers = dict[str, str]

# Its start and stop are told by whoever runs the receiver; and what is no HTTP must not fill a log.
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class HttpApp:
    """The ASGI application. It reads, and hands what it read to the intake on a worker thread."""

    def __init__(self, intake: Intake) -> None:
        """Serve this intake."""
        self._intake = intake
        # More threads than parses: most of them wait for the disk.
        self._workers = ThreadPoolExecutor(4 * intake.config.max_parses, thread_name_prefix="otlp-http")
        self.ready = False
        """Whether `/readyz` answers 200."""

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer one HTTP request."""
        answer = await self._answer(scope, receive)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.wire_headers()})
        await send({"type": "http.response.body", "body": answer.body})

    def close(self) -> None:
        """Release the worker threads once nothing is in flight."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]]) -> _Answer:
        path, method = scope["path"], scope["method"]
        signal = PATHS.get(path)
        if signal is None:
            return self._other(path, method, scope)
        headers = _headers(scope)
        origin = headers.get("origin")
        if origin is not None and origin not in self._intake.config.cors_origins:
            away = Forbidden("take request: pages of this origin may not send; name it in receiver.cors_origins")
            return self._turned_away(signal, away)
        if origin is not None and method == "OPTIONS":
            return _text(200, "", *cors.preflight(origin))
        exported = await self._export(signal, method, headers, scope.get(CERTIFICATE), receive)
        return exported.with_headers(cors.headers(origin))

    async def _export(
        self,
        signal: Signal,
        method: str,
        headers: _Headers,
        certificate: bytes | None,
        receive: Callable[[], Awaitable[Any]],
    ) -> _Answer:
        path = f"/v1/{signal}"
        if method != "POST":
            return _text(405, f"{path} takes POST only", ("allow", "POST"))
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = _ENCODINGS.get(media)
        if encoding is None:
            return self._turned_away(signal, Unsupported(f"expected content type {' or '.join(_ENCODINGS)}"))
        source = UNKNOWN
        try:
            sender = self._intake.identify(headers.get("authorization"), certificate)
            source = sender.source
            self._intake.admit(source)
            with self._intake.hold() as hold:
                name = coding(headers.get("content-encoding", ""))
                body = await self._body(headers, receive, hold)
                await asyncio.get_running_loop().run_in_executor(
                    self._workers, self._intake.take, signal, encoding, body, name, sender, hold
                )
        except Exception as error:  # noqa: BLE001 - the edge: refuse logs what is not expected
            return _refused(self._intake.refuse(signal, source, error), encoding)
        return _Answer(200, EMPTY_ANSWER[encoding], CONTENT_TYPES[encoding])

    def _turned_away(self, signal: Signal, error: AftertraceError) -> _Answer:
        """Refuse what cannot be answered in OTLP; it counts all the same."""
        given = self._intake.refuse(signal, UNKNOWN, error)
        return _text(given.http_status, given.message)

    def _other(self, path: str, method: str, scope: dict[str, Any]) -> _Answer:
        if path not in ("/healthz", "/readyz", "/metrics"):
            return _text(404, f"nothing here; OTLP goes to {', '.join(PATHS)}")
        if method not in ("GET", "HEAD"):
            return _text(405, f"{path} takes GET only", ("allow", "GET, HEAD"))
        if path == "/readyz" and not self.ready:
            return _text(503, "not ready", ("retry-after", "1"))
        if path == "/metrics":
            return self._metrics(_headers(scope), scope.get(CERTIFICATE))
        return _text(200, "ok")

    def _metrics(self, headers: _Headers, certificate: bytes | None) -> _Answer:
        try:
            # It names the sources: whoever may not send may not read that either.
            self._intake.identify(headers.get("authorization"), certificate)
        except AftertraceError as error:
            status = refusal(error).http_status
            return _text(status, str(error), *((_CHALLENGE,) if status == 401 else ()))
        return _Answer(200, metrics.exposition(self._intake.metrics()), metrics.CONTENT_TYPE)

    async def _body(self, headers: _Headers, receive: Callable[[], Awaitable[Any]], hold: Hold) -> bytes:
        """Read the body, chunked or not. What is over the limit is read to its end and thrown away, within
        reason: a sender whose connection is cut while it writes never sees the status and tries again.
        """
        limit_bytes = self._intake.config.max_request_bytes
        blocks: list[bytes] = []
        size_bytes = 0
        if int(headers.get("content-length", "0")) > limit_bytes + _DRAIN_BYTES:
            raise too_large(limit_bytes)
        try:
            async with asyncio.timeout(self._intake.config.body_timeout_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise TooSlow("read request: the client went away before the body was complete")
                    chunk = message.get("body", b"")
                    more = message.get("more_body", False)
                    size_bytes += len(chunk)
                    if size_bytes <= limit_bytes:
                        hold.add(len(chunk))
                        if blocks and len(blocks[-1]) < _BLOCK_BYTES:
                            blocks[-1] += chunk
                        else:
                            blocks.append(chunk)
                    else:
                        blocks.clear()
                        if size_bytes > limit_bytes + _DRAIN_BYTES:
                            break
        except TimeoutError as error:
            raise TooSlow(
                f"read request: the body was not complete after {self._intake.config.body_timeout_s:g} s"
            ) from error
        if size_bytes > limit_bytes:
            raise too_large(limit_bytes)
        return b"".join(blocks)


class _Answer:
    """A response before it is sent."""

    __slots__ = ("body", "headers", "media", "status")

    def __init__(self, status: int, body: bytes, media: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.status = status
        self.body = body
        self.media = media
        self.headers = tuple(headers)

    def with_headers(self, headers: Iterable[tuple[str, str]]) -> Self:
        self.headers += tuple(headers)
        return self

    def wire_headers(self) -> list[tuple[bytes, bytes]]:
        own = (("content-type", self.media), ("content-length", str(len(self.body))), *self.headers)
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in own]


def _headers(scope: dict[str, Any]) -> _Headers:
    """By name; what stands in several lines is one list (RFC 9110 5.3). Of two tokens neither is the one, and an empty
    one is refused.
    """
    found: _Headers = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in found:
            value = "" if name == "authorization" else f"{found[name]}, {value}"
        found[name] = value
    return found


def _text(status: int, message: str, *headers: tuple[str, str]) -> _Answer:
    """An answer outside OTLP: there is no encoding to speak in, so plain text."""
    return _Answer(status, f"{message}\n".encode(), "text/plain; charset=utf-8", headers)


def _refused(given: Refusal, encoding: Encoding) -> _Answer:
    headers = []
    if given.retry_after_s is not None:
        headers.append(("retry-after", given.retry_after_header))
    if given.http_status == 401:
        headers.append(_CHALLENGE)
    if given.hangs_up:
        headers.append(("connection", "close"))
    return _Answer(given.http_status, given.body(encoding), CONTENT_TYPES[encoding], headers)


class _Server(uvicorn.Server):
    """uvicorn's, with connections of our own and an end to handshakes."""

    def __init__(self, config: uvicorn.Config, settings: Callable[[], ReceiverConfig]) -> None:
        super().__init__(config)
        self._settings = settings
        self.cut = 0
        """How many connections were ended before their requests were."""

    def _count_cut(self) -> None:
        self.cut += 1

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()

        def connection() -> Connection:
            return Connection(
                self._settings, self._count_cut, self.config, self.server_state, self.lifespan.state, loop
            )

        tls = self.config.ssl
        self.servers = [
            await loop.create_server(
                connection,
                sock=each,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self._settings().header_timeout_s,
                # As many are taken at once, and whoever is connected waits for that.
                backlog=_BACKLOG,
            )
            for each in sockets or ()
        ]
        self.started = True


class HttpServer:
    """The application on a port, served from a thread of its own."""

    def __init__(self, intake: Intake, certificates: Certificates | None = None) -> None:
        """Bind the port, so that a busy one is known at once. Raises `Unavailable` naming it."""
        config = intake.config
        self._app = HttpApp(intake)
        self._socket = listen("OTLP/HTTP", config.http_host, config.http_port)
        self.port: int = self._socket.getsockname()[1]
        """The port it listens on."""
        self._server = _Server(
            uvicorn.Config(
                self._app,
                http=Connection,
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
            ),
            lambda: intake.config,
        )
        self._server.config.load()
        self._server.config.ssl = None if certificates is None else certificates.context
        self._thread = threading.Thread(target=self._run, name="otlp-http", daemon=True)
        intake.gauges.append(self._gauges)

    def start(self) -> None:
        """Answer requests. Returns when it does."""
        self._thread.start()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable(f"start OTLP/HTTP on port {self.port}: the server did not come up")
            time.sleep(0.005)
        self._app.ready = True

    def stop(self, grace_s: float) -> None:
        """Take no more requests, let those in flight finish for up to `grace_s` seconds, and end the
        thread.
        """
        self.begin_stop(grace_s)
        if self._thread.ident is None:
            self._socket.close()
        else:
            # uvicorn looks every 0.1 s whether it should stop, and once more whether all is done.
            self._thread.join(grace_s + 2.0)
        self._app.close()

    def begin_stop(self, grace_s: float) -> None:
        """Ask for the end without waiting for it."""
        self._app.ready = False
        self._server.config.timeout_graceful_shutdown = math.ceil(grace_s)
        self._server.should_exit = True

    def _gauges(self) -> dict[str, tuple[str, float]]:
        connections = float(len(self._server.server_state.connections))
        cut = "Connections that were cut: too slow, too many, or with too large a head."
        return {
            "aftertrace_http_connections": ("Connections to the HTTP port.", connections),
            "aftertrace_http_cut_total": (cut, float(self._server.cut)),
        }

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
