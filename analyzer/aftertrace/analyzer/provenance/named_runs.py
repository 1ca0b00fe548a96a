"""The runs of a store by the ids that records elsewhere may name them by."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from aftertrace.analyzer.provenance.actions import Action

SLACK_NS = 120 * 10**9
"""A commit may be stamped by another clock than the records of its run."""


class Known:
    """The runs of a store."""

    def __init__(self, runs: pl.DataFrame) -> None:
        """Index runs by their ids, those that their senders gave them, and their traces; and by conversation.

        Args:
            runs: rows of `runs`.
        """
        self._by_id: dict[str, str] = {}
        self._by_conversation: dict[str, list[tuple[int, int, str]]] = {}
        self._agents: dict[str, str | None] = {}
        self._conversations: dict[str, str | None] = {}
        wanted = runs.select(
            "run_id", "run_keys", "traces", "conversation_id", "agent_name", "first_ns", "last_ns"
        ).sort("first_ns", "run_id", nulls_last=True)
        for run_id, keys, traces, conversation, agent, first_ns, last_ns in wanted.iter_rows():
            for ident in (run_id, *(keys or ()), *(traces or ())):
                self._by_id.setdefault(ident, run_id)
            self._agents[run_id] = agent
            self._conversations[run_id] = conversation
            if conversation is not None:
                self._by_conversation.setdefault(conversation, []).append((first_ns or 0, last_ns or 0, run_id))

    def agent_of(self, run_id: str) -> str | None:
        """Name of a run's agent."""
        return self._agents.get(run_id)

    def conversation_of(self, run_id: str) -> str | None:
        """A run's conversation."""
        return self._conversations.get(run_id)

    def of(self, action: Action) -> Iterator[tuple[str, str, str | None]]:
        """How an action names a run, what it names, and the run; None where the store has none of that name."""
        for named in action.run_ids:
            yield "trailer", named, self._by_id.get(named) or self._by_id.get(named.lower())
        for named in action.conversations:
            yield "conversation", named, self._in_conversation(named, action.at_ns)

    def _in_conversation(self, named: str, at_ns: int | None) -> str | None:
        """The run of a conversation that was under way, else the last that had begun, else its first."""
        runs = self._by_conversation.get(named, [])
        if not runs:
            return None
        if at_ns is None:
            return runs[-1][2]
        under_way = [run for first, last, run in runs if first - SLACK_NS <= at_ns <= last + SLACK_NS]
        begun = [run for first, _, run in runs if first <= at_ns]
        return (under_way or begun or [runs[0][2]])[-1]
