"""What is kept of runs is what their records tell: however they come, and whenever it is derived."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis, Corrupt, Filter, analyse, open_analysis, open_run
from aftertrace.analyzer.derived import deriving, kept
from aftertrace.analyzer.derived.deriving import Step, derive
from aftertrace.analyzer.identity.connected import SOUGHT
from aftertrace.analyzer.reports.coverage import coverage
from aftertrace.analyzer.schemas.order import ORDERS
from aftertrace.store import derived, derived_logs, schema
from aftertrace.store.errors import Held
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.lock import held
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import TableWriter

from .frames import RECEIVED_NS, Frames
from .stories import ASKED, COMPLETED, ENDED, PROPOSED, event, stored
from .test_arrival import fleet
from .test_one_run import moved, of, some_store

MINUTE_NS: Final = 60 * 10**9
HOUR_NS: Final = 60 * MINUTE_NS
PAUSES_NS: Final = (0, 0, 0, MINUTE_NS, 10 * MINUTE_NS, 40 * MINUTE_NS, 25 * HOUR_NS)
"""Between two arrivals: within and beyond what ends a run, and what ends a wait."""


@dataclass(frozen=True, slots=True)
class Growing:
    """A store to which records come one after another: those of `whole` with the next seqs."""

    layout: Layout
    whole: Frames

    def receive(self, after: int, upto: int) -> None:
        """The records of these seqs come."""
        for name, kind, frame in (
            ("evidence", schema.EVIDENCE, None),
            ("spans", schema.SPANS, self.whole.spans),
            ("events", schema.EVENTS, self.whole.events),
        ):
            rows = kind.empty_table()
            if frame is not None:
                rows = frame.filter(pl.col("seq").is_between(after + 1, upto)).to_arrow().cast(kind)
            TableWriter(self.layout, name).append(rows, "main", upto)

    def derive(self, now_ns: int, **options: int) -> list[Step]:
        """All steps that there are."""
        steps = [derive(self.layout.data, now_ns=now_ns, **options)]
        while not steps[-1].is_last:
            steps.append(derive(self.layout.data, now_ns=now_ns, **options))
        return steps

    def told(self, upto: int, now_ns: int) -> Analysis:
        """The analysis of all records up to a seq."""
        frames = (frame.filter(pl.col("seq") <= upto) for frame in (self.whole.spans, self.whole.events))
        return analyse(Frames(*frames).tables(), now_ns=now_ns)


def assert_told_alike(found: Analysis, expected: Analysis) -> None:
    """Every value of every table of runs, in the same order."""
    for table in ORDERS:
        assert_frame_equal(found.told.table(table), expected.told.table(table))


def arriving(whole: Frames, order: list[int], received_ns: list[int]) -> Frames:
    """The records in another order of arrival, and at other times."""
    drawn = pl.DataFrame(
        {"seq": order, "new": range(1, len(order) + 1), "at": received_ns},
        schema={"seq": pl.Int64, "new": pl.Int64, "at": pl.Int64},
    )
    return Frames(
        *(
            frame.join(drawn, on="seq", how="inner")
            .with_columns(seq="new", received_ns="at")
            .select(frame.columns)
            .sort("seq")
            for frame in (whole.spans, whole.events)
        )
    )


@st.composite
def some_arrival(draw: st.DrawFn) -> tuple[Frames, list[int]]:
    """Records in some order, with pauses; and after which of them it is derived."""
    whole = draw(some_store())
    seqs = sorted({*whole.spans["seq"], *whole.events["seq"]})
    order = draw(st.permutations(seqs))
    at_ns = [RECEIVED_NS]
    for _ in seqs[1:]:
        at_ns.append(at_ns[-1] + draw(st.sampled_from(PAUSES_NS)) + 10**6)
    stops = draw(st.sets(st.integers(1, len(seqs)), min_size=1, max_size=4))
    return arriving(whole, list(order), at_ns), sorted({*stops, len(seqs)})


@contextmanager
def grown(whole: Frames, stops: list[int], data: st.DataObject) -> Iterator[tuple[Growing, dict[int, int]]]:
    """A store to which records came, and which was derived after some of them; and when each came."""
    times = pl.concat([frame.select("seq", "received_ns") for frame in (whole.spans, whole.events)])
    came_ns = dict(times.iter_rows())
    with tempfile.TemporaryDirectory() as folder:
        store, before = Growing(open_folder(Path(folder) / "data"), whole), 0
        for stop in stops:
            store.receive(before, stop)
            before = stop
            store.derive(came_ns[stop] + data.draw(st.sampled_from(PAUSES_NS)), records_at_most=3)
        yield store, came_ns


@settings(max_examples=4, deadline=None)
@given(arrival=some_arrival(), later_ns=st.sampled_from((MINUTE_NS, 45 * MINUTE_NS, 30 * HOUR_NS)), data=st.data())
def test_what_is_kept_is_what_the_records_tell(
    arrival: tuple[Frames, list[int]], later_ns: int, data: st.DataObject
) -> None:
    """After each step, at a later time, at an earlier one, and when all is derived anew."""
    whole, stops = arrival
    with grown(whole, stops, data) as (store, came_ns):
        now_ns = max(came_ns.values()) + later_ns
        expected = store.told(stops[-1], now_ns)
        assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), expected)
        as_of_ns = data.draw(st.sampled_from(sorted(came_ns.values()))) + 1
        had_come = analyse(whole.tables().received_before(as_of_ns), now_ns=as_of_ns)
        assert_told_alike(open_analysis(store.layout.data, as_of_ns=as_of_ns), had_come)
        derive(store.layout.data, now_ns=now_ns, anew=True)
        assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), expected)


def kept_in(store: Growing) -> derived.State:
    """What counts now."""
    found = kept.current(derived.read(store.layout), Snapshot.of(store.layout.data))
    assert found is not None
    return found


def three_runs() -> Frames:
    """A run each of three conversations, all over; then a record of the first comes late."""
    runs = [
        moved(each, 60 * number, **of(str(number), f"s-{number}", call_id=f"c-{number}"))
        for number in (1, 2, 3)
        for each in (PROPOSED, COMPLETED)
    ]
    late = event("run.failed", s=100, tool_name=None, **of("1", "s-1", call_id=None))
    return stored(*runs, late)


def test_what_comes_late_costs_what_it_touches(tmp_path: Path) -> None:
    """Of three runs one is told anew; what is kept of the others stays in its file."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    store.receive(0, 4)
    assert store.derive(now_ns) == [Step(records=4, kept=2, open=0, is_last=True)]
    store.receive(4, 6)
    assert store.derive(now_ns) == [Step(records=2, kept=3, open=0, is_last=True)]
    before = kept_in(store).parts
    store.receive(6, 7)
    assert store.derive(now_ns) == [Step(records=1, kept=3, open=0, is_last=True)]
    assert [part.runs for part in before] == [2, 1]
    # Both are small: what is left of one is written with what is told.
    assert [part.runs for part in kept_in(store).parts] == [1, 2]
    assert before[1] in kept_in(store).parts
    assert before[0] not in kept_in(store).parts
    found = open_analysis(store.layout.data, now_ns=now_ns)
    assert_told_alike(found, store.told(7, now_ns))
    assert store.derive(now_ns) == [Step(records=0, kept=3, open=0, is_last=True)]


