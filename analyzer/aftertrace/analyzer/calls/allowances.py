"""What let a call through: a standing grant, a permission mode, a rule, or whoever decided.

A decision record says more or less: the words of a coding agent for "my configuration let it through" do not tell a
rule from a mode or from an answer that a person gave before. What they leave open is told by the conversation around
the call, and then the basis is `inferred`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aftertrace.analyzer.calls.held import AT_ONCE, AT_ONCE_NS, HELD
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP


@dataclass(frozen=True, slots=True)
class Allowance:
    """One way in which a call is let through."""

    name: str
    """Value of `calls.allowed_by`."""
    when: pl.Expr
    """Over the columns of `evidence.gather`, `modes.in_force` and `judgement.judge`."""
    basis: pl.Expr
    brief: str
    """For the docs."""


_VERDICT: Final = pl.col("verdict")
_LET: Final = _VERDICT.is_in(("allow", "granted", "modified")).fill_null(value=False)
_BY_CONFIGURATION: Final = (
    (pl.col("decided_by") == "policy") & pl.col("reviewer").is_null() & (_VERDICT.is_null() | (_VERDICT == "allow"))
)
_GIVES: Final = (_VERDICT == "granted") & (
    pl.col("grant_scope").is_in(("session", "always")) | (pl.col("dialect") == "opencode")
).fill_null(value=False)
"""Answers for later calls too. opencode does not tell `once` from `always`: what follows shows which it was."""
_AT_ONCE: Final = (
    pl.coalesce("stated_wait_ns", pl.col("decided_ns") - pl.col("asked_ns")) <= AT_ONCE_NS
).fill_null(value=False)  # fmt: skip

ALLOWANCES: Final = (
    Allowance(
        "grant",
        pl.col("is_grant_used"),
        pl.lit("explicit"),
        "A record says that an earlier answer stood in, and nobody was asked now.",
    ),
    Allowance(
        "grant",
        pl.col("earlier_ns").is_not_null() & _BY_CONFIGURATION,
        pl.lit("inferred"),
        "The configuration let it through, after somebody had granted the same tool, and for a command the same "
        "program, in this conversation.",
    ),
    Allowance(
        "grant",
        _GIVES & _AT_ONCE & (pl.col("earlier_ns").is_not_null() | (pl.col("decided_by") == "human")),
        pl.lit("inferred"),
        "An answer for later calls too came faster than a person reads: one given before was used again (Codex).",
    ),
    Allowance(
        "mode",
        pl.col("is_bypassed") & (_BY_CONFIGURATION | (_VERDICT.is_null() & pl.col("decided_by").is_null())),
        pl.when(pl.col("is_mode_stated")).then(pl.lit("explicit")).otherwise(pl.lit("inferred")),
        "A permission mode was in force that lets everything through, and nothing else is told.",
    ),
    Allowance(
        "rule",
        (_VERDICT == "allow") & (pl.col("decided_by") == "policy") & pl.col("reviewer").is_not_null(),
        pl.coalesce("decision_basis", pl.lit("explicit")),
        "A policy let it through and the record names the rule (`reviewer`).",
    ),
)
"""In order; else it is whoever decided: `policy` (a rule, a mode or a grant: the record does not say which), `hook`,
`guardrail`, `human`, `program`, `human_or_program`."""


def allowed(calls: pl.DataFrame) -> pl.DataFrame:
    """Add `allowed_by`, `allowed_basis`, `granted_by` and `granted_at` to judged calls, for those let through."""
    through = pl.col("outcome").is_in(RAN_OUTCOMES) | (
        _LET & pl.col("outcome").is_in(("pending", "unresolved", "cancelled"))
    )
    told = _LET & ~pl.col("rules").list.set_intersection([HELD, AT_ONCE]).list.len().cast(pl.Boolean)
    otherwise = pl.when(told).then(pl.coalesce("decision_basis", pl.lit("explicit"))).otherwise(pl.lit("inferred"))
    by: pl.Expr = pl.col("decided_by")
    basis: pl.Expr = pl.when(pl.col("decided_by").is_not_null()).then(otherwise)
    for allowance in reversed(ALLOWANCES):
        when = allowance.when.fill_null(value=False)
        by = pl.when(when).then(pl.lit(allowance.name)).otherwise(by)
        basis = pl.when(when).then(allowance.basis).otherwise(basis)
    stated_at = pl.col("grant_granted_at").str.to_datetime("%+", time_unit="ns", time_zone="UTC", strict=False)
    used = pl.col("is_grant_used")
    return (
        _with_earlier(calls)
        .with_columns(allowed_by=pl.when(through).then(by), allowed_basis=pl.when(through).then(basis))
        .with_columns(is_granted_before=(pl.col("allowed_by") == "grant").fill_null(value=False))
        .with_columns(
            granted_by=pl.when("is_granted_before").then(
                pl.when(used).then(pl.coalesce("grant_granted_by", "reviewer")).otherwise("earlier_by")
            ),
            granted_at=pl.when("is_granted_before").then(
                pl.when(used).then(stated_at).otherwise(pl.col("earlier_ns").cast(TIMESTAMP))
            ),
            grant_scope=pl.when(pl.col("is_granted_before") & ~used).then("earlier_scope").otherwise("grant_scope"),
        )
    )


def _with_earlier(calls: pl.DataFrame) -> pl.DataFrame:
    """Calls with the latest grant before them for what they do: `earlier_ns`, `earlier_by`, `earlier_scope`."""
    arguments = pl.coalesce("proposed_arguments", "whole_arguments", "any_arguments")
    command = pl.coalesce(arguments.str.json_path_match("$.command"), arguments.str.json_path_match("$.cmd"))
    told = calls.with_columns(
        at_ns=pl.coalesce("decided_ns", "started_ns", "proposed_ns", "first_ns"),
        # Which program it was is not told by arguments that are left out: those that are equal are of the same.
        program=pl.coalesce(command.str.extract(r"^\s*(\S+)"), _of_left_out(arguments), pl.lit("")),
        is_given=_GIVES & ~pl.col("is_grant_used"),
    ).sort("at_ns", "call_key")
    given = told.filter("is_given").select(
        "thread",
        "tool_name",
        "program",
        # A grant does not let its own call through.
        at_ns=pl.col("at_ns") + 1,
        earlier_ns="at_ns",
        earlier_by=pl.coalesce("reviewer", "decided_by"),
        earlier_scope="grant_scope",
    )
    return told.join_asof(
        given, on="at_ns", by=["thread", "tool_name", "program"], strategy="backward", check_sortedness=False
    ).drop("at_ns", "program", "is_given")


def _of_left_out(arguments: pl.Expr) -> pl.Expr:
    """Of a call whose content is left out, what is equal for equal arguments that are known, and no other call's."""
    return pl.when("content_left_out").then(pl.coalesce(arguments, "call_key"))
