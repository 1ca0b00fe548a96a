"""One run of a store, read by its keys: what is told of it is what the analysis of the whole store tells."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis, Filter, Invalid, analyse, open_analysis, open_run
from aftertrace.analyzer.derived import newest
from aftertrace.analyzer.derived.deriving import derive_all
from aftertrace.analyzer.identity import connected, neighbours
from aftertrace.analyzer.identity.found import Found, in_frames
from aftertrace.store import key_file
from aftertrace.store.folder import open_folder
from aftertrace.store.schema import EVENTS, SPANS, TABLES
from aftertrace.store.tables import TableWriter

from .frames import LATER_NS, Frames
from .stories import ASKED, COMPLETED, PROPOSED, event, span, stored
from .test_arrival import fleet, fleet_told
from .test_invariants import MOMENTS, everything, everything_told

OF_A_RUN: Final = ("runs", "calls", "near_misses", "approvals", "decisions", "agents", "effects")
EVERY_RUN: Final = os.environ.get("AFTERTRACE_EVERY_RUN")
"""Set: every run of the recordings is compared, which takes some minutes."""
DRAWN: Final = "8f14e45f-ceea-467f-a8f1-3b2c1d0e9a7{}"
"""An id that no other call has by chance."""


def runs_of(analysis: Analysis) -> list[str]:
    """The ids of all runs, also of those that no agent left."""
    frames = (analysis.of().identified.spans, analysis.of().identified.events)
    return pl.concat([frame.select("run_id") for frame in frames])["run_id"].unique().sort().to_list()


def alone(found: Found, run_id: str) -> Analysis:
    """The analysis of what one run needs."""
    return analyse(connected.connected(found, connected.sought(found, run_id)).tables, now_ns=LATER_NS)


def assert_told_alike(found: Analysis, expected: Analysis, run_id: str) -> None:
    """Every value of every table, the timeline and the answers. What other runs tell of it is read from those."""
    found, only = replace(found, beside=lambda: expected.told), Filter(run_id=run_id)
    for table in OF_A_RUN:
        assert_frame_equal(found.select(table, only), expected.select(table, only))
    assert_frame_equal(found.timeline(run_id), expected.timeline(run_id))
    if expected.select("runs", only).height:
        assert found.answers(run_id) == expected.answers(run_id)
        assert found.record(run_id) == expected.record(run_id)


@cache
def analysed(name: str) -> tuple[Frames, Analysis, Found]:
    """A store, its analysis and where its rows are found."""
    whole, told = {"everything": (everything, everything_told), "fleet": (fleet, fleet_told)}[name]
    return whole(), told(), in_frames(whole().tables())


@pytest.mark.parametrize("name", ["everything", "fleet"])
def test_every_run_of_the_recordings_is_told_from_its_own_keys(name: str) -> None:
    """All recordings in one store, of a source each or of one. Some runs are drawn, unless all are asked for."""
    whole, expected, found = analysed(name)
    runs = runs_of(expected)
    for run_id in runs if EVERY_RUN else Random(name).sample(runs, 16):
        told = alone(found, run_id)
        assert_told_alike(told, expected, run_id)
        assert told.tables.events.collect().height < whole.events.height / 4


@st.composite
def some_store(draw: st.DrawFn) -> Frames:
    """A few traces and conversations that share calls, requests, links, runs and gateways, of two senders."""
    traces = [None, *(digit * 32 for digit in "1234")]
    named = {trace: draw(st.sampled_from((None, None, "s-1", "s-2", "several"))) for trace in traces[1:]}

    def conversation(trace: str | None) -> str | None:
        told = "several" if trace is None else named[trace]
        return draw(st.sampled_from(("s-1", "s-2", None) if told == "several" else (told, told, None)))

    rows, spans = [], []
    for _ in range(draw(st.integers(3, 14))):
        trace = draw(st.sampled_from(traces))
        kind = draw(st.sampled_from(("genai",) * 5 + ("gateway", "mcp")))
        name, state = draw(st.sampled_from(MOMENTS if kind == "genai" else VERDICTS if kind == "gateway" else ENDS))
        told = {
            "request": draw(st.sampled_from((None,) * 5 + ("q/1",))),
            "run_parent_id": draw(st.sampled_from((None,) * 9 + ("k-1", "k-2"))),
            "side": draw(st.sampled_from(("client", "server"))) if kind == "mcp" else None,
        }
        at = draw(st.sampled_from((0, 1, 2, 2, 3, 40_000, 90_000))) + draw(st.integers(0, 5)) / 4
        columns: dict[str, Any] = {
            "source": draw(st.sampled_from(("anonymous",) * 4 + ("other",))),
            "service_name": draw(st.sampled_from(("shop", "shop", "gate"))),
            "trace_id": trace,
            "conversation_id": conversation(trace),
            "call_id": draw(st.sampled_from((None, "c-1", "c-2", DRAWN.format(1), DRAWN.format(2)))),
            "tool_name": draw(st.sampled_from(("pay", "read_db", "mcp__x__pay"))),
            "group": draw(st.sampled_from((None, None, "g-1"))),
            "position": draw(st.sampled_from((None, None, 0))),
            "run_key": draw(st.sampled_from((None,) * 8 + ("k-1", "k-2"))),
            "turn_id": draw(st.sampled_from((None,) * 6 + ("u-1",))),
            "decided_by": draw(st.sampled_from((None, "human", "policy"))),
            "dialect": kind,
            "attributes": json.dumps({key: value for key, value in told.items() if value}, separators=(",", ":")),
            "end_ns": event("", s=at + 3)["time_ns"] if draw(st.booleans()) else None,
        }
        rows.append(event(name, state, s=at, **columns))
    for _ in range(draw(st.integers(0, 4))):
        trace = draw(st.sampled_from(traces[1:]))
        linked = draw(st.sampled_from([None] * 4 + traces[1:]))
        spans.append(
            span(
                draw(st.sampled_from(("invoke_agent", "chat", "execute_tool", None))),
                s=draw(st.integers(0, 5)),
                trace_id=trace,
                conversation_id=conversation(trace),
                span_id=draw(st.sampled_from("abc")) * 16,
                parent_span_id=draw(st.sampled_from((None, "a" * 16, "b" * 16))),
                links=json.dumps([[linked, "a" * 16]]) if linked else None,
            )
        )
    return stored(*rows, spans=tuple(spans))


VERDICTS: Final = (("policy.evaluated", "deny"), ("policy.evaluated", "allow"), ("tool.called", "completed"))
ENDS: Final = (("tool.called", "completed"), ("tool.called", "failed"), ("tool.called", "refused"))


@settings(max_examples=12, deadline=None)
@given(whole=some_store())
def test_any_run_is_told_from_its_own_keys(whole: Frames) -> None:
    """However traces, conversations, calls and gateways meet."""
    expected, found = whole.analysis(), in_frames(whole.tables())
    for run_id in runs_of(expected):
        assert_told_alike(alone(found, run_id), expected, run_id)


def of(trace: str, conversation: str | None = None, **columns: Any) -> dict[str, Any]:
    """Where a record lies."""
    return {"trace_id": trace * 32, "conversation_id": conversation, **columns}


def moved(row: dict[str, Any], s: float, **columns: Any) -> dict[str, Any]:
    """A record in another place, some seconds later."""
    return {**row, **columns, "time_ns": row["time_ns"] + int(s * 1e9)}


GATE: Final = {"dialect": "gateway", "decided_by": "policy", "source": "anonymous", "service_name": "gate"}
STORIES: Final = {
    # A call that waits, and its end in another trace.
    "call": stored(moved(PROPOSED, 0, **of("1")), moved(ASKED, 0, **of("1")), moved(COMPLETED, 60, **of("2"))),
    # One answer, in a trace of its own, for a request asked in another.
    "request": stored(
        moved(PROPOSED, 0, **of("1")),
        moved(ASKED, 0, **of("1", group="ask-7")),
        event("approval.rejected", s=9, group="ask-7", decided_by="human", **{**of("2"), "call_id": None}),
    ),
    # A gateway that knows the MCP request alone.
    "mcp": stored(
        moved(PROPOSED, 0, **of("1", "s-1")),
        event("tool.called", "completed", s=2, attributes='{"request":"s/7"}', **of("1", "s-1")),
        event("policy.evaluated", "deny", s=1, attributes='{"request":"s/7"}', **{**of("2"), **GATE, "call_id": None}),
    ),
    # Settings and modes of the conversation, and how many calls it had before.
    "conversation": stored(
        moved(PROPOSED, 0, **of("1", "s-1")),
        moved(COMPLETED, 0, **of("1", "s-1")),
        moved(PROPOSED, 60, **of("2", "s-1", call_id="c-2")),
    ),
    "link": stored(
        moved(PROPOSED, 0, **of("2")),
        spans=(
            span("invoke_agent", **of("2")),
            span("invoke_agent", s=9, links=json.dumps([["2" * 32, "a" * 16]]), **of("1")),
        ),
    ),
    "run": stored(
        moved(PROPOSED, 0, **of("1", run_key="k-1")), moved(COMPLETED, 1, **of("2", run_key="k-1", call_id="c-2"))
    ),
}


@pytest.mark.parametrize("kind", STORIES)
def test_what_a_kind_of_key_leads_to_is_needed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where keys of one kind lead nowhere, some run of a story is told otherwise, and that is seen."""
    whole = STORIES[kind]
    expected, found = whole.analysis(), in_frames(whole.tables())
    for run_id in runs_of(expected):
        assert_told_alike(alone(found, run_id), expected, run_id)

    def less(table: str, keys: pl.DataFrame, columns: Any) -> pl.DataFrame:
        return found.by(table, keys.filter(pl.col("kind") != kind), columns)

    def assert_all_alike() -> None:
        for trace in ("1", "2"):
            wanted = connected.sought(found, trace * 32)
            told = analyse(connected.connected(Found(less, found.all, found.of_runs), wanted).tables, now_ns=LATER_NS)
            of_trace = expected.runs.filter(pl.col("traces").list.contains(trace * 32))
            for run_id in of_trace["run_id"]:
                assert_told_alike(told, expected, run_id)

    with pytest.raises(AssertionError):
        assert_all_alike()


