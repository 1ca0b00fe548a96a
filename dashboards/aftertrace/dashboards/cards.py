"""Small pieces that several pages draw: facts in a row, an answer, an item, an empty store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import streamlit as st

from aftertrace.analyzer.documents.document import Instant, line_text
from aftertrace.analyzer.reports.next_steps import Step
from aftertrace.dashboards import filters, launch, zones
from aftertrace.dashboards.attention import NOW, Item, way_of
from aftertrace.dashboards.marks import Mark
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import UNKNOWN, duration

_MOST_CHARACTERS: Final = 320


def attention(item: Item) -> None:
    """Something to look at: its mark, how much of what, which, and the way to its rows."""
    mark, told, way = st.columns([15, 84, 13], gap="small", vertical_alignment="center")
    with mark:
        badge(item.mark)
    with told, st.container(gap=None):
        st.markdown(f"**{item.title}**")
        st.text(item.detail)
    with way:
        _way(item.page, item.query, item.title)


def next_step(nth: int, step: Step) -> None:
    """Something to do: what and why, and the way to where it is done."""
    told, way = st.columns([84, 18], gap="small", vertical_alignment="center")
    told.text(f"{nth}. {plain(line_text(step.line), most=_MOST_CHARACTERS)}")
    with way:
        _way(*way_of(step), f"step {nth}")


def _way(page: str, query: Mapping[str, str], key: str) -> None:
    if page == NOW:
        # A link to the page one is on would be drawn as the page that is open.
        st.button(
            "Below",
            icon=":material/arrow_downward:",
            type="tertiary",
            key=f"below {key}",
            on_click=st.session_state.update,
            args=(dict(query),),
        )
    else:
        st.page_link(page, label="Open", icon=":material/arrow_forward:", query_params=dict(query))


def calm(looked_at: str) -> None:
    """What stands where nothing needs eyes."""
    with st.container(border=True, gap="xsmall"):
        st.markdown(":material/check_circle: **Nothing needs eyes.**")
        st.caption(f"{looked_at} looked at: no grave near miss, no control failed, nobody is waited for.")


def ingest(last_ns: int | None, now_ns: int, *, is_lossless: bool) -> None:
    """One line on what comes in: when the last was heard, and whether anything is known to be lost."""
    if last_ns is None:
        told = "No record has a time."
    elif last_ns > now_ns:
        told = f"The last record is of {zones.moment(last_ns)}: a sender's clock is ahead of this one."
    else:
        told = f"Last record {duration(now_ns - last_ns)} before this analysis ({zones.moment(last_ns)})."
    with st.container(horizontal=True, gap="small"):
        st.caption(told, help=zones.hint(last_ns), width="content")
        if is_lossless:
            st.caption("Nothing is known to be lost on the way.", width="content")


def badge(mark: Mark) -> None:
    """A mark: its icon, its word, its colour."""
    st.badge(mark.word, icon=mark.icon, color=mark.colour)


def facts(pairs: Sequence[tuple[str, str | Instant | None]], widths: Sequence[float] | None = None) -> None:
    """Facts side by side, each under its name. The names are ours; the values may be a sender's."""
    zone = zones.chosen()
    for column, (name, value) in zip(st.columns(widths or len(pairs), gap="medium"), pairs, strict=True):
        with column, st.container(gap=None):
            st.caption(name)
            if isinstance(value, Instant):
                st.text(zone.told(value), help=zone.hint(value))
            else:
                st.text(plain(UNKNOWN if value is None else value, most=_MOST_CHARACTERS))


def empty_store(settings: launch.Settings) -> None:
    """What to do first, where nothing has arrived yet."""
    with st.container(border=True, width=860, gap="small"):
        st.subheader(":material/sensors: Waiting for the first span", anchor=False)
        st.markdown("This page fills by itself, about two seconds after an agent has sent something.")
        st.markdown("**1 · Point an agent here.** Any OpenTelemetry SDK, in any language:")
        st.code(
            f"export OTEL_EXPORTER_OTLP_ENDPOINT=http://{settings.http}   # traces and logs, protobuf or JSON\n"
            f"# over gRPC: http://{settings.grpc} with OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
            language=None,
        )
        st.markdown("**2 · Let it say what matters.** The switches of each agent, those for refusals included:")
        st.code("aftertrace connect claude-code", language=None)
        st.markdown("**3 · Or look around first.** Recorded runs of real agents, or a file of yours:")
        st.code("aftertrace demo\naftertrace import spans.jsonl", language=None)
        facts([("This store", str(settings.data))])


def nothing_matches() -> None:
    """What a table says when the filters leave no row, and the way back."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.info("Nothing matches these filters.", icon=":material/filter_alt_off:")
        if filters.is_any_set():
            st.button("Clear them", key="clear_here", icon=":material/close:", on_click=filters.clear)
