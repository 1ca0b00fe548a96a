"""From a reading to rows of `spans` and `events`: the last step before the tables, pure.

Columns that come with the frame (`receiver`, `seq`, `index`, `received_ns`, `source`, `tenant`) are the drain's to
fill in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from aftertrace.ingest import by_reference, carried, flags
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.messages import value_digest
from aftertrace.ingest.dialects.values import number, whole
from aftertrace.ingest.records import Record, Span
from aftertrace.ingest.redact_tokens import is_digest, is_left_out, is_token
from aftertrace.semconv.canonical import canonical_json, digest
from aftertrace.semconv.wording import split
from aftertrace.store.marks import without_drawn
from aftertrace.store.schema import CUT

SHORT_CHARACTERS: Final = 256
"""A text attribute up to this length is short: it is kept in the `attributes` column beside the evidence."""
TEXT_CHARACTERS: Final = 512
"""The longest that a name or an id may be in a row. One resource stands in the rows of thousands of records, so that a
name as long as a request would be gigabytes of them; the evidence has it whole, once."""
EVENTS_PER_REQUEST: Final = 100_000
"""Rows of `events` that the records of one request give, each in proportion to its bytes. A call in a list of messages
may take twenty bytes, and its row some thousand; what agents send takes more bytes than a hundred thousandth."""
EVENTS_PER_RECORD: Final = 4
"""So many a record gives in any case."""
TOOL_NAMES_CHARACTERS: Final = 32_768
"""The longest list of tools in a row, as JSON; a longer one is not known by name, and has its digest."""
ARGUMENTS_CHARACTERS: Final = 262_144
"""The longest canonical JSON of arguments in a row: a file that an agent writes fits. A control character in a request
is six characters of JSON, and each event of a call may hold its arguments."""
BEGINNING_CHARACTERS: Final = 2048
"""How much of longer arguments is in a row."""
REASON_CHARACTERS: Final = 2048
REMEMBERED_CHARACTERS: Final = 65_536
"""Of longer prompts it is not remembered what was made of them: who sends them chooses how many and how long."""
VALUES_CHARACTERS: Final = 4096
"""The longest list of a prompt's values in a row, as JSON; without it two such prompts are alike by digest alone."""
STATUS_CHARACTERS: Final = 512
_STATUS: Final = {0: "unset", 1: "ok", 2: "error"}
_MARK_CHARACTERS: Final = 16
_NUMBERS: Final = frozenset((bool, int, float))


Row: TypeAlias = tuple[Any, ...]
"""Values in the order of their columns."""
WHO: Final = (
    "service_name",
    "service_version",
    "environment",
    "dialect",
    "scope_name",
    "trace_id",
    "span_id",
    "parent_span_id",
    "run_key",
    "conversation_id",
    "turn_id",
    "agent_name",
    "agent_id",
    "agent_version",
    "model",
    "model_served",
    "user_id",
    "tool_name",
    "call_id",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "system_prompt_digest",
    "tool_names",
    "tools_digest",
)
"""Columns that all rows of a record share, but where an event has its own."""
_TOOL_NAME, _CALL_ID = WHO.index("tool_name"), WHO.index("call_id")
SPAN: Final = (
    "name",
    "kind",
    "start_ns",
    "end_ns",
    "status",
    "status_message",
    "operation",
    "links",
    "attributes",
    "flags",
)
"""Further columns of its row of `spans`."""
EVENT: Final = (
    "tool_name",
    "call_id",
    "ordinal",
    "event",
    "state",
    "time_ns",
    "end_ns",
    "position",
    "group",
    "basis",
    "decided_by",
    "decider",
    "identity",
    "wait_ns",
    "reason",
    "arguments",
    "arguments_digest",
    "content",
    "content_digest",
    "rule",
    "attributes",
    "flags",
)
"""Further columns of each of its rows of `events`, and its own of those that they share."""


