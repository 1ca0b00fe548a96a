"""What agents did, summed up over some runs after others: each agent, and each thing that it used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import polars as pl

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.expectations.checks import check
from aftertrace.analyzer.expectations.rules import Rule
from aftertrace.analyzer.inventory.seen_agents import Seen
from aftertrace.analyzer.schemas.derived import DERIVED, RAN_OUTCOMES

COUNTS: Final = pl.Schema(
    {
        "runs": pl.Int64(),
        "rows": pl.Int64(),
        "earliest": pl.String(),
        "latest": pl.String(),
        "latest_ns": pl.Int64(),
        "since_ns": pl.Int64(),
        "until_ns": pl.Int64(),
    }
)
"""Of a group of rows of runs: in how many runs, how many, the first and the latest run with its time, the first and the
last time."""
USES: Final = {
    "tools": ("is_ran", "tool_name"),
    "asked": ("asked",),
    "served": ("served",),
    "untold_models": (),
    "prompts": ("prompt", "system_prompt_digest"),
    "systems": ("system", "basis"),
    "risks": ("tool_name", "risk", "risk_basis"),
    "approvals": ("verdict", "tool_name", "found", "expected", "nth"),
}
"""What is counted of each agent, by what: tools of calls that ran, or may have; models, and runs that name none;
prompts; systems that were changed; risk classes of what ran; findings of the rules of its entry, by their places."""
_NO_RUNS: Final = pl.DataFrame(schema=DERIVED["runs"].schema)


def counted(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """One row per group of some rows, with `COUNTS`; rows with `run_id` and `first_ns`."""
    return (
        rows.sort("first_ns", "run_id", nulls_last=True)
        .group_by(by, maintain_order=True)
        .agg(
            pl.col("run_id").n_unique().alias("runs"),
            pl.len().alias("rows"),
            pl.col("run_id").first().alias("earliest"),
            pl.col("run_id").last().alias("latest"),
            pl.col("first_ns").last().alias("latest_ns"),
            pl.col("first_ns").min().alias("since_ns"),
            pl.col("first_ns").max().alias("until_ns"),
        )
        .with_columns(pl.col(name).cast(kind) for name, kind in COUNTS.items())
    )


def added(counts: Iterable[pl.DataFrame], by: Sequence[str]) -> pl.DataFrame:
    """The same of all these together, where no run is in two of them."""
    return (
        pl.concat(counts)
        .sort("latest_ns", "latest", nulls_last=True)
        .group_by(by, maintain_order=True)
        .agg(
            pl.col("runs", "rows").sum(),
            pl.col("earliest").sort_by("since_ns", "earliest", nulls_last=True).first(),
            pl.col("latest", "latest_ns").last(),
            pl.col("since_ns").min(),
            pl.col("until_ns").max(),
        )
    )


def agents(seen: Seen) -> pl.DataFrame:
    """One row per agent: `ROLE`, then what it did in these runs, by its name.

    `runs`, `calls`, `near_misses`, `first_ns`, `last_ns`, `last_run_id` with `last_run_ns`, and the lists `models`
    (asked, and those that answered), `tools` (of calls that ran) and `systems` (that it changed).
    """
    on = list(ROLE)
    of_runs = (
        seen.members.sort("first_ns", "run_id", nulls_last=True)
        .group_by(on)
        .agg(
            pl.col("run_id").n_unique().cast(pl.Int64).alias("runs"),
            pl.col("first_ns").min(),
            pl.col("last_ns").max(),
            pl.col("run_id").last().alias("last_run_id"),
            pl.col("first_ns").last().alias("last_run_ns"),
            pl.concat_list(pl.col("asked", "served").fill_null([]))
            .explode()
            .drop_nulls()
            .unique()
            .sort()
            .alias("models"),
        )
    )
    ran = pl.col("outcome").is_in(RAN_OUTCOMES)
    of_calls = seen.calls.group_by(on).agg(
        pl.len().cast(pl.Int64).alias("calls"),
        pl.col("near_miss").sum().cast(pl.Int64).alias("near_misses"),
        pl.col("tool_name").filter(ran).drop_nulls().unique().sort().alias("tools"),
    )
    of_effects = (
        seen.effects.filter(pl.col("state") == "applied")
        .group_by(on)
        .agg(pl.col("system").drop_nulls().unique().sort().alias("systems"))
    )
    return _by_name(
        of_runs.join(of_calls, on=on, how="left", nulls_equal=True)
        .join(of_effects, on=on, how="left", nulls_equal=True)
        .with_columns(
            pl.col("calls", "near_misses").fill_null(0),
            pl.col("tools", "systems").fill_null([]),
        )
    )


def agents_added(some: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The same of all these together, where no run is in two of them."""
    lists = [
        pl.col(name).list.explode(empty_as_null=False, keep_nulls=False).unique().sort().alias(name)
        for name in ("models", "tools", "systems")
    ]
    return _by_name(
        pl.concat(some)
        .sort("last_run_ns", "last_run_id", nulls_last=True)
        .group_by(ROLE)
        .agg(
            pl.col("runs").sum(),
            pl.col("first_ns").min(),
            pl.col("last_ns").max(),
            pl.col("last_run_id", "last_run_ns").last(),
            lists[0],
            pl.col("calls", "near_misses").sum(),
            *lists[1:],
        )
    )