def test_the_run_of_a_tool_that_encloses_a_servers_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Source, tool and time alone lead there; the control leaves it out, and the server's call is told once more."""
    ends = {"end_ns": event("", s=9)["time_ns"]}
    served = {"dialect": "mcp", "call_id": None, "attributes": '{"side":"server"}', **of("2")}
    whole = stored(
        event("tool.called", "completed", s=1, **of("1"), **ends),
        event("tool.called", "completed", s=3, end_ns=event("", s=4)["time_ns"], **served),
    )
    expected, found = whole.analysis(), in_frames(whole.tables())
    assert expected.calls["run_id"].to_list() == [expected.resolve_run("1" * 32)]
    server = expected.resolve_run("2" * 32)
    assert_told_alike(alone(found, server), expected, server)
    monkeypatch.setattr(neighbours, "enclosing", lambda _, events: events.clear())
    assert alone(found, server).calls["run_id"].to_list() == [server]


def written(folder: Path, whole: Frames) -> Path:
    """A store with these rows, in two commits."""
    layout = open_folder(folder)
    last = 0
    for part in (0, 1):
        for name, schema, frame in (("spans", SPANS, whole.spans), ("events", EVENTS, whole.events)):
            rows = frame.filter(pl.col("seq") % 2 == part).to_arrow().cast(schema)
            last = max(last, *frame["seq"].to_list(), 1)
            TableWriter(layout, name).append(rows, "main", last + part)
        TableWriter(layout, "evidence").append(TABLES["evidence"].schema.empty_table(), "main", last + part)
    return folder


