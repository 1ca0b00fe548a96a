"""What pages ask beside rows of tables: each question once per version of the store and filter, however many look."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import polars as pl
import streamlit as st

from aftertrace.analyzer import control_draft, control_widths, first_seen, near_miss_figures
from aftertrace.analyzer.control_widths import Tried
from aftertrace.analyzer.near_miss_figures import Figures
from aftertrace.analyzer.periods import Period
from aftertrace.analyzer.populations import Choice, PopulationComparison
from aftertrace.dashboards import data, run_list
from aftertrace.dashboards.data import Analysis, Filter
from aftertrace.dashboards.run_list import Listed

_Answer = TypeVar("_Answer")


def figures(analysis: Analysis, chosen: Filter) -> Figures:
    """The figures of the near-miss report over what the filter of a page lets through."""
    period = Period.up_to(analysis.now_ns, chosen.since_ns)
    return _once(analysis, f"figures {chosen!r}", lambda: near_miss_figures.figures(analysis, period, chosen))


def newcomers(analysis: Analysis, since_ns: int, chosen: Filter) -> pl.DataFrame | None:
    """Agents that were never seen before a time (`analyzer.first_seen`)."""
    return _once(
        analysis, f"newcomers {since_ns} {chosen!r}", lambda: first_seen.first_seen(analysis, since_ns, chosen)
    )


def changes(analysis: Analysis, chosen: Filter) -> pl.DataFrame:
    """What was changed in agents, columns as in `schemas.CONFIGURATION_CHANGES`, the latest first."""
    return _once(analysis, f"changes {chosen!r}", lambda: analysis.select("configuration_changes", chosen).reverse())


def comparison(analysis: Analysis, choice: Choice) -> PopulationComparison:
    """What is different about some calls. Raises `Invalid` where a side is empty."""
    return _once(analysis, f"comparison {choice!r}", lambda: analysis.compare(choice))


def draft(analysis: Analysis, call_key: str) -> Tried:
    """The rule that would have caught a call, as wide as history speaks for. Raises `Invalid` where none can be."""
    return _once(analysis, f"draft {call_key}", lambda: _drafted(analysis, call_key))


def listed(analysis: Analysis, kept: Mapping[str, str], chosen: Filter) -> Listed:
    """The runs of a list (`run_list.listed`). Raises `Invalid` where the text that is looked for is too short."""
    return _once(analysis, f"listed {kept} {chosen!r}", lambda: run_list.listed(analysis, kept, chosen))


def related(analysis: Analysis, run_id: str) -> pl.DataFrame:
    """Other runs that share something with one, columns as in `related.RELATED`."""
    return _once(analysis, f"related {run_id}", lambda: analysis.related(run_id))


def _drafted(analysis: Analysis, call_key: str) -> Tried:
    calls = analysis.calls
    call = calls.filter(pl.col("call_key") == call_key).row(0, named=True)
    drafted = control_draft.of_call(call, calls)
    return control_widths.narrowed(drafted, calls, analysis.runs, call["run_id"])


def _once(analysis: Analysis, question: str, ask: Callable[[], _Answer]) -> _Answer:
    key = f"{analysis.version} {analysis.now_ns} {hash(analysis.inventory)}"
    return _answered(key, question, ask)


@st.cache_resource(max_entries=32, show_spinner="Reading the store …")
def _answered(
    key: str,  # noqa: ARG001  # the version that is kept
    question: str,  # noqa: ARG001  # what is kept of it
    _ask: Callable[[], _Answer],
) -> _Answer:
    began_s = time.monotonic()
    answer = _ask()
    # What is asked of every new version costs as reading it does.
    data.pace(str(data.settings().data)).took_s += time.monotonic() - began_s
    return answer
