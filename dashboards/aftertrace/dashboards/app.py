"""The dashboard: ten pages over the analyzer. Started as `dashboards.launch.command` says."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from aftertrace.dashboards import data, filters, packing, signing_in, taking_effect, zones
from aftertrace.dashboards.access import Person
from aftertrace.dashboards.cards import empty_store
from aftertrace.dashboards.plain import plain_lines

_FOLDER = Path(__file__).parent

# The icon is a file of ours: a Material one would be fetched from another host.
st.set_page_config(page_title="aftertrace", page_icon=str(_FOLDER / "mark.svg"), layout="wide")
st.html(_FOLDER / "drawn" / "page.css")
st.logo(str(_FOLDER / "logo.svg"), size="large")

who = signing_in.person()
# What of `access.MAY` a page is about, by its title, where it is about more than figures, names and outcomes.
_OF = {
    **dict.fromkeys(("Run", "Approvals", "Changes", "Compare"), "contents"),
    "Evidence": "evidence",
    "SQL": "sql",
}


def page_of(name: str, title: str, icon: str) -> StreamlitPage:
    """A page; the way to it is left out where it is not for whoever looks."""
    is_theirs = who is not None and who.may(_OF.get(title, ""))
    return st.Page(
        f"views/{name}.py",
        title=title,
        icon=f":material/{icon}:",
        default=name == "now",
        visibility="visible" if is_theirs else "hidden",
    )


NOW = page_of("now", "Now", "notifications")
RUNS = page_of("runs", "Runs", "list_alt")
RUN = page_of("run", "Run", "footprint")
NEAR_MISSES = page_of("near_misses", "Near misses", "block")
APPROVALS = page_of("approvals", "Approvals", "how_to_reg")
CHANGES = page_of("changes", "Changes", "difference")
AGENTS = page_of("agents", "Agents", "smart_toy")
COMPARE = page_of("compare", "Compare", "compare_arrows")
EVIDENCE = page_of("evidence", "Evidence", "verified_user")
SQL = page_of("sql", "SQL", "database")


@st.fragment(run_every=data.REFRESH_S)
def look_for_news(shown: str | None, who: Person) -> None:
    """Draw the page again when the store has moved on, or somebody's sign-in is over; what is chosen stays."""
    if taking_effect.is_seen() and (data.version() != shown or signing_in.person() != who):
        st.rerun()


page = st.navigation([NOW, NEAR_MISSES, RUNS, RUN, APPROVALS, CHANGES, AGENTS, COMPARE, EVIDENCE, SQL], position="top")
if who is None:
    signing_in.turned_away()
    st.stop()
if st.session_state.setdefault("looking", who) != who:
    # What one was answered is not shown to another who signs in after them.
    st.session_state.clear()
if not who.may(_OF.get(page.title, "")):
    st.subheader(f"{page.title}: not for you as {who.role}", anchor=False)
    st.text("Ask whoever runs aftertrace in your organisation for another role, or for all tenants.")
    signing_in.signed_in(who)
    st.stop()
taking_effect.write()
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
    look_for_news(shown, who)
else:
    if analysis is not None and data.is_empty(analysis):
        empty_store(data.settings())
        look_for_news(shown, who)
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
            signing_in.signed_in(who)
            look_for_news(shown, who)
        data.note_page(page.title, named or "")
        with drawn:
            page.run()
