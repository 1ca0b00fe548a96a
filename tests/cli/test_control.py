"""`aftertrace control from`: an incident becomes a rule, and telemetry on which the rule fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.analyzer.weeks import Ran, days

from .conftest import RECORDINGS, Command
from .test_changes import imported


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve runs of a day. Ann approves, but of the fifth and the sixth a rule let the payment through, the seventh
    was refused, of the ninth nothing tells what let it through; and the third read too much.
    """
    ran = [
        Ran(
            at=at,
            waited_s=None if nth in (5, 6, 7, 9) else 4,
            is_let_by_rule=nth in (5, 6),
            is_denied=nth == 7,
            tokens=2000 if nth == 3 else 1000,
        )
        for nth, at in enumerate(days(1, runs=12), start=1)
    ]
    return imported(tmp_path_factory.mktemp("controlled") / "data", ran)


def without_ids(text: str) -> str:
    """A page with its ids blotted out: they are digests."""
    return re.sub(r"\b[0-9a-f]{16}\b", "RUN", text)


def test_a_call_that_nobody_approved_becomes_a_rule_with_what_it_hits_and_its_test_data(
    aftertrace: Command, store: Path, tmp_path: Path
) -> None:
    """The sixth payment is no incident that anybody told of: the rule hits it, and says so before it is in force."""
    ended = aftertrace("control", "from", "call-5-0", "--to", "paid", "--data", store)
    assert (ended.code, ended.err) == (0, "")
    assert without_ids(ended.out) == (
        "call call-5-0 of pay, run RUN, 2026-11-02 10:20:03 UTC: it ran: policy let it through, and nobody was asked\n"
        "\n"
        "[[rule]]\n"
        'name = "pay needs a person (clerk)"\n'
        'agents = ["clerk"]\n'
        'environments = ["production"]\n'
        'tools = ["pay"]\n'
        'approved_by = ["human"]\n'
        "\n"
        "over history: about 11 calls that ran, of which it hits 3\n"
        "    1: what it was drafted from\n"
        "        run RUN call call-5-0 of pay: policy let it through, and nobody was asked\n"
        "    1: nothing odd is on record of them; were they fine, the rule would have hit them wrongly\n"
        "        run RUN call call-6-0 of pay: policy let it through, and nobody was asked\n"
        "    1: it cannot be told\n"
        "        run RUN call call-9-0 of pay: what let it through is not told\n"
        "\n"
        "test data: 2 records of the 5 of run RUN\n"
        "    replayed alone they show it; in CI:\n"
        "    aftertrace import paid/telemetry.jsonl --data replay\n"
        "    aftertrace check paid/rules.toml --data replay   # exits with 1\n"
    )
    assert aftertrace("import", "paid/telemetry.jsonl", "--data", "replay").code == 0
    checked = aftertrace("check", "paid/rules.toml", "--data", "replay", "--format", "json")
    (row,) = [json.loads(line) for line in checked.out.splitlines()]
    assert (checked.code, row["verdict"], row["tool_call_id"]) == (1, "broken", "call-5-0")


