"""Questions in SQL to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Example:
    """A question in words, and in SQL."""

    words: str
    text: str


EXAMPLES: Final = (
    Example(
        "What became of calls, by tool",
        "SELECT tool_name, outcome, COUNT(*) AS calls\nFROM calls\nGROUP BY tool_name, outcome\n"
        "ORDER BY calls DESC, tool_name, outcome",
    ),
    Example(
        "Near misses, the latest first",
        "SELECT proposed_at, agent_name, tool_name, outcome, decided_by, reason, run_id\nFROM near_misses\n"
        "ORDER BY first_ns DESC\nLIMIT 100",
    ),
    Example(
        "Who approves what, and how fast",
        "SELECT reviewer, tool_name, decision, COUNT(*) AS answers, AVG(wait_ns) / 1e9 AS mean_wait_s\n"
        "FROM approvals\nGROUP BY reviewer, tool_name, decision\nORDER BY answers DESC, reviewer, tool_name, decision",
    ),
    Example(
        "Tokens and cost, by agent and model",
        "SELECT agent_name, model, COUNT(*) AS runs, SUM(input_tokens) AS input_tokens, SUM(cost_usd) AS cost_usd\n"
        "FROM runs\nGROUP BY agent_name, model\nORDER BY runs DESC, agent_name, model",
    ),
    Example(
        "Changes in systems of record",
        "SELECT system, operation, object_type, state, COUNT(*) AS changes\nFROM effects\n"
        "GROUP BY system, operation, object_type, state\nORDER BY changes DESC, system, operation, object_type, state",
    ),
    Example(
        "Calls that ran, and for whom",
        "SELECT calls.started_at, runs.user_id, runs.agent_name, calls.tool_name, calls.arguments, calls.run_id\n"
        "FROM calls JOIN runs ON calls.run_id = runs.run_id\nWHERE calls.outcome = 'executed'\n"
        "ORDER BY calls.started_at DESC\nLIMIT 100",
    ),
)
"""The first is that of the cookbook."""