def test_a_run_is_found_in_a_store_by_all_that_names_it(tmp_path: Path) -> None:
    """Its id, the beginning of that, a trace id, a conversation; a record without any id too."""
    loose = event("tool.called", "completed", s=30, trace_id=None, conversation_id=None, call_id=None)
    whole = stored(PROPOSED, COMPLETED, moved(PROPOSED, 60, **of("2", "s-2", call_id="c-2")), loose)
    data = written(tmp_path / "data", whole)
    expected = open_analysis(data, now_ns=LATER_NS)
    assert expected.runs.height == 3
    for run in expected.runs.iter_rows(named=True):
        names = [run["run_id"], run["run_id"][:6], *run["traces"], run["conversation_id"]]
        for text in [name for name in names if name]:
            told, run_id = open_run(data, text, now_ns=LATER_NS)
            assert run_id == run["run_id"]
            assert_told_alike(told, expected, run_id)
            assert told.version == expected.version
    assert open_run(data, "last")[1] == expected.runs["run_id"][0]


def test_a_run_is_found_by_the_index_of_what_is_kept(tmp_path: Path) -> None:
    """No lookup file is asked for: without the index, ones that name nothing lead to no run."""
    data = written(tmp_path / "data", stored(PROPOSED, COMPLETED, moved(PROPOSED, 60, **of("2", "s-2", call_id="c-2"))))
    expected = open_analysis(data, now_ns=LATER_NS)
    (*_, _) = derive_all(data)
    for path in (data / "tables" / "_lookup").glob("*/*/*.parquet"):
        path.write_bytes(key_file.made([], []))
    for text in (*expected.runs["run_id"], *expected.runs["conversation_id"], "2" * 32):
        told, run_id = open_run(data, text, now_ns=LATER_NS)
        assert_told_alike(told, expected, run_id)
    shutil.rmtree(data / "derived")
    with pytest.raises(Invalid, match="not found"):
        open_run(data, expected.runs["run_id"][0])


