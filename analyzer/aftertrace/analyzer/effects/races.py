"""Effects that repeat or cross others: the same change made twice, and runs at once that wrote one object.

Effects are compared with the one before them on the same object, or by the same key or arguments, so that the work is
in proportion to how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import polars as pl

from aftertrace.analyzer.effects.table import ASKED, CREATES
from aftertrace.analyzer.schemas.derived import DERIVED

FOUND: Final = pl.Schema(
    {name: kind for name, kind in DERIVED["effect_findings"].schema.items() if name != "is_failure"}
)
"""What each way of looking tells; `is_failure` is by the kind."""
AGAIN_WITHIN_NS: Final = 600 * 10**9
"""Two runs that ask for the same so soon after each other, by no key, may have meant it once."""
ABOUT: Final = (
    "run_id", "call_key", "tool_call_id", "tool_name", "agent_name", "conversation_id", "source", "tenant",
    "environment", "first_ns",
)  # fmt: skip
OBJECT: Final = pl.concat_str(
    "system", "object_type", pl.coalesce("object_id", "object_url"), separator=" ", ignore_nulls=True
)
"""The object as a text."""
NO_RUNS: Final = pl.lit([], dtype=pl.List(pl.String))
_NOT_ONE_OBJECT: Final = ("rows_changed", "http_status", "object_returned")
"""Rules whose object, a table or an address, holds many, or is of a system that is not told."""
_OF_LAST: Final = ("run_id", "first_ns", "evidence", "basis")
OF_EFFECTS: Final = (
    *ABOUT, "state", "basis", "rule", "system", "operation", "object_type", "object_id", "object_url", "before_digest",
    "after_digest", "idempotency_key", "receipt_id", "arguments_digest", "signals", "evidence",
)  # fmt: skip
"""Columns of `effects` by which they are compared."""
OF_RUNS: Final = (
    "run_id", "first_ns", "state", "missing", "parent_run_key", "trigger_id", "input_digests", "prompt",
)  # fmt: skip
"""Columns of `runs` by which their effects are."""
_APPLIED: Final = pl.col("state") == "applied"
IS_TWICE: Final = pl.col("signals").list.contains("applied_twice") & _APPLIED
"""Whether its run made a change more than once."""
_Frame = TypeVar("_Frame", pl.DataFrame, pl.LazyFrame)


@dataclass(frozen=True, slots=True)
class Alike:
    """By what effects of two runs are alike."""

    which: pl.Expr
    """Of which effects."""
    of: tuple[str, ...]
    """In which columns they agree, the last of them known: `object` is either name of it, `asked` the arguments."""

    def candidates(self, effects: pl.LazyFrame) -> pl.LazyFrame:
        """Effects that are like one of another run, columns as in `OF_EFFECTS`: no others repeat one, or cross it."""
        chosen = self.chosen(effects)
        runs = chosen.group_by(self.of).agg(first=pl.col("run_id").min(), last=pl.col("run_id").max())
        several = runs.filter(pl.col("first") != pl.col("last"))
        return chosen.join(several, on=self.of, how="semi", nulls_equal=True).select(OF_EFFECTS)

    def chosen(self, effects: _Frame) -> _Frame:
        """Those of these effects that were applied in a run."""
        applied = effects.filter(self.which & _APPLIED & pl.col("run_id").is_not_null())
        named = applied.with_columns(object=pl.coalesce("object_id", "object_url"), asked=ASKED)
        return named.drop_nulls(self.of[-1])


KEYED: Final = Alike(pl.lit(value=True), ("tenant", "system", "idempotency_key"))
MADE: Final = Alike(
    CREATES & pl.col("idempotency_key").is_null(),
    ("tenant", "system", "operation", "object_type", "tool_name", "asked"),
)
WRITTEN: Final = Alike(
    ~CREATES
    & ~pl.col("rule").is_in(_NOT_ONE_OBJECT).fill_null(value=False)
    & ~(pl.col("rule").eq("git_commit") | (pl.col("rule").eq("git_push") & (pl.col("operation") == "push"))).fill_null(
        value=False
    ),
    ("tenant", "system", "object_type", "object"),
)


def of_several_runs(effects: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Changes of which it takes two runs to see that they repeat or cross; columns as in `FOUND`."""
    return pl.concat([by_key(effects), by_arguments(effects, runs), raced(effects, runs)])


