"""Two receivers on one lake in a bucket: killed under load, and asked about by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from faults.lake import RECEIVERS, campaign

if TYPE_CHECKING:
    from pathlib import Path

SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.slow
def test_two_receivers_on_one_bucket_lose_double_and_invent_nothing(tmp_path: Path, url: str) -> None:
    """As on a folder that both see. What either received is told from the folder of each."""
    outcome = campaign(tmp_path, seed=SEED, settings={"AFTERTRACE_STORE_TABLES": url})
    print(outcome)
    assert outcome.holds, outcome
    assert outcome.duplicates
    counts = {
        name: _asked("select receiver, count(*) as spans from spans group by receiver", tmp_path / name)
        for name in RECEIVERS
    }
    assert counts["east"] == counts["west"]
    assert {row["receiver"] for row in counts["east"]} == set(RECEIVERS)
    assert sum(row["spans"] for row in counts["east"]) == outcome.spans.found


def _asked(question: str, data: Path) -> list[dict[str, object]]:
    """What `aftertrace sql` answers."""
    command = [sys.executable, "-m", "aftertrace.cli", "sql", question, "--format", "json", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return sorted(map(json.loads, done.stdout.splitlines()), key=lambda row: str(row["receiver"]))
