"""The records of frames on their way into the tables, before anything is made of what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from aftertrace.ingest.places import Place
from aftertrace.ingest.tellings import Telling
from aftertrace.ingest.wire import Slice, split
from aftertrace.store.digest import KEY_BYTES, origin_digest, record_key
from aftertrace.store.frame import Frame
from aftertrace.store.sources import tenant_of

Pointer: TypeAlias = tuple[date, str, int, int, int, str]
"""What each row of a record begins with: the first columns of `evidence`, `spans` and `events`, in their order."""


@dataclass(slots=True)
class Item:
    """One record on its way."""

    receiver: str
    frame: Frame
    index: int
    slice: Slice
    resource_digest: str
    scope_digest: str
    key: bytes
    day: date
    """Of receipt."""
    tenant: str | None
    """Of its source."""
    record_id: bytes | None = None
    is_open: bool = False
    """It is a span that has not ended."""
    duplicate_of: Place | None = None
    relations: tuple[str, ...] = ()
    """Flags that tell of other records of its id."""
    flags: str | None = None
    """As stored, once it was read."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.receiver, self.frame.seq, self.index

    @property
    def pointer(self) -> Pointer:
        """What its rows begin with."""
        frame = self.frame
        return self.day, self.receiver, frame.seq, self.index, frame.received_ns, frame.source

    @property
    def telling(self) -> Telling:
        """The record with its origin, to be compared with another of its id."""
        return Telling(self.frame.signal, self.slice.resource, self.slice.scope, self.slice.record)


def items_of(receiver: str, frame: Frame, key: bytes) -> Iterator[Item]:
    """The records of a frame. `key` is the store's secret.

    Raises:
        Invalid: the frame is no OTLP request.
    """
    digests: dict[tuple[bytes, str], str] = {}

    def digest(message: bytes, schema_url: str) -> str:
        known = digests.get((message, schema_url))
        if known is None:
            known = digests[(message, schema_url)] = origin_digest(message, schema_url)
        return known

    day, tenant = frame.received_date, tenant_of(frame.source)
    for index, part in enumerate(split(frame.payload, frame.signal)):
        own_key = frame.keys[index * KEY_BYTES : (index + 1) * KEY_BYTES]
        yield Item(
            receiver,
            frame,
            index,
            part,
            digest(part.resource, part.resource_schema_url),
            digest(part.scope, part.scope_schema_url),
            own_key if len(own_key) == KEY_BYTES else record_key(key, part.resource, part.scope, part.record),
            day,
            tenant,
        )


def by_day(items: Sequence[Item]) -> dict[date, list[Item]]:
    """The items of each day of receipt."""
    days: dict[date, list[Item]] = {}
    for item in items:
        days.setdefault(item.day, []).append(item)
    return days
