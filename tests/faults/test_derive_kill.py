"""kill -9 while tables are derived: what is told is what the records tell, before and after it is derived again; and
what others read is of a whole step.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from analyzer import duck
from deltalake import DeltaTable
from faults.amount import selection
from polars.testing import assert_frame_equal

from aftertrace.analyzer import analyse, open_analysis
from aftertrace.analyzer.derived.deriving import derive
from aftertrace.analyzer.derived.kept_columns import SHARED
from aftertrace.analyzer.opening import tables_of
from aftertrace.analyzer.schemas.order import ORDERS
from aftertrace.cli import root
from aftertrace.store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

RECORDINGS = Path(root.__file__).parent / "recordings"
FIRST = ("claude-code.hook_deny", "langchain.openinference_reject_edit", "strands.legacy_hook_cancel_interrupt_no")
LATER = ("pydantic-ai.v5_deny_approve", "openai-agents.openinference_reject_approve")
NOW_NS = time.time_ns() + 48 * 3600 * 10**9
"""By then all runs are over, whenever the test runs."""
STEP = """
import os, signal, sys
from pathlib import Path
from aftertrace.analyzer.derived import deriving
from aftertrace.store import derived, durable
left, wheres = int(sys.argv[2]), sys.argv[3].split(",")
def counting(real, dies_before):
    def counted(*arguments, **options):
        global left
        left -= 1
        if left == 0 and dies_before:
            os.kill(os.getpid(), signal.SIGKILL)
        given = real(*arguments, **options)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return given
    return counted
for where in wheres:
    setattr(durable, where, counting(getattr(durable, where), where == "_draft"))
# Parts are put together at every step.
deriving.SMALL_PARTS = 0
deriving.derive(Path(sys.argv[1]), now_ns=int(sys.argv[4]))
print("writes", int(sys.argv[2]) - left)
"""
"""A step that is killed before the n-th draft of a file, or after the n-th that has its name."""


def step(data: Path, nth: int, where: str) -> subprocess.CompletedProcess[str]:
    """One step in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", STEP, str(data), str(nth), where, str(NOW_NS)],
        capture_output=True,
        text=True,
        check=False,
    )


def imported(data: Path, names: tuple[str, ...]) -> None:
    """Recordings come."""
    files = [str(RECORDINGS / f"{name}.jsonl") for name in names]
    assert root.run(["import", *files, "--data", str(data)]) == 0


def assert_told_right(data: Path) -> None:
    """Every row of every table is what all records tell."""
    found = open_analysis(data, now_ns=NOW_NS)
    expected = analyse(tables_of(Snapshot.of(data)), now_ns=NOW_NS)
    for table in ORDERS:
        assert_frame_equal(found.told.table(table), expected.told.table(table))


def shown(data: Path, version: int | None = None) -> dict[str, pl.DataFrame]:
    """Each table as others read it, of a version or of the newest."""
    opened = duck.engine()
    folders = [data / "derived" / name for name in SHARED]
    return {folder.name: duck.version(opened, folder, version) for folder in folders}


def versions(data: Path) -> list[int]:
    """The newest version of each table."""
    return [int(DeltaTable(str(data / "derived" / name)).version()) for name in SHARED]


def is_like(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> bool:
    """Whether every table has the same rows."""
    return all(found[name].equals(expected[name]) for name in SHARED)


@pytest.mark.slow
def test_a_step_that_is_killed_changes_nothing_that_is_told(tmp_path: Path) -> None:
    """Before or after any file that it writes: the state among them, and the logs that others read by."""
    begun = tmp_path / "begun"
    imported(begun, FIRST)
    assert derive(begun, now_ns=NOW_NS).kept == 3
    imported(begun, LATER)
    whole = Path(shutil.copytree(begun, tmp_path / "whole"))
    counting = step(whole, 10_000, "_draft")
    assert counting.returncode == 0, counting.stderr
    before, after = shown(begun), shown(whole)
    assert not any(before[name].equals(after[name]) for name in ("runs", "calls", "agents"))
    writes = int(counting.stdout.split()[1])
    # The state, and after it one commit of each log.
    state = writes - len(SHARED)
    assert state > len(ORDERS)
    points = [(nth, where) for nth in range(1, writes + 1) for where in ("_draft", "write_file,create_file")]
    last = [(state, "_draft"), (state, "write_file,create_file"), (writes - 2, "_draft")]
    for nth, where in (*selection(points, quick=1, usual=10), *last):
        data = Path(shutil.copytree(begun, tmp_path / f"{where}-{nth}"))
        assert step(data, nth, where).returncode == -signal.SIGKILL
        assert_told_right(data)
        assert is_like(shown(data, 0), before)
        assert all(table.equals(before[name]) or table.equals(after[name]) for name, table in shown(data).items())
        assert set(versions(data)) <= {0, 1}
        assert derive(data, now_ns=NOW_NS).kept == 6
        assert_told_right(data)
        assert is_like(shown(data), after)
        assert versions(data) == [1] * len(SHARED)
        shutil.rmtree(data)


def test_tables_of_two_steps_are_caught(tmp_path: Path) -> None:
    """The control: where one log is behind, the newest versions are of neither step, and those of one number are."""
    data = tmp_path / "data"
    imported(data, FIRST)
    derive(data, now_ns=NOW_NS)
    before = shown(data)
    imported(data, LATER)
    derive(data, now_ns=NOW_NS)
    after = shown(data)
    (data / "derived" / "runs" / "_delta_log" / f"{1:020d}.json").unlink()
    assert not is_like(shown(data), before)
    assert not is_like(shown(data), after)
    assert is_like(shown(data, 0), before)


def test_a_state_that_names_files_of_another_step_is_caught(tmp_path: Path) -> None:
    """The control: a state that came before its rows would be seen."""
    data = tmp_path / "data"
    imported(data, FIRST)
    derive(data, now_ns=NOW_NS)
    before = (data / "derived" / "STATE").read_bytes()
    imported(data, LATER)
    derive(data, now_ns=NOW_NS)
    now = (data / "derived" / "STATE").read_text("utf-8")
    # The parts of the state before, and up to where this one goes.
    parts = before.decode().partition('"parts"')[2].partition('"opened"')[0]
    torn = now.partition('"parts"')[0] + '"parts"' + parts + '"opened"' + now.partition('"opened"')[2]
    (data / "derived" / "STATE").write_text(torn, "utf-8")
    with pytest.raises(AssertionError):
        assert_told_right(data)
