"""Logs of Inspect, the evaluation framework of the UK AI Security Institute: `.eval` archives and `.json`.

Each event of a sample becomes a log record, and so does what is left of the sample and of the log, so that all of it is
kept. Inspect stores a long text once and refers to it (`attachment://…`, `input_refs`): in a record the text stands
where it is referred to, as far as it says what became of a call. Of a model's input those messages are put in that came
since its last answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from aftertrace.ingest.dialects import inspect_log
from aftertrace.ingest.files import pieces, zipped
from aftertrace.ingest.files.item import Made, Origin, Refused, Value, log_record
from aftertrace.ingest.files.opened import Opened
from aftertrace.ingest.files.pieces import MAX_PIECE_BYTES, Look
from aftertrace.ingest.files.times import time_ns
from aftertrace.store.errors import Invalid

_HEADERS: Final = ("header.json", "_journal/start.json")
_SAMPLES: Final = "samples/"
_KEYS: Final = frozenset(("version", "status", "eval"))
_ATTACHMENT: Final = re.compile(rb'"attachment://([0-9a-f]{16,64})"')
_WITHOUT_TEXTS: Final = frozenset(("call", "traceback", "traceback_ansi"))
"""Members of an event whose texts are left where they are: the raw request of a model's call says nothing new."""
_RESOLVED_BYTES: Final = 4 << 20
"""Texts are put into an event up to this length."""
_MOST_REFERRED: Final = 100_000
_OF_ITS_OWN_BYTES: Final = 1 << 20
"""A longer member of a sample becomes a record of its own."""
_PARTS: Final = ("events", "attachments", "events_data")

Members: TypeAlias = dict[str, msgspec.Raw]


class _Role(msgspec.Struct):
    role: str = ""


def is_log(look: Look) -> bool:
    """Whether a file is such a log."""
    first = look.first_member
    if first:
        return first in _HEADERS or first.startswith((_SAMPLES, "_journal/"))
    return any(value.keys() >= _KEYS for value in look.objects())


def read(source: Opened, look: Look) -> Iterator[Made | Refused]:
    """The records that a log becomes."""
    if look.first_member:
        yield from _archive(source)
        return
    log = _Log()
    for piece in pieces.read(source.name, source.file, "object", split=frozenset(("samples",))):
        if isinstance(piece, Refused):
            yield piece
        elif piece.key == "samples":
            yield from log.sample(piece.text, piece.where)
        else:
            yield from log.rest(piece.key, piece.text, piece.where)


def _archive(source: Opened) -> Iterator[Made | Refused]:
    log = _Log()
    with zipped.archive(source.name, source.seekable()) as found:
        # A name that stands there twice was written anew: the last one counts.
        names = sorted(found.NameToInfo, key=lambda name: (name not in _HEADERS, name.startswith(_SAMPLES), name))
        for name in names:
            where = f"{source.name}!{name}"
            try:
                text = zipped.content(source.name, found, found.NameToInfo[name], most_bytes=MAX_PIECE_BYTES)
            except Invalid as error:
                yield Refused(where, str(error).removeprefix(f"read {where}: "))
                continue
            yield from log.sample(text, where) if name.startswith(_SAMPLES) else log.rest(name, text, where)


@dataclass(slots=True)
class _Log:
    """What was read of a log so far: whose it is."""

    task: str | None = None
    task_version: str | None = None
    eval_id: str = ""
    version: str | None = None
    """Of Inspect."""

    def rest(self, name: str, text: bytes, where: str) -> Iterator[Made]:
        """The record of a member of the log that is no sample; what the log is of is kept in mind."""
        value = pieces.decoded(text)
        spec = value.get("eval", value) if isinstance(value, dict) else {}
        if isinstance(spec, dict) and isinstance(spec.get("task"), str) and (name == "eval" or name in _HEADERS):
            self.task, self.eval_id = spec["task"], str(spec.get("eval_id") or spec.get("run_id") or "")
            self.task_version = str(spec["task_version"]) if spec.get("task_version") else None
            packages = spec.get("packages")
            version = packages.get("inspect_ai") if isinstance(packages, dict) else None
            self.version = version if isinstance(version, str) else None
        attributes: dict[str, Value | None] = {"inspect.part": name}
        yield Made(log_record("inspect.log", _text(text), attributes), self.origin(), where)

    def origin(self) -> Origin:
        """Who its records say they come from."""
        resource = [("service.name", inspect_log.SERVICE), ("service.version", self.version)]
        return Origin(inspect_log.SCOPE, tuple((key, value) for key, value in resource if value is not None))

    def sample(self, text: bytes, where: str) -> Iterator[Made | Refused]:
        """The records of a sample."""
        try:
            members = msgspec.json.decode(pieces.standard(text), type=Members)
            events = _list(members.get("events"))
            attachments = _object(members.get("attachments"))
            data = {kind: _list(held) for kind, held in _object(members.get("events_data")).items()}
        except pieces.FAULTS as error:
            yield Refused(where, f"not a sample of an Inspect log: {error}")
            return
        sample = _Sample(self, self._id(members), where, attachments, data.get("messages", []))
        for raw in events:
            yield from sample.event(bytes(raw))
        begun_ns = time_ns(_value(members, "started_at"))
        for key, raw in attachments.items():
            yield sample.part("attachments", key, raw, begun_ns)
        for kind, listed in data.items():
            for index, raw in enumerate(listed):
                yield sample.part(f"events_data.{kind}", str(index), raw, begun_ns)
        rest = {key: raw for key, raw in members.items() if key not in _PARTS}
        for key in [key for key, raw in rest.items() if len(bytes(raw)) > _OF_ITS_OWN_BYTES]:
            yield sample.part(key, "", rest.pop(key), begun_ns)
        ended_ns = time_ns(_value(members, "completed_at"))
        yield sample.made(inspect_log.SAMPLE, msgspec.json.encode(rest), {}, ended_ns or begun_ns)

    def _id(self, members: Members) -> str:
        """What tells a sample's run from all others; older logs have no id of it."""
        own = _value(members, "uuid")
        return own if isinstance(own, str) else f"{self.eval_id}:{_value(members, 'id')}:{_value(members, 'epoch')}"


