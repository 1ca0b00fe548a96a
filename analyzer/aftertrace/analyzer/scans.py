"""Tables told run by run, narrowed to what is asked for before anything is read: some columns, and some rows.

What is made of all calls of months is made of a few of their columns, and most of it is sums: none of it needs all rows
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.inventory.declared_risk import declared, declared_in_approvals, declared_in_runs
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.schemas.derived import DERIVED

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

_NARROWING: Final = ("principal", "model", "state", "customer", "risk", "target", "namespace", "policy")
"""Fields of a filter that no column answers."""


def scan(analysis: Analysis, table: str, columns: Sequence[str] | None, wanted: Filter, only: pl.Expr) -> pl.LazyFrame:
    """Some columns of the rows of a table of `order.BY_RUN` that a filter lets through, and of which something holds.

    Args:
        analysis: what is asked.
        table: its name.
        columns: None: all.
        wanted: the filter.
        only: over the columns as they are told; those that an inventory changes have yet to be changed.
    """
    names = DERIVED[table].schema.names()
    # What was asked for whole is there, in its order; but with what is declared, which `only` does not speak of.
    held: pl.DataFrame | None = analysis.__dict__.get(table)
    if held is not None and analysis.classes and not _CHANGED.get(table, _NOTHING).isdisjoint(only.meta.root_names()):
        held = None
    rows = analysis.told.scan(table) if held is None else held.lazy()
    rows = rows.filter(wanted.lets_through(names), only)
    rows = _through_calls(analysis, table, rows, wanted)
    rows = reduce(lambda frame, each: frame.filter(each.lets_through(names)), analysis.meant(wanted), rows)
    if held is None and analysis.classes:
        rows = _declared(analysis, table, rows, names if columns is None else columns)
    return rows if columns is None else rows.select(columns)


_NOTHING: Final[frozenset[str]] = frozenset()
_CHANGED: Final = {
    "calls": frozenset(("risk", "risk_basis", "consequential", "signals")),
    "runs": frozenset(("consequential",)),
    "approvals": frozenset(("signals",)),
}
"""By table, the columns that risk classes which are declared change."""


def narrowing(wanted: Filter) -> Filter:
    """The filter with those fields alone that no column answers."""
    return Filter(**{name: getattr(wanted, name) for name in _NARROWING})


def _through_calls(analysis: Analysis, table: str, rows: pl.LazyFrame, wanted: Filter) -> pl.LazyFrame:
    """The rows about calls which those fields let through that the table has no column for."""
    key, fields = _THROUGH_CALLS.get(table, ("", ()))
    if all(getattr(wanted, name) is None for name in fields):
        return rows
    tool = wanted.tool if table == "runs" else None
    of_calls = Filter(tool=tool, **{name: getattr(wanted, name) for name in fields})
    return rows.join(analysis.scan("calls", (key,), of_calls), on=key, how="semi", maintain_order="left")


_THROUGH_CALLS: Final = {
    "runs": ("run_id", ("outcome", "decided_by", "reviewer")),
    "effects": ("call_key", ("outcome", "reviewer")),
}
"""By table, the column by which its rows are of calls, and the fields of a filter that only these answer."""


def _declared(analysis: Analysis, table: str, rows: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """The rows with what follows from the risk classes that are declared."""
    match table:
        case "calls":
            return declared(rows, analysis.classes)
        case "runs" if "consequential" in columns:
            return declared_in_runs(rows, analysis.scan("calls", ("run_id", "consequential")))
        case "approvals" if "signals" in columns:
            asked = analysis.scan("calls", ("call_key", "signals"), only=pl.col("approval_asked"))
            return declared_in_approvals(rows, asked)
    return rows
