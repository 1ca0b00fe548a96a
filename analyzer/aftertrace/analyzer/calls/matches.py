"""Which call an event without an id is of: by tool, canonical arguments and order; then by tool and order.

A run is first looked for among the calls that nobody refused.
"""

from __future__ import annotations

from typing import Final

import polars as pl

DECISIONS: Final = (
    "policy.evaluated",
    "approval.requested",
    "approval.granted",
    "approval.rejected",
    "approval.modified",
    "approval.expired",
)
"""Events that ask for a verdict on a call, or give one."""
RAN: Final = ("completed", "failed")
"""States of `tool.called` by which the tool ran."""
SEPARATOR: Final = "\x1f"
"""Between the parts of a key."""
CALLED: Final = pl.col("event") == "tool.called"
ITEM_ID: Final = "item_id"
"""Dialects' `rule` of a proposal that names its item, and not its call."""
IS_ITEM: Final = (pl.col("event") == "action.proposed") & (pl.col("rule") == ITEM_ID).fill_null(value=False)
"""Such a proposal."""


def match(anonymous: pl.DataFrame, identified: pl.DataFrame) -> pl.DataFrame:
    """Step 4: `call_key` of events without an id."""
    if not anonymous.height:
        return anonymous.join(_NONE, on="row", how="inner")
    calls = _open_calls(identified)
    # Under the SDK's own model call lies that of its client, which names the items of the same calls.
    items = anonymous.filter(IS_ITEM & (pl.col("state") == "proposed")).with_columns(digest="asked_digest")
    again = _in_order(items, calls, ["scope", "tool_name", "digest"], "repeat")
    proposals = _numbered_proposals(anonymous.join(again, on="row", how="anti"))
    calls = pl.concat([calls, proposals.select(_OPEN)], how="vertical")
    done: list[pl.DataFrame] = [again, proposals.select("row", "call_key")]
    rest = anonymous.join(pl.concat(done), on="row", how="anti")
    done.append(_of_free(rest, calls))
    calls = _told(calls, done[-1], "run")
    rest = rest.join(done[-1], on="row", how="anti")
    for kind, is_kind in _KINDS:
        wanting = rest.filter(is_kind).with_columns(digest="asked_digest").sort("scope", "time_ns", "row")
        if not wanting.height:
            continue
        if kind == "answer":
            wanting = wanting.unique(["scope", "tool_name", "position", "digest"], maintain_order=True)
        if kind == "decide":
            met = _of_asks(wanting, pl.concat(done))
            done.append(met)
            calls = _told(calls, met, kind)
            wanting = wanting.join(met, on="row", how="anti")
        for by in (["scope", "tool_name", "digest"], ["scope", "tool_name"]):
            # A run may differ from its proposal by an edit; anything else that gives arguments must give the same.
            eligible = wanting if "digest" in by or kind == "run" else wanting.filter(pl.col("digest").is_null())
            met = _in_order(eligible, calls, by, kind)
            done.append(met)
            calls = _told(calls, met, kind)
            wanting = wanting.join(met, on="row", how="anti")
        if kind in ("run", "enter", "consider", "ask"):
            fresh = wanting.with_columns(call_key=_row_key())
            done.append(fresh.select("row", "call_key"))
            calls = pl.concat([calls, _as_open(fresh, kind)])
    return anonymous.join(pl.concat(done), on="row", how="inner")


def _told(calls: pl.DataFrame, met: pl.DataFrame, kind: str) -> pl.DataFrame:
    if not met.height:
        return calls
    return calls.with_columns(pl.col(kind) | pl.col("call_key").is_in(met["call_key"].implode()))


def _of_asks(answers: pl.DataFrame, matched: pl.DataFrame) -> pl.DataFrame:
    """`row` and `call_key` of the answers whose ask is matched: an answer is about the call that was asked about."""
    asks = matched.select("call_key", ask_row="row")
    return answers.select("row", "ask_row").join(asks, on="ask_row", how="inner").select("row", "call_key")


