"""The term of large contents: which blobs are over, and destroying them once their order is signed.

It is shorter than that of records, and no floor holds for it: prompts, instructions, tool schemas, arguments and what
was shown for approval are never in a blob. The records stay, and with them digest and length of what was there.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import polars as pl
from msgspec import UNSET, UnsetType

from aftertrace.store import durable
from aftertrace.store.blobs import reference
from aftertrace.store.blobs.sweeping import ASIDE, OPEN_DAYS
from aftertrace.store.ledger import files
from aftertrace.store.ledger.contents import BLOBS, ContentRetention, ContentsPart, RetainingContents
from aftertrace.store.ledger.entries import Retained, text_of
from aftertrace.store.retention.keeping import Keeping
from aftertrace.store.retention.plan import Held, is_held
from aftertrace.store.retention.policy import FOR_EVER
from aftertrace.store.schema import PARTITION
from aftertrace.store.snapshot import collected

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger.acts import Recorded
    from aftertrace.store.ledger.covering import Ledger
    from aftertrace.store.snapshot import Snapshot

CONTENT_DAYS: Final = 30
_LOOK_S: Final = 5.0
"""How often is looked whether an order that waits can go on."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContentsOfDay:
    """Blobs of a day, that go or that stay."""

    day: date
    blobs: tuple[str, ...]
    """Digests of their contents, in order."""
    stored_bytes: int
    why: str | None = None
    """Why they stay."""


@dataclass(frozen=True, slots=True)
class ContentsPlan:
    """Which contents retention would destroy."""

    term_days: int
    after: int | UnsetType
    """Number of the last hold or release that was known."""
    going: tuple[ContentsOfDay, ...]
    staying: tuple[ContentsOfDay, ...]

    @property
    def digest(self) -> bytes:
        """Of all that would go."""
        told = [self.term_days, *([each.day.isoformat(), each.blobs] for each in self.going)]
        return sha256(json.dumps(told, ensure_ascii=True).encode()).digest()

    def order(self, by: str, why: str, today: date | None = None) -> RetainingContents:
        """The act that asks for it; `today` as of `Plan.order`."""
        parts = (
            ContentsPart(each.day.isoformat(), each.blobs[start : start + BLOBS])
            for each in self.going
            for start in range(0, len(each.blobs), BLOBS)
        )
        return RetainingContents(
            after=self.after,
            today=UNSET if today is None else today.isoformat(),
            by=by,
            why=why,
            plan=text_of(self.digest),
            term_days=self.term_days,
            parts=tuple(parts),
        )


def planned_contents(
    snapshot: Snapshot,
    key: bytes,
    term_days: int,
    held: Sequence[Held],
    today: date,
    after: int | UnsetType = UNSET,
) -> ContentsPlan:
    """Plan which contents go by their term.

    Args:
        snapshot: of the store.
        key: its secret.
        term_days: whole days; `FOR_EVER`: they go with their records.
        held: what must stay: contents that a request of it refers to.
        today: in UTC.
        after: number of the last hold or release that `held` knows of.

    Raises:
        Corrupt: a file of a table is damaged or missing.
        Unavailable: it cannot be reached.
    """
    going: list[ContentsOfDay] = []
    staying: list[ContentsOfDay] = []
    for day in _over(snapshot.layout, term_days, today):
        sizes = {path.stem: path.stat().st_size for path in snapshot.layout.blobs_of(day).glob("*.blob")}
        evidence = snapshot.scan("evidence", columns=["receiver", "seq", "source", "record", "redactions", PARTITION])
        found = kept(evidence, key, held, day)
        for keeper in held:
            stays = sorted(digest for digest in sizes if found.get(digest) is keeper)
            if stays:
                staying.append(ContentsOfDay(day, tuple(stays), sum(sizes[each] for each in stays), keeper.why))
        goes = sorted(sizes.keys() - found.keys())
        if goes:
            going.append(ContentsOfDay(day, tuple(goes), sum(sizes[each] for each in goes)))
    return ContentsPlan(term_days, after, tuple(going), tuple(staying))


