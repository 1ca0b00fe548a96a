"""What the scripted model says: conversations of turns, and which turn comes next.

A client repeats the whole history in each request, whatever wire it speaks. So the next turn is told by the request
alone: the first one that the history does not hold yet. Requests that are sent again get the same turn again, and a
session that is resumed by another process goes on where it was left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model proposes."""

    call_id: str
    """As the client sees it; no two calls of a script share one."""
    name: str
    arguments: dict[str, Any]
    namespace: str | None = None
    """The group in which the client lists the tool, where its wire has such (OpenAI Responses)."""
    by_provider: bool = False
    """Whether the model's provider runs it itself, as a search of the web (OpenAI Responses)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model: a text, which is told in it word by word, and the calls it proposes."""

    said: str
    """Told once in a conversation: by it a turn is known in a history."""
    calls: tuple[ToolCall, ...] = ()
    delay_s: float = 0.0
    """How long the model takes before it answers."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns of one agent."""

    marker: str
    """Stands in the agent's first prompt and in no prompt of an agent whose conversation is listed before."""
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """All conversations that a server plays: the main agent's first, then those of the agents it calls."""

    conversations: tuple[Conversation, ...]
    aside: Turn = field(default=Turn("Nothing further."))
    """Said where no conversation fits, or all of it is told: titles, summaries, checks of the connection."""
    lists_tools: bool = True
    """Whether a request of an agent lists its tools, so that one without any is an aside."""

    def next_turn(self, history: str) -> Turn:
        """The turn that answers a request with this history, which is its body as text."""
        spoken = next((each for each in self.conversations if each.marker in history), None)
        if spoken is None:
            return self.aside
        return next((turn for turn in spoken.turns if not _is_told(turn, history)), self.aside)


def _is_told(turn: Turn, history: str) -> bool:
    return _as_json(turn.said) in history or any(f'"{call.call_id}"' in history for call in turn.calls)


def _as_json(text: str) -> str:
    """A text as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
