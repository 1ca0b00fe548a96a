"""`compare`: two runs side by side, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    for form in ("html", "markdown", "json"):
        out = tmp_path / f"page.{form}"
        assert aftertrace("compare", *runs, *at, "--format", form, "--out", out).out == ""
        assert out.read_text() == aftertrace("compare", *runs, *at, "--format", form).out
    assert out.read_text().isascii()


def test_a_run_that_is_not_there_is_said(aftertrace: Command, two: tuple[Path, str, str]) -> None:
    """In one line; and one run alone is wrong use."""
    data, first, _ = two
    ended = aftertrace("compare", first, "0123456789abcdef", "--data", data)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: run '0123456789abcdef': not found; ")
    assert aftertrace("compare", first, "--data", data).code == 2
