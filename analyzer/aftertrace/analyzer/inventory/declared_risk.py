"""Risk classes that the inventory declares for tools, over what senders say of them and what names make one guess.

A sender may be a program that an injected text speaks through: what people wrote goes before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from aftertrace.analyzer.calls.reviews import HASTY
from aftertrace.analyzer.expectations.patterns import fits
from aftertrace.analyzer.inventory.declared import DeclaredTool
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES

BASIS = "inventory"
_BYPASSED = "bypassed"


def classes(names: Iterable[str], tools: Sequence[DeclaredTool]) -> dict[str, str]:
    """The risk class of each of these names of tools that one is declared for.

    Args:
        names: as calls have them.
        tools: as in the inventory; the first that fits counts.
    """
    return {
        name: tool.risk
        for name in names
        if (tool := next((each for each in tools if fits(name, (each.name,))), None)) is not None
    }


def declared(calls: pl.LazyFrame, class_by_tool: Mapping[str, str]) -> pl.LazyFrame:
    """Calls with the risk classes that are declared, and with what follows from these: `risk`, `risk_basis`,
    `consequential`, and among `signals` `bypassed`, which is of calls above `read` alone.

    A view over the derived table, so that an inventory that changes needs no analysis anew. Where a class is raised
    from `read`, a call was bypassed that a permission mode let through.

    Args:
        calls: columns as in `schemas.CALLS`.
        class_by_tool: of the tools that calls name (`classes`).
    """
    if not class_by_tool:
        return calls
    class_of = pl.col("tool_name").replace_strict(dict(class_by_tool), default=None, return_dtype=pl.String)
    is_told = pl.col("class").is_not_null()
    is_above = pl.col("risk") != "read"
    is_bypassed = (
        pl.col("outcome").is_in(RAN_OUTCOMES) & (pl.col("allowed_by") == "mode") & pl.col("approval").is_null()
    )
    others = pl.col("signals").list.filter(pl.element() != _BYPASSED)
    return (
        calls.with_columns(**{"class": class_of})
        .with_columns(
            was_above=is_above,
            risk=pl.coalesce("class", "risk"),
            risk_basis=pl.when(is_told).then(pl.lit(BASIS)).otherwise("risk_basis"),
        )
        .with_columns(
            consequential=pl.when(is_told).then(pl.col("near_miss") & is_above).otherwise("consequential"),
            signals=pl.when(is_told & ~is_above)
            .then(others)
            .when(is_told & ~pl.col("was_above") & is_bypassed)
            .then(others.list.concat(pl.lit([_BYPASSED])))
            .otherwise("signals"),
        )
        .drop("class", "was_above")
    )


def declared_in_runs(runs: pl.LazyFrame, calls: pl.LazyFrame) -> pl.LazyFrame:
    """Runs with what follows from the classes that are declared: `consequential`, counted over such calls.

    Args:
        runs: columns as in `schemas.RUNS`.
        calls: `run_id` and `consequential` of all calls of these runs (`declared`).
    """
    counted = calls.group_by("run_id").agg(now=pl.col("consequential").sum().cast(pl.Int64))
    return (
        runs.join(counted, on="run_id", how="left", maintain_order="left")
        .with_columns(consequential=pl.col("now").fill_null(0))
        .drop("now")
    )


def declared_in_approvals(approvals: pl.LazyFrame, calls: pl.LazyFrame) -> pl.LazyFrame:
    """Approvals with what follows from the classes that are declared: `bypassed` among `signals`, as of their calls.

    Args:
        approvals: columns as in `schemas.APPROVALS`.
        calls: `call_key` and `signals` of all calls that somebody was asked about (`declared`).
    """
    # What is told of an approval alone stands behind what is told of its call.
    own = pl.col("signals").list.filter(pl.element() == HASTY.name)
    return (
        approvals.join(calls.select("call_key", of_call="signals"), on="call_key", how="left", maintain_order="left")
        .with_columns(signals=pl.concat_list("of_call", own))
        .drop("of_call")
    )