@pytest.mark.parametrize("text", ["", "abc", "0123456789abcdef", "no such run", "%", "\x1b[2J"])
def test_a_run_that_is_not_there_is_refused_as_the_whole_store_refuses_it(tmp_path: Path, text: str) -> None:
    """In the same words."""
    data = written(tmp_path / "data", stored(PROPOSED, COMPLETED))
    with pytest.raises(Invalid) as expected:
        open_analysis(data).resolve_run(text)
    with pytest.raises(Invalid) as refusal:
        open_run(data, text)
    assert str(refusal.value) == str(expected.value)


def test_several_runs_of_one_conversation_are_named(tmp_path: Path) -> None:
    """As the whole store does."""
    data = written(tmp_path / "data", stored(PROPOSED, moved(PROPOSED, 60, **of("2", "s-1", call_id="c-2"))))
    with pytest.raises(Invalid) as expected:
        open_analysis(data).resolve_run("s-1")
    with pytest.raises(Invalid, match=r"2 runs answer to it") as refusal:
        open_run(data, "s-1")
    assert str(refusal.value) == str(expected.value)


def test_a_run_keeps_the_ids_that_its_parts_had(tmp_path: Path) -> None:
    """Two traces were two runs until a link joined them: both ids lead to the one run that they are."""
    two = (span("invoke_agent", **of("1")), span("invoke_agent", s=9, **of("2")))
    before = stored(spans=two).analysis()
    joined = (*two, span("chat", s=10, links=json.dumps([["1" * 32, "a" * 16]]), **of("2")))
    whole = stored(spans=joined)
    (now,) = whole.analysis().runs["run_id"]
    data = written(tmp_path / "data", whole)
    assert {run: open_run(data, run)[1] for run in before.runs["run_id"]} == dict.fromkeys(before.runs["run_id"], now)
    assert {open_analysis(data).resolve_run(run) for run in before.runs["run_id"]} == {now}


@pytest.mark.parametrize("first_rows", [1, 5, 40, 400])
def test_the_run_that_began_last_is_the_one_of_the_whole_store(
    first_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows are looked at first; a long run may have ended after it, and a row may have no time."""
    long = [moved(PROPOSED, second / 5, **of("1", "s-1", call_id=f"c-{second}")) for second in range(200)]
    brief = [moved(PROPOSED, 37, **of("2", "s-2")), moved(COMPLETED, 28, **of("2", "s-2"))]
    setting = event("input.resolved", "other", s=38, **of("3", "s-3"))
    whole = stored(*long, *brief, setting, event("run.completed", **{**of("4"), "time_ns": None}))
    expected, found = whole.analysis(), in_frames(whole.tables())
    monkeypatch.setattr(newest, "FIRST_ROWS", first_rows)
    told = newest.newest(found)
    assert (told is None) == (first_rows == 400)
    if told is not None:
        last = expected.resolve_run("last")
        assert analyse(told.tables, now_ns=LATER_NS).resolve_run("last") == last
        assert_told_alike(analyse(told.tables, now_ns=LATER_NS), expected, last)


@settings(max_examples=8, deadline=None)
@given(whole=some_store(), first_rows=st.integers(1, 4))
def test_the_run_that_began_last_is_found_in_any_store(whole: Frames, first_rows: int) -> None:
    """And so is everything that is told of it."""
    expected = whole.analysis()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newest, "FIRST_ROWS", first_rows)
        found = newest.newest(in_frames(whole.tables()))
    if found is not None:
        told, last = analyse(found.tables, now_ns=LATER_NS), expected.resolve_run("last")
        assert told.resolve_run("last") == last
        assert_told_alike(told, expected, last)
