"""The derived tables as they are kept: reading and writing the files of runs whose telling is final."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Final

import polars as pl

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
OPENED: Final = pl.Schema([*LEADS.items(), ("due_ns", pl.Int64())])
"""A run that is not kept yet, its keys, and when time alone may have made what is told of it final."""
KEYS: Final = pl.Schema({"run_id": pl.String, "key": pl.String})
SCHEMAS: Final = {
    **{name: DERIVED[name].schema for name in ORDERS if name in DERIVED},
    "sightings": SIGHTINGS,
    "keys": KEYS,
    "leads": LEADS,
    "final": FINAL,
}
"""The tables that are kept."""
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


def scan(layout: Layout, state: State, table: str) -> pl.LazyFrame:
    """What is kept of a table, in no order.

    Raises:
        Corrupt: when it is collected by `collected`, a file is damaged or missing.
    """
    paths = [layout.derived / part.files[table] for part in state.parts if table in part.files]
    if not paths:
        return pl.LazyFrame(schema=SCHEMAS[table])
    return kept_columns.told(pl.scan_parquet(paths, glob=False), SCHEMAS[table])


def opened(layout: Layout, state: State) -> pl.DataFrame:
    """The runs that are not kept yet, columns as in `OPENED`."""
    if state.opened is None:
        return pl.DataFrame(schema=OPENED)
    rows = pl.scan_parquet(layout.derived / state.opened.files["opened"], glob=False)
    return collected(layout, kept_columns.told(rows, OPENED))[0]


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


def part(layout: Layout, tables: dict[str, pl.DataFrame]) -> Part:
    """Write a part. It counts when it is named in a state.

    Raises:
        OSError: the disk does not take it.
    """
    files = {name: _written(layout, name, rows.lazy(), is_final=True) for name, rows in tables.items() if rows.height}
    return Part(tables["final"].height, files)


def open_part(
    layout: Layout, before: Part | None, runs: pl.DataFrame, gone: pl.Series, told: Mapping[str, pl.DataFrame]
) -> Part | None:
    """Write which runs are open, and what is told of them, for those who read the tables elsewhere: here it is told
    from their records. None where none are.

    Args:
        layout: of the store.
        before: what was written so before.
        runs: that are open, columns as in `OPENED`.
        gone: `run_id` of those that are told anew, or not at all any more.
        told: by table, what is told anew of runs that are open.
    """
    if not runs.height:
        return None
    old = State("", parts=() if before is None else (before,))
    is_left = ~pl.col("run_id").is_in(gone.implode())
    files = {"opened": _written(layout, "opened", runs.lazy(), is_final=False)}
    lefts = [scan(layout, old, name).filter(is_left) for name in told]
    for (name, rows), left, height in zip(told.items(), lefts, _heights(layout, lefts), strict=True):
        if height or rows.height:
            # What is open may be much more than what is new: it passes through.
            with _reading(layout):
                files[name] = _written(layout, name, pl.concat([left, rows.lazy()]), is_final=False)
    return Part(runs["run_id"].n_unique(), files)


def follow(layout: Layout, state: State | None, *, is_last: bool = False) -> None:
    """Let others read what counts, if it was derived by these rules (`derived_logs.follow`)."""
    if state is not None and state.rules == rules():
        derived_logs.follow(layout, kept_columns.shared(state), state.upto, is_last=is_last)


def _heights(layout: Layout, frames: Iterable[pl.LazyFrame]) -> list[int]:
    return [int(found.item()) for found in collected(layout, *(frame.select(pl.len()) for frame in frames))]


def _written(layout: Layout, table: str, rows: pl.LazyFrame, *, is_final: bool) -> str:
    content = BytesIO()
    kept_columns.stored(rows, is_final=is_final).sink_parquet(
        content, compression="zstd", compression_level=1, row_group_size=_ROW_GROUP_ROWS
    )
    return derived.add(layout, table, content.getvalue())
