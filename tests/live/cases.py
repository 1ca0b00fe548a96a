"""Every live case there is. A module of cases is added here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .agent import Agent
from .cli_agents import agent_sdk, claude_code, claude_code_terminal, cline, codex, codex_terminal, other_clis
from .node_agents import ai_sdk, mastra
from .python_agents import (
    agent_framework,
    crewai,
    google_adk,
    langchain,
    mcp,
    openai_agents,
    openhands,
    others,
    pydantic_ai,
    smolagents,
    strands,
    tracing_sdks,
)

ALL: Final[tuple[Agent, ...]] = (
    *langchain.AGENTS,
    *pydantic_ai.AGENTS,
    *openai_agents.AGENTS,
    *google_adk.AGENTS,
    *strands.AGENTS,
    *smolagents.AGENTS,
    *crewai.AGENTS,
    *others.AGENTS,
    *agent_framework.AGENTS,
    *openhands.AGENTS,
    *mcp.AGENTS,
    *tracing_sdks.AGENTS,
    *claude_code.AGENTS,
    *claude_code_terminal.AGENTS,
    *codex.AGENTS,
    *codex_terminal.AGENTS,
    *agent_sdk.AGENTS,
    *other_clis.AGENTS,
    *cline.AGENTS,
    *ai_sdk.AGENTS,
    *mastra.AGENTS,
)


def chosen(names: Sequence[str]) -> tuple[Agent, ...]:
    """The cases whose names begin with one of `names`; all of them without names."""
    return tuple(agent for agent in ALL if not names or agent.name.startswith(tuple(names)))
