"""`report`: documents of a period that stay as they are, and whose numbers lead to their rows."""

from __future__ import annotations

import json
import shlex
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .conftest import RECORDINGS, STORED, Command


def now() -> str:
    """The time now, as it is typed."""
    return datetime.fromtimestamp(time.time_ns() // 1000 / 1e6, UTC).isoformat()


def imported(aftertrace: Command, data: Path, *names: str) -> None:
    """Import recordings."""
    assert aftertrace("import", *(RECORDINGS / f"{name}.jsonl" for name in names), "--data", data).code == 0


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
def test_the_same_period_as_of_the_same_time_is_the_same_byte_for_byte(
    aftertrace: Command, tmp_path: Path, form: str
) -> None:
    """The store has grown by calls of the same period since; as of now they count."""
    data = tmp_path / "data"
    imported(aftertrace, data, STORED[0])
    then = now()
    asked = ("report", "near-misses", "--until", then, "--format", form, "--data", data)
    before = aftertrace(*asked, "--as-of", then)
    imported(aftertrace, data, *STORED[1:])
    after = aftertrace(*asked, "--as-of", then)
    assert (before.code, after.code, before.out == after.out) == (0, 0, True)
    assert "records of this period came after" in after.err
    assert "records of this period" not in before.err
    assert aftertrace(*asked, "--as-of", "now").out != before.out


def test_each_number_of_a_kind_is_how_many_rows_its_command_lists(aftertrace: Command, store: Path) -> None:
    """The commands can be pasted as they stand."""
    told = json.loads(aftertrace("report", "near-misses", "--format", "json", "--data", store).out)
    counts = {kind["rows"]: kind["near_misses"] for kind in told["kinds"]}
    counts[told["rows"]["near-misses"]] = told["totals"]["near_misses"]
    listed = {
        command: len(aftertrace(*shlex.split(command)[1:], "--format", "json", "--data", store).out.splitlines())
        for command in counts
    }
    assert listed == counts
    assert len(counts) > 3


def test_the_html_is_one_file_that_runs_and_asks_for_nothing(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """Written to a file, without a word."""
    for name in ("near-misses", "approvals"):
        file = tmp_path / f"{name}.html"
        ended = aftertrace("report", name, "--format", "html", "--out", file, "--data", store)
        assert (ended.code, ended.out, ended.err) == (0, "", "")
        page = file.read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert [word for word in ("<script", "<link", "<img", "http://", "https://", "url(") if word in page] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--period", "2026-13"], "'2026-13' is no period; write 2026, 2026-Q4, 2026-11, 2026-W47 or 2026-11-22"),
        (["--period", "2026-11", "--since", "30d"], "--period and --since or --until, expected one of them"),
        (["--since", "2026-11-20", "--until", "2026-11-10"], "expected it to end after it begins"),
        (["--as-of", "2199-01-01"], "that is still to come, expected a time up to now"),
    ],
)
def test_what_is_no_period_is_refused_with_the_way_out(
    aftertrace: Command, store: Path, options: list[str], said: str
) -> None:
    """One line on standard error."""
    ended = aftertrace("report", "near-misses", *options, "--data", store)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_period_of_the_past_says_what_came_too_late(aftertrace: Command, store: Path) -> None:
    """What is imported today is in no report of its month, unless it is asked for as of today."""
    ended = aftertrace("report", "near-misses", "--period", "2020-01", "--data", store)
    assert (ended.code, "No calls are recorded." in ended.out, ended.err) == (0, True, "")
    listed = aftertrace("runs", "--format", "json", "--data", store).out.splitlines()
    day = min(json.loads(line)["started_at"] for line in listed)[:10]
    asked = ("report", "near-misses", "--since", day, "--until", f"{day}T23:59:59", "--data", store, "--as-of", "now")
    assert "No calls are recorded." not in aftertrace(*asked).out


def test_listings_as_of_a_time_hold_what_had_been_received(aftertrace: Command, store: Path) -> None:
    """Before anything came, nothing is listed."""
    assert aftertrace("calls", "--as-of", "2020-01-01", "--format", "json", "--data", store).out == ""
    whole = aftertrace("calls", "--format", "json", "--data", store).out
    assert aftertrace("calls", "--as-of", "now", "--format", "json", "--data", store).out == whole
