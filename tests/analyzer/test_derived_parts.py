"""What is kept is in parts: what a step costs is in proportion to the runs that it tells, however many there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.derived import deriving, kept
from aftertrace.analyzer.derived.deriving import Step
from aftertrace.analyzer.derived.finality import COMES_BACK_FOR_NS
from aftertrace.analyzer.derived.kept_columns import SHARED
from aftertrace.analyzer.derived.told_anew import Chosen, Difference, compare
from aftertrace.store.folder import open_folder

from .frames import RECEIVED_NS, Frames
from .stories import COMPLETED, ENDED, PROPOSED, stored
from .test_deriving import HOUR_NS, MINUTE_NS, Growing, arriving, assert_told_alike, grown, kept_in, some_arrival
from .test_one_run import moved, of


def run(number: int, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Events of a conversation of its own."""
    return [moved(each, 60 * number, **of(str(number), f"s-{number}", call_id=f"c-{number}")) for each in events]


def without_an_end(*numbers: int) -> Frames:
    """Two records each of some runs, one run after the other."""
    return stored(*(each for number in numbers for each in run(number, PROPOSED, COMPLETED)))


def test_a_run_that_told_its_end_is_kept_at_once(tmp_path: Path) -> None:
    """It is not told a second time when nothing more came of it; one that did not tell it is open."""
    whole = stored(*run(1, PROPOSED, COMPLETED), moved(ENDED, 60, **of("1", "s-1", call_id=None)), *run(2, PROPOSED))
    store = Growing(open_folder(tmp_path / "data"), whole)
    store.receive(0, 4)
    now_ns = RECEIVED_NS + MINUTE_NS
    assert store.derive(now_ns) == [Step(records=4, kept=1, open=1, is_last=True)]
    assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(4, now_ns))
    assert store.derive(now_ns) == [Step(records=0, kept=1, open=1, is_last=True)]


def test_a_run_that_comes_back_after_its_end_is_open_for_a_while(tmp_path: Path) -> None:
    """A chat, whose every turn tells an end: kept once, it would be taken back and written with each of them."""
    ended = moved(ENDED, 60, **of("1", "s-1", call_id=None))
    turns = stored(*run(1, PROPOSED, COMPLETED), ended, *run(1, COMPLETED), ended, *run(1, COMPLETED), ended)
    came_ns = [RECEIVED_NS + turn * MINUTE_NS for turn in (0, 0, 0, 1, 1, 2, 2)]
    whole = arriving(turns, [*range(1, 8)], came_ns)
    store = Growing(open_folder(tmp_path / "data"), whole)
    steps = []
    for number, (after, upto) in enumerate([(0, 3), (3, 5), (5, 7)]):
        store.receive(after, upto)
        now_ns = RECEIVED_NS + number * MINUTE_NS
        steps += [(step.kept, step.open) for step in store.derive(now_ns)]
        assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(upto, now_ns))
    over_ns = RECEIVED_NS + 2 * MINUTE_NS + COMES_BACK_FOR_NS
    steps += [(step.kept, step.open) for at_ns in (over_ns - 1, over_ns) for step in store.derive(at_ns)]
    assert steps == [(1, 0), (0, 1), (0, 1), (0, 1), (1, 0)]
    assert_told_alike(open_analysis(store.layout.data, now_ns=over_ns), store.told(7, over_ns))


def test_of_open_runs_those_alone_are_written_anew_that_share_a_part(tmp_path: Path) -> None:
    """With one of which more came; the files of all others stay as they are."""
    whole = stored(*run(1, PROPOSED), *run(2, PROPOSED), *run(3, PROPOSED), *run(1, COMPLETED))
    store = Growing(open_folder(tmp_path / "data"), whole)
    now_ns = RECEIVED_NS + MINUTE_NS
    store.receive(0, 2)
    store.derive(now_ns)
    store.receive(2, 3)
    store.derive(now_ns)
    before = kept_in(store).opened
    store.receive(3, 4)
    assert store.derive(now_ns) == [Step(records=1, kept=0, open=3, is_last=True)]
    after = kept_in(store).opened
    assert ([part.runs for part in before], [part.runs for part in after]) == ([2, 1], [1, 2])
    assert after[0] == before[1]
    assert not {*after[1].files.values()} & {*before[0].files.values()}
    assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(4, now_ns))


