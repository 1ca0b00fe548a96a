"""kill -9 under load: nothing acknowledged is lost, nothing is there twice, nothing is invented.

`CYCLES` in the environment sets how many kills; `SEED` chooses their instants.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from faults.kill import campaign

if TYPE_CHECKING:
    from pathlib import Path

CYCLES = int(os.environ.get("CYCLES", "20"))
SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.slow
def test_kills_lose_nothing_double_nothing_and_invent_nothing(tmp_path: Path) -> None:
    """Receiver and drain die at random instants; the tables hold what was acknowledged, once, unaltered."""
    outcome = campaign(tmp_path / "data", cycles=CYCLES, seed=SEED)
    print(outcome)
    assert outcome.holds, outcome
    assert outcome.duplicates > 0, "resends must have happened, or nothing was shown about doubles"


@pytest.mark.slow
def test_an_ok_before_the_write_is_caught(tmp_path: Path) -> None:
    """Negative control: with an early OK the same campaign finds acknowledged spans lost."""
    outcome = campaign(tmp_path / "data", cycles=3, seed=SEED, broken="eager_ack")
    print(outcome)
    assert outcome.spans.lost
    assert outcome.evidence.lost


@pytest.mark.slow
def test_resends_that_are_not_recognised_are_caught(tmp_path: Path) -> None:
    """Negative control: without deduplication the same campaign finds spans doubled."""
    outcome = campaign(tmp_path / "data", cycles=1, seed=SEED, broken="no_dedupe")
    print(outcome)
    assert outcome.spans.doubled
    assert outcome.evidence.doubled
