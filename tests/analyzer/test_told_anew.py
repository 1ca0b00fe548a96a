"""Kept answers that somebody changed: told anew from the records, each is found, and sound ones raise no alarm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.derived.told_anew import Chosen, Difference, compare
from aftertrace.store import key_file
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.verify.kept_answers import check_kept
from aftertrace.store.verify.report import Findings

from .frames import RECEIVED_NS
from .test_deriving import HOUR_NS, MINUTE_NS, Frames, Growing, derive, grown, some_arrival, three_runs

NOW_NS = RECEIVED_NS + 2 * HOUR_NS
DAY = date(2027, 1, 15)
Change = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture
def store(tmp_path: Path) -> Growing:
    """Three runs that are over: two in one part, one in another; a record of the first is still to come."""
    growing = Growing(open_folder(tmp_path / "data"), three_runs())
    for after, upto in ((0, 4), (4, 6)):
        growing.receive(after, upto)
        growing.derive(NOW_NS)
    return growing


def compared(data: Path, chosen: Chosen | None = None, now_ns: int = NOW_NS) -> tuple[int | None, list[Difference]]:
    """How many runs are kept as they are told, and what is not."""
    found: list[Difference] = []
    return compare(data, chosen or Chosen(), found.append, now_ns=now_ns), found


def forge(layout: Layout, table: str, change: Change, number: int = 0, part: str = "parts") -> None:
    """Put other rows in the place of those of a part, in a file that has its digest in its name; the state names it."""
    state = json.loads(layout.derived_state.read_bytes())
    held = state[part][number] if part == "parts" else state[part]
    old = layout.derived / held["files"][table]
    draft = old.with_name("draft")
    change(pl.read_parquet(old)).write_parquet(draft)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()
    held["files"][table] = f"{table}/{old.stem.partition('-')[0]}-{digest}.parquet"
    draft.rename(layout.derived / held["files"][table])
    layout.derived_state.write_text(json.dumps(state))


def damage(layout: Layout) -> list[str]:
    """Where files are not as they were derived, by their own digests."""
    findings = Findings()
    check_kept(layout, findings, lambda _: None)
    assert {each.code for each in findings.found} <= {"derived_differs"}
    return [each.where for each in findings.found]


def run_of(store: Growing, conversation: str) -> str:
    """The run of a conversation, as its records tell it."""
    runs = store.told(6, NOW_NS).runs
    return str(runs.filter(pl.col("conversation_id") == conversation)["run_id"].item())


def test_what_is_kept_as_it_was_derived_is_found_so(store: Growing) -> None:
    """All of it, a day, and a run; with a record that came since, and when nothing is kept that counts."""
    data = store.layout.data
    assert (compared(data), damage(store.layout)) == ((3, []), [])
    assert compared(data, Chosen(since=DAY, until=DAY)) == (3, [])
    assert compared(data, Chosen(until=date(2027, 1, 14))) == (0, [])
    assert compared(data, Chosen(run_id=run_of(store, "s-2"))) == (1, [])
    store.receive(6, 7)
    # The run that it is of is told from its records.
    assert compared(data) == (2, [])
    store.layout.derived_state.unlink()
    assert compared(data) == (None, [])


FORGINGS: dict[str, tuple[str, Change, str]] = {
    "a call made harmless": (
        "calls",
        lambda rows: rows.with_columns(tool_name=pl.lit("look")),
        "other values of tool_name, expected what its records tell",
    ),
    "a call that is left out": (
        "calls",
        lambda rows: rows.clear(),
        "0 rows instead of 1, expected what its records tell",
    ),
    "a call twice": (
        "calls",
        lambda rows: pl.concat([rows, rows]),
        "2 rows instead of 1, expected what its records tell",
    ),
    "a time, by a nanosecond": (
        "runs",
        lambda rows: rows.with_columns(first_ns=pl.col("first_ns") + 1),
        "other values of first_ns, expected what its records tell",
    ),
    "a run's keys": (
        "leads",
        lambda rows: rows.with_columns(key=pl.lit("nowhere")),
        "expected what its records tell",
    ),
    "when it was over": (
        "final",
        lambda rows: rows.with_columns(final_ns=pl.col("from_ns")),
        "other times or tenants than those of its records",
    ),
    "on whose records it rests": (
        "final",
        lambda rows: rows.with_columns(tenants=pl.lit(["acme"])),
        "other times or tenants than those of its records",
    ),
}


@pytest.mark.parametrize("name", FORGINGS)
def test_what_was_forged_is_named_with_its_run_and_day(store: Growing, name: str) -> None:
    """With digests and state made to fit: no look at files shows it, whoever asks is told it."""
    table, change, said = FORGINGS[name]
    forge(store.layout, table, change, number=1)
    assert damage(store.layout) == []
    run_id = run_of(store, "s-3")
    for chosen in (Chosen(), Chosen(since=DAY), Chosen(run_id=run_id)):
        alike, found = compared(store.layout.data, chosen)
        # Logs for other engines still name the file before it: of no run.
        of_runs = [each for each in found if each.run_id is not None]
        assert {(each.table, each.run_id, each.day) for each in of_runs} == {(table, run_id, DAY)}
        assert all(each.found.endswith(said) for each in of_runs)
        assert alike == (0 if chosen.run_id else 2)
    assert compared(store.layout.data, Chosen(run_id=run_of(store, "s-1"))) == (1, [])


def test_a_forged_answer_is_what_lists_tell(store: Growing) -> None:
    """The harm: so it has to be found."""
    forge(store.layout, "calls", FORGINGS["a call made harmless"][1], number=1)
    assert "look" in open_analysis(store.layout.data, now_ns=NOW_NS).calls["tool_name"].to_list()


def test_a_run_that_is_left_out_altogether_is_missed(store: Growing) -> None:
    """Its part is not named any more: nothing that is kept leads to it, and its records do."""
    state = json.loads(store.layout.derived_state.read_bytes())
    del state["parts"][1]
    store.layout.derived_state.write_text(json.dumps(state))
    assert run_of(store, "s-3") not in open_analysis(store.layout.data, now_ns=NOW_NS).runs["run_id"].to_list()
    alike, found = compared(store.layout.data)
    left_out = Difference("final", run_of(store, "s-3"), DAY, "left out, expected what its records tell")
    assert alike == 2
    assert left_out in found
    # The logs for other engines still name its files, and are told of too.
    assert {each.run_id for each in found} == {left_out.run_id, None}


def test_a_run_that_is_invented_is_found(store: Growing) -> None:
    """Whether it is named as one that is kept, or has rows in a file alone."""
    forge(store.layout, "calls", lambda rows: pl.concat([rows, rows.with_columns(run_id=pl.lit("0" * 16))]))
    strange = [each for each in compared(store.layout.data)[1] if each.run_id == "0" * 16]
    assert [(each.table, each.found.partition(" that")[0]) for each in strange] == [("calls", "rows of a run")]
    forge(store.layout, "final", lambda rows: pl.concat([rows, rows.with_columns(run_id=pl.lit("0" * 16))[:1]]))
    strange = [each for each in compared(store.layout.data)[1] if each.run_id == "0" * 16]
    assert strange == [Difference("final", "0" * 16, None, "no record tells of this run")]


def test_a_run_that_is_kept_twice_is_found(store: Growing) -> None:
    """A part that is named once more."""
    state = json.loads(store.layout.derived_state.read_bytes())
    state["parts"].append(state["parts"][1])
    store.layout.derived_state.write_text(json.dumps(state))
    found = compared(store.layout.data)[1]
    assert Difference("final", run_of(store, "s-3"), None, "kept more than once, expected it once") in found


@pytest.mark.parametrize("index", ["spans", "events", "leads"])
def test_an_index_that_leads_elsewhere_is_found(store: Growing, index: str) -> None:
    """With digests and state made to fit: a record that comes would be told without what it joins, or beside it."""
    layout = store.layout
    state = json.loads(layout.derived_state.read_bytes())
    for level in state["indexes"][index]:
        content = key_file.made([], [])
        level["path"] = f"{'0' * 32}-{hashlib.sha256(content).hexdigest()}.keys"
        (layout.derived_index / level["path"]).write_bytes(content)
    layout.derived_state.write_text(json.dumps(state))
    assert damage(layout) == []
    alike, found = compared(layout.data)
    assert alike == 3
    files = 0 if index == "spans" else 2
    assert [each.found.partition(" leads elsewhere")[0] for each in found] == [
        "the index" if index == "leads" else f"the index of {index}"
    ] * files


def test_marks_for_other_engines_are_compared(store: Growing) -> None:
    """Whether a run is final is a column that only they read."""
    forge(store.layout, "runs", lambda rows: rows.with_columns(run_is_final=pl.lit(value=False)))
    (mark, log) = compared(store.layout.data)[1]
    assert (mark.table, mark.found.partition(" has ")[2]) == ("runs", "rows with run_is_final other than True")
    assert (log.table, log.found.partition(";")[0]) == ("runs", "its log names other files")


def flipped(path: Path) -> None:
    """A byte changed in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_file_that_was_changed_alone_is_found_without_telling_anew(store: Growing) -> None:
    """By the digest in its name; and one that is gone."""
    (path, *_) = sorted((store.layout.derived / "calls").glob("*.parquet"))
    flipped(path)
    assert damage(store.layout) == [f"derived/calls/{path.name}"]
    path.unlink()
    assert damage(store.layout)[0] == f"derived/calls/{path.name}"


