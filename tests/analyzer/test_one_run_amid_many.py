"""One run amid many: what others count alike hides nothing of it, and no chain of records makes it slow to tell."""

from __future__ import annotations

import json
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer import analyse
from aftertrace.analyzer.identity import connected, places
from aftertrace.analyzer.identity.found import in_frames
from aftertrace.analyzer.identity.identity import Identified, identify
from aftertrace.analyzer.reading.tables import Tables

from .frames import LATER_NS, Frames
from .stories import ASKED, COMPLETED, PROPOSED, event, span, stored
from .test_one_run import DRAWN, alone, assert_told_alike, moved, of, runs_of, some_store


def test_an_id_that_many_calls_have_is_bounded() -> None:
    """`call_1` of a thousand traces: those around the run's own are read, and it is told as by all of them."""
    many = [
        row
        for number in range(1_000)
        for row in (
            moved(PROPOSED, number, trace_id=f"{number:032x}", conversation_id=None),
            moved(COMPLETED, number, trace_id=f"{number:032x}", conversation_id=None),
        )
    ]
    whole = stored(*many)
    expected, found = whole.analysis(), in_frames(whole.tables())
    for number in (0, 500, 999):
        run_id = expected.resolve_run(f"{number:032x}")
        told = alone(found, run_id)
        assert_told_alike(told, expected, run_id)
        assert told.tables.events.collect().height <= 4 * places.PLACES_AT_MOST + 2


def crowd(size: int, s: float = 10, **columns: Any) -> list[dict[str, Any]]:
    """Calls of the id `c-1` in a trace each, proposed and ended, `s` seconds into the story."""
    return [
        moved(row, s + number / 100, **{"conversation_id": None, "trace_id": f"{number:032x}", **columns})
        for number in range(size)
        for row in (PROPOSED, COMPLETED)
    ]


def named(rows: list[dict[str, Any]], **columns: Any) -> tuple[dict[str, Any], ...]:
    """A span at the root of each trace of some rows, that alone names the conversation, another for each trace."""
    traces = sorted({row["trace_id"] for row in rows})
    return tuple(
        span("invoke_agent", s=10, trace_id=trace, conversation_id=f"s-{trace}", **columns) for trace in traces
    )


MANY: Final = 2 * places.PLACES_AT_MOST
BETWEEN: Final[dict[str, tuple[list[dict[str, Any]], tuple[dict[str, Any], ...]]]] = {
    "of another service": (crowd(MANY, service_name="other"), ()),
    "of another sender": (crowd(MANY, source="other"), ()),
    "of another conversation": (crowd(MANY, conversation_id="s-9"), ()),
    "of a conversation each, that the root of the trace names alone": (crowd(MANY), named(crowd(MANY))),
}
PARTED: Final = {
    "a call that waits, and its end in another trace": (
        moved(PROPOSED, 0, **of("a")),
        moved(ASKED, 1, **of("a")),
        moved(COMPLETED, 200, **of("b")),
    ),
    "a call that a conversation left open, and its end in a trace of none": (
        moved(PROPOSED, 0, **of("a", "s-1")),
        moved(ASKED, 1, **of("a", "s-1")),
        moved(COMPLETED, 200, **of("b")),
    ),
}


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("parted", PARTED)
def test_what_others_count_alike_hides_no_part_of_a_run(parted: str, between: str) -> None:
    """Between the two traces of a run there are more calls of its id than are read, and none can be a call of it."""
    rows, spans = BETWEEN[between]
    whole = stored(*PARTED[parted], *rows, spans=spans)
    expected, found = whole.analysis(), in_frames(whole.tables())
    run_id = expected.resolve_run("a" * 32)
    assert expected.resolve_run("b" * 32) == run_id
    for trace in ("a", "b"):
        wanted = connected.sought(found, trace * 32)
        assert_told_alike(analyse(connected.connected(found, wanted).tables, now_ns=LATER_NS), expected, run_id)


