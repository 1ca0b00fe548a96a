"""Two runs side by side on a page: the blocks of the document that `aftertrace compare` writes."""

from __future__ import annotations

import streamlit as st

from aftertrace.analyzer.comparison import document as comparison_document
from aftertrace.analyzer.comparison.run_comparison import RunComparison
from aftertrace.dashboards import drawings
from aftertrace.dashboards.addresses import run_address
from aftertrace.dashboards.blocks import drawn


def draw(found: RunComparison) -> None:
    """Draw where two runs part, what made them, and their calls step by step."""
    of = f"{found.first.run_id}_{found.second.run_id}"
    links = addresses(found)
    begin, made, *rest = comparison_document.document(found).parts
    headline, runs = begin.blocks
    table, *texts = made.blocks
    drawings.document(drawn([headline], links), key=f"parted_{of}")
    for column, title, blocks in zip(
        st.columns(2, gap="large"), ("The two runs", made.title), ((runs,), (table,)), strict=True
    ):
        with column:
            st.subheader(title, anchor=False)
            drawings.document(drawn(blocks, links), key=f"{title}_{of}")
    if texts:
        drawings.document(drawn(texts), key=f"texts_{of}")
    for part in rest:
        st.subheader(part.title, anchor=False)
        drawings.document(drawn(part.blocks, links), key=f"{part.title}_{of}")


def addresses(found: RunComparison) -> dict[str, str]:
    """Where ids of the runs, and the first record of each of their calls, lead to."""
    told = {run.run_id: run_address(run.run_id) for run in (found.first, found.second)}
    for step in found.steps:
        for run, call in ((found.first, step.first), (found.second, step.second)):
            if call is not None and call.evidence:
                place, address = call.evidence[0], run_address(run.run_id)
                # A record may tell of several calls.
                told[place] = address if place in told else f"{address}&call={call.number}"
    return told
