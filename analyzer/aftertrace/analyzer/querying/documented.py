"""The tables that SQL reads, with what each column means."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.store.schema import TABLES

STORED = ("spans", "events")
"""Stored tables that SQL reads beside the derived ones."""


@dataclass(frozen=True, slots=True)
class Documented:
    """A table that SQL reads."""

    name: str
    brief: str
    """What one row is."""
    columns: pl.DataFrame
    """`column`, `type` and `meaning`."""


def documented() -> tuple[Documented, ...]:
    """Every table that SQL reads: the derived ones, then those that are stored."""
    derived = (
        Documented(name, each.brief, _columns([(of, kind, each.briefs[of]) for of, kind in each.schema.items()]))
        for name, each in DERIVED.items()
    )
    stored = (Documented(name, TABLES[name].brief, _stored(name)) for name in STORED)
    return (*derived, *stored)


def _stored(table: str) -> pl.DataFrame:
    schema = TABLES[table].schema
    briefs = [(field.metadata or {}).get(b"brief", b"").decode() for field in schema]
    return _columns(list(zip(schema.names, pl.Schema(schema).values(), briefs, strict=True)))


def _columns(rows: list[tuple[str, pl.DataType, str]]) -> pl.DataFrame:
    told = [(name, str(kind), meaning) for name, kind, meaning in rows]
    return pl.DataFrame(told, schema=dict.fromkeys(("column", "type", "meaning"), pl.String), orient="row")
