"""Tables of the pages Now, Near misses, Approvals and Changes: their columns, and what each is sorted by."""

from __future__ import annotations

import hashlib
import json
from typing import Final

import polars as pl

from aftertrace.analyzer.records.version_words import PARTS
from aftertrace.analyzer.reports.near_miss_figures import KIND
from aftertrace.dashboards.marks import DECISIONS, SEVERITIES
from aftertrace.dashboards.plain import DIGEST
from aftertrace.dashboards.tables import Layout, chip, first_at, risk, run_link, seconds

_WORDS: Final = {level: mark.word for level, mark in enumerate(SEVERITIES)}
SEVERITY: Final = pl.concat_list(pl.col("severity").replace_strict(_WORDS, return_dtype=pl.String)).alias("severity")
"""The severity of a near miss as a chip."""
_BECAME: Final = pl.concat_str(
    pl.col("outcome").str.replace_all("_", " "), pl.lit(" by "), pl.col("decided_by").fill_null("somebody not told")
).alias("became")
_TIMES: Final = pl.concat_str(
    pl.when("floor").then(pl.lit("≥ ")).otherwise(pl.lit("")), pl.col("near_misses").cast(pl.String)
).alias("times")

_LAST: Final = pl.from_epoch(pl.col("last_ns"), time_unit="ns").dt.replace_time_zone("UTC").alias("last_seen")


def _ends(low: str, high: str) -> pl.Expr:
    """Both ends of an interval, in per cent."""
    ends = ((pl.col(name) * 100).round(1).cast(pl.String) for name in (low, high))
    return pl.concat_str(*ends, separator="–").alias("ends")


def with_kind_id(kinds: pl.DataFrame) -> pl.DataFrame:
    """Kinds of near misses, each with a `kind_id` that stays the same in any version of the store."""
    names = kinds.select(KIND).rows()
    ids = [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:8] for row in names]
    return kinds.with_columns(kind_id=pl.Series(ids, dtype=pl.String))


def kinds(*, is_compared: bool, leads_to_runs: bool = True) -> Layout:
    """Kinds of near misses in the order of the report: the worst first.

    Args:
        is_compared: whether there is a period before, so that it can be told which kinds are new.
        leads_to_runs: whether each leads to its latest run; not where what stands beside the table does.
    """
    is_new = [pl.when(pl.col("is_new")).then(pl.lit("new")).alias("is_new")] if is_compared else []
    latest = [run_link(pl.col("run_ids").list.first())] if leads_to_runs else []
    told: tuple[str | pl.Expr, ...] = (
        *(SEVERITY, _TIMES, "tool_name", "agent_name", _BECAME, "held_by", risk(), "runs"),
        *is_new,
        *(_LAST, *latest),
    )
    return Layout(columns=told, order=(), descending=())


RANKED: Final = Layout(
    columns=(
        SEVERITY,
        chip("outcome"),
        "tool_name",
        "agent_name",
        "decided_by",
        first_at(),
        risk(),
        "held_by",
        "arguments",
        "reason",
        "reviewer",
        seconds("wait_ns", "wait_s"),
        "basis",
        "model",
        run_link(),
    ),
    order=(),
    descending=(),
)
"""Near misses one by one in the order of the report: the worst first."""

TARGETS: Final = Layout(
    columns=(
        SEVERITY,
        "tool_name",
        "argument",
        "target",
        "near_misses",
        "requests",
        "ran",
        run_link(pl.col("run_ids").list.first()),
    ),
    order=(),
    descending=(),
)
"""What consequential near misses were aimed at, in the order of the report."""

AUTONOMY: Final = Layout(
    columns=(
        "agent_name",
        "tool_name",
        "risk",
        "answers",
        (pl.col("as_proposed_share") * 100).alias("as_proposed_share"),
        _ends("as_proposed_low", "as_proposed_high"),
        *((pl.col(f"{name}_share") * 100).alias(f"{name}_share") for name in ("edited", "refused")),
        "ran_unasked",
        "refused_unasked",
        "earned",
    ),
    order=(),
    descending=(),
)
"""How answers fell, and what agents have earned by it, in the order of the report."""

DIFFERENCES: Final = Layout(
    columns=(
        "value",
        (pl.col("chosen_share") * 100).alias("chosen_share"),
        (pl.col("other_share") * 100).alias("other_share"),
        "counted",
        "lift",
        "q",
        "also",
        run_link(),
    ),
    order=(),
    descending=(),
)
"""What is different about some calls, by rank."""

