"""The calls, approvals and effects of one run, as its run record tells them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer.calls.edits import difference
from aftertrace.analyzer.calls.evidence import is_partial
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.records.call_record import Approval, Call, Change, Decision, Effect, Reference
from aftertrace.analyzer.records.rfc3339 import rfc3339

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

_MOMENTS: Final = ("proposed_at", "asked_at", "decided_at", "started_at", "ended_at", "happened_at")
_RESULTS: Final = ("completed", "failed", "answered", "refused", "unknown_tool", "invalid_arguments", "cancelled")
"""States of `tool.called` that may bring a result, the best teller first."""


def recorded_calls(analysis: Analysis, run_id: str) -> tuple[Call, ...]:
    """The calls of a run, in the order in which they began."""
    only = Filter(run_id=run_id)
    rows = analysis.select("calls", only)
    events = analysis.of(run_id).call_events.join(rows.select("call_key"), on="call_key", how="semi")
    results = {row["call_key"]: row for row in _results(events).iter_rows(named=True)}
    partial = set(events.filter(is_partial())["call_key"].to_list())
    approvals = {row["call_key"]: row for row in _timed(analysis.select("approvals", only)).iter_rows(named=True)}
    decisions: dict[str, list[dict[str, Any]]] = {}
    for row in _timed(analysis.select("decisions", only)).iter_rows(named=True):
        decisions.setdefault(row["call_key"], []).append(row)
    return tuple(
        _call(
            number,
            row,
            results.get(row["call_key"]),
            approvals.get(row["call_key"]),
            decisions.get(row["call_key"], []),
            is_whole=row["call_key"] not in partial,
        )
        for number, row in enumerate(_timed(rows).iter_rows(named=True), start=1)
    )


def numbers(analysis: Analysis, run_id: str) -> dict[str, int]:
    """The number of each call of a run in its record, by `call_key`."""
    keys = analysis.select("calls", Filter(run_id=run_id))["call_key"]
    return {key: number for number, key in enumerate(keys, start=1)}


def recorded_effects(analysis: Analysis, run_id: str) -> tuple[Effect, ...]:
    """The effects of a run, the oldest first."""
    number = numbers(analysis, run_id)
    rows = _timed(analysis.select("effects", Filter(run_id=run_id)).sort("first_ns", "evidence"))
    return tuple(
        Effect(
            call=number.get(row["call_key"]),
            tool=row["tool_name"],
            at=row["happened_at"],
            signals=tuple(row["signals"]),
            **{
                name: row[name]
                for name in (
                    "state", "basis", "rule", "http_status", "rows", "system", "operation", "object_type", "object_id",
                    "object_url", "before_digest", "after_digest", "idempotency_key", "receipt_id", "decided_by",
                    "reason", "evidence",
                )
            },
        )
        for row in rows.iter_rows(named=True)
    )  # fmt: skip


def _timed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with their moments as nanoseconds: a Python datetime has no more than microseconds."""
    return rows.with_columns(pl.col(name).dt.epoch("ns") for name in _MOMENTS if name in rows.columns).with_columns(
        pl.col(name).map_elements(rfc3339, return_dtype=pl.String) for name in _MOMENTS if name in rows.columns
    )


def _results(events: pl.DataFrame) -> pl.DataFrame:
    """Per `call_key`, what came back: the result of its execution, else what the model was told."""
    rank = pl.col("state").replace_strict({state: rank for rank, state in enumerate(_RESULTS)}, default=None)
    told = pl.col("content").is_not_null() | pl.col("content_digest").is_not_null()
    return (
        events.with_columns(rank=rank)
        .filter((pl.col("event") == "tool.called") & pl.col("rank").is_not_null() & told)
        .sort("rank", pl.col("content").is_null(), "time_ns", "pointer")
        .unique("call_key", keep="first", maintain_order=True)
        .select("call_key", "content", "content_digest", "pointer")
    )


def _call(
    number: int,
    row: dict[str, Any],
    result: dict[str, Any] | None,
    asked: dict[str, Any] | None,
    decisions: list[dict[str, Any]],
    *,
    is_whole: bool,
) -> Call:
    changed = difference(row["arguments"], row["executed_arguments"]) if is_whole else None
    return Call(
        number=number,
        tool=row["tool_name"],
        call_id=row["tool_call_id"],
        agent=row["agent_name"],
        changes=changes(changed),
        result=None if result is None else Reference(result["content"], result["content_digest"], result["pointer"]),
        approval=None if asked is None else _approval(asked),
        decisions=tuple(_decision(each) for each in decisions),
        signals=tuple(row["signals"]),
        rules=tuple(row["rules"] or ()),
        evidence=tuple(row["evidence"] or ()),
        **{
            name: row[name]
            for name in (
                "outcome", "basis", "near_miss", "consequential", "risk", "risk_basis", "decided_by", "allowed_by",
                "allowed_basis", "granted_by", "permission_mode", "reason", "proposed_at", "decided_at", "started_at",
                "ended_at", "arguments", "executed_arguments", "trace_id",
            )
        },
    )  # fmt: skip


def _approval(row: dict[str, Any]) -> Approval:
    return Approval(
        id=row["approval_id"],
        wait_s=None if row["wait_ns"] is None else row["wait_ns"] / 1e9,
        edits=changes(row["edits"]),
        deviations=changes(row["deviations"]),
        signals=tuple(row["signals"]),
        # Until it is answered nobody has decided it, whoever is asked.
        decided_at=None if row["decision"] == "pending" else row["decided_at"],
        **{
            name: row[name]
            for name in (
                "calls", "asked_at", "shown", "shown_digest", "decision", "decided_by", "reviewer",
                "reviewer_identity", "grant_scope", "reason", "approved_arguments", "basis",
            )
        },
    )  # fmt: skip


def _decision(row: dict[str, Any]) -> Decision:
    return Decision(
        at=row["decided_at"],
        **{
            name: row[name]
            for name in (
                "decision", "is_final", "decided_by", "reviewer", "reviewer_identity", "reason", "evidence",
            )
        },
    )  # fmt: skip


def changes(told: str | None) -> tuple[Change, ...] | None:
    """What `edits.difference` tells, each side as JSON; None where it tells nothing."""
    if told is None:
        return None
    return tuple(Change(each["path"], _side(each, "before"), _side(each, "after")) for each in json.loads(told))


def _side(change: dict[str, Any], side: str) -> str | None:
    return json.dumps(change[side], ensure_ascii=False, sort_keys=True) if side in change else None