def test_an_open_run_that_others_would_read_twice_is_found(tmp_path: Path) -> None:
    """Its part is named once more, or a file has rows of a run that the part does not list."""
    store = Growing(open_folder(tmp_path / "data"), without_an_end(1, 2))
    now_ns, found = RECEIVED_NS + MINUTE_NS, list[Difference]()
    for upto in (2, 4):
        store.receive(upto - 2, upto)
        store.derive(now_ns)
    assert (compare(store.layout.data, Chosen(), found.append, now_ns=now_ns), found) == (0, [])
    first, second = (
        kept.collected(store.layout, kept.scan(store.layout, [part], "opened"))[0]["run_id"][0]
        for part in kept_in(store).opened
    )
    state = json.loads(store.layout.derived_state.read_bytes())
    state["opened"].append({**state["opened"][0], "runs": 1})
    state["opened"][1]["files"]["calls"] = state["opened"][0]["files"]["calls"]
    store.layout.derived_state.write_text(json.dumps(state))
    compare(store.layout.data, Chosen(), found.append, now_ns=now_ns)
    told = {
        (each.table, each.run_id, each.found.partition(",")[0].partition(" that")[0]) for each in found if each.run_id
    }
    assert told == {("opened", first, "open and kept"), ("calls", first, "rows of a run")}
    assert second != first


@pytest.mark.parametrize(("at_most", "steps"), [(4, [(1, 4), (2, 3), (3, 2), (4, 1), (5, 0)]), (100, [(5, 0)])])
def test_what_time_has_ended_is_told_so_many_records_at_a_time(
    at_most: int, steps: list[tuple[int, int]], tmp_path: Path
) -> None:
    """Whatever the number of runs: half of a step is for them, and one run at least."""
    store = Growing(open_folder(tmp_path / "data"), without_an_end(1, 2, 3, 4, 5))
    store.receive(0, 10)
    store.derive(RECEIVED_NS + MINUTE_NS)
    now_ns = RECEIVED_NS + HOUR_NS
    expected = [Step(0, are_kept, are_open, is_last=not are_open) for are_kept, are_open in steps]
    assert store.derive(now_ns, records_at_most=at_most) == expected
    assert_told_alike(open_analysis(store.layout.data, now_ns=now_ns), store.told(10, now_ns))


def test_what_comes_does_not_wait_for_what_time_has_ended(tmp_path: Path) -> None:
    """The other half is for what is new: the two go on side by side, here with a run that is over when it is told."""
    store = Growing(open_folder(tmp_path / "data"), without_an_end(1, 2, 3, 4))
    store.receive(0, 6)
    store.derive(RECEIVED_NS + MINUTE_NS)
    store.receive(6, 8)
    steps = store.derive(RECEIVED_NS + HOUR_NS, records_at_most=2)
    assert [(step.records, step.kept) for step in steps] == [(1, 2), (1, 3), (0, 4)]


def test_small_parts_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs that are over and of open ones, when there are more than so many, and large ones are left as they are."""
    monkeypatch.setattr(deriving, "SMALL_PARTS", 2)
    monkeypatch.setattr(deriving, "SMALL_RUNS", 2)
    store, parts = Growing(open_folder(tmp_path / "data"), without_an_end(*range(1, 8))), []
    now_ns = RECEIVED_NS + MINUTE_NS
    for number in range(7):
        store.receive(2 * number, 2 * number + 2)
        store.derive(now_ns)
        parts.append([part.runs for part in kept_in(store).opened])
    assert parts == [[1], [1, 1], [2, 1], [2, 1, 1], [2, 2, 1], [2, 2, 1, 1], [2, 2, 2, 1]]
    later_ns = RECEIVED_NS + HOUR_NS
    store.derive(later_ns, records_at_most=4)
    assert [part.runs for part in kept_in(store).parts] == [2, 2, 2, 1]
    assert_told_alike(open_analysis(store.layout.data, now_ns=later_ns), store.told(14, later_ns))


@settings(max_examples=4, deadline=None)
@given(arrival=some_arrival(), small=st.sampled_from([(0, 1), (1, 2), (2, 3)]), data=st.data())
def test_each_run_is_in_one_part_however_they_are_put_together(
    arrival: tuple[Frames, list[int]], small: tuple[int, int], data: st.DataObject
) -> None:
    """Others read all tables of all parts: of each run there is what was told of it last, and nothing else."""
    whole, stops = arrival
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deriving, "SMALL_PARTS", small[0])
        patched.setattr(deriving, "SMALL_RUNS", small[1])
        with grown(whole, stops, data) as (store, came_ns):
            now_ns = max(came_ns.values()) + MINUTE_NS
            store.derive(now_ns)
            state = kept_in(store)
            listed = [
                kept.collected(store.layout, kept.scan(store.layout, [part], kind.listing))[0]["run_id"].unique()
                for kind, parts in ((kept.FINISHED, state.parts), (kept.OPEN, state.opened))
                for part in parts
            ]
            assert [runs.len() for runs in listed] == [part.runs for part in (*state.parts, *state.opened)]
            assert pl.concat([pl.Series("run_id", [], pl.String), *listed]).is_unique().all()
            told = store.told(stops[-1], now_ns)
            for name in SHARED:
                rows = kept.scan(store.layout, (*state.parts, *state.opened), name)
                found = kept.collected(store.layout, rows.group_by("run_id").len().sort("run_id"))[0]
                expected = getattr(told, name).group_by("run_id").len().sort("run_id")
                assert found.equals(expected), name