def test_what_is_open_is_told_anew_when_time_may_have_ended_it(tmp_path: Path) -> None:
    """A run without an end: told from its records for half an hour, kept from then on."""
    store = Growing(open_folder(tmp_path / "data"), stored(PROPOSED, COMPLETED))
    store.receive(0, 2)
    assert store.derive(RECEIVED_NS + MINUTE_NS) == [Step(records=2, kept=0, open=1, is_last=True)]
    assert open_analysis(store.layout.data, now_ns=RECEIVED_NS + MINUTE_NS).runs["state"].to_list() == ["open"]
    later_ns = RECEIVED_NS + HOUR_NS
    assert open_analysis(store.layout.data, now_ns=later_ns).runs["state"].to_list() == ["completed"]
    assert store.derive(RECEIVED_NS + 2 * MINUTE_NS) == [Step(records=0, kept=0, open=1, is_last=True)]
    assert store.derive(later_ns) == [Step(records=0, kept=1, open=0, is_last=True)]
    # What is kept is of a run that is over. At an earlier time it is told as it was then.
    for now_ns in (RECEIVED_NS + MINUTE_NS, later_ns):
        assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(2, now_ns))


def test_a_verdict_stands_alone_for_as_long_as_nothing_tells_of_its_call(tmp_path: Path) -> None:
    """A gateway's, in a conversation of its own: later it is of the run that made the call, and is told as it was."""
    call = {"call_id": "8f14e45f-ceea-467f-a8f1-3b2c1d0e9a71", "tool_name": "pay"}
    alone = {"trace_id": None, "conversation_id": "s-1", "service_name": "gate", "dialect": "gateway"}
    whole = arriving(
        stored(
            event("policy.evaluated", "deny", **call, **alone),
            event("action.proposed", "proposed", trace_id="2" * 32, conversation_id=None, **call),
        ),
        [1, 2],
        [RECEIVED_NS, RECEIVED_NS + HOUR_NS],
    )
    store = Growing(open_folder(tmp_path / "data"), whole)
    store.receive(0, 2)
    store.derive(RECEIVED_NS + HOUR_NS)
    (run,) = open_analysis(store.layout.data, now_ns=RECEIVED_NS + HOUR_NS).runs["traces"].to_list()
    assert run == ["2" * 32]
    for as_of_ns in (RECEIVED_NS + 1, RECEIVED_NS + HOUR_NS + 1):
        had_come = analyse(whole.tables().received_before(as_of_ns), now_ns=as_of_ns)
        assert_told_alike(open_analysis(store.layout.data, as_of_ns=as_of_ns), had_come)


