"""Calls that ran after the same had been refused: the same tool and arguments, later in the run or the conversation.

Who refuses may think better of it. A call is let off where a person let it through since, or, if a control had refused
it, where a control let it through. Where its records do not say what let it through it may have been either, so that it
is only possible, but with an emitter that tells of every answer.
"""

from __future__ import annotations

from itertools import product
from typing import Final

import polars as pl

from aftertrace.analyzer.calls.controls import TELLS_EVERY_ANSWER
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES

SCHEMA: Final = pl.Schema(
    {"call_key": pl.String, "refused_key": pl.String, "refused_by": pl.String, "certainty": pl.String}
)
"""`call_key` ran after `refused_key` had been refused; `certainty` is `certain`, `likely` or `possible`."""

CERTAINTIES: Final = ("certain", "likely", "possible")
COLUMNS: Final = (
    "call_key", "run_id", "conversation_id", "source", "service_name", "tool_name", "outcome", "decided_by", "basis",
    "dialect", "approval", "allowed_by", "granted_at", "decided_at", "arguments", "executed_arguments", "first_ns",
)  # fmt: skip
"""Columns of `calls` by which it is told."""
_PERSONS: Final = ("human", "human_or_program", "program")
_CONTROLS: Final = ("policy", "guardrail", "hook")
_CALL: Final = ("source", "service_name", "tool_name", "asked")


def ran_after_denial(calls: pl.DataFrame) -> pl.DataFrame:
    """One row per call that ran after the same was refused, with the latest refusal before it; columns as in `SCHEMA`.

    Args:
        calls: columns as in `COLUMNS`.
    """
    refused = _same(calls.filter(IS_REFUSED), _PROPOSED)
    if not refused.height:
        return SCHEMA.to_frame()
    ran = _same(calls.filter(_RAN), _RUN_WITH).select(*_CALL, *_WITHIN, *_FACTS).sort("first_ns")
    met = []
    # A control's leave takes back what a control refused, and not what a person did: both are looked for.
    for whose, within in product((_PERSONS, _CONTROLS), _WITHIN):
        last = (
            refused.filter(pl.col("decided_by").is_in(whose))
            .select(
                *_CALL,
                within,
                refused_key="call_key",
                refused_by="decided_by",
                refused_basis="basis",
                refused_ns=pl.coalesce(pl.col("decided_at").dt.epoch("ns"), "first_ns"),
            )
            .sort("refused_ns", "refused_key")
        )
        met.append(
            ran.drop_nulls(within)
            .join_asof(
                last.drop_nulls(within), left_on="first_ns", right_on="refused_ns", by=[*_CALL, within],
                strategy="backward", allow_exact_matches=False, coalesce=False, check_sortedness=False,
            )
            .select(*_FACTS, *_REFUSED)
        )  # fmt: skip
    return (
        pl.concat(met)
        .filter(pl.col("refused_key").is_not_null() & ~_is_let_off())
        .with_columns(certainty=_certainty())
        .sort(pl.col("certainty").cast(pl.Enum(CERTAINTIES)), pl.col("refused_ns"), "refused_key")
        .unique("call_key", keep="first", maintain_order=True)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    )


def alike(calls: pl.LazyFrame, refused: pl.DataFrame) -> pl.LazyFrame:
    """Calls that ran in the runs and conversations of refused ones, and ask for what one of them did: no others ran
    after the same had been refused.

    Args:
        calls: columns as in `COLUMNS`, and perhaps more.
        refused: those that were (`IS_REFUSED`), likewise.
    """
    within = pl.any_horizontal(pl.col(name).is_in(refused[name].unique().implode()) for name in _WITHIN)
    wanted = refused.filter(_says_what(_PROPOSED)).select(_key(_PROPOSED)).to_series().unique()
    # No join: it would hold all calls of these runs.
    is_alike = _says_what(_RUN_WITH) & _key(_RUN_WITH).is_in(wanted.implode())
    return calls.filter(_RAN & within.fill_null(value=False) & is_alike)


def _key(asked: pl.Expr) -> pl.Expr:
    """What two calls have in common that are the same."""
    return pl.concat_str(*(pl.col(name).fill_null("") for name in _NAMED), asked, separator="\0")


def _same(calls: pl.DataFrame, asked: pl.Expr) -> pl.DataFrame:
    """Calls that say what they ask for, with what tells that two are the same; no arguments are those of any call."""
    return calls.with_columns(asked=asked, **{name: pl.col(name).fill_null("") for name in _NAMED}).filter(
        _says_what(pl.col("asked"))
    )


def _says_what(asked: pl.Expr) -> pl.Expr:
    return asked.is_not_null() & ~asked.is_in(("{}", "null", '""'))


IS_REFUSED: Final = pl.col("outcome") == "denied"
"""Whether a call was refused, so that one that ran later may be the same."""
_RAN: Final = pl.col("outcome").is_in(RAN_OUTCOMES)
_PROPOSED: Final = pl.col("arguments")
_RUN_WITH: Final = pl.coalesce("executed_arguments", "arguments")
_NAMED: Final = ("source", "service_name", "tool_name")


_WITHIN: Final = ("run_id", "conversation_id")
_REFUSED: Final = ("refused_key", "refused_by", "refused_ns", "refused_basis")
_FACTS: Final = (
    "call_key", "first_ns", "dialect", "decided_by", "approval", "allowed_by", "granted_at",
)  # fmt: skip


def _is_let_off() -> pl.Expr:
    by_person = pl.col("decided_by").is_in(_PERSONS) | pl.col("approval").is_in(("granted", "modified"))
    since = pl.col("granted_at").dt.epoch("ns") > pl.col("refused_ns")
    by_control = pl.col("decided_by").is_in(_CONTROLS) & pl.col("refused_by").is_in(_CONTROLS)
    return (by_person | since).fill_null(value=False) | by_control.fill_null(value=False)


def _certainty() -> pl.Expr:
    tells_all = pl.col("dialect").is_in(TELLS_EVERY_ANSWER).fill_null(value=False)
    # A rule let through what a person had refused; a mode or a grant may have been given by the person since.
    by_rule = pl.col("decided_by").is_in(_CONTROLS) & ~pl.col("allowed_by").is_in(("mode", "grant"))
    known = tells_all | by_rule.fill_null(value=False)
    return (
        pl.when(known & (pl.col("refused_basis") == "explicit"))
        .then(pl.lit("certain"))
        .when(known)
        .then(pl.lit("likely"))
        .otherwise(pl.lit("possible"))
    )