def test_calls_that_are_looked_for_by_less_than_they_are_joined_by_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where the nearest of any service are taken, the end of the call is not among them."""
    rows, _ = BETWEEN["of another service"]
    whole = stored(*PARTED["a call that waits, and its end in another trace"], *rows)
    nearest = places._nearest
    monkeypatch.setattr(
        places, "_nearest", lambda theirs, ours, by, name: nearest(theirs, ours, [*places.OF, *by[4:]], name)
    )
    expected, found = whole.analysis(), in_frames(whole.tables())
    run_id = expected.resolve_run("a" * 32)
    with pytest.raises(AssertionError):
        assert_told_alike(alone(found, run_id), expected, run_id)


def test_a_call_that_is_told_once_more_is_known_behind_any_number_that_are() -> None:
    """A call is told whole once, and then again by a hundred traces: the last of them holds no call of its own."""
    again = event("action.proposed", "echoed")
    ended = event("tool.called", "answered")
    rows = [
        moved(row, 10 + n, trace_id=f"{n:032x}", conversation_id=None) for n in range(100) for row in (again, ended)
    ]
    whole = stored(moved(PROPOSED, 0, **of("a")), moved(COMPLETED, 1, **of("a")), *rows)
    expected, found = whole.analysis(), in_frames(whole.tables())
    for trace in (f"{0:032x}", f"{99:032x}", "a" * 32):
        wanted = connected.sought(found, trace)
        told = analyse(connected.connected(found, wanted).tables, now_ns=LATER_NS)
        for run_id in runs_of(expected):
            if trace in expected.of().identified.events.filter(pl.col("run_id") == run_id)["trace_id"]:
                assert_told_alike(told, expected, run_id)


@settings(max_examples=8, deadline=None)
@given(whole=some_store(), data=st.data())
def test_any_run_is_told_amid_more_places_of_its_calls_than_are_read(whole: Frames, data: st.DataObject) -> None:
    """Traces of another service, or of other conversations, at the same times."""
    columns = data.draw(st.sampled_from(({"service_name": "other"}, {"conversation_id": "s-9"}, {"source": "third"})))
    call_id = data.draw(st.sampled_from(("c-1", "c-2", DRAWN.format(1))))
    rows = crowd(12, **{"s": data.draw(st.sampled_from((0, 1, 2, 3))), "call_id": call_id, **columns})
    others = stored(*rows).events.with_columns(pl.col("seq") + 100)
    amid = Frames(whole.spans, pl.concat([whole.events, others]))
    expected, found = amid.analysis(), in_frames(amid.tables())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "PLACES_AT_MOST", 4)
        for run_id in runs_of(whole.analysis()):
            if run_id in runs_of(expected):
                assert_told_alike(alone(found, run_id), expected, run_id)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each analysis of gathered records was given, from now on."""
    times: list[int] = []

    def once(tables: Tables) -> Identified:
        times.append(tables.events.collect().height)
        return identify(tables)

    monkeypatch.setattr(connected, "identify", once)
    return times


CHAIN: Final = 40


def test_a_chain_of_links_takes_few_rounds_and_reads_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long; in the control links are followed one by one, and all the store is read."""
    chain = tuple(
        span("chat", s=n, trace_id=f"{n:032x}", conversation_id=None, links=json.dumps([[f"{n + 1:032x}", "a" * 16]]))
        for n in range(CHAIN)
    )
    whole = stored(PROPOSED, moved(PROPOSED, 9, **of("e", "s-9")), spans=(*chain, span("invoke_agent", **of("f"))))
    expected, found = whole.analysis(), in_frames(whole.tables())
    run_id = expected.resolve_run(f"{CHAIN - 1:032x}")
    times = counted(monkeypatch)
    told = alone(found, run_id)
    assert_told_alike(told, expected, run_id)
    assert len(times) <= connected.LINKS_AFTER + 2
    assert "f" * 32 not in told.tables.spans.collect()["trace_id"]
    monkeypatch.setattr(connected, "LINKS_AFTER", connected.ROUNDS_AT_MOST + 1)
    assert "f" * 32 in alone(found, run_id).tables.spans.collect()["trace_id"]


def test_runs_that_start_one_another_for_ever_take_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named by the one below it alone: then the whole store is read."""
    rows = [
        event("run.started", s=n, trace_id=f"{n:032x}", conversation_id=None, run_key=f"k-{n}",
              attributes=json.dumps({"run_parent_id": f"k-{n + 1}"}, separators=(",", ":")), call_id=None)
        for n in range(CHAIN)
    ]  # fmt: skip
    whole = stored(*rows, moved(PROPOSED, 0, **of("f")))
    expected, found = whole.analysis(), in_frames(whole.tables())
    run_id = expected.resolve_run(f"{0:032x}")
    times = counted(monkeypatch)
    told = alone(found, run_id)
    assert_told_alike(told, expected, run_id)
    *some, last = times
    assert len(some) == connected.ROUNDS_AT_MOST
    assert told.tables.events.collect().height == whole.events.height == last > max(some)
