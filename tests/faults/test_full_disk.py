"""A disk that fills up while `serve` runs, in bytes or in names: senders are told to wait, and nothing else happens."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest
from faults.amount import SEED, amount
from faults.forks import is_defect
from faults.found import compare
from faults.kill import QUIET_S, fsck, spans, verify, wait_drained
from faults.load import Load
from faults.power import CannotMount, small_disk
from faults.serve import Serve

if TYPE_CHECKING:
    from pathlib import Path

DISK_BYTES: Final = 24 << 20
NAMES: Final = 400
FULL_S: Final = amount(quick=5, usual=25, full=25)
"""How long the disk stays full: a drain that starts then meets it again and again."""
MORE: Final = 10
"""Requests that are taken once there is room."""


def filled(scratch: Path, what: str, broken: str | None = None) -> list[str]:
    """Fill the disk under load, kill the drain on it, make room again, and say what is wrong then."""
    log = scratch / "serve.log"
    try:
        with (
            small_disk(scratch / "disk", size_bytes=DISK_BYTES, names=NAMES) as disk,
            Serve(disk / "data", changes=("small", broken), log=log) as serve,
        ):
            return _filled(disk, serve, what, quiet_s=QUIET_S if broken is None else 5.0)
    except CannotMount as reason:
        pytest.skip(f"NO MOUNTS, full disks are not tested: {reason}")


def _filled(disk: Path, serve: Serve, what: str, quiet_s: float) -> list[str]:
    wrong: list[str] = []
    serve.start()
    serve.wait_ready()
    with Load(serve, clients=2, seed=SEED, pause_s=0.05) as load:
        time.sleep(1.0)
        fill(disk, what)
        time.sleep(0.5)
        serve.kill_children()
        before = len(load.known()[1])
        time.sleep(FULL_S)
        until = len(load.known()[1])
        wrong += [f"serve ended with {code}" for code in [serve.ended()] if code is not None]
        make_room(disk)
        deadline = time.monotonic() + 60
        while len(load.known()[1]) < until + MORE and time.monotonic() < deadline:
            time.sleep(0.1)
    after = len(load.acknowledged)
    print(f"{what}: {before} requests acknowledged before, {until - before} while full, {after - until} then")
    wrong += [] if load.waits else ["nobody was told to wait: the disk was not full"]
    wrong += [] if after >= until + MORE else ["it takes nothing more now that there is room"]
    wait_drained(disk / "data", spans(load.acknowledged), quiet_s=quiet_s)
    wrong += [f"serve ended with {code}" for code in [serve.stop()] if code]
    said = serve.log.read_text(errors="replace")
    wrong += [f"a defect: {said[-2000:]}"] if is_defect(said) else []
    found_wrong = compare(disk / "data", spans(load.attempted), spans(load.acknowledged))
    return [*wrong, *load.errors, *found_wrong, *fsck(disk / "data"), *verify(disk / "data")]


def fill(disk: Path, what: str) -> None:
    """Take all that is free: bytes by one file, or names by many empty ones."""
    filler = disk / "filler"
    filler.mkdir()
    with suppress(OSError):
        if what == "bytes":
            with (filler / "file").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        for number in range(NAMES):
            (filler / str(number)).touch()


def make_room(disk: Path) -> None:
    """Give it back."""
    for path in (disk / "filler").iterdir():
        path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["bytes", "names"])
def test_a_full_disk_refuses_and_recovers_without_a_restart(tmp_path: Path, what: str) -> None:
    """What was acknowledged before, meanwhile or after is there once; `serve` lives on, and so does its drain."""
    assert filled(tmp_path, what) == []


@pytest.mark.slow
def test_a_full_disk_that_is_not_noticed_is_caught(tmp_path: Path) -> None:
    """Negative control: with errors of the disk taken for a yes, what is acknowledged while it is full is lost."""
    wrong = filled(tmp_path, "bytes", broken="deaf")
    assert any(each.startswith("spans") and " 0 lost" not in each for each in wrong), wrong