def _over(layout: Layout, term_days: int, today: date) -> Iterator[date]:
    if term_days == FOR_EVER or not layout.blobs.is_dir():
        return
    for path in sorted(layout.blobs.iterdir()):
        with suppress(ValueError):
            day = date.fromisoformat(path.name)
            if path.is_dir() and (today - day).days > term_days:
                yield day


def kept(evidence: pl.LazyFrame, key: bytes, held: Sequence[Held], day: date) -> dict[str, Held]:
    """By digest, the first of what is held that keeps a content of a day: one of its requests refers to it.

    Args:
        evidence: its rows.
        key: the store's secret.
        held: what is held.
        day: of receipt.

    Raises:
        Corrupt: a file of the table is damaged or missing.
    """
    if not held:
        return {}
    rows = evidence.filter(pl.col(PARTITION) == day, pl.col("redactions") > 0)
    found: dict[str, Held] = {}
    for each, referring in zip(held, collected(*(rows.filter(is_held(each, day)) for each in held)), strict=True):
        for record in referring["record"]:
            for _, of in reference.found(record.decode("utf-8", "replace"), key):
                if of.day == day:
                    found.setdefault(of.digest, each)
    return found


class DestroyingContents:
    """Carries out orders of contents, in the drain."""

    def __init__(self, layout: Layout) -> None:
        """Of a store."""
        self._layout = layout
        self._keeping = Keeping()
        self._waited_s = -math.inf
        """When an order waited the last time."""
        self._said: dict[str, str] = {}
        """By order, why it waits, as was said: once, however long it does."""

    def go_on(self, ledger: Ledger) -> None:
        """Destroy what is ordered and signed. A crash in between leaves an order that is gone on with.

        Raises:
            OSError: the disk does not let it go.
        """
        orders = _pending(ledger.acts)
        if not orders or time.monotonic() - self._waited_s < _LOOK_S:
            return
        signed = files.signed_size(self._layout)
        for ident, found in orders.items():
            ordered = [each.act for each in found if isinstance(each.act, ContentRetention)]
            if found[-1].number >= signed or self._waits(ident, ordered, ledger):
                continue
            gone = sum(self._destroy(act) for act in ordered)
            for day in {date.fromisoformat(act.day) for act in ordered}:
                self._close(day)
            ledger.record([Retained(id=ident, uid=ordered[0].uid, files=gone)])
            _log.info("destroyed contents that %s ordered", ident)

    def _waits(self, ident: str, ordered: Sequence[ContentRetention], ledger: Ledger) -> bool:
        """Whether anything that is held, here or in a lake, keeps any of an order; or nobody can tell."""
        found = self._keeping.of(ident, ordered, ledger)
        if found is None:
            return False
        self._waited_s = time.monotonic()
        why = found if isinstance(found, str) else f"hold {found.id} of {found.of} {found.name} keeps some of it"
        if self._said.get(ident) != why:
            self._said[ident] = why
            _log.warning("%s waits: %s", ident, why)
        return True

    def _destroy(self, act: ContentRetention) -> int:
        day, gone = date.fromisoformat(act.day), 0
        for digest in act.blobs:
            path = self._layout.blob(day, digest)
            for there in (path, path.with_suffix(ASIDE)):
                with suppress(FileNotFoundError):
                    there.unlink()
                    gone += 1
        return gone

    def _close(self, day: date) -> None:
        """Destroy the key of a day of which nothing is left, and say so to readers."""
        folder, today = self._layout.blobs_of(day), datetime.now(UTC).date()
        if folder.is_dir():
            durable.sync_folder(folder)
            if today - day > OPEN_DAYS:
                with suppress(OSError):
                    folder.rmdir()
        if not folder.is_dir():
            with suppress(FileNotFoundError):
                durable.remove(self._layout.blob_key(day))
        durable.write_file(self._layout.blobs_destroyed(day), today.isoformat().encode())


def _pending(known: Sequence[Recorded]) -> dict[str, list[Recorded]]:
    """By order, its entries, where not all of it is done."""
    found: dict[str, list[Recorded]] = {}
    for each in known:
        if isinstance(each.act, ContentRetention):
            found.setdefault(each.act.id, []).append(each)
        elif isinstance(each.act, Retained):
            found.pop(each.act.id, None)
    return found
