"""Filters that every command and page shares."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import and_
from typing import Any, Final

import polars as pl

ALL: Final = pl.lit(value=True)
"""What holds of every row."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to keep. Fields that are None keep everything; several fields must all hold."""

    agent: str | None = None
    """Agent name, exact."""
    tool: str | None = None
    """Tool name, exact."""
    outcome: str | None = None
    """Outcome of a call."""
    decided_by: str | None = None
    """Class of who decided."""
    reviewer: str | None = None
    """Reviewer, as named by the sender."""
    tenant: str | None = None
    """Tenant of the source."""
    environment: str | None = None
    """Deployment environment."""
    run_id: str | None = None
    """Run."""
    principal: str | None = None
    """User or principal that the run acted for, exact; this and what follows is answered by `narrowing`."""
    model: str | None = None
    """Model that was asked, exact; of runs, that any of its model calls asked."""
    state: str | None = None
    """State of the run."""
    customer: str | None = None
    """Customer that a record of the run names, or the resource of one, exact."""
    risk: str | None = None
    """Risk class of the call's tool."""
    target: str | None = None
    """What the call was aimed at: as `references.sought` finds it in arguments and objects of effects."""
    namespace: str | None = None
    """Namespace, database, table or collection that the call worked on."""
    policy: str | None = None
    """Policy that gave a verdict on the call; of runs, that was asked or in force."""
    since_ns: int | None = None
    """Earliest time, inclusive."""
    until_ns: int | None = None
    """Latest time, exclusive."""

    def apply(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Keep the rows of a derived table that this filter lets through.

        A field whose column the table lacks (`tool` on `runs`) is answered by the table's list column where it has one,
        and keeps everything where it has none.
        """
        return frame.filter(self.lets_through(frame.collect_schema().names()))

    def lets_through(self, columns: Collection[str]) -> pl.Expr:
        """Whether a row of a derived table with these columns is kept by `apply`."""
        wanted = {
            "agent_name": self.agent,
            "tool_name": self.tool,
            "outcome": self.outcome,
            "decided_by": self.decided_by,
            "reviewer": self.reviewer,
            "tenant": self.tenant,
            "environment": self.environment,
            "run_id": self.run_id,
        }
        held = [pl.col(column) == value for column, value in wanted.items() if value is not None and column in columns]
        if self.tool is not None and "tool_name" not in columns and "tools" in columns:
            held.append(pl.col("tools").list.contains(self.tool))
        if self.since_ns is not None and "first_ns" in columns:
            held.append(pl.col("first_ns") >= self.since_ns)
        if self.until_ns is not None and "first_ns" in columns:
            held.append(pl.col("first_ns") < self.until_ns)
        return reduce(and_, held, pl.lit(value=True))


def either(clauses: Sequence[tuple[str, Any]]) -> tuple[Filter, ...]:
    """The filters of some clauses, a field and its value each: of one field any may hold, of several all have to."""
    values: dict[str, list[Any]] = {}
    for name, value in clauses:
        values.setdefault(name, []).append(value)
    names = list(values)
    return tuple(Filter(**dict(zip(names, each, strict=True))) for each in product(*values.values())) if names else ()
