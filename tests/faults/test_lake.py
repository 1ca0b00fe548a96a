"""Two receivers on one lake, killed under load: nothing acknowledged is lost, doubled or invented."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import polars as pl
import pytest
from faults.lake import RECEIVERS, campaign

if TYPE_CHECKING:
    from pathlib import Path

SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.slow
def test_two_receivers_on_one_lake_lose_double_and_invent_nothing(tmp_path: Path) -> None:
    """Each is killed with its drain, and both at once; resends go to either, and are recognised there."""
    outcome = campaign(tmp_path, seed=SEED, settings={"AFTERTRACE_STORE_TABLES": str(tmp_path / "lake")})
    print(outcome)
    assert outcome.holds, outcome
    evidence = pl.scan_delta(str(tmp_path / "lake" / "evidence")).select("receiver", "duplicate_of").collect()
    assert set(evidence["receiver"]) == set(RECEIVERS)
    first = evidence.filter(pl.col("duplicate_of").is_not_null()).with_columns(
        first=pl.col("duplicate_of").str.split("/").list.first()
    )
    assert first.filter(pl.col("first") != pl.col("receiver")).height, "no resend went to the other receiver"