def edit_log(layout: Layout, change: Callable[[dict[str, object]], object]) -> None:
    """Change the actions that add files to `runs`."""
    commit = max((layout.derived / "runs" / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        if "add" in action:
            change(action["add"])
    commit.write_text("".join(json.dumps(action) + "\n" for action in actions))


def marked_deleted(add: dict[str, object]) -> None:
    """A row that is marked as deleted, without a file for it."""
    add["deletionVector"] = {"storageType": "i", "pathOrInlineDv": "", "sizeInBytes": 1, "cardinality": 1}


def bounded(add: dict[str, object]) -> None:
    """Bounds that make readers pass over the file."""
    told = json.loads(str(add["stats"]))
    told["minValues"]["first_ns"] = told["maxValues"]["first_ns"] = 1
    add["stats"] = json.dumps(told)


@pytest.mark.parametrize("change", [marked_deleted, bounded, lambda add: add.update(size=1)])
def test_what_leads_other_engines_elsewhere_is_found(
    store: Growing, change: Callable[[dict[str, object]], object]
) -> None:
    """Our own readers do not look at the logs."""
    edit_log(store.layout, change)
    assert damage(store.layout) == ["derived/runs/_delta_log"]
    assert compared(store.layout.data)[0] == 3


def test_files_that_nobody_here_writes_are_found_in_a_log(store: Growing) -> None:
    """Delta has more kinds of files than commits and checkpoints in one piece."""
    name = "00000000000000000000.00000000000000000001.compacted.json"
    (store.layout.derived / "runs" / "_delta_log" / name).write_text("{}")
    assert damage(store.layout) == [f"derived/runs/_delta_log/{name}"]


@settings(max_examples=4, deadline=None)
@given(arrival=some_arrival(), data=st.data())
def test_whatever_came_what_is_kept_is_what_is_told(arrival: tuple[Frames, list[int]], data: st.DataObject) -> None:
    """However records came, and whenever they were derived: no alarm."""
    with grown(*arrival, data) as (store, came_ns):
        for later_ns in (MINUTE_NS, 45 * MINUTE_NS, 30 * HOUR_NS):
            assert compared(store.layout.data, now_ns=max(came_ns.values()) + later_ns)[1] == []
        assert damage(store.layout) == []
        derive(store.layout.data, now_ns=max(came_ns.values()) + 30 * HOUR_NS)
