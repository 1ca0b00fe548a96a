"""One run: six answers, its calls, and what happened when."""

from __future__ import annotations

import streamlit as st

from aftertrace.dashboards import data, tables
from aftertrace.dashboards.cards import answer, badge, changed_before, facts, findings
from aftertrace.dashboards.marks import RUN_STATES, UNSTATED
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count, duration, moment, money
from aftertrace.dashboards.timeline import timeline

head, search = st.columns([5, 3], vertical_alignment="center")
asked = search.text_input(
    "Run",
    key="run",
    bind="query-params",
    placeholder="run id or its beginning, a trace id, or last",
    icon=":material/search:",
    label_visibility="collapsed",
)
try:
    analysis, run_id = data.run(asked or "last")
except data.Invalid as error:
    st.warning("There is no such run.", icon=":material/search_off:")
    st.code(plain(str(error)), language=None, wrap_lines=True)
    st.stop()

only = data.Filter(run_id=run_id)
run = analysis.select("runs", only).row(0, named=True)
calls = analysis.select("calls", only)
agents = analysis.select("agents", only)
answers = analysis.answers(run_id)
record = analysis.record(run_id)
events = analysis.timeline(run_id)
UNKNOWN = UNSTATED.word

with head, st.container(horizontal=True, vertical_alignment="center", gap="small"):
    badge(RUN_STATES.get(run["state"], UNSTATED))
    st.text(plain(run["agent_name"] or "agent not stated", most=80))
    st.code(run_id, language=None, width="content")
known = sum(each.state == "known" for each in answers.six)
tokens = f"{count(run['input_tokens'])} in, {count(run['output_tokens'])} out"
facts(
    [
        ("Started", moment(run["started_at"])),
        ("Duration", duration(run["duration_ns"])),
        ("Calls", f"{count(run['calls'])}, {count(run['near_misses'], 'near miss')}"),
        ("Tokens", tokens),
        ("Cost", money(run["cost_usd"])),
        ("Conversation", run["conversation_id"] or UNKNOWN),
    ],
    widths=[5, 3, 4, 4, 3, 6],
)

findings(record)

st.subheader(f"Six answers, {known} known", anchor=False)
for row in (answers.six[:3], answers.six[3:]):
    for column, given in zip(st.columns(3, gap="small"), row, strict=True):
        with column:
            answer(given)
with st.expander("Trigger, checks and effects", icon=":material/more_horiz:", expanded=True):
    for column, given in zip(st.columns(3, gap="small"), answers.more, strict=True):
        with column:
            answer(given)

changed_before(record)

st.subheader(count(calls.height, "call"), anchor=False)
if calls.is_empty():
    st.text("No tool call was seen in this run.")
else:
    tables.show(calls, tables.CALLS, key=f"calls_{run_id}")

if agents.height > 1:
    st.subheader(count(agents.height, "agent"), anchor=False)
    tables.show(agents, tables.AGENTS, key=f"agents_{run_id}")

if not events.is_empty():
    st.subheader("Timeline", anchor=False)
    st.altair_chart(timeline(events))
    with st.expander(f"All {count(events.height, 'event')}", icon=":material/list:"):
        tables.show(events, tables.EVENTS, key=f"events_{run_id}")

with st.expander("Configuration and origin", icon=":material/fingerprint:"):
    facts(
        [
            ("System prompt digest", run["system_prompt_digest"] or UNKNOWN),
            ("Tool list digest", run["tools_digest"] or UNKNOWN),
        ]
    )
    available = run["tools_available"]
    listed = UNKNOWN if available is None else ", ".join(available) or "none"
    facts(
        [
            ("Tools the model could call", listed),
            ("Model asked", run["model"] or UNKNOWN),
            ("Model that answered", run["model_served"] or UNKNOWN),
            ("Agent version", run["agent_version"] or UNKNOWN),
        ]
    )
    facts(
        [
            ("Service", run["service_name"] or UNKNOWN),
            ("Source, as authenticated", run["source"] or UNKNOWN),
            ("Tenant and environment", f"{run['tenant'] or UNKNOWN}, {run['environment'] or UNKNOWN}"),
            ("Read by", ", ".join(run["dialects"] or ()) or UNKNOWN),
        ]
    )
    st.caption(f"{count(len(run['traces'] or ()), 'trace')}, {count(run['records'], 'record')}")
    st.code("\n".join(plain(trace) for trace in run["traces"] or ()), language=None)

st.download_button(
    "Run record, as one file",
    lambda: data.record_page(analysis, run_id),
    file_name=f"run-{run_id}.html",
    mime="text/html",
    icon=":material/download:",
    on_click="ignore",
)
st.caption(f"Analysed {moment(analysis.now_ns)}")
