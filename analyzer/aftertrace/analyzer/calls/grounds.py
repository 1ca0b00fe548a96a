"""What several rules of the judgement rest on: facts of a call put together, over the columns of `evidence.gather`."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.edits import differ

RAN: Final = pl.col("was_completed") | pl.col("was_failed")
"""A record of its run, and no text, says that it ran."""
UNDECIDED: Final = (pl.col("verdict").is_null() | (pl.col("verdict") == "ask")).fill_null(value=True)
"""Nobody has said yes or no: a control that only passes the question on has not."""
ASKED: Final = pl.col("was_asked") | pl.col("is_guarded")
"""Somebody was asked about it, or will be: its tool needs an approval."""
WAITS: Final = ASKED & UNDECIDED
"""Asked, and not answered."""
LET_THROUGH: Final = (
    pl.when(pl.col("verdict").is_in(("granted", "modified", "allow")))
    .then("decider_class")
    .when(pl.col("was_asked") | pl.col("is_guarded") | (pl.col("is_output_missing") & pl.col("is_resumed") & RAN))
    .then(pl.lit("human"))
    .when(pl.col("dialect") == "copilot")
    .then(pl.lit("policy"))
)
"""Who let a call through that went on."""
EDITED: Final = (
    (pl.col("verdict") == "modified").fill_null(value=False)
    | pl.col("is_edit_told")
    | (
        pl.col("verdict").is_in(("granted", "allow")).fill_null(value=False)
        & (differ("decided_parameters", "run_parameters") | differ("entered_command", "run_command")).fill_null(
            value=False
        )
    )
)
"""An edit of its arguments is recorded."""
RAN_OTHERWISE: Final = (
    ASKED
    & pl.col("verdict").is_null()
    & pl.col("is_as_proposed")
    & ~(pl.col("is_proposal_partial") | pl.col("is_run_partial"))
    & differ("proposed_arguments", "run_arguments").fill_null(value=False)
)
"""It ran with other arguments than were proposed, where only a reviewer can have given them."""
_IS_DECISION_LOST: Final = (
    pl.col("run_parameters").is_not_null() & pl.col("decided_parameters").is_null() & pl.col("verdict").is_null()
)
"""Its decision is not there, though its emitter (Claude Code) tells of every one."""
RUN_BASIS: Final = pl.when(_IS_DECISION_LOST).then(pl.lit("inferred")).otherwise("run_basis")
"""What it rests on that it ran as proposed: with the decision, it is lost whether the arguments were edited."""
