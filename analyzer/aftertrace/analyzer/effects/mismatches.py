"""What was approved, what ran and what its receipt says, compared call by call."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls import denials
from aftertrace.analyzer.effects.races import ABOUT, FOUND, NO_RUNS, OBJECT
from aftertrace.analyzer.effects.table import CREATES

RECEIPTS_FROM: Final = 5
"""A tool is known to give receipts from so many calls with one."""
RECEIPTS_SHARE: Final = 0.9
"""And while at least this share of its calls since the first have one."""
RECEIPTS_SURE_FROM: Final = 20
"""From so many on a missing one is more than possible."""
RAN: Final = ("executed", "modified")
"""Outcomes of calls that a receipt is expected of."""
OF_RECEIPTS: Final = (*ABOUT, "service_name", "outcome", "evidence")
"""Columns of `calls` by which receipts are looked for."""
_TOOL: Final = ["tenant", "source", "service_name", "tool_name"]
_OF_CALLS: Final = ("ran_refused", "other_arguments", "effect_missing")
SIGNALLED: Final = (
    *ABOUT, "basis", "evidence", "signals", "arguments", "executed_arguments", "decided_by", "reason",
)  # fmt: skip
"""Columns of `calls` by which their signals are told as findings."""
IS_SIGNALLED: Final = pl.any_horizontal(pl.col("signals").list.contains(name) for name in _OF_CALLS)
"""Whether a call has one that is."""
AFTER_DENIAL: Final = tuple(dict.fromkeys((*ABOUT, *denials.COLUMNS, "evidence", "reason")))
"""Columns of `calls` by which one is told to have run after the same was refused."""
IS_RECEIPT: Final = pl.col("basis") == "explicit"
"""Whether an effect is told by a receipt."""
NAMES_AN_OBJECT: Final = (
    (pl.col("state") == "applied") & IS_RECEIPT & ~CREATES & pl.col("object_id").is_not_null()
    & pl.col("object_type").str.contains(r"^[A-Za-z][A-Za-z0-9_]{0,63}$")
)  # fmt: skip
"""Whether a receipt names an object that an argument may name too: a sender's text is no path, so only such a kind can
be the name of one."""
OF_ARGUMENTS: Final = ("call_key", "executed_arguments", "arguments", "evidence")
"""Columns of `calls` that tell what was asked for."""
HAS_NO_CALL: Final = pl.col("signals").list.contains("no_call")
"""Whether no call on record made a change."""
IS_READER: Final = (pl.col("risk") == "read") & (pl.col("risk_basis") != "guess")
"""Whether the tool of a call is declared to read."""
_ENDED: Final = ("completed", "failed", "abandoned")
_BY_NOBODY: Final = ", then ran, by whose leave is not told"
_NO_OBJECT: Final = pl.lit(None, pl.String)


def of_calls(calls: pl.DataFrame, approvals: pl.DataFrame) -> pl.DataFrame:
    """What signals tell of calls that ran otherwise than decided, or claim an effect; columns as in `races.FOUND`.

    Args:
        calls: columns as in `SIGNALLED`.
        approvals: `call_key` and `deviations`.
    """
    differ = approvals.select("call_key", "deviations").unique("call_key", keep="first", maintain_order=True)
    signal = pl.col("signals")
    what = (
        pl.when((signal == "other_arguments") & pl.col("deviations").is_not_null())
        .then(pl.concat_str(pl.lit("ran otherwise than approved: "), "deviations"))
        .when(signal == "other_arguments")
        .then(pl.concat_str(pl.lit("approved "), "arguments", pl.lit(", ran "), "executed_arguments"))
        .when(signal == "ran_refused")
        .then(pl.concat_str(pl.lit("refused by "), pl.col("decided_by").fill_null("somebody not told")))
        .otherwise("reason")
    )
    return (
        calls.explode("signals", empty_as_null=True, keep_nulls=True)
        .filter(signal.is_in(_OF_CALLS))
        .join(differ, on="call_key", how="left")
        .select(
            *ABOUT, "basis", "evidence", signal="signals", what=what, certainty=_by_basis(), object=_NO_OBJECT,
            other_runs=NO_RUNS,
        )
        .select(FOUND.names())
    )  # fmt: skip


def after_denial(calls: pl.DataFrame) -> pl.DataFrame:
    """Calls that ran after the same had been refused; columns as in `races.FOUND`.

    Args:
        calls: columns as in `AFTER_DENIAL`.
    """
    after = denials.ran_after_denial(calls)
    if not after.height:
        return FOUND.to_frame()
    refused = calls.select(refused_key="call_key", refused_evidence="evidence", refused_basis="basis", why="reason")
    both = (pl.col("basis") == "explicit") & (pl.col("refused_basis") == "explicit")
    what = pl.concat_str(
        pl.lit("refused before by "), "refused_by", pl.concat_str(pl.lit(" ("), "why", pl.lit(")")),
        pl.coalesce(pl.concat_str(pl.lit(", then let through by "), "allowed_by"), pl.lit(_BY_NOBODY)),
        ignore_nulls=True,
    )  # fmt: skip
    return (
        calls.join(after, on="call_key", how="inner")
        .join(refused, on="refused_key", how="left")
        .select(
            *ABOUT,
            "certainty",
            signal=pl.lit("ran_after_denial"),
            what=what,
            object=_NO_OBJECT,
            basis=pl.when(both).then(pl.lit("explicit")).otherwise(pl.lit("inferred")),
            other_runs=NO_RUNS,
            evidence=pl.concat_list("refused_evidence", "evidence").list.unique(maintain_order=True),
        )
        .select(FOUND.names())
    )


def other_objects(effects: pl.LazyFrame, calls: pl.LazyFrame) -> pl.LazyFrame:
    """Receipts that name another object than the argument that names it; columns as in `races.FOUND`.

    An argument is taken to name the object if it is called as the object's kind, or its id, and more receipts of the
    tool agree with it than differ: systems have ids of their own that no caller knows.

    Args:
        effects: columns as in `races.OF_EFFECTS`.
        calls: columns as in `OF_ARGUMENTS`.
    """
    asked = calls.select("call_key", asked=pl.coalesce("executed_arguments", "arguments"), of_call="evidence")
    paths = [pl.concat_str(pl.lit("$."), "object_type", pl.lit(end)) for end in ("_id", "")]
    named = pl.coalesce(pl.col("asked").str.json_path_match(path) for path in [*paths, pl.lit("$.id")])
    is_other = pl.col("named") != pl.col("object_id")
    of_tool = ["tenant", "source", "tool_name", "object_type"]
    both = (
        effects.filter(NAMES_AN_OBJECT)
        .join(asked, on="call_key", how="inner")
        .with_columns(named=named)
        .drop_nulls("named")
    )
    counted = both.group_by(of_tool).agg(agree=(~is_other).sum(), differ=is_other.sum())
    return (
        both.filter(is_other)
        .join(counted.filter(pl.col("agree") > pl.col("differ")), on=of_tool, how="semi", nulls_equal=True)
        .select(
            *ABOUT, "basis",
            signal=pl.lit("other_object"),
            what=pl.concat_str(pl.lit("asked for "), "named", pl.lit(", changed "), "object_id"),
            object=OBJECT,
            certainty=pl.lit("likely"),
            other_runs=NO_RUNS,
            evidence=pl.concat_list(pl.concat_list("evidence"), "of_call").list.unique(maintain_order=True),
        )
        .select(FOUND.names())
    )  # fmt: skip


def giving(effects: pl.LazyFrame, calls: pl.LazyFrame) -> pl.LazyFrame:
    """Tools that are known to give receipts: `tenant`, `source`, `service_name` and `tool_name`, `since` when, and how
    many calls `gave` one.

    Args:
        effects: `call_key` and `basis`.
        calls: columns as in `OF_RECEIPTS`.
    """
    gave = calls.filter(pl.col("outcome").is_in(RAN)).join(_receipts(effects), on="call_key", how="semi")
    known = gave.drop_nulls("first_ns").group_by(_TOOL).agg(since=pl.col("first_ns").min(), gave=pl.len())
    return known.filter(pl.col("gave") >= RECEIPTS_FROM)


def missing_receipts(
    known: pl.DataFrame, effects: pl.LazyFrame, calls: pl.LazyFrame, runs: pl.LazyFrame
) -> pl.LazyFrame:
    """Calls that ran without a receipt, of tools that give one nearly every time; columns as in `races.FOUND`.

    Only of runs that are over and lack no record, since the receipt may be on its way.

    Args:
        known: as of `giving`.
        effects: `call_key` and `basis`.
        calls: columns as in `OF_RECEIPTS`.
        runs: `run_id`, `state` and `missing`.
    """
    whole = runs.filter(pl.col("state").is_in(_ENDED) & (pl.col("missing") == 0)).select("run_id")
    ran = (
        calls.filter(pl.col("outcome").is_in(RAN))
        .join(known.lazy(), on=_TOOL, how="inner", nulls_equal=True)
        .filter(pl.col("first_ns") >= pl.col("since"))
    )
    counted = ran.group_by(_TOOL).agg(ran=pl.len())
    what = pl.format("{} of {} calls of it since the first have one", "gave", "ran")
    certainty = pl.when(pl.col("gave") >= RECEIPTS_SURE_FROM).then(pl.lit("likely")).otherwise(pl.lit("possible"))
    return (
        ran.join(_receipts(effects), on="call_key", how="anti")
        .join(counted, on=_TOOL, how="inner", nulls_equal=True)
        .filter(pl.col("gave") >= RECEIPTS_SHARE * pl.col("ran"))
        .join(whole, on="run_id", how="semi")
        .select(
            *ABOUT, "evidence",
            certainty=certainty, signal=pl.lit("receipt_missing"), what=what, object=_NO_OBJECT,
            basis=pl.lit("inferred"), other_runs=NO_RUNS,
        )
        .select(FOUND.names())
    )  # fmt: skip


def _receipts(effects: pl.LazyFrame) -> pl.LazyFrame:
    return effects.filter(IS_RECEIPT).select("call_key").drop_nulls()


def changed_by_reading(effects: pl.LazyFrame, calls: pl.LazyFrame) -> pl.LazyFrame:
    """Receipts of calls whose tool is declared to read; columns as in `races.FOUND`.

    Args:
        effects: columns as in `races.OF_EFFECTS`.
        calls: `call_key`, `risk` and `risk_basis`.
    """
    applied = effects.filter((pl.col("state") == "applied") & IS_RECEIPT)
    # Of the calls that read those alone are held that have a receipt.
    readers = calls.filter(IS_READER).join(applied.select("call_key"), on="call_key", how="semi").select("call_key")
    return (
        applied.join(readers, on="call_key", how="semi")
        .select(
            *ABOUT, "basis",
            signal=pl.lit("changed_by_reading"),
            what=pl.concat_str(pl.lit("declared to read, and did "), pl.col("operation").fill_null("a change")),
            object=OBJECT, certainty=pl.lit("certain"), other_runs=NO_RUNS, evidence=pl.concat_list("evidence"),
        )
        .select(FOUND.names())
    )  # fmt: skip


def without_call(effects: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Changes that no call on record made; columns as in `races.FOUND`. Its records may be lost, or still come."""
    whole = runs.select("run_id", is_whole=pl.col("state").is_in(_ENDED) & (pl.col("missing") == 0))
    return (
        effects.filter(HAS_NO_CALL)
        .join(whole, on="run_id", how="left")
        .select(
            *ABOUT, "basis",
            signal=pl.lit("no_call"),
            what=pl.when("is_whole").then(pl.lit("the run is over, and no record of it is known to be missing"))
            .otherwise(pl.lit("records of the run are missing, or may still come")),
            object=OBJECT,
            certainty=pl.when("is_whole").then(pl.lit("certain")).otherwise(pl.lit("likely")),
            other_runs=NO_RUNS,
            evidence=pl.concat_list("evidence"),
        )
        .select(FOUND.names())
    )  # fmt: skip


def _by_basis() -> pl.Expr:
    return pl.when(pl.col("basis") == "explicit").then(pl.lit("certain")).otherwise(pl.lit("likely"))