def _of_free(rest: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Runs of calls that nobody refused: where one of two was, the other is the one that ran."""
    kinds = dict(_KINDS)
    keys = (["scope", "tool_name", "digest"], ["scope", "tool_name"])
    refuses = pl.col("event").is_in(("approval.rejected", "approval.expired")) | (pl.col("state") == "deny")
    wanting = rest.filter(kinds["run"] & pl.col("state").is_in(RAN)).with_columns(digest="asked_digest")
    given = rest.filter(kinds["decide"]).with_columns(digest="asked_digest")
    found = [_in_order(wanting.clear(), calls, keys[0], "run")]
    if not given.filter(refuses.fill_null(value=False)).height:
        return found[0]
    decided = _in_order(given, calls, keys[0], "decide")
    others = given.join(decided, on="row", how="anti").filter(pl.col("digest").is_null())
    decided = pl.concat([decided, _in_order(others, _told(calls, decided, "decide"), keys[1], "decide")])
    refused = decided.join(given.filter(refuses), on="row", how="semi")
    scopes = calls.join(refused, on="call_key", how="semi").select(keys[1])
    free = calls.join(refused, on="call_key", how="anti").join(scopes, on=keys[1], how="semi")
    forbidden = calls.join(refused, on="call_key", how="semi").select(keys[0])
    for by in keys:
        met = _in_order(wanting, free, by, "run")
        found.append(met)
        # What ran with the very arguments that were refused is not taken for another call, edited.
        wanting = wanting.join(met, on="row", how="anti").join(forbidden, on=keys[0], how="anti")
        free = _told(free, met, "run")
    return pl.concat(found)


_NONE: Final = pl.DataFrame(schema={"row": pl.get_index_type(), "call_key": pl.String})
"""No event meets a call."""
_OPEN: Final = (
    "call_key",
    "scope",
    "tool_name",
    "digest",
    "first_ns",
    "row",
    "run",
    "enter",
    "answer",
    "consider",
    "check",
    "effect",
    "ask",
    "decide",
    "repeat",
)
_KINDS: Final = (
    (
        "run",
        CALLED & ~pl.col("state").is_in(("entered", "answered")).fill_null(value=False) & pl.col("position").is_null(),
    ),
    ("enter", CALLED & (pl.col("state") == "entered")),
    ("answer", CALLED & pl.col("position").is_not_null()),
    ("consider", pl.col("event") == "tool.considered"),
    ("check", pl.col("event").is_in(("validation.passed", "validation.failed"))),
    ("effect", pl.col("event").is_in(("effect.applied", "effect.blocked"))),
    ("ask", pl.col("event") == "approval.requested"),
    ("decide", pl.col("event").is_in(DECISIONS) & (pl.col("event") != "approval.requested")),
    ("repeat", IS_ITEM),
)  # fmt: skip


def _row_key() -> pl.Expr:
    pointer = pl.concat_str("pointer", pl.col("ordinal").cast(pl.String), separator="/")
    return pl.concat_str(pl.lit("row"), "scope", pointer, separator=SEPARATOR)


def _numbered_proposals(anonymous: pl.DataFrame) -> pl.DataFrame:
    """Proposals without an id: each is a call."""
    proposals = anonymous.filter((pl.col("event") == "action.proposed") & (pl.col("state") == "proposed"))
    return proposals.with_columns(
        call_key=_row_key(),
        digest="asked_digest",
        first_ns="time_ns",
        **{kind: pl.lit(value=False) for kind, _ in _KINDS},
    )


def _open_calls(identified: pl.DataFrame) -> pl.DataFrame:
    """Calls with an id, and which kinds of evidence they already have."""
    return identified.group_by("call_key").agg(
        pl.col("scope").first(),
        pl.col("tool_name").drop_nulls().first(),
        pl.col("arguments_digest").filter(pl.col("event") == "action.proposed").drop_nulls().first().alias("digest"),
        pl.col("time_ns").min().alias("first_ns"),
        pl.col("row").min(),
        *(is_kind.fill_null(value=False).any().alias(kind) for kind, is_kind in _KINDS),
    ).select(_OPEN)  # fmt: skip


def _as_open(fresh: pl.DataFrame, kind: str) -> pl.DataFrame:
    return fresh.with_columns(first_ns="time_ns", **{name: pl.lit(value=name == kind) for name, _ in _KINDS}).select(
        _OPEN
    )


def _in_order(wanting: pl.DataFrame, calls: pl.DataFrame, by: list[str], kind: str) -> pl.DataFrame:
    """The k-th event of a key meets the k-th call of that key that lacks this kind of evidence."""
    if not wanting.height or not calls.height:
        return _NONE
    left = wanting.drop_nulls(by).with_columns(rank=pl.int_range(pl.len()).over(by, order_by=["time_ns", "row"]))
    right = (
        calls.filter(~pl.col(kind)).drop_nulls(by).with_columns(
            rank=pl.int_range(pl.len()).over(by, order_by=["first_ns", "row"])
        )
    )  # fmt: skip
    return left.join(right.select(*by, "rank", "call_key"), on=[*by, "rank"], how="inner").select("row", "call_key")
