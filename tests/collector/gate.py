"""A port before another one that can be shut, so that nobody reaches a Collector that is not ready yet."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Gate:
    """Hands connections on while it is open; cuts all when it is shut, and those that come then at once."""

    def __init__(self, target: int) -> None:
        """Bind a free loopback port before this one, and be open."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._is_open = True
        self._through: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="gate")

    def shut(self) -> None:
        """Let nobody through."""
        with self._lock:
            self._is_open = False
            for each in self._through:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Let everybody through."""
        with self._lock:
            self._is_open = True

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.shut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                server = self._reach() if self._is_open else None
                if server is None:
                    client.close()
                    continue
                self._through |= {client, server}
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._hand_on, args=pair, name="gate-pair", daemon=True).start()

    def _reach(self) -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", self._target), timeout=10)
        except OSError:
            return None

    def _hand_on(self, given: socket.socket, to: socket.socket) -> None:
        given.settimeout(None)
        with suppress(OSError):
            while part := given.recv(65536):
                to.sendall(part)
        with suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._through.discard(given)
        given.close()
