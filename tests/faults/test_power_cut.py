"""Power cuts under load: what was acknowledged is on the disk, and what is half written stops nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from faults.amount import SEED, amount
from faults.power import CannotMount, cut_under_load, judge_cut

if TYPE_CHECKING:
    from pathlib import Path

    from faults.amount import SEED, amount
from faults.power import Cut

CUTS = int(os.environ.get("CUTS") or amount(quick=2, usual=8, full=50))
A_RUN = 5
"""Cuts of one `serve`; then another begins with an empty disk, so that each is soon looked at."""


def cuts_or_skip(scratch: Path, cuts: int, seed: int = SEED, broken: str | None = None) -> list[Cut]:
    """Cuts of a run under load; skips the test, with the reason, where loop mounts cannot be had."""
    try:
        return cut_under_load(scratch, cuts=cuts, seed=seed, broken=broken)
    except CannotMount as reason:
        pytest.skip(f"NO LOOP MOUNTS, power cuts are not tested: {reason}")


@pytest.mark.slow
def test_power_cuts_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each cut everything acknowledged before it becomes queryable, once."""
    verdicts = []
    for number in range(0, CUTS, A_RUN):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        cuts = cuts_or_skip(scratch, min(A_RUN, CUTS - number), SEED + number)
        verdicts += [judge_cut(scratch, cut) for cut in cuts]
        print(*verdicts[-len(cuts) :], sep="\n", flush=True)
    assert [verdict for verdict in verdicts if not verdict.holds] == []
    assert all(verdict.acknowledged for verdict in verdicts)


@pytest.mark.slow
def test_a_missing_fsync_is_caught(tmp_path: Path) -> None:
    """Negative control: with fsync stubbed out the same cut loses what was acknowledged."""
    (cut,) = cuts_or_skip(tmp_path, 1, broken="no_fsync")
    verdict = judge_cut(tmp_path, cut, quiet_s=5.0)
    print(verdict)
    assert verdict.lost
