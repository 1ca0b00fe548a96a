"""Blobs against the references in stored records: the ledger covers a reference, and its digest what the blob holds."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(slots=True)
class DestroyedContents:
    """What a ledger says of contents that were destroyed, as names of references."""

    ordered: set[str] = field(default_factory=set)
    """They may be gone."""
    done: set[str] = field(default_factory=set)
    """They are."""
    days: dict[str, DestroyedDay] = field(default_factory=dict)
    """By day of receipt, as the ledger has it; of those of which something was ordered."""
    _by_order: dict[str, set[str]] = field(default_factory=dict)

    def order(self, entry: ContentRetention, ordered_on: date) -> None:
        """Know what an entry names, which was made on a day in UTC."""
        names = {f"{entry.day}/{digest}" for digest in entry.blobs}
        self._by_order.setdefault(entry.id, set()).update(names)
        self.ordered |= names
        self.days.setdefault(entry.day, DestroyedDay(ordered_on))

    def finish(self, ident: str, done_on: date) -> None:
        """Know that all of an order is gone, by an entry of a day in UTC."""
        gone = self._by_order.pop(ident, set())
        self.done |= gone
        for day in {name.partition("/")[0] for name in gone}:
            self.days[day].done_on = done_on


@dataclass(frozen=True, slots=True)
class Referred:
    """What some records refer to."""

    references: tuple[Reference, ...] = ()
    unchecked: str | None = None
    """Why that is not known; None where it is."""
    has_likeness: bool = False
    """Whether any text looks like a reference, whoever wrote it."""


def referred(layout: Layout, evidence: pa.Table) -> Referred:
    """The references in rows of `evidence` of this data folder."""
    # Where nothing was replaced in a request, whatever looks like one is its sender's.
    rows = evidence.filter(pc.greater(evidence.column("redactions"), 0))
    if not rows.num_rows:
        return Referred()
    rows = rows.filter(pc.is_in(rows.column("receiver"), pa.array(layout.receivers(), pa.string())))
    records = rows.filter(pc.match_substring(rows.column("record"), BEGINS)).column("record").to_pylist()
    if not records:
        return Referred()
    try:
        key = read_store_key(layout)
    except (Corrupt, PermissionError) as failure:
        return Referred(unchecked=str(failure))
    texts = [record.decode("utf-8", "replace") for record in records]
    told = {of.name: of for text in texts for _, of in reference.found(text, key)}
    return Referred(tuple(told.values()), has_likeness=any(map(reference.is_like, texts)))


class References:
    """What records of this data folder refer to."""

    def __init__(self, layout: Layout, findings: Findings) -> None:
        """Nothing is known yet."""
        self._layout = layout
        self._findings = findings
        self._found: dict[str, Reference] = {}
        self._is_unchecked = False

    def take(self, told: Referred) -> None:
        """Know what was found in a file."""
        self._found.update({of.name: of for of in told.references})
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

        if is_whole:
            self._check_days(destroyed.days)

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
            elif said is None or not of.ordered_on <= said <= (of.done_on or said):
                message = f"{said or 'no day'}, expected one from {of.ordered_on} to {of.done_on or 'now'}"
                self._findings.add("destroyed_differs", where, f"contents are said to be destroyed on {message}")

    def _tell(self, code: str, names: list[str], message: str) -> None:
        for name in names[:_TOLD_AT_MOST]:
            self._findings.add(code, f"blobs/{name}", message)
        if len(names) > _TOLD_AT_MOST:
            self._findings.add(code, "blobs", f"{len(names) - _TOLD_AT_MOST} more: {message}")
