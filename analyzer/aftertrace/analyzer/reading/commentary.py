"""What people wrote, as rows: beside what is told of runs, and no part of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.store.commentary.comments import Comment, replaced
from aftertrace.store.commentary.log import read
from aftertrace.store.layout import Layout

COMMENTS: Final = pl.Schema(
    {
        "number": pl.Int64(),
        "written_ns": pl.Int64(),
        "author": pl.String(),
        "account": pl.String(),
        "kind": pl.String(),
        "label": pl.String(),
        "happened_ns": pl.Int64(),
        "text": pl.String(),
        "runs": pl.List(pl.String()),
        "calls": pl.List(pl.String()),
        "incidents": pl.List(pl.String()),
        "replaces": pl.Int64(),
        "replaced_by": pl.Int64(),
        "ledger_size": pl.Int64(),
        "ledger_root": pl.String(),
        "written_at": pl.Datetime("ns", "UTC"),
        "happened_at": pl.Datetime("ns", "UTC"),
    }
)
"""Columns of `comments`: what `comments.Comment` says of each, what it is about by kind, and what replaced it."""


def comments(data: Path) -> pl.DataFrame:
    """All comments of a store in the order in which they were written, columns as in `COMMENTS`.

    Raises:
        Corrupt: they are not as they were signed.
        Unavailable: they cannot be read.
    """
    found = read(Layout(data)).comments
    later = replaced(found)
    rows = [_row(number, each, later.get(number)) for number, each in enumerate(found, 1)]
    frame = pl.DataFrame(rows, schema=dict(list(COMMENTS.items())[: -len(_TIMES)]), orient="row")
    return frame.with_columns(
        pl.from_epoch(column, time_unit="ns").dt.replace_time_zone("UTC").alias(name) for name, column in _TIMES.items()
    )


_TIMES: Final = {"written_at": "written_ns", "happened_at": "happened_ns"}


def _row(number: int, each: Comment, later: int | None) -> tuple[object, ...]:
    about = ([subject.id for subject in each.about if subject.kind == kind] for kind in ("run", "call", "incident"))
    size, root = (each.as_of.size, each.as_of.root) if each.as_of is not None else (None, None)
    happened = int(each.at_ns) if each.at_ns else None
    said = (number, int(each.time_ns), each.author, each.account, each.kind, each.label or None, happened, each.text)
    return (*said, *about, each.replaces or None, later, size, root)
