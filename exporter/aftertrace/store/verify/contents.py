"""Blobs against the references in stored records: the ledger covers a reference, and its digest what the blob holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store.blobs import blobs, reference
from aftertrace.store.blobs.reference import BEGINS, Reference
from aftertrace.store.errors import Corrupt
from aftertrace.store.folder import read_store_key
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import Hold, Retained
from aftertrace.store.ledger.orders import day_of, is_of
from aftertrace.store.verify.report import Findings

_TOLD_AT_MOST: Final = 100
"""Findings of one kind that are told one by one."""


@dataclass(slots=True)
class DestroyedDay:
    """When contents that were received on a day were destroyed."""

    ordered_on: date
    """First."""
    done_on: date | None = None
    """Last; None: nothing is told as done."""
    pending: int = 0
    """Entries of it that are not done: what they name may go on any day until they are."""


@dataclass(slots=True)
class _Ordered:
    """What an entry names."""

    where: str
    day: str
    """Of receipt."""
    names: frozenset[str]
    holds: dict[str, Hold]
    """By id, what held when it was entered, and when it was done."""


@dataclass(slots=True)
class DestroyedContents:
    """What a ledger says of contents that were destroyed, as names of references."""

    ordered: set[str] = field(default_factory=set)
    """They may be gone."""
    done: set[str] = field(default_factory=set)
    """They are."""
    days: dict[str, DestroyedDay] = field(default_factory=dict)
    """By day of receipt, as the ledger has it; of those of which something was ordered."""
    held: list[_Ordered] = field(default_factory=list)
    """Entries that are done, and something held by then: of others nothing is compared any more."""
    _open: dict[str, list[_Ordered]] = field(default_factory=dict)
    """By order, entries of those that are not done."""

    def order(self, entry: ContentRetention, where: str, holds: Iterable[Hold]) -> None:
        """Know what an entry names, where it is, and what held then."""
        names = frozenset(f"{entry.day}/{digest}" for digest in entry.blobs)
        told = _Ordered(where, entry.day, names, {hold.id: hold for hold in holds})
        self._open.setdefault(entry.id, []).append(told)
        self.ordered |= names
        self.days.setdefault(entry.day, DestroyedDay(day_of(entry))).pending += 1

    def finish(self, entry: Retained, holds: Iterable[Hold]) -> None:
        """Know that all of an order is gone, and what held by then."""
        held = {hold.id: hold for hold in holds}
        for told in self._open.pop(entry.id, ()):
            told.holds.update(held)
            if told.holds:
                self.held.append(told)
            self.done |= told.names
            of = self.days[told.day]
            of.done_on = day_of(entry)
            of.pending -= 1

    def entries(self) -> Iterator[_Ordered]:
        """Those under which something held when they were entered, or done."""
        yield from self.held
        yield from (told for found in self._open.values() for told in found if told.holds)


@dataclass(frozen=True, slots=True)
class Referred:
    """What some records refer to."""

    references: tuple[Reference, ...] = ()
    senders: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By name of a reference, who sent records that have it."""
    unchecked: str | None = None
    """Why that is not known; None where it is."""
    has_made: bool = False
    """Whether any reference was made with the store's key, to a content of whatever day."""
    has_likeness: bool = False
    """Whether any text looks like a reference, whoever wrote it."""


def referred(layout: Layout, evidence: pa.Table, day: date) -> Referred:
    """The references in rows of `evidence` of this data folder and a day, each to a content of that day: one that a
    sender has from a record of another day, and put into theirs, needs nothing of that.
    """
    # Where nothing was replaced in a request, whatever looks like one is its sender's.
    rows = evidence.filter(pc.greater(evidence.column("redactions"), 0))
    if not rows.num_rows:
        return Referred()
    rows = rows.filter(pc.is_in(rows.column("receiver"), pa.array(layout.receivers(), pa.string())))
    rows = rows.filter(pc.match_substring(rows.column("record"), BEGINS))
    if not rows.num_rows:
        return Referred()
    try:
        key = read_store_key(layout)
    except (Corrupt, PermissionError) as failure:
        return Referred(unchecked=str(failure))
    told: dict[str, Reference] = {}
    senders: dict[str, set[str]] = {}
    has_made = has_likeness = False
    for record, source in zip(*(rows.column(name).to_pylist() for name in ("record", "source")), strict=True):
        text = record.decode("utf-8", "replace")
        has_likeness = has_likeness or reference.is_like(text)
        for _, of in reference.found(text, key):
            has_made = True
            if of.day == day:
                told[of.name] = of
                senders.setdefault(of.name, set()).add(source or "")
    shared: dict[frozenset[str], frozenset[str]] = {}
    sent = {name: shared.setdefault(each := frozenset(found), each) for name, found in senders.items()}
    return Referred(tuple(told.values()), sent, has_made=has_made, has_likeness=has_likeness)


