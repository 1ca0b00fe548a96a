"""`aftertrace agents` and `inventory`: who is there, who should be, and what is off that."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from tests.analyzer.weeks import MONDAY, PROMPT, Ran, days

from aftertrace.cli.root import aftertrace as root

from .conftest import Command
from .test_changes import imported

DECLARED = """
[[agent]]
name = "clerk"
environment = "production"
owner = "payments team"
models = ["model-5", "model-5-08*"]
prompt_digests = ["PROMPT"]
tools = ["read_*", "refund"]

    [[agent.approval]]
    tools = ["pay"]
    approved_by = ["human"]

[[agent]]
name = "archivist"

[[agent]]
name = "scribe"
owner = "ann"
"""
BY_RISK = ("runs", "calls", "near-misses", "approvals", "decisions", "effects", "find", "compare")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scribe's run of Monday and a week of a clerk's. On Thursday another model answers, of the fifth run a rule lets
    the payment through, on Sunday the prompt has another limit; and a cook turns up.
    """
    scribe = Ran(at=MONDAY - timedelta(hours=1), agent="scribe", receipts=1)
    clerk = [
        Ran(
            at=at,
            waited_s=None if nth == 5 else 4,
            is_let_by_rule=nth == 5,
            served="model-5-1115" if nth in (7, 8) else "model-5-0801",
            prompt=PROMPT if nth < 13 else PROMPT.replace("100", "10000"),
        )
        for nth, at in enumerate(days(7, runs=2, start=MONDAY + timedelta(days=1)), start=1)
    ]
    cook = Ran(at=MONDAY + timedelta(days=6, hours=3), agent="cook", is_denied=True)
    return imported(tmp_path_factory.mktemp("inventory") / "data", [scribe, *clerk, cook])


@pytest.fixture
def declared(aftertrace: Command, store: Path, tmp_path: Path) -> Path:
    """What people declare, with the prompt of the clerk's first run."""
    listed = aftertrace("runs", "--agent", "clerk", "--data", store, "--format", "json").out.splitlines()
    first = min(map(json.loads, listed), key=lambda run: run["first_ns"])
    file = tmp_path / "inventory.toml"
    file.write_text(DECLARED.replace("PROMPT", first["system_prompt_digest"]))
    return file


def without_ids(text: str) -> str:
    """A page with its ids and digests blotted out."""
    return re.sub(r"\b[0-9a-f]{16}\b", "RUN", re.sub(r"sha256:[0-9a-f]{12}…", "DIGEST", text))


def test_the_check_names_each_agent_with_what_is_off_its_declaration(
    aftertrace: Command, store: Path, declared: Path
) -> None:
    """The date in the prompt is another one every day, and no other prompt; the limit is. A refused call is no use."""
    ended = aftertrace("inventory", "check", declared, "--since", "2026-11-03", "--data", store)
    assert (ended.code, ended.err) == (1, "")
    assert without_ids(ended.out) == (
        "2 agents seen, 1 unregistered; 3 entries declared, 2 silent\n"
        "5 findings broken, 1 unknown, 3 idle\n"
        "\n"
        "BROKEN   cook (shop, production): 1 run, 2 calls\n"
        "    broken: no entry is about it, first seen 2026-11-08 12:00 UTC, expected an entry in the inventory"
        " · run RUN\n"
        "\n"
        "BROKEN   clerk (production), of payments team: 14 runs, 28 calls\n"
        "    broken: tool pay ran (14 calls in 14 runs since 2026-11-03 09:00), expected one of read_*, refund "
        "· latest run RUN\n"
        "    broken: model model-5-1115 answered (2 runs since 2026-11-06 09:00), expected one of model-5, "
        "model-5-08* · latest run RUN\n"
        "    broken: prompt DIGEST was in force (2 runs since 2026-11-09 09:00), expected a declared one "
        "· latest run RUN\n"
        "    broken: tool pay: policy let it through, and nobody was asked (1 call in 1 run since "
        "2026-11-05 09:00), expected an approval by human · run RUN\n"
        "    idle: tool refund is declared and was not used, expected a use of it\n"
        "\n"
        "UNKNOWN  archivist: no run\n"
        "    unknown: nobody is named who answers for it, expected an owner\n"
        "    idle: never seen, expected a run since 2026-11-03 00:00 UTC\n"
        "\n"
        "IDLE     scribe, of ann: no run\n"
        "    idle: silent since 2026-11-02 08:01 UTC, expected a run since 2026-11-03 00:00 UTC · run RUN\n"
    )


