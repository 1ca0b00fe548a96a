"""How the columns of kept tables stand in their files, which Delta's readers read too.

Delta keeps microseconds. A time is stored so, and beside it, in a column that no log names, what is left of its
nanoseconds: what is read back here is what was told.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import ORDERS
from aftertrace.store.derived_logs import Table

if TYPE_CHECKING:
    from aftertrace.store.derived import State

SHARED: Final = tuple(name for name in ORDERS if name in DERIVED)
"""The kept tables that other engines read."""
FINALITY: Final = "run_is_final"
"""The column that their files have beside those of `aftertrace sql`."""
FINALITY_BRIEF: Final = (
    "whether what is told of its run is final, unless records of it come late; others are as they were told when "
    "records of them came last, or when they might have ended"
)
_REST: Final = "_rest_ns"
_NS_PER_US: Final = 1000


def stored(rows: pl.LazyFrame, *, is_final: bool) -> pl.LazyFrame:
    """Rows as a file has them, of runs of which what is told is final or not."""
    times = [name for name, kind in rows.collect_schema().items() if isinstance(kind, pl.Datetime)]
    whole = {name: pl.col(name).dt.epoch("ns") for name in times}
    return rows.with_columns(
        **{name: (at // _NS_PER_US).cast(pl.Datetime("us", "UTC")) for name, at in whole.items()},
        **{name + _REST: (at % _NS_PER_US).cast(pl.Int16) for name, at in whole.items()},
        **{FINALITY: pl.lit(is_final)},
    )


def told(rows: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
    """What the rows of files tell, in the columns of a table."""
    return rows.select(
        (pl.col(name).cast(kind).dt.epoch("ns") + pl.col(name + _REST)).cast(kind).alias(name)
        if isinstance(kind, pl.Datetime)
        else pl.col(name)
        for name, kind in schema.items()
    )


def shared(state: State) -> list[Table]:
    """The tables as others read them, with the files of a state."""
    return [Table(name, DERIVED[name].brief, _columns_json(name), _files(state, name)) for name in SHARED]


def _files(state: State, table: str) -> frozenset[str]:
    return frozenset(part.files[table] for part in (*state.parts, *state.opened) if table in part.files)


@cache
def _columns_json(table: str) -> str:
    """The columns of a table in Delta's form, each with what it means."""
    import pyarrow as pa
    from deltalake import Schema

    schema = DERIVED[table].schema
    empty = pl.DataFrame(
        schema={name: pl.Datetime("us", "UTC") if kind == pl.Datetime else kind for name, kind in schema.items()}
    )
    briefs = {**DERIVED[table].briefs, FINALITY: FINALITY_BRIEF}
    fields = [*empty.to_arrow().schema, pa.field(FINALITY, pa.bool_())]
    return str(
        Schema.from_arrow(
            pa.schema([field.with_metadata({"comment": briefs[field.name]}) for field in fields])
        ).to_json()
    )
