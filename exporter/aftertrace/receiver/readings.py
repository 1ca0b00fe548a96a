"""gRPC requests that are still on their way, and those who take too long over them.

The synchronous server of grpcio waits for a message on one of its threads, without end: as many slow senders as there
are threads would keep everybody else out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import grpc

from aftertrace.receiver.inflate import too_large
from aftertrace.receiver.status import TooSlow
from aftertrace.store.errors import AftertraceError, Unavailable

if TYPE_CHECKING:
    from aftertrace.receiver.config import ReceiverConfig

_LOOK_EVERY_S: Final = 0.1
_PRESSED: Final = 0.75
"""Share of the threads that wait for a message, from which on there is hurry."""
_HURRY_S: Final = 0.5
"""How long a message may take then."""
_REMEMBERED_S: Final = 10.0
"""How long a connection that was too slow then is refused at once, while there is hurry."""


class Readings:
    """What is being read now. Safe to use from any thread."""

    def __init__(self, settings: Callable[[], ReceiverConfig]) -> None:
        """Nothing yet; `settings` tells how long one may take, and how many threads there are."""
        self._settings = settings
        self._reading: dict[grpc.ServicerContext, tuple[float, str]] = {}
        self._let_go: set[grpc.ServicerContext] = set()
        self._slow: dict[str, float] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._watcher = threading.Thread(target=self._watch, name="otlp-readings", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._watcher.start()

    def read(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """The one message of a request.

        Raises:
            TooSlow: it did not come in time.
            TooLarge: it is so far over the limit that grpcio has answered it, or its sender went away: grpcio does not
                tell the two apart, and the first is the one that has to be heard of.
            Unavailable: the server stops, or too many are slow and this connection was one of them.
        """
        peer = context.peer()
        with self._changed:
            now_s = time.monotonic()
            if self._pressed() and self._slow.get(peer, now_s) > now_s:
                raise Unavailable("read request: too many messages come slowly, on this connection too; try again")
            self._reading[context] = (now_s, peer)
            self._changed.notify()
        try:
            return next(messages)
        except (StopIteration, grpc.RpcError):
            raise self._why(context) from None
        finally:
            with self._changed:
                del self._reading[context]
                self._let_go.discard(context)

    def _why(self, context: grpc.ServicerContext) -> AftertraceError:
        if context in self._let_go:
            return TooSlow("read request: the message was not complete in time")
        if self._ended:
            return Unavailable("read request: the receiver is stopping; try again")
        return too_large(self._settings().max_request_bytes)

    def __len__(self) -> int:
        """How many are being read."""
        return len(self._reading)

    def close(self) -> None:
        """End the watch."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._reading)
                if self._ended:
                    return
                overdue = self._overdue(time.monotonic())
                self._let_go.update(overdue)
            for context in overdue:
                # The sender sees CANCELLED, after which it tries again.
                context.cancel()  # type: ignore[no-untyped-call]  # grpcio's
            time.sleep(_LOOK_EVERY_S)

    def _pressed(self) -> bool:
        return len(self._reading) >= _PRESSED * self._settings().grpc_threads

    def _overdue(self, now_s: float) -> list[grpc.ServicerContext]:
        pressed = self._pressed()
        timeout_s = _HURRY_S if pressed else self._settings().body_timeout_s
        found = {context: peer for context, (since_s, peer) in self._reading.items() if now_s - since_s > timeout_s}
        self._slow = {peer: until_s for peer, until_s in self._slow.items() if until_s > now_s}
        if pressed:
            self._slow |= dict.fromkeys(found.values(), now_s + _REMEMBERED_S)
        return list(found)