def test_a_crash_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written first and named last; those that nobody named are swept away in time."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    store.receive(0, 4)
    store.derive(now_ns)
    before = kept_in(store)
    store.receive(4, 7)
    with monkeypatch.context() as killed:
        killed.setattr(derived, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.derive(now_ns)
    assert kept_in(store) == before
    assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(7, now_ns))
    store.derive(now_ns)
    assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(7, now_ns))
    counting = {path for part in kept_in(store).parts for path in part.files.values()}
    # Nor did it leave anything: on a full disk that would be in the way of what is received.
    derived.sweep(store.layout, now_s=2e10)
    left = store.layout.derived.glob("*/*.parquet")
    assert {path.relative_to(store.layout.derived).as_posix() for path in left} == counting


def test_what_other_rules_derived_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what was derived from records that the store has not: it was put back from a backup."""
    store = Growing(open_folder(tmp_path / "data"), stored(PROPOSED, COMPLETED, ENDED))
    store.receive(0, 3)
    store.derive(RECEIVED_NS + HOUR_NS)
    pinned = Snapshot.of(store.layout.data)
    state = kept_in(store)
    derived.write(store.layout, replace(state, upto={"main": 4}))
    assert kept.current(derived.read(store.layout), pinned) is None
    derived.write(store.layout, state)
    assert kept.current(derived.read(store.layout), pinned) == state
    monkeypatch.setattr(kept, "rules", lambda: "others")
    assert kept.current(derived.read(store.layout), pinned) is None
    store.derive(RECEIVED_NS + HOUR_NS)
    assert kept_in(store).rules == "others"


def test_whoever_is_reading_may_go_on(tmp_path: Path) -> None:
    """Files that count no more stay for an hour from then on, however old they are."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    store.receive(0, 6)
    store.derive(now_ns)
    reading = open_analysis(store.layout.data, now_ns=now_ns)
    for file in store.layout.derived.glob("*/*.parquet"):
        os.utime(file, (0, 0))
    store.receive(6, 7)
    store.derive(now_ns)
    assert_told_alike(reading, store.told(6, now_ns))
    derived.sweep(store.layout, now_s=time.time() + derived_logs.KEEP_S + 1)
    with pytest.raises(Corrupt, match=r"expected what was derived there"):
        reading.told.table("calls")


def ran(trace: str, s: float, until_s: float, **columns: str) -> dict[str, Any]:
    """An agent's run of a tool."""
    ends = {"end_ns": event("", s=until_s)["time_ns"], "call_id": f"c-{trace}", "tool_name": "mcp__x__pay"}
    return event("tool.called", "completed", s=s, **of(trace, f"s-{trace}", **{**ends, **columns}))


