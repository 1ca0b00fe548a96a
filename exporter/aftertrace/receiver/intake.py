"""The one way in: what both transports do with a request once they have its bytes and know its source.

Caps, inflate, prepare (decode, validate, redact), append to the write-ahead log, wait for stable storage. A
request is answered OK only when the future of its append has resolved: a crash before that leaves a sender
who will try again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from aftertrace.receiver.inflate import inflate
from aftertrace.receiver.journal import Journal
from aftertrace.receiver.metrics import families
from aftertrace.receiver.status import Refusal, refusal
from aftertrace.store.errors import Unavailable
from aftertrace.store.quotas import OverQuota
from aftertrace.store.request import Prepare, Prepared, Request

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from aftertrace.receiver.config import ReceiverConfig
    from aftertrace.receiver.metrics import Family
    from aftertrace.receiver.tally import Tally
    from aftertrace.store.request import Encoding, Identify, Principal, Quotas, Signal

Append: TypeAlias = Callable[[Request, Prepared], Future[int]]
"""Hand a prepared request to the log. The future resolves to its sequence number once it is on stable
storage."""

Gauges: TypeAlias = Callable[[], Mapping[str, tuple[str, float]]]
"""By name of the metric: what it is, and its value now."""

UNKNOWN: Final = "unknown"
"""Under whom a request is counted that was refused before its source was known."""

LARGE_BYTES: Final = 2 * 2**20
"""Requests over this size are decoded one at a time, beside the small ones: a hostile one takes up to 88 bytes of
memory for each of its own. Batches of the SDKs and the Collector are smaller."""

EMPTY_ANSWER: Final[dict[Encoding, bytes]] = {"protobuf": b"", "json": b"{}"}
"""Full success: an empty `Export*ServiceResponse`, with `partial_success` unset."""


class Budget:
    """Bytes in flight over all requests. Memory is bounded by what is reserved here, not by what senders
    promise.
    """

    def __init__(self, max_bytes: int) -> None:
        """Allow `max_bytes` at the same time."""
        self.max_bytes = max_bytes
        self._used_bytes = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """What is reserved now."""
        return self._used_bytes

    def reserve(self, size_bytes: int) -> None:
        """Take a share. Raises `Unavailable` when there is not enough left."""
        with self._lock:
            if self._used_bytes + size_bytes > self.max_bytes:
                raise Unavailable(
                    f"take request: {self._used_bytes} bytes are in flight, the limit is {self.max_bytes}; "
                    "try again shortly"
                )
            self._used_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Give a share back."""
        with self._lock:
            self._used_bytes -= size_bytes


class Hold:
    """What one request has reserved of a budget; given back when the block ends, however it ends."""

    def __init__(self, budget: Budget) -> None:
        """Hold nothing yet."""
        self._budget = budget
        self._held_bytes = 0

    def add(self, size_bytes: int) -> None:
        """Reserve more. Raises `Unavailable` when the budget is spent."""
        self._budget.reserve(size_bytes)
        self._held_bytes += size_bytes

    def __enter__(self) -> Self:
        """Begin to hold."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back everything."""
        self._budget.release(self._held_bytes)


class Intake:
    """Takes requests in, from whichever transport. Safe to use from any thread."""

    def __init__(
        self,
        config: ReceiverConfig,
        identify: Identify,
        prepare: Prepare,
        append: Append,
        tally: Tally,
        quotas: Quotas | None = None,
    ) -> None:
        """Wire the path: `identify`, `prepare`, `append` and `quotas` come from outside, so that nothing here knows
        ingest or the disk.
        """
        self.config = config
        """What holds now."""
        self.prepare = prepare
        """What is done to each request that comes from now on."""
        self.gauges: list[Gauges] = []
        """Further sizes to tell of."""
        self._identify = identify
        self._quotas = quotas
        self.budget = Budget(config.max_in_flight_bytes)
        self._append = append
        self._tally = tally
        self._journal = Journal()
        self._parses = threading.BoundedSemaphore(config.max_parses)
        self._large_parse = threading.BoundedSemaphore(1)

    def hold(self) -> Hold:
        """A hold on the bytes in flight, for one request."""
        return Hold(self.budget)

    def metrics(self) -> Iterable[Family]:
        """What was taken, refused and redacted since the start, and sizes now."""
        in_flight = ("Bytes of requests that are being read or wait for the disk.", float(self.budget.used_bytes))
        gauges = {"aftertrace_in_flight_bytes": in_flight}
        for told in self.gauges:
            gauges |= told()
        return families(self._tally, gauges)

    def identify(self, authorization: str | None, certificate: bytes | None) -> Principal:
        """Whose this header is, or this certificate of a client (DER). Raises `Unauthenticated`."""
        return self._identify(authorization, certificate)

    def admit(self, source: str) -> None:
        """Let a source send a request, before any of it is read. Raises `OverQuota`."""
        if self._quotas is not None:
            self._quotas.admit(source)

    def take(self, signal: Signal, encoding: Encoding, body: bytes, coding: str, sender: Principal, hold: Hold) -> None:
        """Store one request of a sender, or find out why not. Returns when it is on stable storage.

        Raises:
            Forbidden: it is of an agent that the sender may not speak of.
            Invalid: it cannot be decoded, or is not what its headers say.
            TooLarge: it is over a cap.
            Unavailable: the log cannot take it now; the sender should try again.
        """
        with self._parses:
            inflated = inflate(body, coding, self.config.max_request_bytes)
        if self._quotas is not None:
            self._quotas.spend(sender.source, len(inflated))
        if inflated is not body:
            hold.add(len(inflated))
        request = Request(signal, encoding, inflated, sender.source, time.time_ns(), sender.credential, sender.agents)
        with self._large_parse if len(inflated) > LARGE_BYTES else self._parses:
            prepared = self.prepare(request)
        if prepared.store and prepared.records:
            self._wait(self._append(request, prepared))
        self._tally.accept(request, prepared)

    def refuse(self, signal: Signal, source: str, error: Exception) -> Refusal:
        """Count a request that `take` did not take, and say what its sender is told."""
        answer = refusal(error)
        self._journal.refused(signal, source, answer, error)
        if isinstance(error, OverQuota):
            self._tally.exceed(source)
        self._tally.refuse(signal, source, answer.http_status)
        return answer

    def _wait(self, stored: Future[int]) -> None:
        try:
            stored.result(timeout=self.config.append_timeout_s)
        except TimeoutError as error:
            # It may still become durable: the sender's second copy is then found to be a duplicate.
            raise Unavailable(
                f"store request: not on stable storage after {self.config.append_timeout_s:g} s; try again"
            ) from error
        except CancelledError as error:
            raise Unavailable("store request: the receiver is stopping; try again") from error