class Rows(NamedTuple):
    """What a record gives."""

    who: Row
    """Of the columns `WHO`."""
    span: Row | None
    """Of the columns `SPAN`; None for a log record."""
    events: list[Row]
    """Each of the columns `EVENT`."""


def rows_of(record: Record, events_at_most: int = EVENTS_PER_REQUEST, apart: Sequence[by_reference.Apart] = ()) -> Rows:
    """The row of `spans` and the rows of `events` that a record gives.

    Of more events than there may be the first have rows, and a flag of the record tells how many have none.
    """
    reading = carried.read(record)
    if apart:
        by_reference.keep_apart(reading, apart)
    record.flags += flags.cut_events(reading.cut + max(0, len(reading.events) - events_at_most))
    flagged = flags_column(record)
    who = _who_columns(record, reading)
    return Rows(
        who,
        _span_row(record, reading, flagged, apart) if isinstance(record, Span) else None,
        [
            _event_row(record, event, ordinal, who, flagged)
            for ordinal, event in enumerate(reading.events[:events_at_most])
        ],
    )


def _who_columns(record: Record, reading: Reading) -> Row:
    who, resource = reading.who, record.origin.resource
    return (
        _text(resource.get("service.name")),
        _text(resource.get("service.version")),
        _text(resource.get("deployment.environment.name", resource.get("deployment.environment"))),
        reading.dialect,
        _text(record.origin.scope_name),
        record.trace_id,
        record.span_id,
        record.parent_span_id if isinstance(record, Span) else None,
        _text(who.run_key),
        _text(who.conversation_id),
        _text(who.turn_id),
        _text(who.agent_name),
        _text(who.agent_id),
        _text(who.agent_version),
        _text(who.model),
        _text(who.model_served),
        _text(who.user_id) or _text(resource.get("user.id")) or _text(resource.get("enduser.id")),
        _text(who.tool_name),
        _text(who.call_id),
        whole(who.input_tokens),
        whole(who.output_tokens),
        number(who.cost_usd),
        who.system_prompt_digest,
        None if who.tool_names is None else _tool_names(who.tool_names),
        who.tools_digest,
    )


def _span_row(span: Span, reading: Reading, flagged: str | None, apart: Sequence[by_reference.Apart]) -> Row:
    return (
        span.name,
        span.kind if 0 <= span.kind <= 127 else 0,
        span.start_ns,
        span.end_ns,
        _STATUS.get(span.status, "unset"),
        by_reference.without(span.status_message, apart)[:STATUS_CHARACTERS] or None,
        reading.operation,
        _json(span.links) if span.links else None,
        _json(short(span.attributes)),
        flagged,
    )


def _event_row(record: Record, event: Event, ordinal: int, who: Row, flagged: str | None) -> Row:
    arguments, arguments_digest = _arguments(event)
    time_ns = event.time_ns or (record.start_ns if isinstance(record, Span) else record.time_ns)
    return (
        _text(event.tool_name) or who[_TOOL_NAME],
        _text(event.call_id) or who[_CALL_ID],
        ordinal,
        event.event,
        event.state,
        time_ns,
        event.end_ns,
        event.position,
        _text(event.group),
        event.basis,
        event.decided_by,
        _text(event.decider),
        event.identity,
        event.wait_ns,
        None if event.reason is None or _is_untold(event.reason) else event.reason[:REASON_CHARACTERS],
        arguments,
        arguments_digest,
        None if event.content is None else content_text(event.content)[:REASON_CHARACTERS],
        event.content_digest or _content_digest(event.content),
        event.rule,
        _attributes(event),
        flagged,
    )


def _attributes(event: Event) -> str | None:
    """Short attributes of an event; of a system prompt that is kept in part also what tells it from others."""
    told = short(event.attributes) if event.attributes else {}
    if event.event == "input.resolved" and event.state == "system_prompt" and event.content is not None:
        # Of these names nothing is taken from a sender: a prompt could be told as another.
        told = {name: value for name, value in told.items() if name not in ("template_digest", "template_values")}
        text = content_text(event.content)
        if len(text) > REASON_CHARACTERS:
            told |= (_remembered if len(text) <= REMEMBERED_CHARACTERS else _template)(text)
    return _json(told) if told else None


