"""kill -9 while tables are derived: what is told is what the records tell, before and after it is derived again."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.amount import selection
from polars.testing import assert_frame_equal

from aftertrace.analyzer import analyse, open_analysis
from aftertrace.analyzer.analysis import tables_of
from aftertrace.analyzer.deriving import derive
from aftertrace.analyzer.order import ORDERS
from aftertrace.cli import root
from aftertrace.store.snapshot import Snapshot

RECORDINGS = Path(root.__file__).parent / "recordings"
FIRST = ("claude-code.hook_deny", "langchain.openinference_reject_edit", "strands.legacy_hook_cancel_interrupt_no")
LATER = ("pydantic-ai.v5_deny_approve", "openai-agents.openinference_reject_approve")
NOW_NS = time.time_ns() + 48 * 3600 * 10**9
"""By then all runs are over, whenever the test runs."""
STEP = """
import os, signal, sys
from pathlib import Path
from aftertrace.analyzer import deriving
from aftertrace.store import derived, durable
left, where = int(sys.argv[2]), sys.argv[3]
real = getattr(durable, where)
def counted(*arguments, **options):
    global left
    left -= 1
    if left == 0 and where == "_draft":
        os.kill(os.getpid(), signal.SIGKILL)
    given = real(*arguments, **options)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return given
setattr(durable, where, counted)
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


@pytest.mark.slow
def test_a_step_that_is_killed_changes_nothing_that_is_told(tmp_path: Path) -> None:
    """Before or after any file that it writes, the state among them."""
    begun = tmp_path / "begun"
    imported(begun, FIRST)
    assert derive(begun, now_ns=NOW_NS).kept == 3
    imported(begun, LATER)
    counting = step(Path(shutil.copytree(begun, tmp_path / "counting")), 10_000, "write_file")
    assert counting.returncode == 0, counting.stderr
    writes = int(counting.stdout.split()[1])
    assert writes > len(ORDERS)
    points = [(nth, where) for nth in range(1, writes + 1) for where in ("_draft", "write_file")]
    # The last two are before and after the state has its name.
    for nth, where in (*selection(points[:-2], quick=2, usual=10), *points[-2:]):
        data = Path(shutil.copytree(begun, tmp_path / f"{where}-{nth}"))
        assert step(data, nth, where).returncode == -signal.SIGKILL
        assert_told_right(data)
        assert derive(data, now_ns=NOW_NS).kept == 6
        assert_told_right(data)
        shutil.rmtree(data)


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
