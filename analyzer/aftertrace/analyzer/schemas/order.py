"""The order of the rows of each table that is told run by run: tables of several parts are put together in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import polars as pl

_Frame = TypeVar("_Frame", pl.DataFrame, pl.LazyFrame)


@dataclass(frozen=True, slots=True)
class Order:
    """By which columns, and from which end."""

    by: tuple[str | pl.Expr, ...]
    descending: tuple[bool, ...] = ()
    """One for each; none are, if none are given."""


ORDERS: Final = {
    "runs": Order(("first_ns", "run_id"), (True, False)),
    "calls": Order(("first_ns", "conversation_id", "run_id", "ordinal", "call_key")),
    "decisions": Order(("first_ns", "call_key", "ordinal")),
    "approvals": Order((pl.col("decision") == "pending", "first_ns", "run_id"), (True, True, False)),
    "agents": Order(("run_id", "path", "first_ns", "agent_name", "agent_id")),
    "effects": Order(("first_ns", "evidence", "object_id"), (True, False, False)),
    "sightings": Order(("first_ns", "run_id", "agent_name")),
    "keys": Order(("run_id", "key")),
}
"""By table. What is not known comes last; rows that are alike in all of it stay in the order in which they are told."""

BY_RUN: Final = ("calls", "runs", "approvals", "decisions", "agents", "effects")
"""Those of them that people ask for."""


def columns_of(table: str) -> list[str]:
    """The columns by which a table is put in its order."""
    named = [[each] if isinstance(each, str) else each.meta.root_names() for each in ORDERS[table].by]
    return [name for names in named for name in names]


def ordered(frame: _Frame, table: str) -> _Frame:
    """The rows of a table in its order."""
    order = ORDERS[table]
    descending = list(order.descending) or [False] * len(order.by)
    return frame.sort(*order.by, descending=descending, nulls_last=True, maintain_order=True)
