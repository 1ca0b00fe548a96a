"""Programs of scenes: nothing that they started is left behind, however they or the harness end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .agent import Agent, Installation
from .cli_agents import agent_sdk, child, claude_code, claude_code_terminal, codex, codex_terminal, other_clis, terminal
from .node_agents import ai_sdk, mastra
from .program import Places, run

LEAVES = 'sleep 60 & echo $! > "$LEFT"; exit 0'
STAYS = 'sleep 60 & echo $! > "$LEFT"; wait'
DEAF = 'trap "" TERM; sleep 60 & echo $! > "$LEFT"; wait'
PLAYS = """
import os
from tests.live.cli_agents import child
child.ends_on_sigterm()
child.run(("/bin/sh", "-c", os.environ["SCENE"]), {})
"""


def is_running(left: Path) -> bool:
    """Whether the process whose id a program wrote still runs."""
    stat = Path(f"/proc/{int(left.read_text())}/stat")
    return stat.exists() and " Z " not in stat.read_text()


def ends_soon(left: Path) -> bool:
    """Whether it is gone within a moment: a signal takes a while to arrive."""
    deadline = time.monotonic() + 10
    while is_running(left) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_running(left)


@pytest.mark.parametrize(("scene", "limit_s"), [(LEAVES, 30.0), (STAYS, 0.5), (DEAF, 0.5)])
def test_a_program_leaves_nothing_behind(scene: str, limit_s: float, tmp_path: Path) -> None:
    """One that ends before what it started, one whose time is up, and one that does not listen."""
    child.run(("/bin/sh", "-c", scene), {"LEFT": str(tmp_path / "left")}, limit_s)
    assert ends_soon(tmp_path / "left")


def test_the_limit_of_a_case_reaches_the_programs_of_its_scene(tmp_path: Path) -> None:
    """They are in groups of their own: the process that plays the scene ends them."""
    places = Places("http://127.0.0.1:1", "http://127.0.0.1:2", *[str(tmp_path)] * 4)
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "LEFT": str(tmp_path / "left"), "SCENE": STAYS}
    case = Agent("shop/pays", Installation("pip", ()), ("{harness}", "-c", PLAYS), (), 1, environment, limit_s=5.0)
    assert run(case, places, tmp_path / "tools.txt").code is None
    assert ends_soon(tmp_path / "left")


def test_the_limit_of_a_person_at_a_terminal_fits_into_that_of_the_case() -> None:
    """With the time in which the program ends."""
    scenes = (claude_code_terminal, codex_terminal)
    limits_s = {agent.name: agent.limit_s for module in scenes for agent in module.AGENTS}
    assert [name for name, limit_s in limits_s.items() if limit_s <= terminal.LIMIT_S + 45] == []


def test_the_limits_of_programs_fit_into_that_of_their_case() -> None:
    """Else a case ends before a program's time is up, and nothing says which hung."""
    scenes = (claude_code, codex, agent_sdk, other_clis, ai_sdk, mastra)
    needed_s = {agent.name: module.SCENES[agent.command[4]] for module in scenes for agent in module.AGENTS}
    limits_s = {agent.name: agent.limit_s for module in scenes for agent in module.AGENTS}
    assert [name for name, scene in needed_s.items() if limits_s[name] <= scene.processes * child.LIMIT_S + 20] == []