def _template(text: str) -> dict[str, str]:
    """A long prompt as the digest of its wording, and the values in it: two that differ by today's date are alike."""
    found = split(text)
    values = _json(found.values)
    wording = digest("\x00".join(found.words).encode("utf-8", "surrogatepass"))
    return {"template_digest": wording} | ({"template_values": values} if len(values) <= VALUES_CHARACTERS else {})


_remembered = lru_cache(maxsize=64)(_template)


def flags_column(record: Record) -> str | None:
    """What is odd about a record, as it is stored."""
    return _json(record.flags) if record.flags else None


def short(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes that are short enough to stand beside the evidence."""
    return {
        key: value
        for key, value in attributes.items()
        if (len(value) <= SHORT_CHARACTERS if type(value) is str else type(value) in _NUMBERS)
    }


def agent_of(record: Record, reading: Reading) -> str | None:
    """Whom the rows of a record name: its agent, else its service; None where it tells neither."""
    return _text(reading.who.agent_name) or _text(record.origin.resource.get("service.name"))


def fitted(text: str) -> str:
    """A name or an id as it stands in rows: where it is too long its beginning, and a mark that differs for others."""
    return text if len(text) <= TEXT_CHARACTERS else _cut(text)


@lru_cache(maxsize=4)
def _cut(text: str) -> str:
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_CHARACTERS]
    return f"{text[: TEXT_CHARACTERS - _MARK_CHARACTERS - 1]}…{mark}"


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is str:
        return (value if len(value) <= TEXT_CHARACTERS else _cut(value)) or None
    return str(value) if type(value) in (int, float) else None


def _tool_names(names: Any) -> str | None:
    written = _json(names)
    return written if len(written) <= TOOL_NAMES_CHARACTERS else None


def _arguments(event: Event) -> tuple[str | None, str | None]:
    """Arguments as they stand in a row, and the digest of all of them.

    What is too long is told by an object in its place: two such are equal exactly where the arguments are, and nobody
    takes the beginning for the whole, or finds a member of it.
    """
    if event.arguments is None:
        return None, event.arguments_digest
    if _is_mark(event.arguments):
        return _marked_arguments(event.arguments, event.arguments_digest)
    written = _canonical(event.arguments)
    mark = digest(without_drawn(written).encode())
    if len(written) > ARGUMENTS_CHARACTERS:
        told = {"begins": written[:BEGINNING_CHARACTERS], "characters": len(written), "digest": mark}
        written = _json({CUT: told})
    return written, event.arguments_digest or mark


def _marked_arguments(token: str, stated: str | None) -> tuple[str | None, str | None]:
    """Arguments of which a token is left. Those are told apart that are known by a digest of all of them: no other
    token says which they were.
    """
    if not is_digest(token):
        return None, stated
    return _json({CUT: {"begins": "", "digest": token}}), stated or digest(token.encode())


def _is_mark(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("[[") and is_token(value.encode("utf-8", "surrogatepass"))


def _content_digest(content: Any) -> str | None:
    """The digest of a content; None where nothing is told of it: what stands for it is no content."""
    return None if _is_untold(content) else value_digest(content)


def _is_untold(content: Any) -> bool:
    """Whether it stands for any content: two such are not equal."""
    return is_left_out(content) and not is_digest(content)


def _canonical(value: Any) -> str:
    try:
        return canonical_json(value).decode()
    except ValueError:
        return _json(value)


def content_text(value: Any) -> str:
    """The content of an event as one text, whole: rows hold how it begins."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, UnicodeEncodeError, RecursionError):
        return msgspec.json.encode(repr(value).encode("utf-8", "replace").decode()).decode()
