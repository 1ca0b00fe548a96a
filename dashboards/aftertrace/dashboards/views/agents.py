"""Agents: which there are and who declared them, what they use and change, and what their runs can answer."""

from __future__ import annotations

import polars as pl
import streamlit as st

from aftertrace.dashboards import agent_cards, data, filters, layouts, questions, tables
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.choosing import chosen_row
from aftertrace.dashboards.quantities import count

_AGENTS, _OFF, _TOOLS, _SYSTEMS, _ANSWERS = "agents", "off the inventory", "tools", "systems", "six questions"

analysis = data.analysis()
chosen = filters.chosen()
checked = questions.checked(analysis, chosen)
is_declared = data.settings().inventory is not None
agents = agent_cards.with_agent_id(checked.agents)
seen = agents.filter(pl.col("runs") > 0)
by_state = dict(agents.group_by("state").len().rows())

told = f", {by_state.get('unregistered', 0):,} unregistered" if is_declared else ""
st.subheader(f"{count(seen.height, 'agent')} seen{told}", anchor=False)
if is_declared:
    verdicts = " · ".join(f"{checked.count(verdict):,} {verdict}" for verdict in ("broken", "unknown", "idle"))
    entries = len(analysis.inventory.agents)
    declared = f"{entries:,} {'entry' if entries == 1 else 'entries'} declared, {by_state.get('silent', 0):,} silent"
    st.caption(f"{declared}. What is declared, held against what was seen: {verdicts}.")
else:
    st.caption(
        "No inventory is declared. `aftertrace inventory init` writes one from what was seen; `inventory.file` in "
        "aftertrace.toml names it, and then what nobody declared stands here."
    )
if agents.is_empty():
    nothing_matches()
    st.stop()

about = st.segmented_control(
    "Show",
    [_AGENTS, *((_OFF,) if is_declared else ()), _TOOLS, _SYSTEMS, _ANSWERS],
    default=_AGENTS,
    required=True,
    key="about",
    bind="query-params",
    label_visibility="collapsed",
)
if about == _OFF:
    if checked.findings.is_empty():
        st.success("Everything that was seen is as declared.", icon=":material/check_circle:")
    else:
        tables.show(checked.findings, layouts.OFF_INVENTORY, key="off")
    st.caption("The same at a terminal: `aftertrace inventory check`")
elif about == _TOOLS:
    used = questions.used_tools(analysis, chosen)
    if used.is_empty():
        st.caption("No call of a tool is on record.")
    else:
        tables.show(used, layouts.USED_TOOLS, key="tools")
        st.caption(
            "Rates are near misses per call that counts, as on the page Near misses. A `?` marks a risk class that was "
            "guessed from the tool's name; `[[tool]]` in the inventory declares it."
        )
elif about == _SYSTEMS:
    changed = questions.systems(analysis, chosen)
    if changed.is_empty():
        st.info(
            "Nothing is known to have been changed in a system of record. Receipts tell it, which "
            "`aftertrace.semconv.instrument` records; some results do, too.",
            icon=":material/database:",
        )
    else:
        tables.show(changed, layouts.SYSTEMS, key="systems")
        st.caption("The same at a terminal, one by one: `aftertrace effects`")
elif about == _ANSWERS:
    with st.spinner("Asking the newest runs of each agent …"):
        found = questions.coverage(analysis, chosen)
    agent_cards.answers(found, analysis.now_ns)
    st.caption(
        "An agent counts once for each emitter that tells of it. The same as a document: `aftertrace report coverage`"
    )
else:
    row = chosen_row(
        agents,
        layouts.agents(is_declared=is_declared),
        by="agent_id",
        name="who",
        version=f"{analysis.version} {chosen!r}",
        tallest=320,
    )
    mine = agent_cards.only(row, chosen)
    used, changed = questions.used_tools(analysis, mine), questions.systems(analysis, mine)
    if row["agent_name"] is None:
        # No filter is for those without a name.
        used, changed = used.clear(), changed.clear()
    versions = questions.selected(analysis, "configurations", chosen).filter(agent_cards.of_role(row))
    agent_cards.agent(row, checked.findings.filter(agent_cards.of_role(row)), used, changed, versions)
