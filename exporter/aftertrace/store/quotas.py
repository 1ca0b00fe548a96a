"""How much each source may send: a quota for every source, and others for some, in ``keys/quotas.json``.

A quota is a token bucket: it fills by the second up to `BURST_S` seconds' worth, and each request takes from it. What a
request takes beyond it is owed, so that no batch is too large for its quota; what comes next waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final, TypeAlias

import msgspec

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt, Invalid, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.lock import held

BURST_S: Final = 10.0
"""For how many seconds a source that was silent may send at any rate."""
_LOOK_EVERY_S: Final = 1.0
_MAX_WAIT_S: Final = 60.0
"""The longest that a sender is asked to wait; it is told again if that was not enough."""

Stamp: TypeAlias = tuple[int, int, int] | None


class OverQuota(Unavailable):
    """The source has sent more than it may; it should send the same later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a source may send. 0: as much as it likes."""

    requests_per_s: int = 0
    bytes_per_s: int = 0
    """Of OTLP, inflated."""

    def __post_init__(self) -> None:
        """Refuse what is no quota."""
        for name in ("requests_per_s", "bytes_per_s"):
            if getattr(self, name) < 0:
                raise Invalid(f"configure quota: {name} is {getattr(self, name)}, expected 0 (no limit) or more")


UNLIMITED: Final = Quota()


def quotas(layout: Layout) -> dict[str, Quota]:
    """The quotas of the sources that have one of their own.

    Raises:
        Corrupt: the file is not what was written.
    """
    path = layout.quotas
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Quota])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, UnicodeDecodeError, Invalid) as error:
        raise Corrupt(f"read {path}: {error}, expected quotas by source; remove it, or restore it") from None


def set_quota(layout: Layout, source: str, quota: Quota | None) -> None:
    """Give a source a quota of its own, or none of its own any more.

    Raises:
        Held: somebody else changes the sources now.
        Corrupt: the file is not what was written.
    """
    durable.make_folder(layout.quotas.parent, mode=0o700)
    with held(layout.sources_lock, "changes the sources"):
        known = quotas(layout)
        known.pop(source, None)
        if quota is not None:
            known[source] = quota
        content = msgspec.json.format(
            msgspec.json.encode({name: asdict(known[name]) for name in sorted(known)}), indent=2
        )
        durable.write_file(layout.quotas, content + b"\n", mode=0o600)


@dataclass(slots=True)
class _Bucket:
    """What is left of one quota, in its own unit."""

    left: float
    filled_s: float

    def fill(self, per_s: int, now_s: float) -> float:
        """What is left now."""
        self.left = min(self.left + (now_s - self.filled_s) * per_s, BURST_S * per_s)
        self.filled_s = now_s
        return self.left


@dataclass(slots=True)
class _Account:
    requests: _Bucket
    volume: _Bucket
    quota: Quota = field(default=UNLIMITED)


class Meter:
    """Holds sources to their quotas. Safe to use from any thread.

    The file is looked at once a second, so that a quota holds while requests come in.
    """

    def __init__(
        self, layout: Layout, default: Callable[[], Quota], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`default` tells what a source may that has no quota of its own, whenever it is asked."""
        self._layout = layout
        self._default = default
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._is_known = False
        self._accounts: dict[str, _Account] = {}
        self._own: dict[str, Quota] = {}
        self._stamp: Stamp = None
        self._looked_s = float("-inf")

    def admit(self, source: str) -> None:
        """Let a source begin a request.

        Raises:
            OverQuota: not before some time has passed.
            Unavailable: the file of the quotas cannot be read, or is damaged.
        """
        self._look()
        with self._lock:
            account = self._account(source)
            now_s = self._clock_s()
            waits_s = [
                (left - bucket) / per_s
                for bucket, left, per_s in (
                    (account.requests.fill(account.quota.requests_per_s, now_s), 1.0, account.quota.requests_per_s),
                    (account.volume.fill(account.quota.bytes_per_s, now_s), 0.0, account.quota.bytes_per_s),
                )
                if per_s and bucket < left
            ]
            if waits_s:
                raise OverQuota(
                    f"take request: {source} has sent what it may, {_told(account.quota)}; try again later",
                    retry_after_s=min(max(waits_s), _MAX_WAIT_S),
                )
            account.requests.left -= 1

    def spend(self, source: str, size_bytes: int) -> None:
        """Count what a request of a source held, once that is known."""
        self._look()
        with self._lock:
            account = self._account(source)
            if account.quota.bytes_per_s:
                account.volume.left -= size_bytes

    def _account(self, source: str) -> _Account:
        quota = self._own.get(source) or self._default()
        account = self._accounts.get(source)
        if account is None or account.quota != quota:
            now_s = self._clock_s()
            account = self._accounts[source] = _Account(
                _Bucket(BURST_S * quota.requests_per_s, now_s), _Bucket(BURST_S * quota.bytes_per_s, now_s), quota
            )
        return account

    def _look(self) -> None:
        """Read the file, if that is due. A disk that takes its time keeps one request waiting, and not all.

        The others go by what was read before; they wait where nothing was, or where it could not be read.
        """
        if not self._is_due() or not self._looking.acquire(blocking=not self._is_known):
            return
        try:
            if self._is_due():
                self._read()
                self._is_known = True
        except Unavailable:
            self._is_known = False
            raise
        finally:
            self._looking.release()

    def _is_due(self) -> bool:
        return self._clock_s() - self._looked_s >= _LOOK_EVERY_S

    def _read(self) -> None:
        now_s = self._clock_s()
        try:
            found = self._layout.quotas.stat()
            stamp: Stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            stamp = None
        try:
            if stamp != self._stamp:
                self._own = quotas(self._layout)
                self._stamp = stamp
        except (Corrupt, OSError) as error:
            raise Unavailable(f"read quotas: {error}; senders wait until it can be read") from error
        self._looked_s = now_s


def _told(quota: Quota) -> str:
    parts = ((quota.requests_per_s, "requests"), (quota.bytes_per_s, "bytes"))
    return " and ".join(f"{number} {what} per second" for number, what in parts if number)
