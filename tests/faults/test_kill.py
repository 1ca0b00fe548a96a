"""kill -9 under load: nothing acknowledged is lost, nothing is there twice, nothing is invented.

`CYCLES` in the environment sets how many kills; `SEED` chooses their instants.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from faults.amount import SEED, amount
from faults.kill import campaign

if TYPE_CHECKING:
    from pathlib import Path

CAMPAIGNS = 3
"""So many are tried at most until one loses what a broken server would lose."""
CYCLES = int(os.environ.get("CYCLES") or amount(quick=6, usual=40, full=200))


@pytest.mark.slow
def test_kills_lose_nothing_double_nothing_and_invent_nothing(tmp_path: Path) -> None:
    """Receiver and drain die at random instants, while small files are folded and segments removed; the tables hold
    what was acknowledged, once, unaltered.
    """
    outcome = campaign(tmp_path / "data", cycles=CYCLES, seed=SEED)
    print(outcome)
    assert outcome.holds, outcome
    assert outcome.duplicates > 0, "resends must have happened, or nothing was shown about doubles"
    assert outcome.churn.busy_looks >= CYCLES // 4, "kills must come while folds and removals go on"
    assert outcome.churn.checkpoints > 0


@pytest.mark.slow
def test_requests_that_are_sent_three_times_are_there_once(tmp_path: Path) -> None:
    """Every one of them, each time after an OK, over kills."""
    outcome = campaign(tmp_path / "data", cycles=amount(quick=2, usual=8, full=30), seed=SEED + 1, copies=3)
    print(outcome)
    assert outcome.holds, outcome
    assert outcome.duplicates >= outcome.spans.acknowledged, "the last request of each client may have come once"


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "kills"), [("eager_ack", 3), ("hasty", 4)])
def test_a_loss_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, kills: int) -> None:
    """Negative controls: with an OK before the write, or segments that go before their rows are stored, the same
    campaign finds acknowledged spans lost.
    """
    # On a machine where all else takes long too, most kills come between the two; where none did, others are tried.
    monkeypatch.setenv("HASTY_S", "2")
    for seed in range(SEED, SEED + CAMPAIGNS):
        outcome = campaign(tmp_path / f"data-{seed}", cycles=kills, seed=seed, broken=broken)
        print(outcome)
        if outcome.spans.lost:
            break
    assert outcome.spans.lost
    assert outcome.evidence.lost


@pytest.mark.slow
def test_resends_that_are_not_recognised_are_caught(tmp_path: Path) -> None:
    """Negative control: without deduplication the same campaign finds spans doubled."""
    outcome = campaign(tmp_path / "data", cycles=1, seed=SEED, copies=3, broken="no_dedupe")
    print(outcome)
    assert outcome.spans.doubled
    assert outcome.evidence.doubled