def _by_name(agents: pl.DataFrame) -> pl.DataFrame:
    return agents.sort("agent_name", "service_name", "environment", "tenant", "source", nulls_last=True)


def uses(
    seen: Seen,
    versioned: pl.DataFrame | None,
    rules: Callable[[Mapping[str, str | None]], Sequence[Rule]],
    kinds: Iterable[str],
) -> dict[str, pl.DataFrame]:
    """What agents used: by kind of `USES`, one row per agent and thing, with `ROLE` and `COUNTS`.

    Args:
        seen: what they did.
        versioned: what each run of the store told of prompts (`configurations.versioned`), where that is counted.
        rules: gives those that an agent's calls are held against.
        kinds: which are counted.
    """
    found = {}
    for kind in kinds:
        rows = _used(kind, seen, versioned)
        found[kind] = _judged(seen, rules) if rows is None else counted(rows, [*ROLE, *USES[kind]])
    return found


def _used(kind: str, seen: Seen, versioned: pl.DataFrame | None) -> pl.DataFrame | None:
    """The rows that are counted; None: findings of rules are."""
    is_ran = pl.col("outcome").is_in(RAN_OUTCOMES)
    match kind:
        case "tools":
            return seen.calls.filter(is_ran | (pl.col("outcome") == "unresolved")).with_columns(is_ran=is_ran)
        case "risks":
            return seen.calls.filter(is_ran)
        case "systems":
            return seen.effects
        case "asked" | "served":
            return seen.members.explode(kind, empty_as_null=False, keep_nulls=False)
        case "untold_models":
            return seen.members.filter(pl.col("asked").is_null() & pl.col("served").is_null())
        case "prompts" if versioned is not None:
            own = seen.members.select("run_id", *ROLE)
            return versioned.join(own, on=["run_id", *ROLE], how="semi", nulls_equal=True)
    return None


def _judged(seen: Seen, rules: Callable[[Mapping[str, str | None]], Sequence[Rule]]) -> pl.DataFrame:
    """What the rules find of the calls of the agents that they are about."""
    by = [*ROLE, *USES["approvals"]]
    found = [pl.DataFrame(schema={**dict.fromkeys(by, pl.String()), "nth": pl.Int64(), **COUNTS})]
    for role, calls in seen.calls.partition_by(ROLE, as_dict=True).items():
        whose = dict(zip(ROLE, role, strict=True))
        for nth, checked in enumerate(check(rules(whose), calls, _NO_RUNS)):
            named = [pl.lit(value, dtype=pl.String).alias(name) for name, value in whose.items()]
            told = checked.findings.with_columns(*named, nth=pl.lit(nth, dtype=pl.Int64))
            found.append(counted(told, by))
    return pl.concat(found)
