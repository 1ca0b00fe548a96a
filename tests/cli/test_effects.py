"""`aftertrace effects`: what changed and what does not agree, as people and programs read it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.analyzer.weeks import MONDAY, Ran, days

from .conftest import Command
from .test_changes import imported

PAGE = """\
7 effects: 7 by receipts, 0 as results tell
1 finding, 1 control failure among them

! applied twice (certain): the same change was made more than once, by one run or by several
    made 2 times, under one key or with one result
    2026-11-02 10:40:50 UTC, tool pay, agent clerk, object bank order 6
    run RUN; evidence PLACE, PLACE

time                 tool_name  state    basis     system  operation  object_id  signals        run_id
2026-11-02 10:40:50  pay        applied  explicit  bank    transfer   6          applied_twice  RUN
2026-11-02 10:40:45  pay        applied  explicit  bank    transfer   6          applied_twice  RUN
2026-11-02 10:20:45  pay        applied  explicit  bank    transfer   5                         RUN
"""


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six payments, of which the last took effect twice; only read it."""
    ran = [Ran(at=at, receipts=2 if nth == 5 else 1) for nth, at in enumerate(days(1, runs=6, start=MONDAY))]
    return imported(tmp_path_factory.mktemp("paid") / "data", ran)


def without_ids(text: str) -> str:
    """A page with its ids blotted out."""
    return re.sub(r"\b[0-9a-f]{16}\b", "RUN", re.sub(r"\b[\w-]+/\d+/\d+\b", "PLACE", text))


def test_the_page_tells_what_does_not_agree_and_then_what_changed(aftertrace: Command, paid: Path) -> None:
    """Failures first, each with how sure it is, its run and the records that show it."""
    told = aftertrace("effects", "--data", paid)
    assert (told.code, told.err) == (0, "")
    assert without_ids(told.out).startswith(PAGE)


def test_the_page_is_bounded_and_says_what_it_left_out(aftertrace: Command, paid: Path) -> None:
    """With the way to all of it."""
    told = aftertrace("effects", "--limit", "2", "--data", paid).out
    assert told.endswith("applied_twice  " + told.split()[-7] + "\n… and 5 more: --format json\n")


def test_programs_get_a_row_for_each_effect_or_for_each_finding(aftertrace: Command, paid: Path) -> None:
    """Every column, a line each."""
    effects = [json.loads(line) for line in aftertrace("effects", "--format", "json", "--data", paid).out.splitlines()]
    assert [(row["object_id"], row["basis"], row["signals"]) for row in effects][1:3] == [
        ("6", "explicit", ["applied_twice"]),
        ("5", "explicit", []),
    ]
    told = aftertrace("effects", "--findings", "--format", "json", "--data", paid).out
    (finding,) = [json.loads(line) for line in told.splitlines()]
    assert (finding["signal"], finding["is_failure"]) == ("applied_twice", True)
    assert finding["run_id"] == effects[0]["run_id"]
    assert finding["evidence"] == [effects[1]["evidence"], effects[0]["evidence"]]


def test_one_run_is_asked_for_by_its_id(aftertrace: Command, paid: Path) -> None:
    """Its effects and findings alone; the run page tells the same above all else."""
    told = json.loads(aftertrace("effects", "--findings", "--format", "json", "--data", paid).out)
    alone = aftertrace("effects", "--run", told["run_id"], "--data", paid).out
    assert alone.startswith("2 effects: 2 by receipts, 0 as results tell\n1 finding, 1 control failure among them\n")
    other = aftertrace("effects", "--run", "0" * 31 + "1", "--data", paid).out
    assert other.startswith("1 effect: 1 by receipts, 0 as results tell\n0 findings\n\ntime ")
    page = aftertrace("run", told["run_id"], "--data", paid).out
    assert "! applied twice, effect on 6: the same change was made more than once in the run" in page


def test_a_store_without_effects_says_so(aftertrace: Command, store: Path) -> None:
    """And shows no table of nothing."""
    told = aftertrace("effects", "--data", store).out
    assert told == "0 effects: 0 by receipts, 0 as results tell\n0 findings\n"
