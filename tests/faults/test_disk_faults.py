"""A disk that fails at any one call, on the way to an OK and on the way into the tables: nothing is lost or doubled."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from faults import ack_faults, drain_faults
from faults.amount import selection
from faults.disk import EIO, KILL, CannotBuild, Fault, build, faults
from faults.forks import Forks
from faults.interpreter import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults.disk import Call


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
        wrong = [each for fault in chosen for each in ack_faults.judge(before, fault, commands, tmp_path)]
    print(f"{len(chosen)} faults at {len(calls)} calls")
    assert wrong == []
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
        wrong = [each for fault in chosen for each in drain_faults.judge(waiting, fault, commands, tmp_path)]
    print(f"{len(chosen)} faults at {len(calls)} calls")
    assert wrong == []
    done = {(call.name, call.path.suffix) for call in calls}
    assert done >= {("link", ".json"), ("fsync", ".new"), ("pwrite", ".parquet"), ("rename", ".parquet")}
    if which == "later":
        assert done >= {("unlink", ".wal"), ("unlink", ".parquet"), ("rename", ".spare"), ("pwrite", ".new")}
        assert any("checkpoint" in call.path.name for call in calls)


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "kind"), [("deaf", EIO), ("eager_ack", KILL)])
def test_an_ok_that_does_not_hold_is_caught(tmp_path: Path, broken: str, kind: str) -> None:
    """Negative controls: an error that is taken for a yes, and an OK before the write."""
    with forks(tmp_path, "no_drain", broken) as commands:
        calls = ack_faults.acked_calls(None, commands, tmp_path)
        # After an early OK there may be no call at all before the end.
        at = next((number for number, call in enumerate(calls, 1) if is_frame(call)), len(calls))
        wrong = ack_faults.judge(None, Fault(kind, at), commands, tmp_path)
    assert any("spans: " in each and " 0 lost" not in each for each in wrong), wrong


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
        wrong = drain_faults.judge(waiting, Fault(KILL, at), commands, tmp_path)
    assert any("spans: " in each and f" 0 {what}" not in each for each in wrong), wrong
