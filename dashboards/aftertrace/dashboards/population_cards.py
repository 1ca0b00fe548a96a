"""What is different about some calls or runs: each value with its shares and how sure that is, and the rows behind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.analyzer.populations import words
from aftertrace.analyzer.populations.comparison import PopulationComparison
from aftertrace.dashboards import tables, taking_effect
from aftertrace.dashboards.layouts import BEHIND, DIFFERENCES
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count

_MOST_DIFFERENCES: Final = 200
_MOST_CHARACTERS: Final = 600
_FINDING: Final = "finding"
"""Key in the address of the finding of which the rows are shown."""


def differences(found: PopulationComparison, behind: Callable[[str], pl.DataFrame]) -> None:
    """Draw what is different about the chosen rows; a finding that is chosen is in the address.

    Args:
        found: what is different.
        behind: gives the rows that have a value, by the id of its finding.
    """
    for line in words.headline(found):
        st.text(plain(line, most=_MOST_CHARACTERS))
    chosen = st.query_params.get(_FINDING)
    for title, listed in words.listed(found):
        st.subheader(title, anchor=False)
        _group(found, title, listed[:_MOST_DIFFERENCES], chosen)
    if found.lifts.rows.height:
        _behind(found, chosen, behind)
    with st.expander("How to read this", icon=":material/help:"):
        st.text(words.READING)
        for line in words.notes(found):
            st.text(plain(line, most=_MOST_CHARACTERS))
    command = words.command(found)
    if command is not None:
        st.caption("The same at a terminal")
        st.code(command, language=None, wrap_lines=True)


def _group(found: PopulationComparison, title: str, listed: list[dict[str, Any]], chosen: str | None) -> None:
    ids = [row["lift_id"] for row in listed]
    rows = [
        {
            "value": words.value_of(row),
            "chosen_share": row["chosen"] / row["of_chosen"] if row["of_chosen"] else None,
            "other_share": row["others"] / row["of_others"] if row["of_others"] else None,
            "counted": words.shares(row),
            "lift": words.lift(row),
            "q": words.q_of(row) or None,
            "also": words.also(row) or None,
            "run_id": row["run_ids"][0] if row["run_ids"] else None,
        }
        for row in listed
    ]
    # A digest, since a choice may name what a sender wrote. The rest: a table in which nothing is chosen any more is
    # another one, or it would go on to show what was.
    told = f"{title} {found.now_ns} {found.choice!r} {chosen in ids}"
    key = f"differences_{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()[:16]}"
    tables.show(
        pl.DataFrame(rows, schema=_SCHEMA),
        DIFFERENCES,
        key=key,
        tallest=340,
        on_select=_keep(key, ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(chosen)] if chosen in ids else []}},
    )


def _keep(key: str, ids: list[str]) -> Callable[[], None]:
    def keep() -> None:
        rows = st.session_state[key].selection.rows
        taking_effect.note({_FINDING: ids[min(rows[0], len(ids) - 1)] if rows else None})

    return keep


def _behind(found: PopulationComparison, chosen: str | None, behind: Callable[[str], pl.DataFrame]) -> None:
    """The rows that have a value, on both sides."""
    named = found.lifts.rows.filter(pl.col("lift_id") == (chosen or ""))
    if named.is_empty():
        st.caption("Choose a row to see which calls or runs have it.")
        return
    rows = behind(str(chosen))
    st.subheader(f"{count(rows.height, found.choice.of[:-1])} behind it", anchor=False)
    st.text(plain(words.value_of(named.row(0, named=True)), most=_MOST_CHARACTERS))
    tables.show(rows, BEHIND[found.choice.of], key=f"behind_{chosen}", tallest=340)


_SCHEMA: Final = {
    **dict.fromkeys(("value", "counted", "lift", "q", "also", "run_id"), pl.String),
    **dict.fromkeys(("chosen_share", "other_share"), pl.Float64),
}
