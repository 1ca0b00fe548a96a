"""Timelines: of a run, an agent, a tenant, an object or a reviewer, from every span, event, decision and effect.

The order is by cause where it is known and by clocks elsewhere (`causal_order`), and says which. Repetitions of the
message history are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from aftertrace.analyzer.calls import modes
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.schemas.derived import TIMELINE_SCHEMA
from aftertrace.analyzer.schemas.untimed import timed
from aftertrace.analyzer.timelines.causal_order import Skew, ordered
from aftertrace.analyzer.timelines.causes import caused
from aftertrace.analyzer.timelines.timeline_findings import found_together

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.derived.derivation import Derivation
    from aftertrace.analyzer.identity.identity import Identified

DETAIL_CHARACTERS: Final = 500
_RUNS_AT_ONCE: Final = 128
"""The records of so many runs are read first, where not all entries are wanted."""

_LANES: Final = {
    "tool.called": "tool",
    "effect.applied": "tool",
    "effect.blocked": "control",
    "action.proposed": "model",
    "model.called": "model",
    "tool.considered": "model",
    "approval.requested": "human",
    "approval.granted": "human",
    "approval.rejected": "human",
    "approval.modified": "human",
    "approval.expired": "human",
    "policy.evaluated": "control",
    "validation.passed": "control",
    "validation.failed": "control",
}
_OPERATIONS: Final = {"invoke_agent": "agent", "chat": "model", "guardrail": "control", "approval": "human"}
_LINKS: Final = ("source", "parent_span_id", "call_key", "event", "state", "ordinal")
"""What tells the causes of an entry, beside the columns of a timeline."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose timeline; fields that are None leave nothing out, and all others must hold."""

    run_id: str | None = None
    agent: str | None = None
    """An agent: what its records tell, and in runs that it took part in, those that name no agent."""
    tenant: str | None = None
    target: str | None = None
    """An object, as `select.Filter` has it: the calls and effects that name it."""
    reviewer: str | None = None
    """Somebody who decided or was asked, or gave a standing grant: the calls that it was about."""
    since_ns: int | None = None
    until_ns: int | None = None
    most: int | None = None
    """So many entries, or all."""
    end: Literal["first", "last"] = "first"
    """Which of them, where there are more."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Entries in order, and what is to be known about that order."""

    rows: pl.DataFrame
    """Columns as in `schemas.TIMELINE`."""
    skews: tuple[Skew, ...]
    """Clocks that contradict each other in these entries, the worst first."""
    before: int
    """Entries before these that were left out."""
    later: int
    """Entries after these that were left out."""
    unread: int
    """Runs of which all entries were left out, and are in none of these counts."""


def timeline(analysis: Analysis, wanted: Wanted) -> Timeline:
    """The timeline that is wanted.

    Raises:
        Invalid: the target is too short to look for.
    """
    told, source, unread = _read(analysis, wanted)
    kept = told if wanted.most is None else told.head(wanted.most) if wanted.end == "first" else told.tail(wanted.most)
    left = told.height - kept.height
    rows, skews = _in_order(kept, source.identified.spans)
    before, later = (left, 0) if wanted.end == "last" else (0, left)
    return Timeline(rows, skews, before, later, unread)


def _read(analysis: Analysis, wanted: Wanted) -> tuple[pl.DataFrame, Derivation, int]:
    """The entries that are wanted, in the order of the clocks, from the records of no more runs than it takes; and how
    many runs were not read.
    """
    if wanted.run_id is not None:
        source = analysis.of(wanted.run_id)
        return _entries(analysis, source, wanted, [wanted.run_id]), source, 0
    runs = _runs(analysis, wanted)
    some = runs.height if wanted.most is None else _RUNS_AT_ONCE
    while True:
        read, rest = runs.head(some), runs.slice(some)
        source = analysis.of(*read["run_id"])
        told = _entries(analysis, source, wanted, read["run_id"].to_list())
        if not rest.height or _is_enough(told, rest, wanted):
            return told, source, rest.height
        some *= 4


def _runs(analysis: Analysis, wanted: Wanted) -> pl.DataFrame:
    """The runs that entries may be of: those that count most come first."""
    runs = analysis.runs
    if wanted.agent is not None:
        took_part = analysis.agents.filter(pl.col("agent_name") == wanted.agent)["run_id"]
        runs = runs.filter((pl.col("agent_name") == wanted.agent) | pl.col("run_id").is_in(took_part.implode()))
    if wanted.tenant is not None:
        runs = runs.filter(pl.col("tenant") == wanted.tenant)
    if wanted.reviewer is not None:
        runs = runs.join(_reviewed(analysis, wanted.reviewer), on="run_id", how="semi")
    if wanted.target is not None:
        on = [analysis.select(table, Filter(target=wanted.target))["run_id"] for table in ("effects", "calls")]
        runs = runs.filter(pl.col("run_id").is_in(pl.concat(on).implode()))
    if wanted.since_ns is not None:
        runs = runs.filter((pl.col("last_ns") >= wanted.since_ns).fill_null(value=True))
    if wanted.until_ns is not None:
        runs = runs.filter((pl.col("first_ns") < wanted.until_ns).fill_null(value=True))
    by, latest = ("first_ns", False) if wanted.end == "first" else ("last_ns", True)
    return runs.sort(by, "run_id", descending=[latest, False], nulls_last=False)


