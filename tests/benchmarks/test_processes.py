"""Processes are seen with what they started, and ended with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import Meter, arguments, children, end, tree

STARTS_ANOTHER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""


def test_a_tree_is_seen_metered_and_ended_whole() -> None:
    """Readers of the drain and workers of a peer count for it, and none is left behind."""
    process = subprocess.Popen([sys.executable, "-c", STARTS_ANOTHER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        assert tree(process.pid) == [process.pid, child]
        assert children(process.pid) == [child]
        assert arguments(process.pid)[:2] == [sys.executable, "-c"]
        assert process.pid in children(os.getpid())
        meter = Meter(lambda: {"all": tree(process.pid)})
        seen = meter.look()
        assert seen["all"] > 0
        assert (meter.peak_bytes, meter.most_processes) == (seen, 2)
        assert set(meter.cpu_s()) == {"all"}
    finally:
        end(process, 0)
        process.stdout.close()
    assert (tree(process.pid), arguments(process.pid)) == ([], [])
    assert not Path(f"/proc/{child}").exists() or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"