_SIDE: Final = pl.when("is_chosen").then(pl.lit("these")).otherwise(pl.lit("the others")).alias("side")
BEHIND: Final = {
    "calls": Layout(
        columns=(_SIDE, run_link(), chip("outcome"), "tool_name", "agent_name", first_at(), "arguments", "reason"),
        order=(),
        descending=(),
    ),
    "runs": Layout(
        columns=(_SIDE, run_link(), "agent_name", "model", "state", first_at(), "calls", "near_misses", "prompt"),
        order=(),
        descending=(),
    ),
}
"""The calls or runs behind a difference, those of the chosen side first."""

TO_COMPARE: Final = Layout(
    columns=(run_link(), "agent_name", "state", first_at(), "calls", "near_misses", "model", "prompt"),
    order=("first_ns", "run_id"),
    descending=(True, False),
)
"""Runs to choose two from, the newest first."""

WIDTHS: Final = Layout(
    columns=("width", "about", "this", pl.col("odd").alias("hits_odd"), "fine", "unknown", "chosen"),
    order=(),
    descending=(),
)
"""The widths of a drafted rule that were tried, the widest first."""

EFFECTS: Final = Layout(
    columns=(
        run_link(),
        pl.col("signals").list.join(", ").str.replace_all("_", " ").alias("failed"),
        "operation",
        "system",
        "object_type",
        "object_id",
        "tool_name",
        first_at(),
    ),
    order=("first_ns", "evidence"),
    descending=(True, False),
)
"""Effects that no call explains, or that were made twice, the newest first."""

NEWCOMERS: Final = Layout(
    columns=("agent_name", "service_name", "environment", first_at(), "runs", "calls", "near_misses", run_link()),
    order=("first_ns", "agent_name"),
    descending=(True, False),
)
"""Agents that were never seen before, the newest first."""


def _short(column: str) -> pl.Expr:
    """A value in which a digest is told by how it begins."""
    return pl.col(column).str.replace_all(DIGEST.pattern, "$1…").replace("", None)


CHANGES: Final = Layout(
    columns=(
        pl.from_epoch(pl.col("first_ns"), time_unit="ns").dt.replace_time_zone("UTC").alias("changed"),
        "agent_name",
        pl.col("part").replace_strict(PARTS, default=pl.col("part")).alias("part"),
        pl.col("moved").list.join(", ").str.replace_all("_", " ").replace("", None).alias("moved"),
        "state",
        "runs",
        _short("before"),
        _short("after"),
    ),
    order=("first_ns", "agent_name", "change_id"),
    descending=(True, False, False),
)
"""What was changed in agents, the latest first."""

MEASURES: Final = Layout(
    columns=("measure", "verdict", "was", "is", "by", "q_told", "looked_at"),
    order=(),
    descending=(),
)
"""What moved after one change (`change_cards.measures`)."""

CONFIGURATIONS: Final = Layout(
    columns=(
        "agent_name",
        "version",
        "runs",
        first_at(),
        pl.col("last_at").alias("last_seen"),
        "model",
        "model_served",
        pl.col("tool_names").list.join(", ").alias("tools_listed"),
        pl.col("template_digest").str.slice(0, 19).alias("prompt_digest"),
        "agent_version",
        run_link("first_run_id"),
    ),
    order=("agent_name", "version", "configuration_id"),
    descending=(False, True, False),
)
"""Configurations of agents, the latest version of each first."""

READS: Final = Layout(
    columns=(
        pl.from_epoch("at_ns", time_unit="ns").dt.replace_time_zone("UTC").alias("read"),
        "account",
        pl.col("by").alias("signed_in"),
        "how",
        pl.col("what").alias("of"),
        "entry",
    ),
    order=("at_ns",),
    descending=(True,),
)
"""Who read what, the latest first."""

LOSSES: Final = Layout(
    columns=(
        "day",
        pl.col("kind").str.replace_all("_", " ").alias("kind"),
        pl.col("certainty").str.replace_all("_", " ").alias("worth"),
        pl.col("count").alias("lost"),
        "unit",
        "source",
        "detail",
    ),
    order=("day", "kind", "source"),
    descending=(True, False, False),
)
"""What was lost on the way, the latest day first."""

COURSE: Final = Layout(columns=("at", "after_s", "what"), order=(), descending=())
"""What became of one approval, in its order."""

