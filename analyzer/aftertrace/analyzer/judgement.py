"""Applying the rules of the judgement (`outcomes`) to the evidence of calls."""

from __future__ import annotations

import polars as pl

from aftertrace.analyzer.outcomes import RULES


def judge(calls: pl.LazyFrame) -> pl.LazyFrame:
    """Add `outcome`, `basis`, `decided_by`, and the rule's name to `rules`."""
    index = pl.lit(len(RULES) - 1)
    for number in range(len(RULES) - 2, -1, -1):
        index = pl.when(RULES[number].when).then(pl.lit(number)).otherwise(index)
    calls = calls.with_columns(rule_index=index)

    def pick(values: list[pl.Expr]) -> pl.Expr:
        chosen = values[-1]
        for number in range(len(values) - 2, -1, -1):
            chosen = pl.when(pl.col("rule_index") == number).then(values[number]).otherwise(chosen)
        return chosen

    return calls.with_columns(
        outcome=pick([pl.lit(rule.outcome) for rule in RULES]),
        basis=pick([rule.basis for rule in RULES]),
        decided_by=pick([rule.decided_by for rule in RULES]),
        rules=pl.concat_list(pick([pl.lit(rule.name) for rule in RULES]), "rules").list.unique(maintain_order=True),
    ).drop("rule_index")
