"""`aftertrace changes`: what was changed, what moved, and what had changed just before a run, as people read it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from tests.analyzer.test_change_story import story
from tests.analyzer.weeks import PROMPT, Ran, days, telemetry

from aftertrace.cli import whole_prompts
from aftertrace.ingest import contents

from .conftest import Command, command

PROMPT_CHANGE = """\
2026-11-13 10:00  clerk (production): prompt changed  [ID]
    - Be polite.
    + Be quick.
    + Do not ask twice.
    version 1 -> 2 · first run RUN · 77 runs
    moved: near misses 2.7% -> 15.5%, by +12.8 points (+4.8 to +24.3; q 0.006; 182 and 58 calls in 91 and 29 runs)
    moved: denials 2.7% -> 15.5%, by +12.8 points (+4.8 to +24.3; q 0.006; 182 and 58 calls in 91 and 29 runs)
    not shown to have moved: errors, approval wait, tokens
    not told: cost
"""
DRIFT = """\
2026-11-20 09:00  clerk (production): another model answers, and the one asked for is the same  [ID]
    model-5-0801 -> model-5-1115
    version 3 -> 4 · first run RUN · 24 runs
    moved: tokens 1,010 -> 2,009 (medians), by +1,000 (+997 to +1,002; q below 0.001; 24 and 24 runs)
    not shown to have moved: near misses, denials, errors, approval wait
    not told: cost
"""


def imported(data: Path, ran: list[Ran]) -> Path:
    """A store that holds some runs."""
    lines = (json.dumps({"signal": signal, "request": json.loads(body)}) for signal, _, body in telemetry(ran))
    file = data.with_suffix(".jsonl")
    file.write_text("".join(line + "\n" for line in lines))
    assert command("import", file, "--data", data).code == 0
    return data


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three weeks of an agent; only read it."""
    return imported(tmp_path_factory.mktemp("weeks") / "data", list(story()))


def without_ids(text: str) -> str:
    """A page with its ids blotted out: they are digests."""
    return re.sub(r"\b[0-9a-f]{16}\b", "RUN", re.sub(r"\[[0-9a-f]{8}\]", "[ID]", text))


def test_the_page_tells_each_change_with_what_moved_after_it(aftertrace: Command, weeks: Path) -> None:
    """The latest first, under how much was looked at."""
    told = without_ids(aftertrace("changes", "--data", weeks).out)
    assert told.startswith(
        "3 changes of 1 agent in 168 runs\n"
        "what moved: with 95 % intervals; q is corrected for all 15 looks at what moved in this store\n\n" + DRIFT
    )
    assert told.endswith("\n" + PROMPT_CHANGE)
    assert "tools changed  [ID]\n    + close_account\n" in told


def test_of_a_run_the_page_tells_what_was_in_force_and_what_had_changed_before(
    aftertrace: Command, weeks: Path
) -> None:
    """`last` is two days into the drift; the rows are the same three changes, the nearest first."""
    told = without_ids(aftertrace("changes", "--run", "last", "--data", weeks).out)
    assert told.startswith(
        "run RUN · 2026-11-22 11:20\n"
        "clerk (production): version 4, in 24 runs from 2026-11-20 09:00 to 2026-11-22 11:20\n"
        "  agent version  not told\n"
        "  model          model-5\n"
        "  served         model-5-1115\n"
    )
    assert "[ID] · 2 d 2 h and 23 runs before\n    model-5-0801 -> model-5-1115\n" in told
    rows = aftertrace("changes", "--run", "last", "--data", weeks, "--format", "json").out.splitlines()
    assert [(row["part"], row["runs_between"], row["is_silent"]) for row in map(json.loads, rows)] == [
        ("model_served", 23, True),
        ("tools", 47, False),
        ("prompt", 76, False),
    ]
    then = aftertrace("changes", "--at", "2026-11-14", "--agent", "clerk", "--data", weeks, "--format", "json").out
    assert json.loads(then)["part"] == "prompt"


def test_a_prompt_is_shown_before_and_after_its_change(aftertrace: Command, weeks: Path) -> None:
    """By the beginning of the change's id; without the dates."""
    asked = "select substring(change_id, 1, 8) as id from configuration_changes where part = 'prompt'"
    change = json.loads(aftertrace("sql", asked, "--data", weeks, "--format", "json").out)["id"]
    assert without_ids(aftertrace("changes", "--diff", change, "--data", weeks).out) == (
        "2026-11-13 10:00  clerk (production): prompt changed  [ID]\n"
        "--- version 1, last in run RUN\n"
        "+++ version 2, first in run RUN\n"
        "@@ -1,3 +1,4 @@\n"
        " You are a clerk. Today is ⟨date⟩.\n"
        " Pay at most 100 EUR.\n"
        "-Be polite.\n"
        "+Be quick.\n"
        "+Do not ask twice.\n"
    )


def test_any_other_change_is_shown_in_full_too(aftertrace: Command, weeks: Path) -> None:
    """Tools one by one, models as what they were and are."""
    rows = [json.loads(line) for line in aftertrace("changes", "--data", weeks, "--format", "json").out.splitlines()]
    shown = {
        row["part"]: aftertrace("changes", "--diff", row["change_id"], "--data", weeks).out.splitlines()[3:]
        for row in rows
    }
    assert (shown["tools"], shown["model_served"]) == (["+close_account"], ["-model-5-0801", "+model-5-1115"])


