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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from aftertrace.cli.otlp_files import Item
from aftertrace.ingest.dialects import claude_code_session
from aftertrace.store.errors import Invalid

REQUEST_BYTES: Final = 1 << 20
"""Lines of so many bytes make one request; a longer line makes one of its own."""
_LOOKED_AT: Final = 5
"""How many lines tell whether a file is a session."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def is_session(path: Path) -> bool:
    """Whether one of the first lines of a file is an entry of a session. False for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            entries = [_entry(file.readline(REQUEST_BYTES)) for _ in range(_LOOKED_AT)]
    except OSError:
        return False
    return any(entry is not None and "sessionId" in entry and "uuid" in entry for entry in entries)


def read(path: Path) -> Iterator[Item]:
    """The requests that a session file becomes, in order.

    Raises:
        Invalid: the file cannot be read, or a line is no JSON object.
    """
    session = _Session()
    try:
        with path.open("rb") as file:
            waiting: list[LogRecord] = []
            version, first, waiting_bytes = "", 1, 0
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                entry = _entry(line)
                said = version if entry is None else str(entry.get("version") or version)
                if waiting and (entry is None or said != version or waiting_bytes + len(line) > REQUEST_BYTES):
                    yield _item(waiting, version, f"{path}:{first}", file.tell() - len(line))
                    waiting, first, waiting_bytes = [], number, 0
                if entry is None:
                    message = "not a JSON object, expected an entry of a Claude Code session"
                    raise Invalid(f"read {path}:{number}: {message}")
                version = said
                waiting.append(session.record(entry, line))
                waiting_bytes += len(line)
            if waiting:
                yield _item(waiting, version, f"{path}:{first}", file.tell())
    except OSError as error:
        raise Invalid(f"read {path}: {error.strerror}; name a file that can be read") from error


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
        self.time_ns = _time_ns(entry.get("timestamp")) or self.time_ns
        prompt = self._prompt_of(entry)
        attributes: dict[str, str | bool] = {
            claude_code_session.PROMPT: prompt.id,
            claude_code_session.SESSION: prompt.session,
        }
        message = entry.get("message")
        if isinstance(message, dict) and isinstance(message.get("id"), str):
            attributes[claude_code_session.FIRST] = message["id"] not in self.messages
            self.messages.add(message["id"])
        return LogRecord(
            time_unix_nano=self.time_ns,
            event_name=claude_code_session.EVENT,
            body=AnyValue(string_value=line.strip().decode("utf-8", "replace")),
            attributes=[KeyValue(key=key, value=_any(value)) for key, value in attributes.items() if value != ""],
        )

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


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _item(records: list[LogRecord], version: str, where: str, end_bytes: int) -> Item:
    resource = {"service.name": claude_code_session.SERVICE, "service.version": version}
    request = ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=Resource(
                    attributes=[KeyValue(key=key, value=_any(value)) for key, value in resource.items() if value]
                ),
                scope_logs=[ScopeLogs(scope=InstrumentationScope(name=claude_code_session.SCOPE), log_records=records)],
            )
        ]
    )
    return Item("logs", "protobuf", request.SerializeToString(), where, end_bytes)


def _any(value: str | bool) -> AnyValue:
    return AnyValue(bool_value=value) if isinstance(value, bool) else AnyValue(string_value=value)


def _time_ns(timestamp: Any) -> int | None:
    try:
        moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None or moment < _EPOCH:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
