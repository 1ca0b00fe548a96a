"""A disk that fails at any one call, on the way to an OK and on the way into the tables: nothing is lost or doubled."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults import ack_faults, drain_faults
from faults.amount import IS_WHOLE, selection
from faults.disk import EIO, KILL, Call, CannotBuild, Fault, Met, build, faults
from faults.forks import Forks
from faults.interpreter import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@contextmanager
def forks(scratch: Path, *changes: str) -> Iterator[Forks]:
    """Commands on a failing disk; skips the test, with the reason, where the disk cannot be built."""
    try:
        library = build(scratch)
    except CannotBuild as reason:
        pytest.skip(f"NO FAILING DISK, faults of the disk are not tested: {reason}")
    with Forks(environment("small", *changes, more={"LD_PRELOAD": str(library)}), scratch) as running:
        yield running


def is_frame(call: Call) -> bool:
    """Whether a call writes frames into a segment."""
    return call.name == "pwrite" and call.path.suffix == ".wal"


def sweep(calls: Sequence[Call], chosen: Sequence[Fault], judge: Callable[[Fault], Met]) -> list[Met]:
    """Meet one fault after the other, and say on the way how far it is and what is wrong."""
    begin = time.monotonic()
    found = []
    for number, fault in enumerate(chosen, 1):
        found.append(judge(fault))
        if found[-1].wrong or number in (1, len(chosen)) or number % 50 == 0:
            so_far = f"{number} of {len(chosen)} faults at {len(calls)} calls, {time.monotonic() - begin:.0f} s"
            print(f"{so_far}  {found[-1]}".rstrip(), flush=True)
    return found


def wrong(met: Sequence[Met]) -> list[str]:
    """What is wrong with what came of some faults."""
    return [str(each) for each in met if each.wrong]


def not_met(calls: Sequence[Call], chosen: Sequence[Fault], met: Sequence[Met]) -> set[tuple[str, str | None]]:
    """Faults, each with what it was meant for, that came somewhere else: a command need not make its calls in the same
    order each time.
    """
    meant = {(fault.kind, calls[fault.at - 1].site) for fault in chosen}
    return meant - {(each.fault.kind, each.site) for each in met}


@pytest.mark.slow
@pytest.mark.parametrize("which", ["first", "later"])
def test_an_ok_holds_whatever_the_disk_does_meanwhile(tmp_path: Path, which: str) -> None:
    """Each call of `serve` fails in turn, or kills it, while a store is made, and while segments are used again: what
    got an OK is there, what did not can be sent again.
    """
    with forks(tmp_path, "no_drain") as commands:
        before = None if which == "first" else tmp_path / "before"
        if before is not None:
            ack_faults.served_before(before, commands)
        calls = ack_faults.acked_calls(before, commands, tmp_path)
        chosen = selection(faults(calls, lasting=12), quick=2, usual=20)
        met = sweep(calls, chosen, lambda fault: ack_faults.judge(before, fault, commands, tmp_path))
    assert wrong(met) == []
    assert not IS_WHOLE or not_met(calls, chosen, met) == set()
    done = {call.name for call in calls}
    assert done >= {"pwrite", "fsync", "rename", "fdatasync", "ftruncate", "unlink"}
    assert ("mkdir" in done, "fallocate" in done) == (which == "first", True)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["first", "later"])
def test_a_drain_goes_on_after_any_fault_of_the_disk(tmp_path: Path, which: str) -> None:
    """Each call fails in turn, or kills it, while tables are made, or grow, are folded and rid of old files."""
    with forks(tmp_path, "tidy") as commands:
        data = tmp_path / "waiting"
        waiting = drain_faults.first_drain(data) if which == "first" else drain_faults.later_drain(data, commands)
        calls = drain_faults.drained_calls(waiting, commands, tmp_path)
        chosen = selection(faults(calls), quick=3, usual=30)
        met = sweep(calls, chosen, lambda fault: drain_faults.judge(waiting, fault, commands, tmp_path))
    assert wrong(met) == []
    assert not IS_WHOLE or not_met(calls, chosen, met) == set()
    done = {(call.name, call.path.suffix) for call in calls}
    assert done >= {("link", ".json"), ("fsync", ".new"), ("pwrite", ".parquet"), ("rename", ".parquet")}
    if which == "later":
        assert done >= {("unlink", ".wal"), ("unlink", ".parquet"), ("rename", ".spare"), ("pwrite", ".new")}
        assert any("checkpoint" in call.path.name for call in calls)


def test_a_fault_that_came_elsewhere_is_told() -> None:
    """Control: the calls came in another order, or fewer of them."""
    calls = [Call("fsync", Path("wal")), Call("rename", Path("wal/0001.wal"))]
    chosen = [Fault(EIO, 1), Fault(KILL, 1), Fault(EIO, 2)]
    met = [Met(fault, calls[fault.at - 1].site, []) for fault in chosen]
    assert not_met(calls, chosen, met) == set()
    moved = [*met[:2], Met(chosen[2], "fsync wal", [])]
    assert not_met(calls, chosen, moved) == {(EIO, "rename wal/N.wal")}
    assert not_met(calls, chosen, [*met[:2], Met(chosen[2], None, [])]) == {(EIO, "rename wal/N.wal")}


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "kind"), [("deaf", EIO), ("eager_ack", KILL)])
def test_an_ok_that_does_not_hold_is_caught(tmp_path: Path, broken: str, kind: str) -> None:
    """Negative controls: an error that is taken for a yes, and an OK before the write."""
    with forks(tmp_path, "no_drain", broken) as commands:
        calls = ack_faults.acked_calls(None, commands, tmp_path)
        # After an early OK there may be no call at all before the end.
        at = next((number for number, call in enumerate(calls, 1) if is_frame(call)), len(calls))
        met = ack_faults.judge(None, Fault(kind, at), commands, tmp_path)
    assert any("spans: " in each and " 0 lost" not in each for each in met.wrong), met


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "what"), [("hasty", "lost"), ("no_dedupe", "doubled")])
def test_a_drain_that_loses_or_doubles_is_caught(tmp_path: Path, broken: str, what: str) -> None:
    """Negative controls: killed before its first commit, after it removed what it had not stored yet; or resends that
    are taken for new.
    """
    with forks(tmp_path) as commands:
        waiting = drain_faults.later_drain(tmp_path / "waiting", commands)
    with forks(tmp_path, broken) as commands:
        calls = drain_faults.drained_calls(waiting, commands, tmp_path)
        at = next(number for number, call in enumerate(calls, 1) if call.name == "link")
        met = drain_faults.judge(waiting, Fault(KILL, at), commands, tmp_path)
    assert any("spans: " in each and f" 0 {what}" not in each for each in met.wrong), met
