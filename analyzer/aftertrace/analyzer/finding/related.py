"""Which other runs a run shares something with: the blast radius of what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.configurations.settled import PARTS
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.schemas.derived import NEAR_MISS_OUTCOMES, RAN_OUTCOMES
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

RELATED: Final = {
    "first_ns": (pl.Int64, "when the other run began"),
    "run_id": (pl.String, "the other run"),
    "how": (
        pl.String,
        "`target`: receipts of one object; `call`: one tool and arguments above risk `read`; `input`; `configuration`",
    ),
    "what": (pl.String, "what is the same"),
    "basis": (
        pl.String,
        (
            "`explicit`; `inferred`: a result tells of the object and no receipt, or of a configuration model, prompt "
            "or tools are not told"
        ),
    ),
    "agent_name": (pl.String, "its agent"),
    "state": (pl.String, "its state"),
    "calls": (pl.Int64, "its calls"),
    "near_misses": (pl.Int64, "near misses among them"),
}
"""Columns of what is related."""
SCHEMA: Final = pl.Schema({name: kind for name, (kind, _) in RELATED.items()})
_HOW: Final = ("target", "call", "input", "configuration")
_SURE: Final = ("model", "prompt", "tools")
"""Parts of a configuration without which two runs are the same only as far as can be told."""


def related(analysis: Analysis, run_id: str, filter: Filter | None = None) -> pl.DataFrame:  # noqa: A002
    """One row per other run and thing that it shares with a run: what was changed first, then the latest; as `RELATED`.

    Raises:
        Invalid: there is no such run.
    """
    runs = analysis.runs
    if not runs.filter(pl.col("run_id") == run_id).height:
        raise Invalid(f"run {run_id!r}: not found; `aftertrace runs` lists them")
    shared = pl.concat(
        [
            _shared("target", _targets(analysis), run_id),
            _shared("call", _calls(analysis), run_id),
            _shared("input", _inputs(runs), run_id),
            _configured(analysis.versioned, run_id),
        ]
    )
    others = analysis.select("runs", filter or Filter()).filter(pl.col("run_id") != run_id)
    return (
        shared.join(others, on="run_id", how="inner")
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort(
            pl.col("how").cast(pl.Enum(_HOW)), "first_ns", "run_id", "what",
            descending=[False, True, False, False], nulls_last=True,
        )
    )  # fmt: skip


def _shared(how: str, things: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """The runs (`run_id`, `what`) that have a thing which this one has."""
    if "basis" not in things.columns:
        things = things.with_columns(basis=pl.lit("explicit"))
    # `explicit` comes before `inferred`: the surer of several ways, and the less sure of both runs.
    own = things.filter(pl.col("run_id") == run_id).group_by("owner", "what").agg(own=pl.col("basis").min())
    return (
        things.join(own, on=["owner", "what"], how="inner", nulls_equal=True)
        .sort("basis", maintain_order=True)
        .unique(["run_id", "what"], keep="first", maintain_order=True)
        .select("run_id", "what", how=pl.lit(how), basis=pl.max_horizontal("basis", "own"))
    )


def _targets(analysis: Analysis) -> pl.DataFrame:
    """The objects that effects name: by id within their system, else by address."""
    by_id = pl.when(pl.col("object_id").is_not_null()).then(
        pl.concat_str("system", "object_type", "object_id", separator=" ", ignore_nulls=True)
    )
    return analysis.effects.select("run_id", "basis", owner="tenant", what=pl.coalesce(by_id, "object_url")).drop_nulls(
        "what"
    )


def _calls(analysis: Analysis) -> pl.DataFrame:
    meant = pl.col("outcome").is_in((*RAN_OUTCOMES, *NEAR_MISS_OUTCOMES, "pending", "unresolved"))
    above_read = (pl.col("risk") != "read") & (pl.col("arguments") != "{}") & meant
    what = pl.concat_str("tool_name", "arguments", separator=" ")
    return analysis.calls.filter(above_read).select("run_id", owner="tenant", what=what).drop_nulls("what")


def _inputs(runs: pl.DataFrame) -> pl.DataFrame:
    return (
        runs.select("run_id", owner="tenant", what="input_digests")
        .explode("what", empty_as_null=True, keep_nulls=True)
        .drop_nulls("what")
    )


def _configured(versioned: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """Runs with an agent of the same version as one of this run, where anything is told that makes a version."""
    told = versioned.filter(pl.any_horizontal(pl.col(*PARTS).is_not_null()))
    sure = ~pl.col("is_partial") & pl.all_horizontal(pl.col(*_SURE).is_not_null())
    own = told.filter(pl.col("run_id") == run_id).select("configuration_id", is_own_sure=sure)
    return (
        told.with_columns(is_sure=sure)
        .join(own, on="configuration_id", how="inner")
        .select(
            "run_id",
            what=pl.concat_str(pl.col("agent_name").fill_null("agent not told"), pl.lit(" version "), "version"),
            how=pl.lit("configuration"),
            basis=pl.when(pl.col("is_sure") & pl.col("is_own_sure"))
            .then(pl.lit("explicit"))
            .otherwise(pl.lit("inferred")),
        )
    )
