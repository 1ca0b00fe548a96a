"""What a statement in SQL gave, as a table on a page and as files: columns of any name and kind, and hostile texts."""

from __future__ import annotations

import io
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.dashboards import tables, zones
from aftertrace.dashboards.columns import time
from aftertrace.dashboards.csv_lines import csv_lines, text_of
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.tables import MOST_ROWS

_MOST_CHARACTERS: Final = 2000
_NAME_CHARACTERS: Final = 80


def cells(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as a table may show them: texts made plain, lists and the like as JSON, each column under a plain name."""
    shown = rows.head(MOST_ROWS).select(_cell(rows, name) for name in rows.columns)
    names: dict[str, None] = {}
    for name in rows.columns:
        told = plain(name, most=_NAME_CHARACTERS) or "–"
        while told in names:
            told += "′"
        names[told] = None
    return shown.rename(dict(zip(shown.columns, names, strict=True)))


def show(rows: pl.DataFrame) -> None:
    """Draw rows as a table."""
    shown, zone = cells(rows), zones.chosen()
    st.dataframe(
        shown,
        key="answer",
        hide_index=True,
        column_config={name: _config(shown[name], zone) for name in shown.columns},
        height=tables.height_pixels(shown.height),
        row_height=tables.ROW_PIXELS,
        placeholder="–",
    )


def csv(rows: pl.DataFrame) -> str:
    """Rows as CSV: what `aftertrace sql --format csv` writes."""
    return "".join(f"{line}\n" for line in csv_lines(rows))


def parquet(rows: pl.DataFrame) -> bytes:
    """Rows as Parquet, every value as it is."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    return buffer.getvalue()


def _cell(rows: pl.DataFrame, name: str) -> pl.Expr | pl.Series:
    kind, column = rows.schema[name], rows[name].head(MOST_ROWS)
    if kind == pl.String:
        texts = [None if value is None else plain(value, most=_MOST_CHARACTERS) for value in column]
    elif kind.is_numeric() or kind in (pl.Boolean, pl.Date, pl.Null) or kind == pl.Datetime:
        return column
    else:
        texts = [None if value is None else plain(_text(value), most=_MOST_CHARACTERS) for value in column.to_list()]
    return pl.Series(name, texts, dtype=pl.String)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else text_of(value)


def _config(column: pl.Series, zone: zones.Zone) -> Any:
    name, kind = column.name, column.dtype
    if isinstance(kind, pl.Datetime):
        if kind.time_zone is not None:
            return time(name, column, zone)
        return st.column_config.DatetimeColumn(name, format="YYYY-MM-DD HH:mm:ss", width=146)
    if kind == pl.Boolean:
        return st.column_config.CheckboxColumn(name, width=96)
    if kind.is_numeric():
        return st.column_config.NumberColumn(name, width=110)
    return st.column_config.TextColumn(name, width="medium")
