"""Where a control failed: what is wrong about a call that ran, each a named signal made from what records state.

A near miss is a control that held. Here one should have held and did not, or was switched off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aftertrace.analyzer.calls.edits import differ
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP

CLOCK_TOLERANCE: Final = pl.duration(seconds=1)
"""The answer and the start of the call may be stamped by two clocks."""
TELLS_EVERY_ANSWER: Final = ("aftertrace",)
"""Dialects in which an answer is always a record of its own, so that none tells of a call that ran without one."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Something odd about a call or an approval."""

    name: str
    when: pl.Expr
    """Over the columns of `calls` and what they are made from."""
    brief: str
    """What it means, for the docs and the reports."""


RAN: Final = pl.col("outcome").is_in(RAN_OUTCOMES)
LET: Final = pl.col("approval").is_in(("granted", "modified"))
_ANSWERED: Final = pl.col("approval").is_not_null()
_ASKED_WHILE_IT_RAN: Final = (
    pl.col("asked_ns").cast(TIMESTAMP).is_between("started_at", "ended_at").fill_null(value=False)
)
"""The body of the tool asked, before it did anything that needs an answer."""


def _is_late(moment: str) -> pl.Expr:
    """Whether the answer came after a moment of the call."""
    return (pl.col(moment) + CLOCK_TOLERANCE < pl.col("decided_at")).fill_null(value=False)


FAILURES: Final = (
    Signal(
        "ran_refused",
        RAN & (pl.col("approval").is_in(("rejected", "expired")) | (pl.col("verdict") == "deny")),
        "it ran although it was refused, or its approval expired",
    ),
    Signal(
        "ran_unapproved",
        RAN
        & pl.col("dialect").is_in(TELLS_EVERY_ANSWER)
        & ((pl.col("verdict") == "ask") | (pl.col("was_asked") & pl.col("verdict").is_null())),
        "it ran although somebody had to be asked first and no answer is recorded",
    ),
    Signal(
        "ran_after_denial",
        RAN & pl.col("was_refused").fill_null(value=False),
        "the same had been refused before, in its run or conversation, and nobody has let it through since",
    ),
    Signal(
        "ran_before",
        RAN & LET & (_is_late("ended_at") | (_is_late("started_at") & ~_ASKED_WHILE_IT_RAN)),
        "it ended more than a second before it was approved, or began so and had not asked itself",
    ),
    Signal(
        "other_arguments",
        (
            (pl.col("outcome") != "modified")
            & (pl.col("approval") == "granted")
            & ~pl.col("is_proposal_partial")
            & ~pl.col("is_run_partial")
            & differ("executed_arguments", "arguments")
        )
        | (
            (pl.col("approval") == "modified")
            & ~pl.col("is_run_partial")
            & differ("run_arguments", "approved_arguments")
        ),
        "it ran with other arguments than those that were approved",
    ),
    Signal(
        "self_approved",
        RAN
        & LET
        & pl.any_horizontal(
            pl.col("reviewer") == pl.col("agent_name"),
            pl.col("reviewer") == pl.col("asker"),
            pl.col("decided_by") == "model",
        ),
        "the agent, or whoever asked, is named as the one who approved",
    ),
    Signal(
        "effect_missing",
        (pl.col("last_run_state") == "completed") & pl.col("is_effect_blocked") & ~pl.col("has_receipt"),
        "it says that it succeeded, and a record says that its effect was blocked",
    ),
    Signal(
        "bypassed",
        RAN & pl.col("is_bypassed") & (pl.col("risk") != "read") & ~_ANSWERED,
        "it ran above risk `read` under a permission mode that lets everything through",
    ),
)
"""What can be wrong about a call that ran."""


def named(signals: tuple[Signal, ...]) -> pl.Expr:
    """The names of the signals that apply, in their order."""
    return pl.concat_list(
        [pl.when(signal.when.fill_null(value=False)).then(pl.lit(signal.name)) for signal in signals]
    ).list.drop_nulls()
