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
from aftertrace.store.errors import AftertraceError, Invalid, Unavailable

if TYPE_CHECKING:
    from aftertrace.receiver.config import ReceiverConfig

_LOOK_EVERY_S: Final = 0.1
_PRESSED: Final = 0.75
"""Share of the threads that wait for a message, from which on there is hurry."""
_HURRY_S: Final = 0.5
"""How long a message may take then."""
_WARY_S: Final = 10.0
"""For how long, after somebody was too slow in a hurry, strangers get no more than their share of the threads."""
_SHARE: Final = 0.5
"""The share of all connections together that have not brought a whole message yet."""
_MAX_KNOWN: Final = 4096
_ENDING_S: Final = 0.05
"""How long after the end of its messages it may show that a call was cut off."""


class Readings:
    """What is being read now. Safe to use from any thread."""

    def __init__(self, settings: Callable[[], ReceiverConfig]) -> None:
        """Nothing yet; `settings` tells how long one may take, and how many threads there are."""
        self._settings = settings
        self._reading: dict[grpc.ServicerContext, tuple[float, str]] = {}
        self._let_go: set[grpc.ServicerContext] = set()
        self._known: dict[str, None] = {}
        """Connections that have brought a whole message, in the order of the last one."""
        self._slow: dict[str, float] = {}
        """Connections that were too slow in a hurry, and until when they are refused at once."""
        self._wary_until_s = 0.0
        self._changed = threading.Condition()
        self._ended = False
        self._watcher = threading.Thread(target=self._watch, name="otlp-readings", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._watcher.start()

    def read(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """The one message of a request.

        Raises:
            Invalid: the sender ended the call without one.
            TooSlow: it did not come in time.
            TooLarge: it is so far over the limit that grpcio has answered it, or its sender went away: grpcio does not
                tell the two apart, and the first is the one that has to be heard of.
            Unavailable: the server stops; or too many are slow, and this connection was one of them or is new.
        """
        peer = context.peer()
        with self._changed:
            now_s = time.monotonic()
            if self._is_unwelcome(peer, now_s):
                raise Unavailable("read request: too many messages come slowly; try again")
            self._reading[context] = (now_s, peer)
            self._changed.notify()
        try:
            message = next(messages)
        except StopIteration:
            if not _ends(context):
                raise Invalid("read request: the call ended without a whole message, expected one") from None
            raise self._why(context) from None
        except grpc.RpcError:
            raise self._why(context) from None
        finally:
            with self._changed:
                del self._reading[context]
                self._let_go.discard(context)
        self._remember(peer)
        return message

    def _is_unwelcome(self, peer: str, now_s: float) -> bool:
        if now_s >= self._wary_until_s:
            return False
        return self._slow.get(peer, now_s) > now_s or (peer not in self._known and self._is_crowded())

    def _is_crowded(self) -> bool:
        """Whether strangers have their share of the threads."""
        strangers = sum(peer not in self._known for _, peer in self._reading.values())
        return strangers >= _SHARE * self._settings().grpc_threads

    def _remember(self, peer: str) -> None:
        with self._changed:
            self._known.pop(peer, None)
            self._known[peer] = None
            if len(self._known) > _MAX_KNOWN:
                del self._known[next(iter(self._known))]

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

    def _overdue(self, now_s: float) -> list[grpc.ServicerContext]:
        settings = self._settings()
        pressed = len(self._reading) >= _PRESSED * settings.grpc_threads
        pressed = pressed or (now_s < self._wary_until_s and self._is_crowded())
        timeout_s = _HURRY_S if pressed else settings.body_timeout_s
        found = {context: peer for context, (since_s, peer) in self._reading.items() if now_s - since_s > timeout_s}
        self._slow = {peer: until_s for peer, until_s in self._slow.items() if until_s > now_s}
        if pressed and found:
            self._wary_until_s = now_s + _WARY_S
            self._slow |= dict.fromkeys(found.values(), self._wary_until_s)
            for peer in found.values():
                self._known.pop(peer, None)
        return list(found)


def _ends(context: grpc.ServicerContext) -> bool:
    """Whether a call without further messages was cut off, by us, by grpcio or by its sender."""
    ended = threading.Event()
    return not context.add_callback(ended.set) or ended.wait(_ENDING_S)
