"""Blobs against the references in stored records: the ledger covers a reference, and its digest what the blob holds."""

from __future__ import annotations

from dataclasses import dataclass, field
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
class DestroyedContents:
    """What a ledger says of contents that were destroyed, as names of references."""

    ordered: set[str] = field(default_factory=set)
    """They may be gone."""
    done: set[str] = field(default_factory=set)
    """They are."""
    _by_order: dict[str, set[str]] = field(default_factory=dict)

    def order(self, entry: ContentRetention) -> None:
        """Know what an entry names."""
        names = {f"{entry.day}/{digest}" for digest in entry.blobs}
        self._by_order.setdefault(entry.id, set()).update(names)
        self.ordered |= names

    def finish(self, ident: str) -> None:
        """Know that all of an order is gone."""
        self.done |= self._by_order.pop(ident, set())


@dataclass(frozen=True, slots=True)
class Referred:
    """What some records refer to."""

    references: tuple[Reference, ...] = ()
    unchecked: str | None = None
    """Why that is not known; None where it is."""


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
    except Corrupt as damage:
        return Referred(unchecked=str(damage))
    told = {of.name: of for record in records for _, of in reference.found(record.decode("utf-8", "replace"), key)}
    return Referred(tuple(told.values()))


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

    def check(self, destroyed: DestroyedContents) -> None:
        """Compare what is there with what is referred to, and with what was destroyed."""
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

    def _tell(self, code: str, names: list[str], message: str) -> None:
        for name in names[:_TOLD_AT_MOST]:
            self._findings.add(code, f"blobs/{name}", message)
        if len(names) > _TOLD_AT_MOST:
            self._findings.add(code, "blobs", f"{len(names) - _TOLD_AT_MOST} more: {message}")
