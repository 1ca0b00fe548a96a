"""What was approved, what ran and what its receipt says, compared call by call."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.denials import ran_after_denial
from aftertrace.analyzer.effects import CREATES
from aftertrace.analyzer.races import ABOUT, FOUND, NO_RUNS, OBJECT

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
_OF_CALLS: Final = ("ran_refused", "other_arguments", "effect_missing")
_ENDED: Final = ("completed", "failed", "abandoned")
_BY_NOBODY: Final = ", then ran, by whose leave is not told"
_NO_OBJECT: Final = pl.lit(None, pl.String)
_IS_WORD: Final = pl.col("object_type").str.contains(r"^[A-Za-z][A-Za-z0-9_]{0,63}$")
"""Only such a kind can be the name of an argument; a sender's text is no path."""


def of_calls(calls: pl.DataFrame, approvals: pl.DataFrame) -> pl.DataFrame:
    """What signals tell of calls that ran otherwise than decided, or claim an effect; columns as in `races.FOUND`."""
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
    """Calls that ran after the same had been refused; columns as in `races.FOUND`."""
    after = ran_after_denial(calls)
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


def other_objects(effects: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Receipts that name another object than the argument that names it; columns as in `races.FOUND`.

    An argument is taken to name the object if it is called as the object's kind, or its id, and more receipts of the
    tool agree with it than differ: systems have ids of their own that no caller knows.
    """
    asked = calls.select("call_key", asked=pl.coalesce("executed_arguments", "arguments"), of_call="evidence")
    paths = [pl.concat_str(pl.lit("$."), "object_type", pl.lit(end)) for end in ("_id", "")]
    named = pl.coalesce(pl.col("asked").str.json_path_match(path) for path in [*paths, pl.lit("$.id")])
    is_other = pl.col("named") != pl.col("object_id")
    of_tool = ["tenant", "source", "tool_name", "object_type"]
    return (
        effects.filter((pl.col("state") == "applied") & (pl.col("basis") == "explicit") & ~CREATES & _IS_WORD)
        .drop_nulls("object_id")
        .join(asked, on="call_key", how="inner")
        .drop_nulls("asked")
        .with_columns(named=named)
        .drop_nulls("named")
        .with_columns(agree=(~is_other).sum().over(of_tool), differ=is_other.sum().over(of_tool))
        .filter(is_other & (pl.col("agree") > pl.col("differ")))
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


def missing_receipts(effects: pl.DataFrame, calls: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Calls that ran without a receipt, of tools that give one nearly every time; columns as in `races.FOUND`.

    Only of runs that are over and lack no record, since the receipt may be on its way.
    """
    whole = runs.filter(pl.col("state").is_in(_ENDED) & (pl.col("missing") == 0)).select("run_id")
    receipts = effects.filter(pl.col("basis") == "explicit").select("call_key").drop_nulls().unique()
    of = ["tenant", "source", "service_name", "tool_name"]
    ran = (
        calls.filter(pl.col("outcome").is_in(RAN))
        .join(receipts.with_columns(has=pl.lit(value=True)), on="call_key", how="left")
        .with_columns(pl.col("has").fill_null(value=False))
        .with_columns(since=pl.col("first_ns").filter("has").min().over(of))
        .filter(pl.col("first_ns") >= pl.col("since"))
        .with_columns(gave=pl.col("has").sum().over(of), ran=pl.len().over(of))
    )
    gives = (pl.col("gave") >= RECEIPTS_FROM) & (pl.col("gave") >= RECEIPTS_SHARE * pl.col("ran"))
    what = pl.format("{} of {} calls of it since the first have one", "gave", "ran")
    certainty = pl.when(pl.col("gave") >= RECEIPTS_SURE_FROM).then(pl.lit("likely")).otherwise(pl.lit("possible"))
    return (
        ran.filter(gives & ~pl.col("has"))
        .join(whole, on="run_id", how="semi")
        .select(
            *ABOUT, "evidence",
            certainty=certainty, signal=pl.lit("receipt_missing"), what=what, object=_NO_OBJECT,
            basis=pl.lit("inferred"), other_runs=NO_RUNS,
        )
        .select(FOUND.names())
    )  # fmt: skip


def changed_by_reading(effects: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Receipts of calls whose tool is declared to read; columns as in `races.FOUND`."""
    readers = calls.filter((pl.col("risk") == "read") & (pl.col("risk_basis") != "guess")).select("call_key")
    return (
        effects.filter((pl.col("state") == "applied") & (pl.col("basis") == "explicit"))
        .join(readers, on="call_key", how="semi")
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
        effects.filter(pl.col("signals").list.contains("no_call"))
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
