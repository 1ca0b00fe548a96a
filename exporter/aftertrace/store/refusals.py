"""Requests that were refused, counted by day: what senders may have lost, in ``refused/<receiver>.json``.

Counts and names, never content. The file is replaced a few times a minute at most; a crash costs the counts since then,
and no request.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Final

import msgspec

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout

KEPT_DAYS: Final = 400
"""For how many of the newest days that had any."""


@dataclass(frozen=True, slots=True, order=True)
class Refusals:
    """Requests of one source in one signal that got one status on one day."""

    day: str
    """Day in UTC, ``YYYY-MM-DD``."""
    source: str
    """`unknown` where it was refused before its source was known."""
    signal: str
    http_status: int
    """A gRPC refusal counts under the HTTP status that means the same."""
    requests: int


def refusals(layout: Layout) -> tuple[Refusals, ...]:
    """All that is kept, of every receiver, in order.

    Raises:
        Corrupt: a file is not what was written.
    """
    counted: Counter[Refusals] = Counter()
    for receiver in layout.receivers():
        for each in of_receiver(layout, receiver):
            counted[replace(each, requests=0)] += each.requests
    return tuple(sorted(replace(key, requests=requests) for key, requests in counted.items()))


class RefusalLog:
    """Keeps the counts of one receiver. Safe to use from any thread."""

    def __init__(self, layout: Layout, receiver: str) -> None:
        """Go on where the file ends.

        Raises:
            Corrupt: the file is not what was written.
        """
        self._layout = layout
        self._receiver = receiver
        self._lock = threading.Lock()
        self._counted = Counter({replace(each, requests=0): each.requests for each in of_receiver(layout, receiver)})
        self._seen: Counter[tuple[str, str, int]] = Counter()

    def update(self, day: str, since_start: Iterable[tuple[str, str, int, int]]) -> None:
        """Count on a day what has been refused since the last call.

        Args:
            day: ``YYYY-MM-DD``.
            since_start: source, signal, status, and how many requests since the receiver's start.

        Raises:
            OSError: the disk does not take it; the next call tries again.
        """
        with self._lock:
            seen, counted = Counter(self._seen), Counter(self._counted)
            for source, signal, http_status, requests in since_start:
                more = requests - seen[source, signal, http_status]
                if more > 0:
                    counted[Refusals(day, source, signal, http_status, 0)] += more
                    seen[source, signal, http_status] = requests
            if seen == self._seen:
                return
            days = sorted({each.day for each in counted})[-KEPT_DAYS:]
            kept = {key: requests for key, requests in sorted(counted.items()) if key.day in days}
            rows = [asdict(replace(key, requests=requests)) for key, requests in kept.items()]
            path = self._layout.refused(self._receiver)
            durable.make_folder(path.parent)
            durable.write_file(path, msgspec.json.encode(rows) + b"\n")
            self._seen, self._counted = seen, Counter(kept)


def kind_of(each: Refusals) -> Refusals:
    """What is counted, without how many there are."""
    return replace(each, requests=0)


def of_receiver(layout: Layout, receiver: str) -> list[Refusals]:
    """All that is kept of a receiver.

    Raises:
        Corrupt: the file is not what was written.
    """
    path = layout.refused(receiver)
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Refusals])
    except FileNotFoundError:
        return []
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt(f"read {path}: {error}, expected counts of refusals; remove it to begin anew") from None
