"""The clock of the system jumps while `serve` runs: what is acknowledged is there once all the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest
from faults.amount import SEED, amount
from faults.found import compare
from faults.kill import QUIET_S, fsck, spans, verify, wait_drained
from faults.load import Load
from faults.serve import Serve

if TYPE_CHECKING:
    from pathlib import Path

DAY_S: Final = 86_400
JUMPS_S: Final = (-DAY_S, 0, DAY_S, DAY_S - 3600, 0, -7, 7)
"""What the clock is off by, in turn. A resend is recognised within 24 hours, so it jumps no further at once."""


def jumps(data: Path, rounds: int, broken: str | None = None) -> list[str]:
    """Move the clock under load, with a kill after each round; what is wrong then."""
    clock = data.with_name("clock")
    move(clock, 0)
    with Serve(data, changes=("small", "moved_clock", broken), more={"CLOCK": str(clock)}) as serve:
        with Load(serve, clients=2, seed=SEED, pause_s=0.05, copies=2) as load:
            for _ in range(rounds):
                serve.start()
                serve.wait_ready()
                for offset_s in JUMPS_S:
                    move(clock, offset_s)
                    time.sleep(0.4)
                serve.kill()
            move(clock, 0)
            serve.start()
            serve.wait_ready()
        wait_drained(data, spans(load.acknowledged), quiet_s=QUIET_S if broken is None else 5.0)
        serve.stop()
    print(f"{rounds * len(JUMPS_S)} jumps, {len(load.acknowledged)} requests acknowledged")
    return [*load.errors, *compare(data, spans(load.attempted), spans(load.acknowledged)), *fsck(data), *verify(data)]


def move(clock: Path, offset_s: int) -> None:
    """Let the clock be off by so much, for all who look from now on."""
    new = clock.with_suffix(".new")
    new.write_text(str(offset_s))
    new.replace(clock)


@pytest.mark.slow
def test_a_clock_that_jumps_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """By a day back, by a day and an hour on, and by seconds."""
    data = tmp_path / "data"
    assert jumps(data, rounds=amount(quick=1, usual=3, full=10)) == []
    days = {path.name for path in (data / "tables" / "spans").glob("received_date=*")}
    assert len(days) >= 3, "the clock did not move"


@pytest.mark.slow
def test_a_drain_that_goes_by_the_clock_is_caught(tmp_path: Path) -> None:
    """Negative control: what was received earlier than the newest is passed over, and that is seen."""
    wrong = jumps(tmp_path / "data", rounds=1, broken="trusts_clock")
    assert any(" lost" in each and " 0 lost" not in each for each in wrong), wrong
