"""A row chosen in a table, kept in the address: it stays chosen when new rows come, and can be sent to somebody."""

from __future__ import annotations

import hashlib
from typing import Any

import polars as pl
import streamlit as st

from aftertrace.dashboards import tables, taking_effect
from aftertrace.dashboards.tables import Layout


def chosen_row(
    frame: pl.DataFrame, layout: Layout, *, by: str, name: str, version: str, tallest: int
) -> dict[str, Any]:
    """Draw a table of which one row is chosen, the first where the address names none; give that row.

    Args:
        frame: rows, at least one.
        layout: what is shown.
        by: column that tells one row from another.
        name: key in the address.
        version: of what is shown. Under another one, rows stand at other places.
        tallest: height in pixels from which on the table scrolls.
    """
    ordered = tables.in_order(frame, layout).head(tables.MOST_ROWS)
    ids = ordered[by].to_list()
    asked = st.query_params.get(name)
    place = ids.index(asked) if asked in ids else 0
    # A digest: a key stands in the page's markup, and a version may name what a sender wrote.
    key = f"{name}_{hashlib.sha256(version.encode(errors='surrogatepass')).hexdigest()[:16]}"

    def keep() -> None:
        rows = st.session_state[key].selection.rows
        taking_effect.note({name: ids[min(rows[0], len(ids) - 1) if rows else 0]})

    tables.show(
        frame,
        layout,
        key=key,
        tallest=tallest,
        on_select=keep,
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [place]}},
    )
    return ordered.row(place, named=True)
