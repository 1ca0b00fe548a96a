"""The agents that were seen: each one of them over all its runs, with what it asked, called and changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.expectations.checks import OF_CALLS

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.reading.select import Filter

MEMBERS: Final = pl.Schema(
    [
        ("run_id", pl.String()),
        *((name, pl.String()) for name in ROLE),
        ("first_ns", pl.Int64()),
        ("last_ns", pl.Int64()),
        ("asked", pl.List(pl.String())),
        ("served", pl.List(pl.String())),
    ]
)
"""One row per run and agent of it, with the models that it asked, and that answered. A run that names no agent has one
row without a name."""
_MEMBER: Final = ["run_id", "agent_name"]
_WHERE: Final = [name for name in ROLE if name != "agent_name"]
COLUMNS: Final = {
    "agents": (*_MEMBER, *_WHERE, "first_ns", "ended_at", "model", "model_served"),
    "runs": ("run_id", *_WHERE, "first_ns", "last_ns", "model", "model_served"),
    "calls": (*OF_CALLS, "near_miss", "risk_basis"),
    "effects": (*_MEMBER, "call_key", "first_ns", "state", "system", "basis"),
}
"""By table, the columns that are looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What agents did in some runs."""

    members: pl.DataFrame
    """Columns as in `MEMBERS`."""
    calls: pl.DataFrame
    """Columns as in `COLUMNS`, where those of `ROLE` say which agent made it."""
    effects: pl.DataFrame
    """The same."""

    def within(self, wanted: Filter) -> Seen:
        """What agents did in the runs that a filter lets through."""
        members = wanted.apply(self.members.lazy()).collect()
        return Seen(
            members,
            self.calls.join(members, on=_MEMBER, how="semi", nulls_equal=True, maintain_order="left"),
            self.effects.join(members, on=_MEMBER, how="semi", nulls_equal=True, maintain_order="left"),
        )


def of(analysis: Analysis) -> Seen:
    """What the agents of an analysis did; their calls and receipts in no order."""
    return seen(*analysis.collected(*(analysis.scan(table, names) for table, names in COLUMNS.items())))


def seen(agents: pl.DataFrame, runs: pl.DataFrame, calls: pl.DataFrame, effects: pl.DataFrame) -> Seen:
    """What agents did, by the derived tables of these names, with `COLUMNS`.

    A call or receipt that names no agent is of the only one that its run names. Where there are several, it is of an
    agent without a name: nobody registered what nobody is told to have done.
    """
    named = agents.group_by(_MEMBER).agg(
        *(pl.col(name).sort_by("first_ns", name, nulls_last=True).drop_nulls().first() for name in _WHERE),
        pl.col("first_ns").min(),
        pl.coalesce(pl.col("ended_at").cast(pl.Int64), "first_ns").max().alias("last_ns"),
        pl.col("model").drop_nulls().str.join(", ").alias("asked"),
        pl.col("model_served").drop_nulls().str.join(", ").alias("served"),
    )
    unnamed = runs.join(named, on="run_id", how="anti").select(
        "run_id",
        *_WHERE,
        "first_ns",
        "last_ns",
        agent_name=pl.lit(None, dtype=pl.String),
        asked=pl.col("model").fill_null(""),
        served=pl.col("model_served").fill_null(""),
    )
    told = pl.concat([named, unnamed.select(named.columns)])
    only = named.group_by("run_id").agg(pl.len(), pl.col("agent_name").first().alias("only")).filter(pl.col("len") == 1)
    made = _attributed(calls, only)
    by_call = made.select("call_key", by_call="agent_name").drop_nulls("call_key").unique("call_key")
    received = effects.join(by_call, on="call_key", how="left", maintain_order="left").with_columns(
        agent_name=pl.coalesce("by_call", "agent_name")
    )
    changed = _attributed(received.drop("by_call"), only)
    spoken = pl.concat([frame.select(*_MEMBER, "first_ns") for frame in (made, changed)])
    strays = (
        spoken.join(told, on=_MEMBER, how="anti", nulls_equal=True)
        .group_by(_MEMBER)
        .agg(pl.col("first_ns").min(), pl.col("first_ns").max().alias("last_ns"))
        .join(runs.select("run_id", *_WHERE), on="run_id", how="inner")
        .with_columns(asked=pl.lit(""), served=pl.lit(""))
    )
    members = (
        pl.concat([told, strays.select(told.columns)])
        .with_columns(_models("asked"), _models("served"))
        .select(pl.col(name).cast(kind) for name, kind in MEMBERS.items())
        .sort("first_ns", "run_id", "agent_name", nulls_last=True)
    )
    return Seen(members, _with_role(made, members), _with_role(changed, members))


def _attributed(frame: pl.DataFrame, only: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.join(only.select("run_id", "only"), on="run_id", how="left", maintain_order="left")
        .with_columns(agent_name=pl.coalesce("agent_name", "only"))
        .drop("only")
    )


def _with_role(frame: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Rows with the agent's own service, environment, tenant and source: another may report its calls."""
    own = [name for name in _WHERE if name in frame.columns]
    return frame.drop(own).join(
        members.select("run_id", *ROLE), on=_MEMBER, how="left", nulls_equal=True, maintain_order="left"
    )


def _models(column: str) -> pl.Expr:
    """The models of a text that names them with commas between."""
    return pl.col(column).replace("", None).str.split(", ").list.unique().list.sort()