SERVED: Final = event(
    "tool.called", "completed", s=50, dialect="mcp", call_id=None, conversation_id=None, trace_id="9" * 32,
    attributes='{"side":"server"}', end_ns=event("", s=60)["time_ns"],
)  # fmt: skip
"""What a server tells in a trace of its own."""


def end_of(side: str, state: str, trace: str, **columns: str) -> dict[str, Any]:
    """What one end of a connection tells of a call with an id that no other has."""
    told = {"dialect": "mcp", "tool_name": "pay", "call_id": "8f14e45f-ceea-467f-a8f1-3b2c1d0e9a72", **columns}
    return event("tool.called", state, s=50, attributes=f'{{"side":"{side}"}}', **of(trace, "s-9", **told))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param((SERVED, ran("1", 1, 100)), id="a run that encloses it"),
        pytest.param((SERVED, ran("1", 1, 100), ran("2", 10, 20)), id="and one that began later, and ended before it"),
        pytest.param(
            (
                event("action.proposed", "echoed", s=40, **of("3", "s-9", call_id="c-3")),
                end_of("client", "failed", "3", source="other"),
                end_of("server", "refused", "4"),
                ran("1", 1, 100, source="other"),
            ),
            id="one end of a call, in a trace that the conversation of its other end passes through",
        ),
    ],
)
def test_what_a_run_encloses_in_time_alone_is_told_anew(tmp_path: Path, rows: tuple[dict[str, Any], ...]) -> None:
    """Which run of its tool began last before it decides: each that comes may make another one that. At the times in
    between it is told as it was then.
    """
    whole = stored(*rows)
    seqs = list(range(1, whole.events.height + 1))
    whole = arriving(whole, seqs, [RECEIVED_NS + seq * 3 * HOUR_NS for seq in seqs])
    store = Growing(open_folder(tmp_path / "data"), whole)
    for seq in seqs:
        store.receive(seq - 1, seq)
        now_ns = RECEIVED_NS + seq * 3 * HOUR_NS + 2 * HOUR_NS
        assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(seq, now_ns))
        store.derive(now_ns)
        assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(seq, now_ns))
    for seq in seqs:
        as_of_ns = RECEIVED_NS + seq * 3 * HOUR_NS + HOUR_NS
        expected = store.told(seq, as_of_ns)
        assert_told_alike(open_analysis(store.layout.data, as_of_ns=as_of_ns), expected)
        for run_id in expected.runs["run_id"]:
            alone, _ = open_run(store.layout.data, run_id, as_of_ns=as_of_ns)
            assert alone.record(run_id) == expected.record(run_id)


def test_other_records_in_the_place_of_those_that_were_derived_are_told(tmp_path: Path) -> None:
    """A store was put back from a backup, and went on: what was kept of what is lost counts for nothing."""
    now_ns = RECEIVED_NS + HOUR_NS
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    store.receive(0, 2)
    shutil.copytree(store.layout.tables_folder, tmp_path / "backup")
    store.receive(2, 6)
    store.derive(now_ns)
    shutil.rmtree(store.layout.tables_folder)
    shutil.copytree(tmp_path / "backup", store.layout.tables_folder)
    others = Frames(
        three_runs().spans, three_runs().events.with_columns(call_id=pl.concat_str("call_id", pl.lit("-other")))
    )
    anew = Growing(store.layout, others)
    anew.receive(2, 6)
    assert set(open_analysis(store.layout.data, now_ns=now_ns).calls["tool_call_id"]) == {
        "c-1",
        "c-2-other",
        "c-3-other",
    }


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 4}', b'{"format": 4, "parts": 3}'])
def test_a_damaged_state_is_told(tmp_path: Path, content: bytes) -> None:
    """With the way out; it is not shown as an empty store, nor as one that tells less."""
    store = Growing(open_folder(tmp_path / "data"), stored(PROPOSED, COMPLETED, ENDED))
    store.receive(0, 3)
    store.derive(RECEIVED_NS + HOUR_NS)
    store.layout.derived_state.write_bytes(content)
    with pytest.raises(Corrupt, match=r"STATE is not whole, expected .* `aftertrace derive --anew` makes it again"):
        open_analysis(store.layout.data)
    derive(store.layout.data, anew=True, now_ns=RECEIVED_NS + HOUR_NS)
    assert open_analysis(store.layout.data).calls.height == 1


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """And not left out."""
    store = Growing(open_folder(tmp_path / "data"), stored(PROPOSED, COMPLETED, ENDED))
    store.receive(0, 3)
    store.derive(RECEIVED_NS + HOUR_NS)
    (file,) = (store.layout.derived / "calls").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(Corrupt, match=r"`aftertrace derive --anew` makes it again"):
        _ = open_analysis(store.layout.data, now_ns=RECEIVED_NS + HOUR_NS).calls
    with pytest.raises(Corrupt, match=r"`aftertrace derive --anew` makes it again"):
        open_analysis(store.layout.data, now_ns=RECEIVED_NS + HOUR_NS).sql("SELECT tool_name FROM near_misses")


