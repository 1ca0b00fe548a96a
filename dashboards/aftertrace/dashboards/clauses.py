"""What calls or runs can be chosen by, in one word each, as `aftertrace compare --where` takes it: `outcome=denied`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from aftertrace.dashboards import data, filters
from aftertrace.dashboards.data import Analysis
from aftertrace.dashboards.plain import plain

_MOST_CHARACTERS: Final = 120
_SUGGESTED: Final = (
    ("calls that were refused", "calls", "outcome=denied"),
    ("calls that were edited", "calls", "outcome=modified"),
    ("calls that nobody answered for", "calls", "outcome=expired"),
    ("calls that failed", "calls", "outcome=failed"),
    ("runs that failed", "runs", "state=failed"),
    ("runs that were abandoned", "runs", "state=abandoned"),
)
"""What is worth asking: in words, of what, and the clause."""


def choices(analysis: Analysis) -> dict[str, tuple[str, str]]:
    """Field of a filter and value of each clause that something in this store has."""
    values = data.once(analysis, "choices", lambda: filters.choices(analysis))
    return {
        f"{facet.key.replace('_', '-')}={value}": (facet.key, value)
        for facet in filters.FACETS
        for value in values[facet.key]
    }


def shown(clause: str) -> str:
    """A clause as a page may show it."""
    return plain(clause, most=_MOST_CHARACTERS)


def suggestions(known: Mapping[str, tuple[str, str]]) -> None:
    """What to ask first."""
    st.subheader("What sets some calls or runs apart?", anchor=False)
    st.caption(
        "Choose which, and every tool, argument, agent, version, prompt, person and day that is more frequent among "
        "them than among the others is told, with its lift and 95 % interval. Such as:"
    )
    with st.container(horizontal=True, gap="medium"):
        for words, of, clause in _SUGGESTED:
            if clause in known:
                # A link to the page one is on would be drawn as the page that is open.
                st.button(
                    words,
                    icon=":material/compare_arrows:",
                    key=clause,
                    on_click=st.session_state.update,
                    args=({"of": of, "where": [clause]},),
                )