def _is_enough(told: pl.DataFrame, rest: pl.DataFrame, wanted: Wanted) -> bool:
    """Whether no entry of the rest can be among those that are shown."""
    if wanted.most is None or told.height < wanted.most:
        return False
    if wanted.end == "first":
        edge, begin = told["at_ns"][wanted.most - 1], rest["first_ns"].min()
        return isinstance(edge, int) and isinstance(begin, int) and edge < begin
    edge, end = told["at_ns"][-wanted.most], rest["last_ns"].max()
    return isinstance(edge, int) and isinstance(end, int) and edge > end


def _reviewed(analysis: Analysis, reviewer: str) -> pl.DataFrame:
    """The calls that somebody decided on, or gave a standing grant for."""
    decided = analysis.decisions.filter(pl.col("reviewer") == reviewer).select("call_key")
    by = (pl.col("reviewer") == reviewer) | (pl.col("granted_by") == reviewer)
    of_calls = analysis.calls.filter(by | pl.col("call_key").is_in(decided["call_key"].implode()))
    return of_calls.select("call_key", "run_id")


def _entries(analysis: Analysis, source: Derivation, wanted: Wanted, run_ids: list[str]) -> pl.DataFrame:
    found = found_together(analysis, wanted.run_id).select(*_COLUMNS, "tenant", *_LINKS)
    told = pl.concat([_events(source, wanted), _spans(source.identified, wanted), _inferred(analysis, wanted), found])
    told = told.filter(pl.col("run_id").is_in(run_ids))
    for about in _about(analysis, wanted):
        told = told.filter(about.fill_null(value=False))
    if wanted.agent is not None:
        told = told.filter((pl.col("agent_name") == wanted.agent).fill_null(value=True))
    return told.filter(_within(wanted)).sort(
        "at_ns", "end_ns", "evidence", "ordinal", "what", nulls_last=True, maintain_order=True
    )


def _within(wanted: Wanted) -> pl.Expr:
    kept = pl.lit(value=True)
    for name, value in (("run_id", wanted.run_id), ("tenant", wanted.tenant)):
        if value is not None:
            kept &= pl.col(name) == value
    if wanted.since_ns is not None:
        kept &= pl.col("at_ns") >= wanted.since_ns
    if wanted.until_ns is not None:
        kept &= pl.col("at_ns") < wanted.until_ns
    return kept.fill_null(value=False)


def _about(analysis: Analysis, wanted: Wanted) -> Iterator[pl.Expr]:
    """Which entries are about the reviewer and the object; nothing where none is wanted."""
    key = pl.col("call_key")
    if wanted.reviewer is not None:
        yield key.is_in(_reviewed(analysis, wanted.reviewer)["call_key"].implode())
    if wanted.target is not None:
        on, asked = (analysis.select(table, Filter(target=wanted.target)) for table in ("effects", "calls"))
        yield key.is_in(asked["call_key"].implode()).fill_null(value=False) | pl.col("evidence").is_in(
            on["evidence"].implode()
        )


_COLUMNS: Final = [
    pl.col(name).cast(kind) for name, kind in TIMELINE_SCHEMA.items() if name not in ("order", "behind_ns", "behind_of")
]


def _events(source: Derivation, wanted: Wanted) -> pl.DataFrame:
    resolved = source.call_events.select("pointer", "ordinal", "call_key", of_tool="tool_name", of_call="call_id")
    told = (
        _of_run(source.identified.events, wanted.run_id)
        .filter((pl.col("state") != "echoed").fill_null(value=True))
        .join(resolved, on=["pointer", "ordinal"], how="left")
    )
    told = _told(told).sort("time_ns", "evidence")
    # Every model call repeats the answers before it: with a call id, the first time counts.
    once = ["run_id", "what", "tool_call_id", "tool_name", "detail", "told"]
    return told.unique(once, keep="first", maintain_order=True).select(*_COLUMNS, "tenant", *_LINKS)