class References:
    """What records of this data folder refer to."""

    def __init__(self, layout: Layout, findings: Findings) -> None:
        """Nothing is known yet."""
        self._layout = layout
        self._findings = findings
        self._found: dict[str, Reference] = {}
        self._senders: dict[str, frozenset[str]] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}
        """Each of those once: there are few."""
        self._is_unchecked = False

    def take(self, told: Referred) -> None:
        """Know what was found in a file."""
        self._found.update({of.name: of for of in told.references})
        for name, senders in told.senders.items():
            joined = self._senders.get(name, frozenset()) | senders
            self._senders[name] = self._shared.setdefault(joined, joined)
        if told.unchecked is not None and not self._is_unchecked:
            self._findings.add("unchecked", self._layout.blobs.name, f"blobs are not looked at: {told.unchecked}")
            self._is_unchecked = True

    def check(self, destroyed: DestroyedContents, *, is_whole: bool) -> None:
        """Compare what is there with what is referred to, and with what was destroyed; `is_whole`: all that the ledger
        has of that could be read.
        """
        gone = 0
        missing: list[str] = []
        differing: list[str] = []
        key = read_store_key(self._layout) if self._found else b""
        for name, of in sorted(self._found.items()):
            try:
                blobs.get(self._layout, of, key)
                if name in destroyed.done:
                    self._findings.add("destroyed_there", f"blobs/{name}", "a blob that the ledger has as destroyed")
            except blobs.Gone:
                if name in destroyed.ordered:
                    gone += 1
                else:
                    missing.append(name)
            except Corrupt:
                differing.append(name)
        self._tell("blob_missing", missing, "no blob or no key of its day, expected both: no order destroyed it")
        self._tell("blob_differs", differing, "not the content that its record refers to")
        if gone:
            self._findings.add("contents_destroyed", "blobs", f"{gone} contents are destroyed, as the ledger says")
        self._check_held(destroyed)
        if is_whole:
            self._check_days(destroyed.days)

    def _check_held(self, destroyed: DestroyedContents) -> None:
        """Tell of orders for what a hold of a source or tenant keeps: the records that refer to it are there."""
        for ordered in destroyed.entries():
            named = {self._senders[name] for name in ordered.names & self._senders.keys()}
            for hold in ordered.holds.values():
                if any(is_of(hold, senders) for senders in named):
                    message = f"destroys contents that hold {hold.id} of {hold.of} {hold.name} keeps, as records tell"
                    self._findings.add("ledger_contradicts", ordered.where, message)

    def _check_days(self, days: Mapping[str, DestroyedDay]) -> None:
        """What people are told of contents that are not there any more is what the ledger has."""
        there = {path.stem for path in self._layout.blobs.glob("*.destroyed")}
        for day in sorted(there | {day for day, told in days.items() if told.done_on is not None}):
            of, where = days.get(day), f"blobs/{day}.destroyed"
            try:
                said = blobs.destroyed_on(self._layout, date.fromisoformat(day))
            except ValueError:
                said = None
            if of is None:
                self._findings.add("destroyed_differs", where, "contents of that day, and no order destroyed any")
                continue
            last = None if of.pending else of.done_on
            if said is None or not of.ordered_on <= said <= (last or said):
                message = f"{said or 'no day'}, expected one from {of.ordered_on} to {last or 'now'}"
                self._findings.add("destroyed_differs", where, f"contents are said to be destroyed on {message}")

    def _tell(self, code: str, names: list[str], message: str) -> None:
        for name in names[:_TOLD_AT_MOST]:
            self._findings.add(code, f"blobs/{name}", message)
        if len(names) > _TOLD_AT_MOST:
            self._findings.add(code, "blobs", f"{len(names) - _TOLD_AT_MOST} more: {message}")
