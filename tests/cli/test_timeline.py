"""`aftertrace timeline`: what happened, in order, as people and programs read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.analyzer.weeks import MONDAY, Ran, days

from .conftest import Command
from .test_changes import imported
from .test_effects import without_ids

REVIEWED = """\
5 entries, 2026-11-02T09:00:03.000000Z to 2026-11-02T09:00:45.000000Z

   time          lane   what                      tool_name  decided_by  detail                 evidence
   09:00:03.000  tool   tool.called completed     pay                                           PLACE
   09:00:06.000  model  action.proposed proposed  pay                    {"order":1}            PLACE
   09:00:06.000  human  approval.requested        pay                                           PLACE
   09:00:15.000  human  approval.granted          pay        human                              PLACE
   09:00:45.000  tool   effect.applied            pay                    transfer bank order 1  PLACE
"""


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two payments, of which a person was asked about the first; only read it."""
    ran = [Ran(at=at, receipts=1, waited_s=None if nth else 9) for nth, at in enumerate(days(1, runs=2, start=MONDAY))]
    return imported(tmp_path_factory.mktemp("paid") / "data", ran)


def test_a_timeline_of_a_reviewer_or_an_object_tells_the_course_of_its_calls(aftertrace: Command, paid: Path) -> None:
    """What she decided, and what came before and after."""
    told = aftertrace("timeline", "--reviewer", "ann", "--data", paid)
    assert (told.code, told.err, without_ids(told.out)) == (0, "", REVIEWED)
    named = aftertrace("timeline", "--target", '"order":1', "--data", paid).out
    assert [word in named for word in ("effect.applied", "approval.granted", "read_order", '"order":2')] == [
        True, True, True, False,
    ]  # fmt: skip
    assert aftertrace("timeline", "--reviewer", "bob", "--data", paid).out == "0 entries\n"


def test_what_is_left_out_is_counted_with_the_time_to_go_on_from(aftertrace: Command, paid: Path) -> None:
    """The first of a run; the last of all others. Going on, nothing is missed."""
    first = aftertrace("timeline", "--run", "0" * 31 + "1", "--limit", "3", "--format", "json", "--data", paid)
    rows = [json.loads(line) for line in first.out.splitlines()]
    whole = aftertrace("timeline", "--run", "0" * 31 + "1", "--format", "json", "--data", paid).out.splitlines()
    assert first.out.splitlines() == whole[:3]
    assert first.err == f"note: {len(whole) - 3} later entries are left out: --since 2026-11-02T09:00:01.000000Z\n"
    on = aftertrace(
        "timeline", "--run", rows[0]["run_id"], "--since", first.err.split()[-1], "--format", "json", "--data", paid
    )
    assert {json.loads(line)["evidence"] for line in (*first.out.splitlines(), *on.out.splitlines())} == {
        json.loads(line)["evidence"] for line in whole
    }
    last = aftertrace("timeline", "--limit", "1", "--data", paid).out
    assert last.splitlines()[1].endswith("earlier entries are left out: --until 2026-11-02T09:20:45.000001Z")
    assert "effect.applied" in last


def test_the_page_of_a_run_has_the_same_timeline(aftertrace: Command, paid: Path) -> None:
    """Below its answers."""
    alone = aftertrace("timeline", "--run", "last", "--data", paid).out
    assert aftertrace("run", "last", "--timeline", "--data", paid).out.endswith("\n\n" + alone)


def test_a_target_that_is_too_short_is_refused_in_a_line(aftertrace: Command, paid: Path) -> None:
    """And says what is expected."""
    ended = aftertrace("timeline", "--target", "x", "--data", paid)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert "1 characters, expected at least 3" in ended.err
