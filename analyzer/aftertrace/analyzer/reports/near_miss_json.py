"""The near-miss report as JSON: the same figures, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from aftertrace.analyzer.documents.periods import instant
from aftertrace.analyzer.documents.severity import SEVERITIES
from aftertrace.analyzer.reports.near_miss_figures import Figures, Totals

if TYPE_CHECKING:
    from aftertrace.analyzer.documents.document import Interval, Rows

_LISTED: Final = (
    "severity", "held_by", "spread", "run_id", "call_key", "tool_call_id", "first_ns", "agent_name", "tool_name",
    "risk", "risk_basis", "outcome", "decided_by", "reviewer", "basis", "consequential", "arguments", "reason",
    "evidence", "floor",
)  # fmt: skip


def written(figures: Figures) -> str:
    """The report as one JSON object, in ASCII, with the command for the rows behind each group of numbers."""
    period, links, now, before = figures.period, figures.links, figures.totals, figures.before
    wanted = {name: value for name, value in asdict(links.wanted).items() if value is not None}
    told = {
        "period": {
            "since": None if period.since_ns is None else instant(period.since_ns),
            "until": instant(period.until_ns),
            "as_of": instant(period.as_of_ns),
            "closed": period.is_closed,
        },
        "filter": wanted,
        "floor": figures.is_floor,
        "totals": _totals(now),
        "before": None if before is None else _totals(before),
        "rate_changed": figures.rate_changed,
        "floors": [
            {
                "name": each.name,
                "count": each.count,
                "unit": each.unit,
                "certainty": each.certainty,
                "brief": each.brief,
                "rows": _command(each.rows),
            }
            for each in figures.floors
        ],
        "kinds": [
            _graded(row)
            | {"rows": _command(links.rows("near-misses", **{field: row[name] for name, field in _KIND.items()}))}
            for row in figures.kinds.iter_rows(named=True)
        ],
        "near_misses": [_graded(row) for row in figures.listed.select(_LISTED).iter_rows(named=True)],
        "targets": [_graded(row) for row in figures.targets.iter_rows(named=True)],
        "trend": figures.trend.drop("name").to_dicts(),
        "rates": {
            name: [
                row | {"rows": _command(links.rows("calls", **{_FIELDS[name]: row[name]}))}
                for row in frame.iter_rows(named=True)
            ]
            for name, frame in figures.rates.items()
        },
        "autonomy": figures.autonomy.to_dicts(),
        "beside": figures.beside,
        "control_failures": [
            {"table": table, "run_id": run_id, "signals": signals}
            for table, frame in zip(("calls", "effects", "runs"), figures.told.signalled, strict=True)
            for run_id, signals in frame.select("run_id", "signals").iter_rows()
        ],
        "effect_findings": figures.told.findings.to_dicts(),
        "rows": {command: _command(links.rows(command)) for command in ("near-misses", "calls", "report near-misses")},
    }
    return json.dumps(told, ensure_ascii=True, indent=1) + "\n"


_KIND: Final = {"agent_name": "agent", "tool_name": "tool", "outcome": "outcome", "decided_by": "decided_by"}
_FIELDS: Final = {"agent_name": "agent", "tool_name": "tool", "decided_by": "decided_by"}


def _totals(totals: Totals) -> dict[str, Any]:
    return asdict(totals) | {"rate": _interval(totals.rate)}


def _interval(interval: Interval) -> dict[str, float | None]:
    return {"share": interval.share, "low": interval.low, "high": interval.high}


def _graded(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"severity": SEVERITIES[row["severity"]]}


def _command(rows: Rows | None) -> str | None:
    return None if rows is None else rows.command
