"""`aftertrace check`: what should have held, held against history, with an exit code that CI can act on."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from tests.analyzer.weeks import MONDAY, Ran, days

from aftertrace.analyzer.expectations.rules import parsed
from aftertrace.store.errors import Invalid

from .conftest import Command
from .test_changes import imported

RULES = """
[[rule]]
name = "payments need a person"
tools = ["pay*"]
approved_by = ["human"]

[[rule]]
name = "the clerk reads and pays"
agents = ["clerk"]
only_tools = ["read_*", "pay"]

[[rule]]
name = "no run is expensive"
most_tokens = 1500
most_calls = 2

[[rule]]
name = "the cook"
agents = ["cook"]
only_tools = []
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve runs of a day. Ann approves, but of the fifth a rule let the payment through, the seventh was refused, of
    the ninth nothing tells what let it through; and the third read too much.
    """
    ran = [
        Ran(
            at=at,
            waited_s=None if nth in (5, 7, 9) else 4,
            is_let_by_rule=nth == 5,
            is_denied=nth == 7,
            tokens=2000 if nth == 3 else 1000,
        )
        for nth, at in enumerate(days(1, runs=12), start=1)
    ]
    return imported(tmp_path_factory.mktemp("checked") / "data", ran)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The file."""
    file = tmp_path / "expectations.toml"
    file.write_text(RULES)
    return file


def test_each_rule_is_held_against_history_and_each_call_that_breaks_it_is_named(
    aftertrace: Command, store: Path, rules: Path
) -> None:
    """A refused payment breaks nothing; what is not told is unknown; a rule about nobody is idle."""
    ended = aftertrace("check", rules, "--data", store)
    assert (ended.code, ended.err) == (1, "")
    assert re.sub(r"\b[0-9a-f]{16}\b", "RUN", ended.out) == (
        "4 rules, 2 broken\n"
        "\n"
        "BROKEN   payments need a person (11 calls that ran, 1 broken, 1 unknown)\n"
        "    broken: run RUN call call-5-0 of pay: policy let it through, and nobody was asked, "
        "expected an approval by human\n"
        "    unknown: run RUN call call-9-0 of pay: what let it through is not told, expected an approval by human\n"
        "\n"
        "HOLDS    the clerk reads and pays (23 calls that ran)\n"
        "\n"
        "BROKEN   no run is expensive (12 runs, 1 broken)\n"
        "    broken: run RUN: 2,003 tokens, expected at most 1,500 tokens\n"
        "\n"
        "IDLE     the cook (no call or run is what it is about)\n"
    )


def test_rows_name_the_run_and_the_call(aftertrace: Command, store: Path, rules: Path) -> None:
    """For what comes next: as JSON, with the same exit code."""
    ended = aftertrace("check", rules, "--data", store, "--format", "json")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.code == 1
    assert [(row["rule"], row["verdict"], row["tool_call_id"]) for row in rows] == [
        ("payments need a person", "broken", "call-5-0"),
        ("payments need a person", "unknown", "call-9-0"),
        ("no run is expensive", "broken", None),
    ]
    runs = [json.loads(line) for line in aftertrace("runs", "--data", store, "--format", "json").out.splitlines()]
    by_time = sorted(runs, key=lambda run: run["first_ns"])
    assert [row["run_id"] for row in rows] == [by_time[nth]["run_id"] for nth in (4, 8, 2)]


@pytest.mark.parametrize(("more", "code"), [((), 0), (("--strict",), 1)])
def test_history_without_a_breach_passes_unless_unknown_is_not_good_enough(
    aftertrace: Command, store: Path, rules: Path, more: tuple[str, ...], code: int
) -> None:
    """Negative control: from the eighth run on one payment is unknown, and nothing is broken."""
    since = (MONDAY + timedelta(hours=2, minutes=15)).isoformat()
    ended = aftertrace("check", rules, "--since", since, *more, "--data", store)
    assert (ended.code, ended.out.splitlines()[0]) == (code, "4 rules, 0 broken")


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ('reviewers = ["an*"]', 0),
        ('reviewers = ["bob"]', 1),
        ('approved_by = ["program"]', 1),
        ('approved_by = ["human", "policy"]', 0),
        ('only_tools = ["read_order"]', 1),
        ("most_near_misses = 0", 1),
        ("most_near_misses = 1", 0),
        ("most_cost_usd = 0.1", 0),
        ("most_duration_s = 59", 1),
        ("most_duration_s = 60", 0),
    ],
)
def test_each_demand_holds_or_is_broken(aftertrace: Command, store: Path, tmp_path: Path, rule: str, code: int) -> None:
    """By reviewers, classes, tools and limits; a cost that is not told breaks nothing."""
    file = tmp_path / "one.toml"
    about = "" if rule.startswith(("most", "only")) else 'tools = ["pay"]\n'
    until = [] if "policy" in rule or rule.startswith(("most", "only")) else ["--until", "2026-11-02T10:05"]
    file.write_text(f'[[rule]]\nname = "one"\n{about}{rule}\n')
    assert aftertrace("check", file, *until, "--data", store).code == code


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[rule", "rules: not TOML: "),
        ("", "rules: no rule found, expected at least one [[rule]] table"),
        ("[rules]\n", "rules: 'rules' is not known, expected [[rule]] tables only"),
        ("[[rule]]\nmost_calls = 1", "rules: rule 1: name is None, expected a text that a message can begin with"),
        (
            '[[rule]]\nname = "a"\nmost_call = 1',
            "rules: rule 1: 'most_call' is not known, expected one of name, agents",
        ),
        ('[[rule]]\nname = "a"\ntools = ["x"]', "rules: rule 1 (a): it demands nothing, expected one of approved_by"),
        ('[[rule]]\nname = "a"\nonly_tools = "x"', "rules: rule 1 (a): only_tools is 'x', expected a list of texts"),
        ('[[rule]]\nname = "a"\nmost_calls = true', "rules: rule 1 (a): most_calls is True, expected a number of 0"),
        (
            '[[rule]]\nname = "a"\nmost_cost_usd = nan',
            "rules: rule 1 (a): most_cost_usd is nan, expected a number of 0",
        ),
        ('[[rule]]\nname = "a"\napproved_by = ["boss"]', "rules: rule 1 (a): approved_by holds 'boss', expected model"),
        ('[[rule]]\nname = "a"\ntools = ["x"]\nmost_calls = 1', "rules: rule 1 (a): a limit is of whole runs"),
        ('[[rule]]\nname = "a"\nmost_calls = 1\n' * 2, "rules: two rules are named 'a', expected a name for each"),
    ],
)
def test_a_file_that_says_something_else_is_refused(text: str, error: str) -> None:
    """A key that is spelt wrong would hold forever."""
    with pytest.raises(Invalid) as refusal:
        parsed(text, "rules")
    assert str(refusal.value).startswith(error)