def test_agents_are_listed_over_all_their_runs_with_who_declared_them(
    aftertrace: Command, store: Path, declared: Path, tmp_path: Path
) -> None:
    """The inventory of the configuration, too; without one, what was seen, and how to make one."""
    asked = ("--since", "2026-11-03", "--data", store, "--format", "json")
    named = aftertrace("agents", "--inventory", declared, *asked)
    rows = [json.loads(line) for line in named.out.splitlines()]
    keys = ("agent_name", "state", "owner", "runs", "calls", "near_misses", "broken", "unknown", "tools")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("cook", "unregistered", None, 1, 2, 1, 1, 0, ["read_order"]),
        ("clerk", "registered", "payments team", 14, 28, 0, 4, 0, ["pay", "read_order"]),
        ("archivist", "silent", None, 0, 0, 0, 0, 1, []),
        ("scribe", "silent", "ann", 0, 0, 0, 0, 0, []),
    ]
    (tmp_path / "aftertrace.toml").write_text('[inventory]\nfile = "inventory.toml"\n')
    assert aftertrace("agents", *asked).out == named.out
    (tmp_path / "aftertrace.toml").unlink()
    alone = aftertrace("agents", *asked)
    assert [(row["agent_name"], row["state"]) for row in map(json.loads, alone.out.splitlines())] == [
        ("clerk", None),
        ("cook", None),
    ]
    assert alone.err.startswith("note: no inventory is declared; `aftertrace inventory init` writes one")


