"""Permission modes: which one was in force when a call was let through, and whether it let everything through.

A decision that names its mode is believed. Else the mode is the one that the conversation entered last before the
call; before the first change that is told, it is the one that this change replaced.
"""

from __future__ import annotations

from typing import Final

import polars as pl

STATE: Final = "permission_mode"
"""State of `input.resolved` for a mode that is in force from then on."""


IS_MODE: Final = ((pl.col("event") == "input.resolved") & (pl.col("state") == STATE)).fill_null(value=False)
"""Whether an event says which mode is in force from then on."""


def without_repeats(events: pl.DataFrame) -> pl.DataFrame:
    """Events without those that name the mode in force once more: some emitters do so with every step."""
    mode = pl.when(IS_MODE).then("content")
    before = mode.forward_fill().shift().over("thread", order_by=["time_ns", "seq", "index"])
    return events.filter(~(IS_MODE & (mode == before)).fill_null(value=False))


def change() -> pl.Expr:
    """What a change of the mode was, as text; null for other events, and for a mode that replaces none."""
    before, mode = pl.col("attributes").str.json_path_match("$.from_mode"), pl.col("content")
    return pl.when(IS_MODE & before.is_not_null()).then(pl.concat_str(before, pl.lit(" → "), mode))


def entered(events: pl.DataFrame) -> pl.DataFrame:
    """The modes that conversations entered: `thread`, `at_ns`, `mode`, `is_bypass`, `before`, `is_before_bypass`.

    Args:
        events: events with their `thread` (`identity.identify`).
    """
    return (
        events.filter(IS_MODE)
        .select(
            "thread",
            at_ns="time_ns",
            mode="content",
            is_bypass=_says("bypass"),
            before=pl.col("attributes").str.json_path_match("$.from_mode"),
            is_before_bypass=_says("from_bypass"),
        )
        .sort("at_ns", "thread", "mode")
    )


def in_force(calls: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Calls with `permission_mode`, `is_bypassed`, and `is_mode_stated` where the decision itself names the mode.

    Args:
        calls: calls as `evidence.gather` makes them.
        events: events with their `thread`.
    """
    modes = entered(events)
    at_ns = pl.coalesce("decided_ns", "started_ns", "proposed_ns", "first_ns")
    since = modes.select("thread", "at_ns", since="mode", is_since_bypass="is_bypass")
    until = modes.filter(pl.col("before").is_not_null()).select("thread", "at_ns", "before", "is_before_bypass")
    stated = pl.col("own_mode").is_not_null()
    return (
        calls.with_columns(at_ns=at_ns)
        .sort("at_ns", "call_key")
        .join_asof(since, on="at_ns", by="thread", strategy="backward", check_sortedness=False)
        .join_asof(until, on="at_ns", by="thread", strategy="forward", check_sortedness=False)
        .with_columns(
            is_mode_stated=stated,
            permission_mode=pl.coalesce("own_mode", "since", "before"),
            is_bypassed=pl.when(stated)
            .then("is_own_bypass")
            .otherwise(pl.coalesce("is_since_bypass", "is_before_bypass"))
            .fill_null(value=False),
        )
        .drop("at_ns", "since", "is_since_bypass", "before", "is_before_bypass", "own_mode", "is_own_bypass")
    )


def _says(attribute: str) -> pl.Expr:
    return pl.col("attributes").str.contains(f'"{attribute}":true', literal=True).fill_null(value=False)
