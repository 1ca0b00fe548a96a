"""The dashboard: ten pages over the analyzer. Started as `dashboards.launch.command` says."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path

import streamlit as st

from aftertrace.dashboards import data, filters, packing, zones
from aftertrace.dashboards.cards import empty_store
from aftertrace.dashboards.plain import plain_lines

_FOLDER = Path(__file__).parent

# The icon is a file of ours: a Material one would be fetched from another host.
st.set_page_config(page_title="aftertrace", page_icon=str(_FOLDER / "mark.svg"), layout="wide")
st.html(_FOLDER / "drawn" / "page.css")
st.logo(str(_FOLDER / "logo.svg"), size="large")

NOW = st.Page("views/now.py", title="Now", icon=":material/notifications:", default=True)
RUNS = st.Page("views/runs.py", title="Runs", icon=":material/list_alt:")
RUN = st.Page("views/run.py", title="Run", icon=":material/footprint:")
NEAR_MISSES = st.Page("views/near_misses.py", title="Near misses", icon=":material/block:")
APPROVALS = st.Page("views/approvals.py", title="Approvals", icon=":material/how_to_reg:")
CHANGES = st.Page("views/changes.py", title="Changes", icon=":material/difference:")
AGENTS = st.Page("views/agents.py", title="Agents", icon=":material/smart_toy:")
COMPARE = st.Page("views/compare.py", title="Compare", icon=":material/compare_arrows:")
EVIDENCE = st.Page("views/evidence.py", title="Evidence", icon=":material/verified_user:")
SQL = st.Page("views/sql.py", title="SQL", icon=":material/database:")


@st.fragment(run_every=data.REFRESH_S)
def look_for_news(shown: str | None) -> None:
    """Draw the page again when the store has moved on; what is chosen stays."""
    if data.version() != shown:
        st.rerun()


page = st.navigation([NOW, NEAR_MISSES, RUNS, RUN, APPROVALS, CHANGES, AGENTS, COMPARE, EVIDENCE, SQL], position="top")
shown = data.version()
if page != RUN:
    st.session_state.pop(packing.KEY, None)
named = (st.session_state.get("run") or st.query_params.get("run")) if page == RUN else None
try:
    if named:
        # Opened before the page is drawn, and kept for it. A run that is not there is the page's to tell.
        with suppress(data.Invalid):
            data.run(named)
    analysis = None
    # Whether what is stored is sound is asked where it cannot be read, too.
    with suppress(data.AftertraceError) if page == EVIDENCE else nullcontext():
        analysis = None if named else data.analysis()
except data.AftertraceError as error:
    st.error("The store cannot be read. This page tries again by itself.", icon=":material/error:")
    st.code(plain_lines(str(error)), language=None, wrap_lines=True)
    look_for_news(shown)
else:
    if analysis is not None and data.is_empty(analysis):
        empty_store(data.settings())
        look_for_news(shown)
    else:
        is_filtered = analysis is not None and page not in (RUN, EVIDENCE, SQL)
        if analysis is not None and is_filtered:
            filters.bar(analysis)
        # What stands below a page is there before it: a page may end early, where it has nothing to show.
        drawn, below = st.container(), st.container(gap=None)
        with below:
            if analysis is not None and is_filtered:
                st.caption(f"Analysed {zones.moment(analysis.now_ns)}", help=zones.hint(analysis.now_ns))
            zones.switch()
            look_for_news(shown)
        data.note_page(page.title, named or "")
        with drawn:
            page.run()