def test_a_draft_is_written_once_and_declares_what_was_seen(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """Never over a file that is there, unless it is told to; and what is not told is the owner alone."""
    data = ("--data", store)
    ended = aftertrace("inventory", "init", *data)
    assert (ended.code, ended.out) == (0, "")
    text = (tmp_path / "inventory.toml").read_text()
    assert "# 14 runs from 2026-11-03 09:00 to 2026-11-09 09:21: 28 calls, 0 near misses\n[[agent]]\n" in text
    (tmp_path / "inventory.toml").write_text("mine")
    again = aftertrace("inventory", "init", *data)
    refusal = "it is there, expected a new file; give another, - for standard output, or --force"
    assert (again.code, again.err) == (2, f"error: write inventory.toml: {refusal}\n")
    assert (tmp_path / "inventory.toml").read_text() == "mine"
    assert aftertrace("inventory", "init", "-", *data).out == text
    assert aftertrace("inventory", "init", "--force", *data).code == 0
    checked = aftertrace("inventory", "check", "inventory.toml", "--since", "2026-11-01", *data)
    assert checked.code == 0
    assert [line for line in checked.out.splitlines() if line.startswith("    ")] == [
        "    unknown: nobody is named who answers for it, expected an owner"
    ] * 3
    assert aftertrace("inventory", "check", "inventory.toml", "--since", "2026-11-01", "--strict", *data).code == 1


def test_a_draft_of_real_recordings_declares_what_they_hold(aftertrace: Command, tmp_path: Path) -> None:
    """Of agents of several makers: nothing is broken, and no agent unregistered."""
    from .conftest import RECORDINGS

    data = tmp_path / "data"
    assert aftertrace("import", *sorted(RECORDINGS.glob("*.jsonl")), "--data", data).code == 0
    assert aftertrace("inventory", "init", "all.toml", "--data", data).code == 0
    ended = aftertrace("inventory", "check", "all.toml", "--since", "2026-11-01", "--data", data)
    assert (ended.code, ended.out.splitlines()[0]) == (0, "6 agents seen, 0 unregistered; 6 entries declared, 0 silent")


def test_a_check_without_an_inventory_says_where_one_would_be(aftertrace: Command, store: Path) -> None:
    """A missing file must not look like one that holds."""
    ended = aftertrace("inventory", "check", "--data", store)
    assert (ended.code, ended.err) == (
        2,
        "error: inventory check: no inventory is given; name its FILE, or set inventory.file in aftertrace.toml\n",
    )


def test_the_declared_class_of_a_tool_counts_wherever_calls_are_told(
    aftertrace: Command, store: Path, tmp_path: Path
) -> None:
    """A guess from the name before the file is configured, and what people wrote after that."""
    asked = ("calls", "--tool", "read_order", "--limit", "1", "--data", store, "--format", "json")
    before = json.loads(aftertrace(*asked).out)
    (tmp_path / "inventory.toml").write_text('[[tool]]\nname = "read_*"\nrisk = "permission"\n')
    (tmp_path / "aftertrace.toml").write_text('[inventory]\nfile = "inventory.toml"\n')
    after = json.loads(aftertrace(*asked).out)
    assert [(row["risk"], row["risk_basis"]) for row in (before, after)] == [
        ("read", "guess"),
        ("permission", "inventory"),
    ]
    told = aftertrace("sql", "select distinct risk from calls order by risk", "--data", store, "--format", "csv")
    assert told.out == "risk\nmoney\npermission\n"
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "permissions"\nrisks = ["permission"]\nonly_tools = []\n')
    assert aftertrace("check", rules, "--data", store).code == 1


@pytest.mark.parametrize("asked", BY_RISK)
def test_every_question_by_risk_class_finds_what_was_declared_so(
    aftertrace: Command, store: Path, tmp_path: Path, asked: str
) -> None:
    """The control: before the file is configured there is nothing, for no name of a tool looks like it."""
    further = {"find": ["pay"], "compare": ["--where", "outcome=executed"]}
    told_by = [asked, *further.get(asked, [])]
    command = (*told_by, "--risk", "permission", "--format", "json", "--data", store)
    assert aftertrace(*command).out == ""
    (tmp_path / "inventory.toml").write_text('[[tool]]\nname = "*"\nrisk = "permission"\n')
    (tmp_path / "aftertrace.toml").write_text('[inventory]\nfile = "inventory.toml"\n')
    told = aftertrace(*command)
    assert (told.code, told.out != "", told.err) == (0, True, "")


def test_those_are_all_questions_by_risk_class() -> None:
    """A command that takes `--risk` is to be named above."""
    by_risk = {name for name, asked in root.commands.items() if any(option.name == "risk" for option in asked.params)}
    assert by_risk == set(BY_RISK)


READING: Final = {
    "changes": (),
    "check": ("rules.toml",),
    "effects": (),
    "provenance": ("csv", "actions.csv", "--system", "x", "--id", "id"),
    "report": ("near-misses",),
    "runs": (),
    "run": ("last",),
    "sql": ("SELECT 1 FROM runs",),
    "timeline": ("--run", "last"),
}


@pytest.mark.parametrize("asked", READING)
def test_every_question_opens_a_store_with_what_people_declared(
    aftertrace: Command, store: Path, tmp_path: Path, asked: str
) -> None:
    """So an inventory that is not there is told by each of them; the control: without one, each does its work."""
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "few"\nmost_calls = 1000\n')
    (tmp_path / "actions.csv").write_text("id,at\n")
    command = (asked, *READING[asked], "--data", store)
    assert "inventory.toml" not in aftertrace(*command).err
    (tmp_path / "aftertrace.toml").write_text('[inventory]\nfile = "inventory.toml"\n')
    ended = aftertrace(*command)
    assert (ended.code, ended.err.startswith("error: read inventory.toml: ")) == (2, True)


@pytest.mark.parametrize("asked", ["doctor", "status"])
def test_what_people_run_when_something_is_wrong_does_without_what_they_declared(
    aftertrace: Command, store: Path, tmp_path: Path, asked: str
) -> None:
    """Nothing that they tell rests on it."""
    expected = aftertrace(asked, "--data", store)
    assert expected.out
    (tmp_path / "aftertrace.toml").write_text('[inventory]\nfile = "inventory.toml"\n')
    ended = aftertrace(asked, "--data", store)
    # The free space on the disk may be another.
    assert (ended.code, ended.err, bool(ended.out)) == (expected.code, expected.err, True)