def test_rows_hold_what_the_page_says(aftertrace: Command, weeks: Path) -> None:
    """One per change, or one per change and measure; filters narrow them, and verdicts stay what they were."""
    late = aftertrace("changes", "--since", "2026-11-18", "--data", weeks, "--format", "json").out
    assert json.loads(late)["moved"] == ["tokens up"]
    table = aftertrace("changes", "--data", weeks, "--format", "table").out.splitlines()
    assert [line.split()[3:4] for line in table[1:]] == [["model_served"], ["tools"], ["prompt"]]
    measured = aftertrace("changes", "--measures", "--since", "2026-11-18", "--data", weeks, "--format", "csv").out
    assert [line.split(",")[4] for line in measured.splitlines()] == [
        "measure", "near_misses", "denials", "errors", "approval_wait", "tokens", "cost_usd"
    ]  # fmt: skip
    page = aftertrace("changes", "--since", "2026-11-21", "--data", weeks).out
    assert page.startswith("0 changes of 1 agent in 16 runs\n")
    assert aftertrace("changes", "--agent", "nobody", "--data", weeks).out.startswith(
        "0 changes of 0 agents in 0 runs\n"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--run", "last", "--measures"), "--run, --at, --diff and --measures ask different things; give one of them"),
        (("--at", "2020-01-01"), "changes --at: no run is known to have begun by then; `aftertrace runs` lists them"),
        (("--diff", "zz"), "change 'zz': 0 changes have this id, expected one; `aftertrace changes` lists them"),
        (("--run", "nothing"), "run 'nothing': not found"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_way_out(
    aftertrace: Command, weeks: Path, arguments: tuple[str, ...], error: str
) -> None:
    """On one line, with exit code 2."""
    ended = aftertrace("changes", *arguments, "--data", weeks)
    assert (ended.code, ended.out) == (2, "")
    assert error in ended.err


def test_a_hostile_prompt_steers_no_terminal(aftertrace: Command, tmp_path: Path) -> None:
    """Escape sequences, direction marks and a forged line of the page are shown as what they are."""
    evil = "You are\x1b[2J a clerk.\n\u202emoved: nothing\nmodel\x07"
    ran = [replace(run, prompt=evil if nth >= 4 else "You are a clerk.") for nth, run in enumerate([*story()][:8])]
    data = imported(tmp_path / "data", ran)
    for arguments in ((), ("--run", "last")):
        told = aftertrace("changes", *arguments, "--data", data).out
        assert "\\x1b[2J a clerk." in told
        assert "    + \\u202emoved: nothing\n" in told
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", told)


def test_what_was_in_force_is_told_of_a_run_without_a_time(tmp_path: Path) -> None:
    """As far as it is: what had been changed before it nobody can say."""
    span = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "chat", "kind": 1, "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "model-5"}},
    ]}  # fmt: skip
    file = tmp_path / "untimed.jsonl"
    file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    assert command("import", file, "--data", tmp_path / "data").code == 0
    found = command("changes", "--run", "last", "--data", tmp_path / "data")
    assert (found.code, "in 1 run from unknown to unknown" in found.out) == (0, True)


HOUSE: Final = "Follow the house rules.\n" * 150
"""Longer than what is kept of a prompt beside the evidence."""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days of two runs; on the fourth the limit is raised, at the very end of the prompt."""
    ran = [
        Ran(at=at, prompt=HOUSE + PROMPT.replace("100", "500" if nth >= 6 else "100"))
        for nth, at in enumerate(days(6, runs=2))
    ]
    return imported(tmp_path_factory.mktemp("long") / "data", ran)


def test_prompts_are_compared_whole_however_far_down_they_differ(aftertrace: Command, long: Path) -> None:
    """The date of the day, beyond what the tables hold, is no change; the limit is."""
    listed = aftertrace("changes", "--data", long)
    (change,) = [line[-9:-1] for line in listed.out.splitlines() if ": prompt changed  [" in line]
    assert f"aftertrace changes --diff {change} compares the texts, where they are kept" in listed.out
    ended = aftertrace("changes", "--diff", change, "--data", long)
    assert (ended.code, ended.out.splitlines()[3:]) == (
        0,
        [
            "@@ -149,5 +149,5 @@",
            " Follow the house rules.",
            " Follow the house rules.",
            " You are a clerk. Today is ⟨date⟩.",
            "-Pay at most 100 EUR.",
            "+Pay at most 500 EUR.",
            " Be polite.",
        ],
    )


def test_what_is_too_long_to_compare_is_said(aftertrace: Command, long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the evidence does not hold the texts; neither is taken for the same."""
    (row,) = [json.loads(line) for line in aftertrace("changes", "--data", long, "--format", "json").out.splitlines()]
    monkeypatch.setattr(whole_prompts, "LINES", 100)
    cut = aftertrace("changes", "--diff", row["change_id"], "--data", long).out.splitlines()[3:]
    assert cut == [
        "The prompt is longer than what is compared: its first 262,144 characters, and 5,000 lines.",
        "What is compared of it is the same on both sides: it differs further down.",
    ]
    monkeypatch.setattr(contents, "content_of", lambda *_: None)
    untold = aftertrace("changes", "--diff", row["change_id"], "--data", long).out.splitlines()[3:]
    assert untold == [
        (
            "How both texts begin is compared: the whole of one is not in the evidence, or their wording differs at "
            "each run."
        ),
        "The beginning that is kept is the same on both sides: it differs further down.",
    ]