def _told(events: pl.DataFrame) -> pl.DataFrame:
    """Events with the columns of a timeline."""
    waited = pl.col("wait_ns") > 0
    return (
        events.with_columns(
            tool_name=pl.coalesce("tool_name", "of_tool"),
            tool_call_id=pl.coalesce("call_id", "of_call"),
            lane=pl.when(modes.IS_MODE)
            .then(pl.lit("control"))
            .otherwise(pl.col("event").replace_strict(_LANES, default="agent")),
            what=pl.concat_str("event", "state", separator=" ", ignore_nulls=True),
            detail=pl.coalesce(modes.change(), "reason", "content", _object(), "arguments"),
            evidence="pointer",
            at_ns=pl.when(waited).then(pl.coalesce("end_ns", "time_ns")).otherwise("time_ns"),
            # A decision tells how long it took: the wait is drawn from the ask to the answer.
            begin=pl.when(waited).then(pl.coalesce("end_ns", "time_ns") - pl.col("wait_ns")),
        )
        .with_columns(
            end_ns=pl.when(pl.col("begin").is_not_null()).then(pl.coalesce("end_ns", "time_ns")).otherwise("end_ns"),
            time_ns=pl.coalesce("begin", "time_ns"),
        )
        .with_columns(told=pl.when(pl.col("tool_call_id").is_null()).then("time_ns"))
    )


def _object() -> pl.Expr:
    """What an effect was on."""
    parts = ("operation", "system", "object_type", "object_id")
    named = (pl.col("attributes").str.json_path_match(f"$.effect_{part}") for part in parts)
    told = pl.concat_str(named, separator=" ", ignore_nulls=True)
    return pl.when(pl.col("event").str.starts_with("effect.")).then(told.replace("", None))


def _spans(identified: Identified, wanted: Wanted) -> pl.DataFrame:
    spans = identified.spans
    if wanted.run_id is not None:
        spans = spans.filter(pl.col("run_id") == wanted.run_id)
    none = pl.lit(None, pl.String)
    return (
        spans.filter(pl.col("operation").is_in(list(_OPERATIONS)))
        .with_columns(
            at_ns="start_ns",
            time_ns="start_ns",
            lane=pl.col("operation").replace_strict(_OPERATIONS, default="agent"),
            what=pl.concat_str(pl.lit("span "), "operation"),
            basis=none,
            detail="name",
            decided_by=none,
            tool_call_id="call_id",
            evidence="pointer",
            call_key=none,
            event=none,
            state=none,
            ordinal=pl.lit(-1, pl.Int32),
        )
        .select(*_COLUMNS, "tenant", *_LINKS)
    )


def _inferred(analysis: Analysis, wanted: Wanted) -> pl.DataFrame:
    """Effects that results tell: no event does."""
    effects = analysis.effects.filter(pl.col("basis") == "inferred")
    if wanted.run_id is not None:
        effects = effects.filter(pl.col("run_id") == wanted.run_id)
    none = pl.lit(None, pl.String)
    services = analysis.calls.select("call_key", "service_name")
    return (
        effects.join(services, on="call_key", how="left")
        .with_columns(
            at_ns="first_ns",
            time_ns="first_ns",
            end_ns=pl.lit(None, pl.Int64),
            lane=pl.lit("tool"),
            what=pl.lit("effect.applied"),
            detail=pl.concat_str("operation", "system", "object_type", "object_id", separator=" ", ignore_nulls=True),
            decided_by=none,
            trace_id=none,
            span_id=none,
            parent_span_id=none,
            event=pl.lit("effect.applied"),
            ordinal=pl.lit(0, pl.Int32),
        )
        .select(*_COLUMNS, "tenant", *_LINKS)
    )


def _of_run(events: pl.DataFrame, run_id: str | None) -> pl.DataFrame:
    """The events of a run, and the modes that its conversation entered meanwhile, whichever record told of them."""
    if run_id is None:
        return modes.without_repeats(events)
    mine = events.filter(pl.col("run_id") == run_id)
    meanwhile = pl.col("time_ns").is_between(mine["time_ns"].min(), mine["time_ns"].max())
    also = modes.IS_MODE & pl.col("thread").is_in(mine["thread"].unique().implode()) & meanwhile
    # What a mode is in force for is the run that asks.
    found = modes.without_repeats(events.filter((pl.col("run_id") == run_id) | also))
    return found.with_columns(run_id=pl.lit(run_id))


def _in_order(rows: pl.DataFrame, spans: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Skew, ...]]:
    """The rows in order, with why, and the clocks that contradict each other."""
    placed, skews = ordered(caused(rows.with_columns(timed("at_ns"), timed("end_ns")), spans))
    evidence = rows["evidence"]
    at = pl.Series([each.entry for each in placed], dtype=pl.UInt32)
    return (
        rows[at]
        .with_columns(
            pl.Series("order", [each.order for each in placed], pl.String),
            pl.Series("behind_ns", [each.behind_ns for each in placed], pl.Int64),
            pl.Series(
                "behind_of", [None if each.after is None else evidence[each.after] for each in placed], pl.String
            ),
            pl.col("detail").str.slice(0, DETAIL_CHARACTERS),
        )
        .select(pl.col(name).cast(kind) for name, kind in TIMELINE_SCHEMA.items()),
        tuple(skews),
    )
