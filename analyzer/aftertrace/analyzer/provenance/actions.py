"""Actions: what a system of record says was done, by whom, and which runs it names. The other side is `claims`.

All of it is text that anybody may have written: a trailer names a run, it does not prove that the run did it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

TITLE_CHARACTERS: Final = 200
"""Longer titles are cut."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One commit, pull request, issue or row."""

    system: str
    """`git`, `github`, or what the system is called."""
    kind: str
    """`commit`, `pull_request`, `issue` or `row`."""
    id: str
    """Its id there: a commit's digits, `owner/name#12`, the id of a row."""
    keys: tuple[str, ...] = ()
    """What a receipt may name it by, beside the id: addresses, short forms."""
    url: str | None = None
    """Where a person can look at it."""
    at_ns: int | None = None
    """When it was done; nanoseconds since the Unix epoch."""
    title: str | None = None
    """Its first line."""
    people: tuple[str, ...] = ()
    """Who had to do with it, as named: first its author, then committer and co-authors; `Name <address>` or a login."""
    text: str = ""
    """Where an agent may have left its mark: the message or body."""
    run_ids: tuple[str, ...] = ()
    """Runs that it names."""
    conversations: tuple[str, ...] = ()
    """Conversations that it names."""
    reviewers: tuple[str, ...] = ()
    """Who approved it in that system; not who approved the tool call."""


def title_of(text: str) -> str | None:
    """The first line with anything in it, cut."""
    line = next((line.strip() for line in text.split("\n") if line.strip()), "")
    return line[:TITLE_CHARACTERS] or None


def instant_ns(text: object) -> int | None:
    """Nanoseconds since the Unix epoch of an ISO 8601 time, as UTC where it has no offset; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        time_ns = (at - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError):
        return None
    return time_ns if abs(time_ns) < 2**63 else None
