"""Applying the rules of the judgement (`outcomes`) to the evidence of calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from aftertrace.analyzer.calls.outcomes import RULES


def _of_rule(told: Sequence[pl.Expr]) -> pl.Expr:
    """What the rule that applies tells. Rules that share an expression are asked for it together."""
    sharing: dict[int, list[int]] = {}
    for number, expression in enumerate(told):
        sharing.setdefault(id(expression), []).append(number)
    return pl.coalesce(pl.when(pl.col("rule").is_in(rules)).then(told[rules[0]]) for rules in sharing.values())


def _named(names: Sequence[str]) -> pl.Expr:
    return pl.lit(pl.Series(names)).gather("rule")


# Side by side, not one within another: what nests by the number of rules takes longer to plan than to run.
_RULE: Final = pl.coalesce(pl.when(rule.when).then(pl.lit(number, pl.UInt8)) for number, rule in enumerate(RULES))
"""Number of the first rule that applies; the last one always does."""
_TOLD: Final = (
    _named([rule.outcome for rule in RULES]).alias("outcome"),
    _of_rule([rule.basis for rule in RULES]).alias("basis"),
    _of_rule([rule.decided_by for rule in RULES]).alias("decided_by"),
    pl.concat_list(_named([rule.name for rule in RULES]), "rules").list.unique(maintain_order=True).alias("rules"),
)


def judge(calls: pl.DataFrame) -> pl.DataFrame:
    """Add `outcome`, `basis`, `decided_by`, and the rule's name to `rules`."""
    return calls.with_columns(rule=_RULE).with_columns(_TOLD).drop("rule")
