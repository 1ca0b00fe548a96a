"""Session files of Claude Code: what `aftertrace import` makes of them, for those who never switched telemetry on.

Claude Code writes each session to `~/.claude/projects/<folder>/<session>.jsonl`, one entry a line: a message, a tool's
result, a summary. Each line becomes one OTLP log record that holds it word for word; the dialect `claude_code_session`
reads it. Attributes say what a line alone does not: which prompt it belongs to and in which session that was asked, and
whether it is the first of its message, whose token counts are repeated on every line. They depend on earlier lines
only, so that a session that went on can be imported again, and only what is new is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from aftertrace.ingest.dialects import claude_code_session
from aftertrace.ingest.files import pieces
from aftertrace.ingest.files.item import Made, Origin, Refused, Value, log_record
from aftertrace.ingest.files.opened import Opened
from aftertrace.ingest.files.pieces import Look
from aftertrace.ingest.files.times import time_ns


def is_session(look: Look) -> bool:
    """Whether one of the first lines of a file is an entry of a session."""
    return look.form == "lines" and any({"sessionId", "uuid"} <= entry.keys() for entry in look.objects())


def read(source: Opened, look: Look) -> Iterator[Made | Refused]:
    """The records that a session file becomes, one for each line."""
    session, version = _Session(), ""
    for piece in pieces.read(source.name, source.file, look.form):
        entry = None if isinstance(piece, Refused) else pieces.decoded(piece.text)
        if isinstance(piece, Refused):
            yield piece
        elif not isinstance(entry, dict):
            yield Refused(piece.where, "not a JSON object, expected an entry of a Claude Code session")
        else:
            version = str(entry.get("version") or version)
            resource = {"service.name": claude_code_session.SERVICE, "service.version": version}
            of = Origin(claude_code_session.SCOPE, tuple((key, value) for key, value in resource.items() if value))
            yield Made(session.record(entry, piece.text), of, piece.where)


@dataclass(frozen=True, slots=True)
class _Prompt:
    """What a person asked: the id of the prompt, and the session it was asked in."""

    id: str = ""
    session: str = ""


@dataclass(slots=True)
class _Session:
    """What the lines before say about the next."""

    prompts: dict[str, _Prompt] = field(default_factory=dict)
    """By entry: the prompt it belongs to."""
    prompt: _Prompt = _Prompt()
    """The last one; what an agent of this session does belongs to it."""
    messages: set[str] = field(default_factory=set)
    time_ns: int = 0

    def record(self, entry: dict[str, Any], line: bytes) -> LogRecord:
        """The log record of one line."""
        self.time_ns = time_ns(entry.get("timestamp")) or self.time_ns
        prompt = self._prompt_of(entry)
        attributes: dict[str, Value | None] = {
            claude_code_session.PROMPT: prompt.id or None,
            claude_code_session.SESSION: prompt.session or None,
        }
        message = entry.get("message")
        if isinstance(message, dict) and isinstance(message.get("id"), str):
            attributes[claude_code_session.FIRST] = message["id"] not in self.messages
            self.messages.add(message["id"])
        text = line.decode("utf-8", "replace")
        return log_record(claude_code_session.EVENT, text, attributes, time_ns=self.time_ns)

    def _prompt_of(self, entry: dict[str, Any]) -> _Prompt:
        own, session = (each if isinstance(each, str) else "" for each in (entry.get("uuid"), entry.get("sessionId")))
        found = self.prompts.get(str(entry.get("parentUuid")), self.prompt)
        if isinstance(entry.get("promptId"), str) and entry["promptId"] != found.id:
            found = _Prompt(entry["promptId"], session)
        elif own and "promptId" not in entry and claude_code_session.is_prompt(entry):
            found = _Prompt(own, session)
        if own:
            self.prompts[own] = found
        if entry.get("isSidechain") is not True:
            self.prompt = found
        return found