@dataclass(slots=True)
class _Sample:
    """A sample whose events become records one by one."""

    log: _Log
    id: str
    where: str
    attachments: Members
    pool: list[msgspec.Raw]
    before_ns: int = 0
    decisions: dict[str, str] = field(default_factory=dict)
    """By call: what an approver last decided about it."""

    def event(self, raw: bytes) -> Iterator[Made | Refused]:
        """The record of the next event."""
        value = pieces.decoded(raw)
        if not isinstance(value, dict):
            yield Refused(self.where, "an event is no JSON object")
            return
        begun_ns, ended_ns = time_ns(value.get("timestamp")), time_ns(value.get("completed"))
        attributes: dict[str, Value | None] = {
            inspect_log.ENDED: ended_ns or None,
            inspect_log.BEFORE: self.before_ns or None,
        }
        if value.get("event") == "approval":
            call = value.get("call")
            self.decisions[_id(call)] = str(value.get("decision"))
        elif value.get("event") == "tool":
            attributes[inspect_log.DECISION] = self.decisions.get(_id(value))
        self.before_ns = max(self.before_ns, begun_ns, ended_ns)
        yield self.made(inspect_log.EVENT, self._resolved(raw, value), attributes, begun_ns)

    def part(self, member: str, key: str, raw: msgspec.Raw, begun_ns: int) -> Made:
        """The record of something that events refer to, or that is too long to stand beside others."""
        attributes: dict[str, Value | None] = {"inspect.part": member, "inspect.key": key or None}
        return self.made("inspect.part", bytes(raw), attributes, begun_ns)

    def made(self, event_name: str, raw: bytes, more: dict[str, Value | None], at_ns: int) -> Made:
        """A record of this sample."""
        attributes: dict[str, Value | None] = {
            "gen_ai.conversation.id": self.id,
            inspect_log.TASK: self.log.task,
            "inspect.task_version": self.log.task_version,
            **more,
        }
        return Made(log_record(event_name, _text(raw), attributes, time_ns=at_ns), self.log.origin(), self.where)

    def _resolved(self, raw: bytes, value: dict[str, Any]) -> bytes:
        """An event with the texts and messages in it that it refers to."""
        refers = value.get("event") == "model" and isinstance(value.get("input_refs"), list)
        if not refers and b'"attachment://' not in raw:
            return raw
        members = msgspec.json.decode(raw, type=Members)
        if refers and not value.get("input"):
            members["input"] = msgspec.Raw(b"[" + b",".join(self._since_answer(value["input_refs"])) + b"]")
        room = _RESOLVED_BYTES

        def put(match: re.Match[bytes]) -> bytes:
            nonlocal room
            text = bytes(self.attachments.get(match[1].decode(), msgspec.Raw(match[0])))
            room -= len(text)
            return text if room > 0 else match[0]

        for key, held in members.items():
            if key not in _WITHOUT_TEXTS:
                members[key] = msgspec.Raw(_ATTACHMENT.sub(put, bytes(held)))
        return msgspec.json.encode(members)

    def _since_answer(self, refs: list[Any]) -> list[bytes]:
        """The messages of a model's input that came after its last answer."""
        found: list[bytes] = []
        for ref in reversed(refs):
            if not (isinstance(ref, list) and len(ref) == 2 and all(isinstance(end, int) for end in ref)):
                continue
            for index in range(min(ref[1], len(self.pool)) - 1, max(ref[0], 0) - 1, -1):
                message = bytes(self.pool[index])
                if _role(message) == "assistant" or len(found) >= _MOST_REFERRED:
                    return found[::-1]
                found.append(message)
        return found[::-1]


def _list(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    return (msgspec.json.decode(raw, type=list[msgspec.Raw] | None) if raw is not None else None) or []


def _object(raw: msgspec.Raw | None) -> Members:
    return (msgspec.json.decode(raw, type=Members | None) if raw is not None else None) or {}


def _value(members: Members, key: str) -> Any:
    return pieces.decoded(bytes(members[key])) if key in members else None


def _role(message: bytes) -> str:
    try:
        return msgspec.json.decode(message, type=_Role).role
    except pieces.FAULTS:
        return ""


def _id(call: Any) -> str:
    return str(call.get("id")) if isinstance(call, dict) else ""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
