"""Every live case there is. A module of cases is added here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .agent import Agent
from .cli_agents import agent_sdk, claude_code, codex, other_clis
from .python_agents import pydantic_ai

ALL: Final[tuple[Agent, ...]] = (
    *pydantic_ai.AGENTS,
    *claude_code.AGENTS,
    *codex.AGENTS,
    *agent_sdk.AGENTS,
    *other_clis.AGENTS,
)


def chosen(names: Sequence[str]) -> tuple[Agent, ...]:
    """The cases whose names begin with one of `names`; all of them without names."""
    return tuple(agent for agent in ALL if not names or agent.name.startswith(tuple(names)))
