"""Readings of recorded Claude Code sessions, and who acts in the one at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aftertrace.ingest.dialects import claude_code
from aftertrace.ingest.dialects.events import Who

from .recordings import named, read_recording

if TYPE_CHECKING:
    from aftertrace.ingest.dialects.events import Reading

DEVICE = "2c280a33c5c38f07ecf6bcd5d553fa17a338bc5fad2995c554de1aa9ae80b19b"
"""The `user.id` of every recording."""


def terminal(**changes: str | float) -> Who:
    """Who acts in the recording of a terminal session, with what one record adds."""
    who = Who(
        conversation_id="2902533b-6aaf-464b-8b09-744975384480",
        agent_name="claude-code",
        agent_version="2.1.197",
        user_id=DEVICE,
    )
    for name, value in changes.items():
        setattr(who, name, value)
    return who


def readings(case: str, name: str) -> list[Reading | None]:
    """The readings of all records of one name."""
    return [claude_code.read(record) for record in named(read_recording("claude-code", case), name)]
