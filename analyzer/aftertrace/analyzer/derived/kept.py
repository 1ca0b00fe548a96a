"""The derived tables as they are kept: reading and writing files, of runs whose telling is final and of open ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from aftertrace.analyzer.configurations.sightings import SCHEMA as SIGHTINGS
from aftertrace.analyzer.derived import kept_columns
from aftertrace.analyzer.derived.touched import LEADS
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import ORDERS
from aftertrace.store import derived, derived_logs
from aftertrace.store.derived import Part, State
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot, streamed
from aftertrace.store.wire_keys import KEYED

FINAL: Final = pl.Schema(
    {"run_id": pl.String(), "from_ns": pl.Int64(), "final_ns": pl.Int64(), "tenants": pl.List(pl.String)}
)
"""A run that is kept: when its first record was received, from when on what is told of it is final, and the tenants on
whose records that rests.
"""
OPENED: Final = pl.Schema(
    [*LEADS.items(), ("due_ns", pl.Int64()), ("records", pl.Int64()), ("has_come_back", pl.Boolean())]
)
"""An open run, its keys, when time alone may have made what is told of it final, the number of its records, and whether
more came of it after it had told its end.
"""
_KEYS: Final = pl.Schema({"run_id": pl.String, "key": pl.String})
SCHEMAS: Final = {
    **{name: DERIVED[name].schema for name in ORDERS if name in DERIVED},
    "sightings": SIGHTINGS,
    "keys": _KEYS,
    "leads": LEADS,
    "final": FINAL,
}
"""The tables that are kept of runs whose telling is final."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Of which runs a part tells."""

    is_final: bool
    listing: str
    """The table that has a row of each of them at least."""
    schemas: Mapping[str, pl.Schema]
    """Its tables."""


FINISHED: Final = Kind(is_final=True, listing="final", schemas=SCHEMAS)
"""Those whose telling is final."""
OPEN: Final = Kind(
    is_final=False,
    listing="opened",
    schemas={**{name: SCHEMAS[name] for name in kept_columns.SHARED}, "opened": OPENED},
)
"""Others. What is told of them is for those who read the tables elsewhere: here it is told from their records."""
_ROW_GROUP_ROWS: Final = 1 << 15
_ANALYZER: Final = ("calls", "configurations", "derived", "effects", "identity", "reading", "runs", "schemas")
RULES: Final = (*(f"aftertrace.analyzer.{name}" for name in _ANALYZER), "aftertrace.store", "aftertrace.verifier")
"""The packages that what is kept is told by. A report or a page that changes lets it stand."""


@cache
def rules() -> str:
    """Digest of all by which tables are derived: our code, and the library that carries it out."""
    digest = hashlib.sha256(pl.__version__.encode())
    for package in RULES:
        for file in sorted(resources.files(package).iterdir(), key=lambda each: each.name):
            if file.name.endswith(".py"):
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def current(state: State | None, snapshot: Snapshot) -> State | None:
    """What is kept, if it was derived by these rules, and from records that the store still has.

    Args:
        state: what counted (`store.derived.read`) before the snapshot was pinned: later it may be ahead of it.
        snapshot: the version of the store that is read.
    """
    if state is None or state.rules != rules():
        return None
    has = dict(snapshot.watermarks)
    # A store that was put back from a backup has fewer records, or others in their place.
    is_had = all(has.get(receiver, 0) >= seq for receiver, seq in state.upto.items())
    return state if is_had and commits(snapshot, state.commits) == state.commits else None


def commits(snapshot: Snapshot, of: Mapping[str, tuple[int, str]] | None = None) -> dict[str, tuple[int, str]]:
    """By table, a version (that of the snapshot, if none is given) and the digest of its commit, where it is there.

    Raises:
        Unavailable: it cannot be reached.
    """
    found = {}
    versions = dict(snapshot.versions) if of is None else {table: version for table, (version, _) in of.items()}
    for table in versions.keys() & KEYED:
        digest = snapshot.commit_digest(table, versions[table])
        if digest is not None:
            found[table] = (versions[table], digest)
    return found


def scan(layout: Layout, parts: Iterable[Part], table: str) -> pl.LazyFrame:
    """What some parts have of a table, in no order.

    Raises:
        Corrupt: when it is collected by `collected`, a file is damaged or missing.
    """
    schema = {**OPEN.schemas, **SCHEMAS}[table]
    paths = [layout.derived / part.files[table] for part in parts if table in part.files]
    if not paths:
        return pl.LazyFrame(schema=schema)
    return kept_columns.told(pl.scan_parquet(paths, glob=False), schema)


def opened(layout: Layout, state: State) -> pl.DataFrame:
    """The runs that are open, columns as in `OPENED`, and in which `part` of them they are."""
    empty = pl.LazyFrame(schema={**OPENED, "part": pl.Int32})
    rows = [
        scan(layout, [part], OPEN.listing).with_columns(part=pl.lit(number, pl.Int32))
        for number, part in enumerate(state.opened)
    ]
    return collected(layout, pl.concat([empty, *rows]))[0]


def collected(layout: Layout, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
    """The rows of lazy frames over what is kept (`snapshot.streamed`).

    Raises:
        Corrupt: a file is damaged or missing.
    """
    with _reading(layout):
        return streamed(*frames)


@contextmanager
def _reading(layout: Layout) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise derived.damaged(layout, type(error).__name__) from error


def part(layout: Layout, kind: Kind, runs: int, tables: Mapping[str, pl.LazyFrame]) -> Part:
    """Write a part with so many runs. It counts when it is named in a state.

    Rows of other files pass through: no table is in memory as a whole.

    Raises:
        Corrupt: a file that they are read from is damaged or missing.
        OSError: the disk does not take it.
    """
    written = {name: _written(layout, name, rows, is_final=kind.is_final) for name, rows in tables.items()}
    return Part(runs, {name: path for name, path in written.items() if path is not None})


def follow(layout: Layout, state: State | None, *, is_last: bool = False) -> None:
    """Let others read what counts, if it was derived by these rules (`derived_logs.follow`)."""
    if state is not None and state.rules == rules():
        derived_logs.follow(layout, kept_columns.shared(state), state.upto, is_last=is_last)


def _written(layout: Layout, table: str, rows: pl.LazyFrame, *, is_final: bool) -> str | None:
    content = BytesIO()
    with _reading(layout):
        kept_columns.stored(rows, is_final=is_final).sink_parquet(
            content, compression="zstd", compression_level=1, row_group_size=_ROW_GROUP_ROWS
        )
    return derived.add(layout, table, content.getvalue()) if pq.read_metadata(content).num_rows else None
