"""docs/THREATS.md: each threat has a control and a test, and each test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "THREATS.md").read_text("utf-8")
TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def threats() -> list[list[str]]:
    """The cells of each row of the tables of threats."""
    before, _, _ = PAGE.partition("## What it helps with")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in before.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "threat"]


def test_each_threat_has_a_control_and_a_test() -> None:
    """And a column for what is left, which may be empty."""
    assert len(threats()) > 25
    assert [row for row in threats() if len(row) != 4 or not row[1] or not TEST.search(row[2])] == []


def test_each_test_that_is_named_is_there() -> None:
    """As a function of that name in that module."""
    named = TEST.findall(PAGE)
    modules = {path: ast.parse((ROOT / path).read_text("utf-8")) for path, _ in named}
    there = {
        (path, node.name) for path, tree in modules.items() for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    assert [f"{path}::{name}" for path, name in named if (path, name) not in there] == []
    assert PAGE.count("`tests/") == len(named)


def test_nothing_is_called_compliant() -> None:
    """It helps; whether somebody complies is not for a program to say."""
    assert [found.strip() for found in re.findall(r"[^.\n]*complian[^.\n]*", PAGE)] == [
        "None of them makes anybody compliant: that is about organisations, and about"
    ]