def test_test_data_without_one_of_its_records_show_nothing(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """Negative control: each record is needed, and it is what the rule fails on."""
    assert aftertrace("control", "from", "call-5-0", "--to", "paid", "--data", store).code == 0
    lines = (tmp_path / "paid" / "telemetry.jsonl").read_text().splitlines(keepends=True)
    for nth in range(len(lines)):
        (tmp_path / "less.jsonl").write_text("".join(lines[:nth] + lines[nth + 1 :]))
        assert aftertrace("import", "less.jsonl", "--data", f"less-{nth}").code == 0
        assert aftertrace("check", "paid/rules.toml", "--data", f"less-{nth}").code == 0


@pytest.mark.parametrize(
    ("target", "rule", "why", "code"),
    [
        ("call-1-0", {"only_tools": ["read_order"]}, "a person had approved it", 1),
        ("call-7-0", {"approved_by": ["human"]}, "it did not run (denied by policy)", 0),
        ("call-9-0", {"approved_by": ["human"]}, "what let it through is not told", 0),
    ],
)
def test_what_would_have_held_depends_on_what_happened(
    aftertrace: Command, store: Path, tmp_path: Path, target: str, rule: dict[str, list[str]], why: str, code: int
) -> None:
    """Approved: the tool goes. Refused: the control that held has to go on holding. Not told: strictness catches it."""
    import tomllib

    ended = aftertrace("control", "from", target, "--to", "made", "--data", store)
    assert (ended.code, why in ended.out, "replayed alone they show it" in ended.out) == (0, True, True)
    (drafted,) = tomllib.loads((tmp_path / "made" / "rules.toml").read_text())["rule"]
    assert {key: drafted[key] for key in rule} == rule
    assert aftertrace("import", "made/telemetry.jsonl", "--data", "replay").code == 0
    assert aftertrace("check", "made/rules.toml", "--data", "replay").code == code
    strict = aftertrace("check", "made/rules.toml", "--strict", "--data", "replay").code
    assert strict == (0 if target == "call-7-0" else 1)


def test_a_run_that_stands_out_becomes_a_limit_and_its_calls_rules(aftertrace: Command, store: Path) -> None:
    """The most that any other run of the agent had; a run in which nothing is odd makes no rule."""
    runs = [json.loads(line) for line in aftertrace("runs", "--data", store, "--format", "json").out.splitlines()]
    third, fifth, first = (sorted(runs, key=lambda run: run["first_ns"])[nth]["run_id"] for nth in (2, 4, 0))
    large = aftertrace("control", "from", third, "--data", store)
    assert (large.code, "most_tokens = 1006.0\n" in large.out, "1 record of the 6" in large.out) == (0, True, True)
    assert "over history: about 12 runs, of which it hits 1\n" in large.out
    rows = aftertrace("control", "from", fifth, "--data", store, "--format", "json").out.splitlines()
    assert [(row["hit"], row["tool_call_id"], row["let_by"]) for row in map(json.loads, rows)] == [
        ("this", "call-5-0", "policy"),
        ("fine", "call-6-0", "policy"),
        ("unknown", "call-9-0", None),
    ]
    none = aftertrace("control", "from", first, "--data", store)
    assert (none.code, none.err.startswith(f"error: control from run '{first}': no call of it ran past a control")) == (
        2,
        True,
    )


def test_files_that_are_there_stay_as_they_are_and_an_unknown_id_is_told(
    aftertrace: Command, store: Path, tmp_path: Path
) -> None:
    """A rule that somebody corrected is not drafted over."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "rules.toml").write_text("mine")
    ended = aftertrace("control", "from", "call-5-0", "--to", "mine", "--data", store)
    assert (ended.code, ended.err) == (
        2,
        "error: write mine/rules.toml: it is there, expected a new file; give another folder\n",
    )
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["rules.toml"]
    unknown = aftertrace("control", "from", "call-99", "--data", store)
    assert unknown.err.startswith("error: control from 'call-99': no call has this id, and of runs: run 'call-99': not")


def test_calls_of_real_agents_become_test_data_that_show_them(aftertrace: Command, tmp_path: Path) -> None:
    """Also one that was asked about in one trace and ran in another: its records lie in several requests."""
    data = tmp_path / "data"
    names = ("claude-code.v2_1_329_hook_deny", "langchain.openinference_reject_edit", "copilot-cli.tty_approve_twice")
    assert aftertrace("import", *(RECORDINGS / f"{name}.jsonl" for name in names), "--data", data).code == 0
    listed = aftertrace("calls", "--data", data, "--format", "json").out.splitlines()
    some = {
        row["dialect"]: row for row in map(json.loads, listed) if row["outcome"] in ("modified", "denied", "executed")
    }
    assert len(some) == 3
    for row in some.values():
        ended = aftertrace("control", "from", row["call_key"], "--data", data)
        assert (ended.code, "    replayed alone they show it;" in ended.out) == (0, True), row
