"""Which agent had to do with an action, by the marks that agents leave: co-authors, accounts, a line in the text.

The patterns are those of agents' own trailers and accounts, as they were in late 2026. A mark says what it says: agents
can be told to leave none, and people can write one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Final

from aftertrace.analyzer.provenance.actions import Action


@dataclass(frozen=True)
class KnownAgent:
    """An agent, and how it is told from people."""

    name: str
    """What it is called."""
    people: tuple[str, ...]
    """Patterns (`*`, `?`, in any case) of authors, committers, co-authors and logins: `Name <address>`, or a login."""
    marks: tuple[str, ...] = ()
    """Texts that it leaves in messages and bodies."""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Brackets are part of logins such as `claude[bot]`, not a class of characters.
        parts = (translate(person.replace("[", "[[]")) for person in self.people)
        return re.compile("|".join(parts), re.IGNORECASE | re.DOTALL)

    def sign_in(self, action: Action) -> str | None:
        """By what the action can be told to be of this agent; None where it cannot."""
        for who in action.people:
            if self._pattern.match(who):
                return who
        return next((mark for mark in self.marks if mark in action.text), None)


AGENTS: Final = (
    KnownAgent(
        "Claude Code",
        ("* <noreply@anthropic.com>", "claude[bot]", "*+claude[bot]@users.noreply.github.com>"),
        ("Generated with [Claude Code]",),
    ),
    KnownAgent(
        "GitHub Copilot",
        ("*+copilot@users.noreply.github.com>", "*copilot-swe-agent[bot]*", "copilot[bot]"),
    ),
    KnownAgent("Codex", ("* <noreply@openai.com>", "* <codex@openai.com>", "*chatgpt-codex-connector[bot]*")),
    KnownAgent(
        "Gemini",
        ("gemini* <noreply@google.com>", "*gemini-code-assist*", "*gemini-cli[bot]*", "gemini-cli* <*"),
    ),
    KnownAgent("Jules", ("*google-labs-jules*",)),
    KnownAgent("Cursor", ("* <cursoragent@cursor.com>", "cursor[bot]", "cursoragent", "*cursor[bot]@*")),
    KnownAgent("Devin", ("*devin-ai-integration*",), ("Generated with [Devin]",)),
    KnownAgent("aider", ("* <*@aider.chat>", "* (aider) <*", "aider (*")),
    KnownAgent("OpenHands", ("* <openhands@all-hands.dev>", "openhands-agent", "*openhands-ai[bot]*")),
    KnownAgent("opencode", ("* <noreply@opencode.ai>", "*opencode-agent[bot]*")),
    KnownAgent("Amp", ("* <amp@ampcode.com>",)),
    KnownAgent("Qwen Code", ("* <qwen-coder@alibabacloud.com>",)),
    KnownAgent("Warp", ("* <oz-agent@warp.dev>", "* <agent@warp.dev>")),
)
"""Agents that are known by what they leave."""
_BOT: Final = re.compile(r"\[bot\](?:@|>|$| <)")


def agent_of(action: Action, known: Sequence[KnownAgent] = AGENTS) -> tuple[str, str] | None:
    """The agent, and by what it can be told; None where nothing tells of one."""
    return next(((agent.name, sign) for agent in known if (sign := agent.sign_in(action)) is not None), None)


def bot_of(people: Iterable[str]) -> str | None:
    """The author without the address, if it is an account of a program: most are no agents."""
    author = next(iter(people), "")
    return author.partition(" <")[0] if _BOT.search(author) else None
