"""Calls that exist only as text: harnesses that write tool calls and refusals into ordinary messages.

Only what the harness says is read. A call that a model merely writes about cannot be told from a quotation, but a
harness that answers "the function calling of X has been refused" states that X was proposed and did not run.
"""

from __future__ import annotations

import re
from typing import Final

from aftertrace.ingest.dialects.events import Decider, Event

MAX_CHARACTERS: Final = 20_000
"""Texts are looked at up to here."""

FEEDBACK: Final = "feedback"
"""`group` of what a harness says in a message: a span may tell of the same call, with the same words."""

_REFUSED: Final = re.compile(r"function calling of (.{1,8000}?) has been refused", re.DOTALL)
_LISTED: Final = re.compile(r"""function\\?['"]: ?\{\\?['"]name\\?['"]: ?\\?['"]([^'"\\]{1,200})""")
_TIMED_OUT: Final = re.compile(
    r"The last command <command>.{0,8000}?</command> timed out and has been killed", re.DOTALL
)
_NO_ACTION: Final = re.compile(r"\s*Please always provide EXACTLY ONE action in triple backticks")


def told(text: str | None) -> list[Event]:
    """The calls that a harness's message tells of: DRIFT's validator, mini-swe-agent's format check and time limit."""
    if not text:
        return []
    head = text[:MAX_CHARACTERS]
    if _NO_ACTION.match(head):
        return [_refusal("bash", "program", "text:mini_swe_format", head)]
    if _TIMED_OUT.match(head):
        timed_out = _refusal("bash", "program", "text:mini_swe_timeout", head)
        timed_out.state, timed_out.decided_by = "failed", None
        return [timed_out]
    match = _REFUSED.search(head)
    if match is None:
        return []
    subject = match[1].strip()
    names = _LISTED.findall(subject) if subject.startswith("[") else [subject]
    return [_refusal(name, "guardrail", "text:drift", head) for name in names if name]


def _refusal(name: str, decided_by: Decider, rule: str, reason: str) -> Event:
    return Event(
        event="tool.called",
        state="refused",
        tool_name=name,
        group=FEEDBACK,
        basis="inferred",
        decided_by=decided_by,
        reason=reason,
        rule=rule,
    )