def test_one_process_derives(tmp_path: Path) -> None:
    """Another one is told so."""
    layout = open_folder(tmp_path / "data")
    derive(layout.data)
    with held(layout.derived_lock, "is a test"), pytest.raises(Held, match=r"derives the tables of this store"):
        derive(layout.data)


RESUMED: Final = stored(
    moved(PROPOSED, 0, **of("1")), moved(ASKED, 0, **of("1")), ENDED | of("1"), moved(COMPLETED, 60, **of("2"))
)
"""A call that waits in one trace, and ends in another, which names it and nothing else."""


def test_runs_that_records_of_others_change_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what leads from record to record taken away, what is kept would be wrong, and the test sees it."""
    for name, is_found in (("whole", True), ("blind", False)):
        store = Growing(open_folder(tmp_path / name), RESUMED)
        with monkeypatch.context() as patched:
            if not is_found:
                patched.setattr(deriving, "touched", lambda _found, _fresh: pl.DataFrame(schema=SOUGHT))
            now_ns = RECEIVED_NS + 26 * HOUR_NS
            store.receive(0, 3)
            store.derive(now_ns)
            store.receive(3, 4)
            store.derive(now_ns)
        found, expected = open_analysis(store.layout.data, now_ns=now_ns), store.told(4, now_ns)
        assert found.calls.equals(expected.calls) == is_found


def test_all_recordings_are_told_alike_kept_or_not(tmp_path: Path) -> None:
    """Their tables; and of some runs all that is asked of one, and what leads to it from the outside."""
    whole = fleet()
    store = Growing(open_folder(tmp_path / "data"), whole)
    last = max(*whole.spans["seq"], *whole.events["seq"])
    now_ns, before = RECEIVED_NS + 26 * HOUR_NS, 0
    for upto in (last // 2, last - 5, last):
        store.receive(before, upto)
        before = upto
        if upto < last:
            store.derive(now_ns)
    found, expected = open_analysis(store.layout.data, now_ns=now_ns), store.told(last, now_ns)
    middle_ns = int(expected.calls["first_ns"].drop_nulls().median() or 0)
    tool = expected.calls["tool_name"].drop_nulls().mode()[0]
    for wanted in (Filter(tool=tool), Filter(outcome="denied", since_ns=middle_ns), Filter(until_ns=middle_ns)):
        for table in ("calls", "runs", "approvals", "decisions", "agents", "effects"):
            # Of tables that were not asked for whole, what a filter lets through is read alone.
            assert_frame_equal(found.select(table, wanted), expected.select(table, wanted))
    assert_told_alike(found, expected)
    for run_id in Random(1).sample(expected.runs["run_id"].to_list(), 4):
        assert found.record(run_id) == expected.record(run_id)
        assert_frame_equal(found.timeline(run_id), expected.timeline(run_id))
    for texts in (["delete_db"], ["900", "alice"], ["not approved"]):
        assert_frame_equal(found.finds(texts), expected.finds(texts))
    for wanted in (
        Filter(customer="acme"),
        Filter(policy="sandbox"),
        Filter(namespace="orders"),
        Filter(target="orders"),
    ):
        assert_frame_equal(found.select("calls", wanted), expected.select("calls", wanted))
    assert coverage(found) == coverage(expected)
    assert_frame_equal(found.configuration_changes, expected.configuration_changes)
