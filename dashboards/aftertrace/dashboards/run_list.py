"""Which runs a list holds, and in which order: filters, a saved view, a text that is looked for.

All of it stands in the address, so that a run that is opened from a list knows the one before it and the one after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from aftertrace.analyzer import Analysis, Filter
from aftertrace.analyzer.configurations.changes import Moment
from aftertrace.dashboards import filters

_RAN: Final = ("executed", "failed", "modified")
_UNTOLD: Final = ("agent_name", "model", "system_prompt_digest", "input_digests", "tools_available")


@dataclass(frozen=True, slots=True)
class View:
    """A saved view: runs that somebody looks for again and again."""

    brief: str
    runs: Callable[[Analysis, Filter], pl.Series]
    """Ids of the runs in it, of those that a filter lets through."""
    sql: str
    """What `aftertrace sql` is asked for the same, without a filter."""


def _runs(only: pl.Expr) -> Callable[[Analysis, Filter], pl.Series]:
    return lambda analysis, wanted: _of(analysis, "runs", wanted, only)


def _of(analysis: Analysis, table: str, wanted: Filter, only: pl.Expr) -> pl.Series:
    (rows,) = analysis.collected(analysis.scan(table, ("run_id",), wanted, only=only).unique())
    return rows["run_id"]


def _risky(analysis: Analysis, wanted: Filter) -> pl.Series:
    ran = analysis.scan(
        "calls", ("run_id", "risk"), wanted, only=pl.col("outcome").is_in(_RAN) & ~pl.col("approval_asked")
    )
    # An inventory may declare another risk than the one that is kept, so that it is asked of the rows that are told.
    (rows,) = analysis.collected(ran.filter(pl.col("risk") != "read").select("run_id").unique())
    return rows["run_id"]


def _found_out(analysis: Analysis, wanted: Filter) -> pl.Series:
    odd = pl.col("signals").list.len() > 0
    return pl.concat(
        [
            analysis.select("effect_findings", wanted)["run_id"],
            _of(analysis, "calls", wanted, odd),
            _of(analysis, "runs", wanted, odd),
        ]
    ).unique()


VIEWS: Final = {
    "Near misses": View(
        "a call was one control away from happening",
        _runs(pl.col("near_misses") > 0),
        "SELECT run_id FROM runs WHERE near_misses > 0",
    ),
    "Denied": View(
        "a call was refused",
        lambda analysis, wanted: _of(analysis, "calls", wanted, pl.col("outcome") == "denied"),
        "SELECT DISTINCT run_id FROM calls WHERE outcome = 'denied'",
    ),
    "Edited, then approved": View(
        "a reviewer changed the arguments of a call before it ran",
        lambda analysis, wanted: _of(analysis, "approvals", wanted, pl.col("decision") == "modified"),
        "SELECT DISTINCT run_id FROM approvals WHERE decision = 'modified'",
    ),
    "Findings": View(
        "a control failed, or calls, approvals and effects do not agree",
        _found_out,
        "SELECT run_id FROM effect_findings UNION SELECT run_id FROM calls WHERE array_length(signals) > 0 "
        "UNION SELECT run_id FROM runs WHERE array_length(signals) > 0",
    ),
    "No approver on risky": View(
        "a call of a risk above read ran, and nobody was asked about it",
        _risky,
        "SELECT DISTINCT run_id FROM calls WHERE outcome IN ('executed', 'failed', 'modified') "
        "AND NOT approval_asked AND risk <> 'read'",
    ),
    "Incomplete": View(
        "agent, model, system prompt, inputs or tools are not told, or records never came",
        _runs(pl.any_horizontal(pl.col(*_UNTOLD).is_null()) | (pl.col("missing") > 0).fill_null(value=False)),
        "SELECT run_id FROM runs WHERE agent_name IS NULL OR model IS NULL OR system_prompt_digest IS NULL "
        "OR input_digests IS NULL OR tools_available IS NULL OR missing > 0",
    ),
    "Waiting": View(
        "somebody is asked for an approval",
        _runs(pl.col("state") == "waiting"),
        "SELECT run_id FROM runs WHERE state = 'waiting'",
    ),
}
"""Saved views, by what people and addresses call them."""

ORDERS: Final = {
    "newest first": "first_ns",
    "most near misses": "near_misses",
    "most calls": "calls",
    "longest": "duration_ns",
    "dearest": "cost_usd",
}
"""By what a list is ordered: columns of `runs`, by what people and addresses call the order."""
NEWEST: Final = "newest first"
AFTER: Final = "after"
"""Key in the address of a change: the runs after it, up to the next one (`analysis.history`)."""
KEYS: Final = (*filters.KEYS, "saved", "q", "order", AFTER)
"""What of an address says which list it is."""
SHAPES: Final = ("List", "Fingerprints")
"""How runs are shown."""
RUNS_AT_ONCE: Final = 24
"""How many runs a page of the list holds, in either shape: the same are there when the other is chosen."""
SUMS: Final = ("calls", "near_misses", "consequential")
_COLUMNS: Final = tuple(dict.fromkeys(("run_id", "first_ns", "state", *SUMS, *ORDERS.values())))
"""No others of all runs are read to tell which runs a page shows."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The runs of a list, without what their rows tell."""

    run_ids: tuple[str, ...]
    """In the order of the list."""
    states: dict[str, int]
    """How many runs are in each state."""
    sums: dict[str, int]
    """Calls, near misses and consequential ones in all of them."""
    snippets: dict[str, str]
    """Of each run, where the text that was looked for stands; empty where none was."""


