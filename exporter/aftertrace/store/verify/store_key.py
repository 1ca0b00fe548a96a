"""The store's secret key against records that were told apart by it: with another one in its place no reference to a
blob is known for one, and what is gone of blobs would not be missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store.digest import record_key
from aftertrace.store.errors import Corrupt
from aftertrace.store.folder import read_store_key
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot, collected
from aftertrace.store.verify.contents import Referred
from aftertrace.store.verify.report import Findings

_SAMPLES: Final = 16
"""So many records are tried at most: a key that fits one is the key."""
_COLUMNS: Final = ["record", "resource_digest", "scope_digest", "record_key"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A record from which its key can be made again: nothing of it was replaced."""

    record: bytes
    resource_digest: str
    scope_digest: str
    record_key: bytes


def sampled(layout: Layout, evidence: pa.Table) -> Sample | None:
    """The first such record of this data folder in rows of `evidence`; None where there is none."""
    own = pc.is_in(evidence.column("receiver"), pa.array(layout.receivers(), pa.string()))
    at = pc.index(pc.and_(own, pc.equal(evidence.column("redactions"), 0)), pa.scalar(True)).as_py()
    if at < 0:
        return None
    (row,) = evidence.select(_COLUMNS).slice(at, 1).to_pylist()
    return None if None in row.values() else Sample(**row)


class StoreKey:
    """What was found that tells whether the key is the one that records have."""

    def __init__(self, layout: Layout, findings: Findings) -> None:
        """Nothing yet."""
        self._layout = layout
        self._findings = findings
        self._samples: list[Sample] = []
        self._has_made = False
        """Whether a reference was found that the key has made."""
        self._has_likeness = False

    def take(self, sample: Sample | None, referred: Referred) -> None:
        """Know what was found in a file whose rows are those that were stored."""
        self._has_made |= referred.has_made
        self._has_likeness |= referred.has_likeness
        if sample is not None and len(self._samples) < _SAMPLES:
            self._samples.append(sample)

    def check(self) -> None:
        """Tell whether the key is another, after all files. One that is not there is told of where it is needed.

        Raises:
            OSError: a table cannot be reached.
        """
        if self._has_made:
            return
        where = self._layout.store_key.relative_to(self._layout.data).as_posix()
        try:
            key = read_store_key(self._layout)
            fits = list(self._fitting(key))
        except (Corrupt, PermissionError):
            # What is damaged of tables is told where they are read.
            return
        if fits and not any(fits):
            message = "not the key that records were stored with: no reference to a blob is known by it; put it back"
            self._findings.add("store_key_differs", where, message)
        elif not fits and self._has_likeness:
            message = "nothing shows that it is the one that records were stored with, and some look like references"
            self._findings.add("unchecked", where, message)

    def _fitting(self, key: bytes) -> Iterator[bool]:
        """Of each sample, as far as what it came with is there, whether a key is its own."""
        origins = {
            table: _bytes_of(self._layout, table, {getattr(each, f"{table[:-1]}_digest") for each in self._samples})
            for table in ("resources", "scopes")
            if self._samples
        }
        for each in self._samples:
            resource = origins["resources"].get(each.resource_digest)
            scope = origins["scopes"].get(each.scope_digest)
            if resource is not None and scope is not None:
                yield record_key(key, resource, scope, each.record) == each.record_key


def _bytes_of(layout: Layout, table: str, digests: set[str]) -> dict[str, bytes]:
    rows = Snapshot.of(layout.data).scan(table, columns=["digest", "bytes"])
    (found,) = collected(rows.filter(pl.col("digest").is_in(sorted(digests))))
    return dict(found.iter_rows())