def raced(effects: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Writes to an object by a run that had begun when another run wrote it last; columns as in `FOUND`.

    What is made new is nobody else's object, and git takes no push that would undo another unless it is forced.
    """
    began = runs.select("run_id", began_ns="first_ns", parent="parent_run_key")
    writes = WRITTEN.chosen(effects).join(began, on="run_id", how="inner").sort("first_ns", "evidence")
    # The last write of each run before another run writes.
    met = writes.with_columns(
        pl.col(name).shift().over(WRITTEN.of).alias(f"last_{name}")
        for name in (*_OF_LAST, "conversation_id", "agent_name", "after_digest", "before_digest")
    )
    lost = (pl.col("before_digest") == pl.col("last_before_digest")) & (
        pl.col("before_digest") != pl.col("last_after_digest")
    )
    seen = pl.col("before_digest") == pl.col("last_after_digest")
    is_other = (pl.col("run_id") != pl.col("last_run_id")) & (
        pl.col("conversation_id") != pl.col("last_conversation_id")
    ).fill_null(value=True)
    return met.filter(
        is_other & (pl.col("began_ns") < pl.col("last_first_ns")) & pl.col("parent").is_null()
    ).select(
        *ABOUT,
        signal=pl.lit("raced"),
        what=pl.concat_str(
            pl.lit("written by run "), "last_run_id",
            pl.concat_str(pl.lit(" of "), "last_agent_name"), pl.lit(" while this one was under way"),
            pl.when(lost).then(pl.lit(", and this one wrote over what it had not seen")), ignore_nulls=True,
        ),
        object=OBJECT,
        basis=pl.when((pl.col("basis") == "explicit") & (pl.col("last_basis") == "explicit"))
        .then(pl.lit("explicit")).otherwise(pl.lit("inferred")),
        certainty=pl.when(lost).then(pl.lit("certain")).when(seen).then(pl.lit("possible")).otherwise(pl.lit("likely")),
        other_runs=pl.concat_list("last_run_id"),
        evidence=pl.concat_list("last_evidence", "evidence"),
    ).select(FOUND.names())  # fmt: skip


def within_a_run(effects: pl.DataFrame, failed: pl.DataFrame) -> pl.DataFrame:
    """Per change that a run made more than once: how often, and whether a call of it was a retry after a failure.

    Args:
        effects: columns as in `OF_EFFECTS`.
        failed: `call_key` of calls that failed.
    """
    twice, failed = effects.filter(IS_TWICE), failed.with_columns(is_failed=pl.lit(value=True))
    by = ["run_id", "system", "operation", "object_type", "same"]
    keyed = pl.col("idempotency_key").is_not_null()
    new = pl.coalesce("idempotency_key", ASKED, "object_id")
    return (
        twice.join(failed, on="call_key", how="left")
        .with_columns(same=pl.when(CREATES).then(new).otherwise("object_id"))
        .sort("first_ns", "evidence")
        .group_by(by, maintain_order=True)
        .agg(
            *(pl.col(name).last() for name in ABOUT if name != "run_id"),
            times=pl.len(),
            retried=pl.col("is_failed").fill_null(value=False).any(),
            is_keyed=(keyed | pl.col("after_digest").is_not_null()).all(),
            is_explicit=(pl.col("basis") == "explicit").all(),
            evidence=pl.col("evidence").unique(maintain_order=True),
            object=OBJECT.last(),
        )
        .select(
            *ABOUT,
            signal=pl.lit("applied_twice"),
            what=pl.concat_str(
                pl.lit("made "), pl.col("times").cast(pl.String), pl.lit(" times"),
                pl.when("retried").then(pl.lit(", a call of it failed and was made again, and both took effect")),
                pl.when("is_keyed").then(pl.lit(", under one key or with one result")),
                ignore_nulls=True,
            ),
            object="object",
            basis=pl.when("is_explicit").then(pl.lit("explicit")).otherwise(pl.lit("inferred")),
            certainty=pl.when(pl.col("is_keyed") & pl.col("is_explicit")).then(pl.lit("certain"))
            .otherwise(pl.lit("likely")),
            other_runs=NO_RUNS,
            evidence="evidence",
        )
        .select(FOUND.names())
    )  # fmt: skip


def by_key(effects: pl.DataFrame) -> pl.DataFrame:
    """The same idempotency key in two runs, with another object or receipt: the system did not carry it out once."""
    met = _after_another_run(effects, KEYED)
    another = (pl.col("object_id") != pl.col("last_object_id")) | (pl.col("receipt_id") != pl.col("last_receipt_id"))
    what = pl.concat_str(pl.lit("made before by run "), "last_run_id", pl.lit(" under the same key"))
    return _told(met.filter(another.fill_null(value=False)), what, pl.lit("certain"))


def by_arguments(effects: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Two runs that asked for the same new object within minutes, and each got one."""
    met = _after_another_run(effects, MADE).filter(
        (pl.col("first_ns") - pl.col("last_first_ns") <= AGAIN_WITHIN_NS)
        & (pl.col("object_id") != pl.col("last_object_id")).fill_null(value=False)
    )
    set_off = runs.select("run_id", set_off=pl.coalesce("trigger_id", pl.col("input_digests").list.first(), "prompt"))
    met = met.join(set_off, on="run_id", how="left").join(
        set_off.rename({"run_id": "last_run_id", "set_off": "last_set_off"}), on="last_run_id", how="left"
    )
    alike = (pl.col("set_off") == pl.col("last_set_off")).fill_null(value=False)
    minutes = (pl.col("first_ns") - pl.col("last_first_ns")) // 10**9
    what = pl.concat_str(
        pl.lit("asked for with the same arguments by run "), "last_run_id", pl.lit(", "), minutes.cast(pl.String),
        pl.lit(" s before"), pl.when(alike).then(pl.lit(", which the same had set off")), ignore_nulls=True,
    )  # fmt: skip
    return _told(met, what, pl.when(alike).then(pl.lit("likely")).otherwise(pl.lit("possible")))


def _after_another_run(effects: pl.DataFrame, alike: Alike) -> pl.DataFrame:
    """Applied effects, each with what is told of the one before it that agrees, of another run."""
    told = alike.chosen(effects).sort("first_ns", "evidence")
    return told.with_columns(
        pl.col(name).shift().over(alike.of).alias(f"last_{name}") for name in (*_OF_LAST, "object_id", "receipt_id")
    ).filter(pl.col("run_id") != pl.col("last_run_id"))


def _told(met: pl.DataFrame, what: pl.Expr, certainty: pl.Expr) -> pl.DataFrame:
    explicit = (pl.col("basis") == "explicit") & (pl.col("last_basis") == "explicit")
    return met.select(
        *ABOUT,
        signal=pl.lit("applied_twice"),
        what=what,
        object=OBJECT,
        basis=pl.when(explicit).then(pl.lit("explicit")).otherwise(pl.lit("inferred")),
        certainty=certainty,
        other_runs=pl.concat_list("last_run_id"),
        evidence=pl.concat_list("last_evidence", "evidence"),
    ).select(FOUND.names())
