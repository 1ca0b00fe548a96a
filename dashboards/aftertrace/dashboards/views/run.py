"""One run: six answers, its calls, what happened when, what changed, and what it has to do with other runs."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from aftertrace.analyzer.records import record_document, record_tables, record_words, version_words
from aftertrace.dashboards import (
    call_cards,
    data,
    drawings,
    filters,
    packing,
    questions,
    run_blocks,
    run_list,
    tables,
    taking_effect,
    timeline,
    zones,
)
from aftertrace.dashboards.addresses import CALL_ID, FROM, kept_in
from aftertrace.dashboards.attention import CHANGES
from aftertrace.dashboards.blocks import drawn
from aftertrace.dashboards.cards import badge, facts
from aftertrace.dashboards.marks import RUN_STATES, UNSTATED
from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.quantities import count, duration, instant, money

_NAME_CHARACTERS = 24
_LINE_CHARACTERS = 200
TABS = ("Calls", "Timeline", "Agents", "Effects", "Configuration", "Related", "Record")

head, ways, search = st.columns([13, 8, 6], vertical_alignment="center", gap="small")
asked = search.text_input(
    "Run",
    key="run",
    bind="query-params",
    placeholder="run id, trace id, or last",
    icon=":material/search:",
    label_visibility="collapsed",
)
try:
    analysis, run_id = data.run(asked or "last")
except data.Invalid as error:
    st.warning("There is no such run.", icon=":material/search_off:")
    st.code(plain(str(error)), language=None, wrap_lines=True)
    st.page_link("views/runs.py", label="All runs", icon=":material/list_alt:")
    st.stop()

record = questions.record(analysis, run_id)
run = analysis.select("runs", data.Filter(run_id=run_id)).row(0, named=True)
kept = run_list.kept(kept_in(st.query_params.get(FROM)))
links = run_blocks.addresses(record, kept)


def open_call(number: int | None) -> None:
    """Write the chosen call into the address."""
    taking_effect.note({"call": None if number is None else str(number), CALL_ID: None})


def open_event(event: str | None) -> None:
    """Write the chosen event into the address, or go to the call that it tells of."""
    if event is not None and event.startswith("call "):
        open_call(call_cards.number_in(event.removeprefix("call ")))
        taking_effect.note({}, {"tab": "Calls"})
    else:
        taking_effect.note({"event": event})


def address() -> str:
    """Address of the page as it is now, for somebody who sees the same server."""
    now = {**dict(st.query_params.items()), "run": run_id}
    # With the name of the page where a reader came to it by its address, and without where by another page.
    return f"{(st.context.url or '').rstrip('/').removesuffix('/run')}/run?{urlencode(now)}"


def go_to(other: str | None) -> None:
    """Open another run in the place of this one."""
    st.session_state["run"] = other
    for name in ("call", CALL_ID, "event", "calls_page"):
        st.query_params.pop(name, None)
        st.session_state.pop(name, None)


with head, st.container(horizontal=True, vertical_alignment="center", gap="small"):
    badge(RUN_STATES.get(run["state"], UNSTATED))
    st.text(plain(" ".join(filter(None, (run["agent_name"] or "agent not told", run["agent_version"]))), most=48))
    st.code(run_id, language=None, width="content")
    with st.popover("Share or export", icon=":material/share:", type="tertiary"):
        st.caption("A link to what is shown now")
        st.code(address(), language=None, wrap_lines=True)
        st.caption("The same on the command line")
        st.code(f"aftertrace run {run_id}", language=None)
        st.caption("All of it as one file that prints well, to attach to an incident")
        st.download_button(
            "Run record, as one file",
            data.record_page(analysis, run_id),
            file_name=f"run-{run_id}.html",
            mime="text/html",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(
            "With all records and the proofs, for somebody who trusts nobody here; that it was made is entered in the "
            "ledger"
        )
        st.code(f"aftertrace packet {run_id}", language=None)
        if data.person().may("packets") and st.button("Make the packet", icon=":material/inventory_2:"):
            with st.spinner("Making the packet …"):
                st.session_state[packing.KEY] = data.packet(run_id)
        made = st.session_state.get(packing.KEY)
        if made is not None and made.run_id != run_id:
            del st.session_state[packing.KEY]
        elif made is not None:
            if made.refusal is None:
                st.download_button(
                    "Packet",
                    made.content,
                    file_name=f"aftertrace-run-{run_id}.zip",
                    mime="application/zip",
                    icon=":material/download:",
                    on_click="ignore",
                )
            else:
                st.warning("No packet was made.", icon=":material/warning:")
                st.code(plain_lines(made.refusal), language=None, wrap_lines=True)
    st.page_link("views/compare.py", label="Compare", icon=":material/compare_arrows:", query_params={"a": run_id})
way = ways.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="xsmall")
facts(
    [
        ("Started", instant(run["started_at"])),
        ("Duration", duration(run["duration_ns"])),
        ("Calls", f"{count(run['calls'])}, {count(run['near_misses'], 'near miss')}"),
        ("Tokens", record_words.tokens(record.usage)),
        ("Cost, as stated", money(run["cost_usd"])),
        ("Acted for", plain(run["user_id"] or UNSTATED.word, most=_NAME_CHARACTERS)),
    ],
    widths=[5, 3, 4, 5, 3, 5],
)
st.text(record_words.headline(record))
latest = next((change for version in record.versions or () for change in version.changes), None)
if latest is not None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text(plain(f"Changed before it: {version_words.headline(latest)}", most=_LINE_CHARACTERS), width="content")
        st.page_link(CHANGES, label="What moved after it", query_params={"change": latest.id})
if record.findings:
    drawings.document(drawn(record_document.findings(record), links), key=f"findings_{run_id}")
drawings.document(run_blocks.answers(record), key=f"answers_{run_id}")

opened = dict(zip(TABS, st.tabs(TABS, key="tab", bind="query-params"), strict=True))

if opened["Calls"].open:
    with opened["Calls"]:
        if not record.calls:
            st.text("No tool call was seen in this run.")
        else:
            number = call_cards.number_in(st.query_params.get("call", "")) or call_cards.number_of(
                record.calls, st.query_params.get(CALL_ID)
            )
            pages = -(-len(record.calls) // call_cards.CALLS_AT_ONCE)
            page = 1
            if pages > 1:
                page = st.pagination(pages, default=call_cards.page_of(record.calls, number), key="calls_page")
            begin = (page - 1) * call_cards.CALLS_AT_ONCE
            some = record.calls[begin : begin + call_cards.CALLS_AT_ONCE]
            cards = call_cards.cards(record, some, number, links)
            drawings.call_cards(cards, number, key=f"calls_{run_id}_{page}", on_choice=open_call)
            if pages > 1:
                st.caption(f"Calls {begin + 1:,} to {begin + len(some):,} of {len(record.calls):,}.")

if opened["Timeline"].open:
    with opened["Timeline"]:
        clock = timeline.drawn(record, st.query_params.get("event"))
        if clock is None:
            st.text("The records of this run hold no times.")
        else:
            drawings.timeline(clock, key=f"timeline_{run_id}", on_choice=open_event)
            if clock["left"]:
                st.caption(f"{clock['left']:,} more events are in the list below, not in the drawing.")
        events = questions.timeline(analysis, run_id)
        with st.expander(f"All {count(events.height, 'event')}", icon=":material/list:"):
            tables.show(events, tables.EVENTS, key=f"events_{run_id}")

if opened["Agents"].open:
    with opened["Agents"]:
        drawings.document(drawn(run_blocks.agents(record)), key=f"agents_{run_id}")
        st.subheader("What was said and done", anchor=False)
        drawings.document(drawn(run_blocks.conversation(record)), key=f"conversation_{run_id}")

if opened["Effects"].open:
    with opened["Effects"]:
        for part in (*record_tables.approvals(record), record_tables.effects(record)):
            st.subheader(part.title, anchor=False)
            drawings.document(drawn(part.blocks, links), key=f"{part.title}_{run_id}")

if opened["Configuration"].open:
    with opened["Configuration"]:
        parts = (
            record_tables.changed_before(record),
            record_tables.configuration(record),
            *record_tables.inputs(record),
        )
        for part in parts:
            st.subheader(part.title, anchor=False)
            drawings.document(drawn(part.blocks, links), key=f"{part.title}_{run_id}")

if opened["Related"].open:
    with opened["Related"]:
        whole = data.analysis()
        others = questions.related(whole, run_id)
        drawings.document(run_blocks.related(others, run_id, kept), key=f"related_{run_id}")
        same = whole.select("runs", only=run_blocks.same_conversation(run)).sort("first_ns", descending=True)
        if not same.is_empty():
            st.subheader("Runs of the same conversation", anchor=False)
            drawings.document(run_blocks.runs(same, kept), key=f"same_{run_id}")

if opened["Record"].open:
    with opened["Record"]:
        part = record_document.evidence(record)
        drawings.document(drawn((record_document.head(record), *part.blocks)), key=f"record_{run_id}")

st.subheader("Commentary", anchor=False)
try:
    drawings.document(run_blocks.commentary(data.comments(run_id), run_id), key=f"commentary_{run_id}")
except data.AftertraceError as error:
    st.warning("Comments cannot be shown.", icon=":material/warning:")
    st.code(plain(str(error)), language=None, wrap_lines=True)
st.caption(f"Analysed {zones.moment(analysis.now_ns)}", help=zones.hint(analysis.now_ns))

# Last, since it asks for all runs: the page is there before.
with way:
    whole = data.analysis()
    try:
        listed = questions.listed(whole, kept, filters.of(kept))
    except data.Invalid:
        # An address that somebody wrote by hand names no list: this one has all runs.
        kept = {}
        listed = questions.listed(whole, kept, filters.of(kept))
    before, after = run_list.neighbours(listed, run_id)
    st.button(
        "Previous",
        icon=":material/chevron_left:",
        on_click=go_to,
        args=[before],
        disabled=before is None,
        type="tertiary",
        help="The run before it in the list that it was opened from",
    )
    st.button(
        "Next",
        icon=":material/chevron_right:",
        icon_position="right",
        on_click=go_to,
        args=[after],
        disabled=after is None,
        type="tertiary",
        help="The run after it in the list that it was opened from",
    )
    st.page_link("views/runs.py", label=run_list.place(listed, run_id), icon=":material/list_alt:", query_params=kept)
