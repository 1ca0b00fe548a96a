"""`compare`: two runs side by side, and some calls held against others, from the command line."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.analyzer.weeks import PROMPT, Ran, days, telemetry

from aftertrace.ingest import contents

from .conftest import RECORDINGS, Command

PAIR = ("pydantic-ai.v5_pending", "pydantic-ai.v5_deny_approve")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A store with two runs of one agent, one with an approval that took longer; the older one first."""
    from .conftest import command

    data = tmp_path_factory.mktemp("two") / "data"
    command("import", *(RECORDINGS / f"{name}.jsonl" for name in PAIR), "--data", data)
    told = [json.loads(line) for line in command("runs", "--data", data, "--format", "json").out.splitlines()]
    first, second = sorted(told, key=lambda row: row["first_ns"])
    return data, first["run_id"], second["run_id"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with every recording that comes with the package."""
    from .conftest import command

    data = tmp_path_factory.mktemp("mixed") / "data"
    command("import", *sorted(RECORDINGS.glob("*.jsonl")), "--data", data)
    return data


def test_where_two_runs_part_is_told_first(aftertrace: Command, two: tuple[Path, str, str]) -> None:
    """Then what made them, then step by step."""
    data, first, second = two
    ended = aftertrace("compare", first, second, "--data", data)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0].startswith("They part at step ")
    assert lines[lines.index("") + 1].split() == ["A", first, "B", second]
    assert any(line.startswith("the same in both: inputs, agent, ") for line in lines)
    assert [line.split()[-2:] for line in lines if line.endswith("read_db  executed")] == [["read_db", "executed"]]


def test_a_run_beside_itself_differs_in_nothing(aftertrace: Command, two: tuple[Path, str, str]) -> None:
    """By any of its names."""
    data, first, _ = two
    told = json.loads(aftertrace("compare", first, first[:9], "--data", data, "--format", "json").out)
    assert (told["parted_at"], told["other_result_at"]) == (None, None)
    assert {part["agreement"] for part in told["parts"]} == {"same", "not_told"}
    assert {step["verdict"] for step in told["steps"]} == {"same"}
    assert "do not differ in what is told" in aftertrace("compare", first, first, "--data", data).out


def test_documents_are_written_to_a_file_and_are_the_same_at_one_time(
    aftertrace: Command, two: tuple[Path, str, str], tmp_path: Path
) -> None:
    """As HTML, Markdown and JSON."""
    data, *runs = two
    at = ("--as-of", "2100-01-01T10:00:00Z", "--data", data)
    for form in ("html", "json"):
        out = tmp_path / f"page.{form}"
        assert aftertrace("compare", *runs, *at, "--format", form, "--out", out).out == ""
        assert out.read_text() == aftertrace("compare", *runs, *at, "--format", form).out
    assert out.read_text().isascii()
    assert aftertrace("compare", *runs, *at, "--format", "markdown").out.startswith("# Runs ")


def test_a_run_that_is_not_there_is_said(aftertrace: Command, two: tuple[Path, str, str]) -> None:
    """In one line; and one run alone is wrong use."""
    data, first, _ = two
    ended = aftertrace("compare", first, "0123456789abcdef", "--data", data)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: run '0123456789abcdef': not found; ")
    assert aftertrace("compare", first, "--data", data).code == 2


def test_what_is_different_about_some_calls_is_told_and_listed(aftertrace: Command, mixed: Path) -> None:
    """As a page, and as JSON; the rows behind each finding by its id, as other rows are."""
    where = ("--where", "outcome=denied", "--data", mixed)
    ended = aftertrace("compare", *where)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert re.fullmatch(
        r"\d+ calls of \d+ runs with outcome=denied, against \d+ calls of \d+ runs: all others\.", lines[0]
    )
    told = json.loads(aftertrace("compare", *where, "--format", "json").out)
    assert (told["where"], told["of"]) == ("outcome=denied", "calls")
    row = told["lifts"][0]
    rows = [
        json.loads(line)
        for line in aftertrace("compare", *where, "--rows", row["lift_id"], "--format", "json").out.splitlines()
    ]
    assert [sum(each["is_chosen"] is side for each in rows) for side in (True, False)] == [row["chosen"], row["others"]]
    assert {each["outcome"] for each in rows if each["is_chosen"]} <= {"denied"}
    assert aftertrace("compare", *where, "--rows", row["lift_id"]).out.splitlines()[0].split()[0] == "is_chosen"


def test_several_filters_choose_as_they_are_told(aftertrace: Command, mixed: Path) -> None:
    """Of one name any, of several names all; what both have to be let through by is an option of its own."""

    def sizes(*options: str) -> tuple[int, int]:
        told = json.loads(aftertrace("compare", *options, "--data", mixed, "--format", "json").out)
        return told["chosen"]["rows"], told["others"]["rows"]

    calls = [json.loads(line) for line in aftertrace("calls", "--data", mixed, "--format", "json").out.splitlines()]
    outcomes = Counter(call["outcome"] for call in calls)
    of_tool = Counter(call["outcome"] for call in calls if call["tool_name"] == "Bash")
    either = ("--where", "outcome=denied", "--where", "outcome=unknown_tool")
    assert sizes(*either)[0] == outcomes["denied"] + outcomes["unknown_tool"]
    assert sizes("--where", "outcome=denied", "--where", "tool=Bash")[0] == of_tool["denied"]
    assert sizes("--where", "outcome=denied", "--against", "outcome=executed") == (
        outcomes["denied"],
        outcomes["executed"],
    )
    within = sizes("--where", "outcome=denied", "--tool", "Bash")
    assert within == (of_tool["denied"], of_tool.total() - of_tool["denied"] - of_tool["pending"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give two runs, or --where"),
        (("--where", "outcome=refused"), "'denied'"),
        (("--where", "denied"), "'denied' is no filter; write NAME=VALUE with one of agent, tool, outcome"),
        (("--where", "since=yesterday"), "'yesterday' is no time"),
        (("--where", "outcome=cancelled"), "no chosen calls on record"),
        (("--where", "outcome=denied", "--rows", "01234567", "--format", "json"), "has this id"),
        (("--where", "outcome=denied", "--rows", "01234567", "--format", "html"), "rows are written as text, json"),
        (("last", "last", "--where", "outcome=denied"), "give two runs, or --where"),
        (("last", "last", "--tool", "pay"), "two runs are compared whole"),
        (("last", "last", "--of", "runs"), "two runs are compared whole"),
        (("last", "last", "--count-untold"), "two runs are compared whole"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said_in_one_line(
    aftertrace: Command, mixed: Path, options: tuple[str, ...], said: str
) -> None:
    """With what was found, and what was expected."""
    ended = aftertrace("compare", *options, "--data", mixed)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_a_page_of_what_is_different_is_one_file_that_stays_as_it_is(
    aftertrace: Command, mixed: Path, tmp_path: Path
) -> None:
    """With the command behind each number, which says when it was."""
    at = ("compare", "--where", "outcome=denied", "--as-of", "2100-01-01T10:00:00Z", "--data", mixed)
    for form in ("html", "markdown"):
        out = tmp_path / form
        assert aftertrace(*at, "--format", form, "--out", out).out == ""
        assert out.read_text() == aftertrace(*at, "--format", form).out
    again = "aftertrace compare --where outcome=denied --as-of 2100-01-01T10:00:00"
    assert json.loads(aftertrace(*at, "--format", "json").out)["command"] == again


def test_prompts_are_compared_as_far_as_the_evidence_holds_them(
    aftertrace: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they differ beyond what the tables hold; the control: without the evidence that is said, and no line is."""
    house = "Follow the house rules.\n" * 150
    prompts = [house + PROMPT.replace("100", limit) for limit in ("100", "100", "500")]
    ran = [Ran(at=at, prompt=prompt) for at, prompt in zip(days(3, runs=1), prompts, strict=True)]
    lines = [json.dumps({"signal": signal, "request": json.loads(body)}) for signal, _, body in telemetry(iter(ran))]
    (tmp_path / "weeks.jsonl").write_text("\n".join(lines) + "\n")
    data = ("--data", tmp_path / "data")
    aftertrace("import", tmp_path / "weeks.jsonl", *data)
    runs = [json.loads(line) for line in aftertrace("runs", *data, "--format", "json").out.splitlines()]
    first, second, third = (run["run_id"] for run in sorted(runs, key=lambda run: run["first_ns"]))

    def prompt_of(*compared: str) -> dict[str, Any]:
        told = json.loads(aftertrace("compare", *compared, *data, "--format", "json").out)
        (part,) = (part for part in told["parts"] if part["part"] == "prompt")
        return {name: part[name] for name in ("agreement", "removed", "added", "is_cut")}

    days_of = [
        "You are a clerk. Today is Monday, 2 November 2026.",
        "You are a clerk. Today is Tuesday, 3 November 2026.",
    ]
    assert prompt_of(first, second) == {
        "agreement": "values_differ", "removed": days_of[:1], "added": days_of[1:], "is_cut": False,
    }  # fmt: skip
    changed = prompt_of(first, third)
    assert (changed["removed"][1:], changed["added"][1:]) == (["Pay at most 100 EUR."], ["Pay at most 500 EUR."])
    monkeypatch.setattr(contents, "content_of", lambda *_: None)
    assert prompt_of(first, third) == {"agreement": "differs", "removed": [], "added": [], "is_cut": True}
