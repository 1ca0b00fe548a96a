"""Power cuts under load: what was acknowledged is on the disk, and what is half written stops nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from faults.power import CannotMount, cut_under_load, judge_cut

if TYPE_CHECKING:
    from pathlib import Path

    from faults.power import Cut

CUTS = int(os.environ.get("CUTS", "3"))


def cuts_or_skip(scratch: Path, cuts: int, broken: str | None = None) -> list[Cut]:
    """Cuts of a run under load; skips the test, with the reason, where loop mounts cannot be had."""
    try:
        return cut_under_load(scratch, cuts=cuts, seed=1, broken=broken)
    except CannotMount as reason:
        pytest.skip(f"NO LOOP MOUNTS, power cuts are not tested: {reason}")


@pytest.mark.slow
def test_power_cuts_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each cut everything acknowledged before it becomes queryable, once."""
    verdicts = [judge_cut(tmp_path, cut) for cut in cuts_or_skip(tmp_path, CUTS)]
    print(*verdicts, sep="\n")
    assert [verdict for verdict in verdicts if not verdict.holds] == []
    assert all(verdict.acknowledged for verdict in verdicts)


@pytest.mark.slow
def test_a_missing_fsync_is_caught(tmp_path: Path) -> None:
    """Negative control: with fsync stubbed out the same cut loses what was acknowledged."""
    (cut,) = cuts_or_skip(tmp_path, 1, broken="no_fsync")
    verdict = judge_cut(tmp_path, cut, quiet_s=5.0)
    print(verdict)
    assert verdict.lost
