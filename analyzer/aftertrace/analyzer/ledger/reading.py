"""Who read what of a store: reads that were recorded, and packets that were made of it."""

from __future__ import annotations

import pwd
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.store.errors import Invalid
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Export, Reads
from aftertrace.store.reads import Read, leave, of_batch, waiting

SCHEMA: Final = pl.Schema(
    {
        "at_ns": pl.Int64,
        "account": pl.String,
        "uid": pl.Int64,
        "by": pl.String,
        "how": pl.String,
        "what": pl.String,
        "entry": pl.Int64,
    }
)
"""`account` is the name of `uid` on this machine, as the file system has it; `by` who had signed in, if anybody had;
`how` the command or page; `entry` the number of the entry of the ledger that covers it, null where none does yet."""
_MOST_NS: Final = 2**63 - 1
_STATEMENTS: Final = ("sql", "sql page")
_VALUE: Final = re.compile(
    r"""
    (?P<name> "[^"]*" | `[^`]*` )
    | '(?:[^']|'')*'?
    | \$(?P<tag>\w*)\$ .*? (?: \$(?P=tag)\$ | \Z )
    | --[^\n]*
    | /\* (?:(?!/\*).)*? \*/ | /\*.*  # One that holds another, or has no end: all that follows.
    | \b\d[\w.]*
    """,
    re.DOTALL | re.VERBOSE,
)
NOTHING, EVIDENCE, ALL = "nothing", "evidence", "all"
_EVIDENCE: Final = frozenset(("records", "sql", "sql page", "packet page"))
"""What takes stored records out; packets are entered in the ledger by themselves, without who had signed in."""
_Row = tuple[int, str, int, str | None, str, str, int | None]


def is_recorded(recorded: str, how: str) -> bool:
    """Whether a read of this kind is recorded; parameters as of `record`. Raises `Invalid`."""
    if recorded not in (NOTHING, EVIDENCE, ALL):
        raise Invalid(f"record reads: {recorded!r}, expected {EVIDENCE}, {ALL} or {NOTHING}; set reads.record")
    return recorded == ALL or (recorded == EVIDENCE and how in _EVIDENCE)


def record(data: Path, recorded: str, how: str, what: str, by: str = "") -> None:
    """Record that something is read, where that is to be.

    Args:
        data: folder of the store.
        recorded: what is: `nothing`, `evidence` (what takes stored records out), or `all`.
        how: the command or page.
        what: which run, id or statement; of a statement no value is kept, which may be content that is to be erased.
        by: who had signed in; empty: nobody.

    Raises:
        Invalid: `recorded` is none of these.
        OSError: it cannot be recorded.
    """
    if is_recorded(recorded, how):
        told = without_values(what) if how in _STATEMENTS else what
        leave(Layout(data), how=how, what=told, at_ns=time.time_ns(), by=by)


def without_values(statement: str) -> str:
    """A statement in SQL with `…` in the place of each text, number and comment; names stay."""
    return _VALUE.sub(lambda found: found["name"] or "…", statement)


def reads(data: Path) -> pl.DataFrame:
    """All that is recorded, the latest first: columns as in `SCHEMA`.

    Raises:
        Corrupt: the ledger, or a file of reads that it has, is damaged or gone.
        OSError: it cannot be read.
    """
    found = pl.DataFrame(list(_told(Layout(data))), schema=SCHEMA, orient="row")
    return found.sort("at_ns", descending=True, maintain_order=True)


def _told(layout: Layout) -> Iterator[_Row]:
    taken = set()
    for each in acts.recorded(layout):
        if isinstance(each.act, Reads):
            for read in of_batch(layout, each.act.id):
                taken.add(read.id)
                yield _row(read, each.number)
        elif isinstance(each.act, Export):
            what = f"{each.act.of}, runs: {each.act.runs}, digest {each.act.digest}"
            yield int(each.act.time_ns), _account(each.act.uid), each.act.uid, None, "packet", what, each.number
    try:
        left = [read for _, read in waiting(layout) if read is not None and read.id not in taken]
    except PermissionError:
        # An account that may leave reads, and see nobody's.
        left = []
    yield from (_row(read, None) for read in left)


def _row(read: Read, entry: int | None) -> _Row:
    at_ns = min(int(read.at_ns), _MOST_NS)
    return at_ns, _account(read.uid), read.uid, read.by or None, read.how, read.what, entry


@lru_cache(maxsize=1024)
def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