_DECISION: Final = pl.col("decision").replace("pending", DECISIONS["pending"].word)
QUEUE: Final = Layout(
    columns=(
        pl.concat_list(_DECISION).alias("decision"),
        "tool_name",
        "agent_name",
        "so_far",
        "decided_by",
        "reviewer",
        pl.col("signals").list.join(", ").str.replace_all("_", " ").replace("", None).alias("odd"),
        "asked_at",
        chip("outcome"),
        run_link(),
    ),
    order=(
        pl.col("decision") == "pending",
        pl.when(pl.col("decision") == "pending").then(-pl.col("first_ns")).otherwise("first_ns"),
        "call_key",
    ),
    descending=(True, True, False),
)
"""Requests to people and programs: those that wait first, the longest before the others; then the newest."""

REVIEWERS: Final = Layout(
    columns=(
        pl.coalesce("reviewer", pl.lit("not named")).alias("reviewer"),
        pl.col("reviewer_identity").alias("identity"),
        "decided_by",
        "requests",
        "answers",
        (pl.col("approval_rate") * 100).alias("approved"),
        pl.concat_str(
            *((pl.col(name) * 100).round(1).cast(pl.String) for name in ("low", "high")), separator="–"
        ).alias("ends"),
        (pl.col("modified") + pl.col("rejected")).alias("overrides"),
        "expired",
        seconds("wait_p50_ns", "median_wait_s"),
        seconds("wait_p90_ns", "p90_wait_s"),
        "busiest_hour",
        "signals",
    ),
    order=("requests", "reviewer", "decided_by"),
    descending=(True, False, False),
)
"""How reviewers answer, those with most requests first."""

WAITING: Final = Layout(
    columns=("tool_name", "agent_name", seconds("so_far_ns", "waits_s"), "asked_at", "arguments", run_link()),
    order=("so_far_ns", "call_key"),
    descending=(True, False),
)
"""Approvals that wait, the longest first."""


def _joined(column: str, alias: str) -> pl.Expr:
    """Names of a list, with commas between."""
    return pl.col(column).list.join(", ").replace("", None).alias(alias)


def agents(*, is_declared: bool) -> Layout:
    """Agents that were seen or declared, those first that are furthest off.

    Args:
        is_declared: whether there is an inventory that they are held against.
    """
    held: tuple[str | pl.Expr, ...] = (
        (chip("state").alias("declared"), "owner", "broken", "unknown") if is_declared else ()
    )
    return Layout(
        columns=(*held[:1], "agent_name", "service_name", "environment", *held[1:], *_DID),
        order=("broken", "unknown", "near_misses", "runs", "agent_name", "service_name", "agent_id"),
        descending=(True, True, True, True, False, False, False),
    )


_DID: Final = ("runs", "calls", "near_misses", "last_at", _joined("models", "models"), _joined("tools", "tools_used"))

USED_TOOLS: Final = Layout(
    columns=(
        "tool_name",
        risk(),
        "calls",
        "ran",
        "near_misses",
        (pl.col("rate") * 100).alias("rate"),
        _ends("low", "high"),
        _joined("agents", "agents"),
        _LAST,
        run_link("last_run_id"),
    ),
    order=(),
    descending=(),
)
"""Tools with their risk, those with most near misses first."""

SYSTEMS: Final = Layout(
    columns=(
        "system",
        "operation",
        "applied",
        "blocked",
        "objects",
        "inferred",
        _joined("agents", "agents"),
        _joined("tools", "by_tools"),
        _LAST,
        run_link("last_run_id"),
    ),
    order=(),
    descending=(),
)
"""Systems of record and what was done in them, those with most changes first."""

OFF_INVENTORY: Final = Layout(
    columns=(chip("verdict").alias("holds"), "agent_name", "owner", "found", "expected", "runs", _LAST, run_link()),
    order=(),
    descending=(),
)
"""What is off the declared inventory, in the order of `aftertrace inventory check`."""

_IN_UTC: Final = r"^Datetime\(time_unit='(\w+)', time_zone='UTC'\)$"
COLUMNS: Final = Layout(
    columns=(
        "column",
        pl.col("type").str.replace(_IN_UTC, "Datetime in UTC ($1)"),
        # A cell is text: marks of Markdown would be seen.
        pl.col("meaning").str.replace_all("`", "", literal=True),
    ),
    order=(),
    descending=(),
)
"""The columns of a table that SQL reads."""