def kept(values: Mapping[str, Any]) -> dict[str, str]:
    """What of an address says which list a run was opened from; what is so anyway is left out."""
    told = {key: str(value) for key in KEYS if (value := values.get(key))}
    return {key: value for key, value in told.items() if (key, value) != ("order", NEWEST)}


def listed(analysis: Analysis, values: Mapping[str, Any], wanted: Filter) -> Listed:
    """The runs of a list.

    Args:
        analysis: the store.
        values: `saved`, `q`, `order` and `after`, as an address has them; what it has not, or what is none, narrows
            nothing.
        wanted: the filter.

    Raises:
        Invalid: the text that is looked for is too short.
    """
    (rows,) = analysis.collected(analysis.scan("runs", _COLUMNS, wanted))
    view = VIEWS.get(values.get("saved") or "")
    if view is not None:
        rows = rows.filter(pl.col("run_id").is_in(view.runs(analysis, wanted).implode()))
    if (changed := moment(analysis, values.get(AFTER))) is not None:
        rows = rows.filter(pl.col("run_id").is_in(changed.after))
    snippets: dict[str, str] = {}
    if text := values.get("q"):
        found = analysis.finds([text], wanted)
        for run_id, field, snippet in found.select("run_id", "field", "snippet").iter_rows():
            snippets.setdefault(run_id, f"{field}: {snippet}")
        rows = rows.filter(pl.col("run_id").is_in(found["run_id"].implode()))
    column = ORDERS.get(values.get("order") or NEWEST, ORDERS[NEWEST])
    rows = rows.sort(column, "first_ns", "run_id", descending=[True, True, False], nulls_last=True)
    return Listed(
        tuple(rows["run_id"]),
        dict(rows["state"].value_counts(sort=True).iter_rows()),
        {name: int(rows[name].sum()) for name in SUMS},
        snippets,
    )


def moment(analysis: Analysis, change_id: str | None) -> Moment | None:
    """A change with those at about the same run, and the runs on both sides; None where there is no such change."""
    if not change_id:
        return None
    return next((each for each in analysis.history.moments if change_id in each.change_ids), None)


def neighbours(listed: Listed, run_id: str) -> tuple[str | None, str | None]:
    """The run before one in a list, and the one after it; None at its ends, and where it is not in it."""
    if run_id not in listed.run_ids:
        return None, None
    at = listed.run_ids.index(run_id)
    ids = listed.run_ids
    return ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None


def place(listed: Listed, run_id: str) -> str:
    """Where a run stands in a list: ``3 of 42 runs``."""
    if run_id not in listed.run_ids:
        return f"{len(listed.run_ids):,} in the list"
    return f"{listed.run_ids.index(run_id) + 1:,} of {len(listed.run_ids):,}"
