"""How bad a near miss was: what the tool can do, and how close it came, told by the one control that stopped it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import polars as pl

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
"""From the least to the worst; a near miss of a tool that only reads is `low`."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What held."""

    name: str
    close: int
    """How close the call came, from 0 to 3."""
    brief: str


NOTHING: Final = Holding("no judgement", 3, "nobody judged it: it ran out of time, or the system it was for refused it")
PERSON: Final = Holding("one person", 2, "a person refused, edited or interrupted it, and nothing else did")
UNTOLD: Final = Holding("not told", 2, "the telemetry does not say what held: taken to be as close as one person")
RULE: Final = Holding("one rule", 1, "a policy, guardrail, hook or program refused or edited it, as it would the next")
SEVERAL: Final = Holding("several controls", 0, "more than one control refused it")
MODEL: Final = Holding("the model itself", 0, "it was considered and dropped before anything had to stop it")
HOLDINGS: Final = (NOTHING, PERSON, UNTOLD, RULE, SEVERAL, MODEL)

_BY: Final = {
    "target": NOTHING,
    "timeout": NOTHING,
    "human": PERSON,
    "human_or_program": PERSON,
    "policy": RULE,
    "guardrail": RULE,
    "hook": RULE,
    "program": RULE,
    "model": MODEL,
}
RISKS: Final = {"read": 0, "write": 1, "external": 2, "destructive": 3, "money": 3, "permission": 3}
"""What a tool of each risk class can do, from 0 to 3."""
_TABLE: Final = ((0, 0, 0, 0), (0, 1, 1, 2), (1, 1, 2, 2), (1, 2, 3, 3))
"""Severity by what the tool can do, then by how close it came."""
DECISIONS: Final = ("call_key", "decision", "decided_by")
"""Columns of `decisions` by which near misses are weighed."""
_REFUSED: Final = ("deny", "rejected", "expired")


def weighed(near: pl.LazyFrame, decisions: pl.LazyFrame) -> pl.LazyFrame:
    """Near misses with two more columns: `held_by`, a name of `HOLDINGS`, and `severity`, from 0 to 3 as in
    `SEVERITIES`.

    Args:
        near: columns of `schemas.CALLS`.
        decisions: columns as in `DECISIONS`.
    """
    refusers = (
        decisions.filter(pl.col("decision").is_in(_REFUSED) & pl.col("decided_by").is_not_null())
        .group_by("call_key")
        .agg(pl.col("decided_by").n_unique().alias("refusers"))
    )
    by = pl.col("decided_by").replace_strict({who: holding.name for who, holding in _BY.items()}, default=None)
    held_by = (
        pl.when(pl.col("refusers") > 1)
        .then(pl.lit(SEVERAL.name))
        .when(pl.col("outcome") == "expired")
        .then(pl.lit(NOTHING.name))
        .otherwise(pl.coalesce(by, pl.lit(UNTOLD.name)))
    )
    close = pl.col("held_by").replace_strict({holding.name: holding.close for holding in HOLDINGS})
    cells = {(can, near_by): _TABLE[can][near_by] for can in range(4) for near_by in range(4)}
    place = pl.col("risk").replace_strict(RISKS, default=1) * 4 + close
    return (
        near.join(refusers, on="call_key", how="left")
        .with_columns(held_by=held_by)
        .with_columns(
            severity=place.replace_strict({can * 4 + by: level for (can, by), level in cells.items()}).cast(pl.Int64)
        )
        .drop("refusers")
    )
