"""Live case of the Claude Agent SDK: a program decides in `can_use_tool`, six seconds after it is asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.live.agent import Agent, Installation

from . import child
from .claude_code import ENVIRONMENT
from .scene import PROMPT, Scene, Step, one_by_one, step

_INSTALLED: Final = Installation("pip", ("claude-agent-sdk==0.2.187",))


def _bash(call_id: str, command: str, outcome: str, by: str, **truth: Any) -> Step:
    return step(call_id, "Bash", {"command": command, "description": "run it"}, outcome, by, **truth)


SCENES: Final[Mapping[str, Scene]] = {
    "can_use_tool": Scene(
        one_by_one(
            _bash("toolu_yes", "touch fine", "executed", "program", asked=True, wait_s=6),
            _bash("toolu_no", "touch refuse", "denied", "program", asked=True, wait_s=6),
            _bash("toolu_edit", "touch rewrite", "modified", "program", asked=True, wait_s=6),
            _bash("toolu_echo", "echo hello", "executed", "policy"),
        )
    )
}

AGENTS: Final = (
    Agent(
        "claude-agent-sdk/can_use_tool",
        _INSTALLED,
        ("{harness}", "-m", "tests.live.cli_agents.play", "agent_sdk", "can_use_tool", "{installed}"),
        SCENES["can_use_tool"].calls,
        environment={"PYTHONPATH": "{live}/../.."},
        logs_tools=False,
    ),
)


def play(scene: Scene, model_url: str, installed: Path) -> None:
    """Run the program that decides, with the CLI that its SDK brings along."""
    environment = {**ENVIRONMENT, **scene.environment, "ANTHROPIC_BASE_URL": model_url, "PYTHONPATH": ""}
    program = Path(__file__).parent / "programs" / "can_use_tool.py"
    child.run((str(installed / "bin" / "python"), str(program), PROMPT), {**os.environ, **environment})
