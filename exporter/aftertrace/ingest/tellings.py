"""Two records of one id: do they say the same, does one say more, or do they contradict each other?

A span that is sent twice is no fault by itself. Some programs send it when it begins and again when it ends; two
exporters of one program, or a Collector on one of two ways, may each add attributes. They tell of one thing as long as
no field or attribute that both state differs. A span that has not ended may still change, but not where it belongs or
when it began. All else is a contradiction: neither telling can be believed without the other.

Pure: bytes in, a word out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from aftertrace.ingest import redact_tokens
from aftertrace.ingest.records import SMALL_ORIGIN_BYTES, value
from aftertrace.store.marks import without_drawn
from aftertrace.store.request import Signal

Relation: TypeAlias = Literal["same", "continues", "changes", "continued_by", "differs_from", "conflicts_with"]
"""What a record is to one of its id that came before: `same`, or the name of a flag (`ingest.flags`)."""

STANDING: Final = ("continues", "changes")
"""Relations by which a record takes the place of the one that came before."""

_UNSAID: Final = frozenset({"flags", "trace_state", "observed_time_unix_nano"})
"""Fields that are of the way and not of the record, as the `dropped_*_count` are: samplers and Collectors set them."""
_FIXED: Final = frozenset({"trace_id", "span_id", "parent_span_id", "kind", "start_time_unix_nano"})
"""Fields of a span that never change, ended or not."""
_LISTS: Final = frozenset({"events", "links"})
"""Fields of which one telling may have some and another all."""
_OF_REDACTION: Final = (redact_tokens.NOTE, redact_tokens.READING)
"""Attributes that are of the way too: how often rules fired, since who says more can have held more secrets; and what
was read of it."""
_SCOPE: Final = "scope name"
_IMPORTED: Final = "aftertrace.import."
"""What the names of the scopes of imported records begin with: a file tells what was so when it was written."""

_OBJECTS_BYTES: Final = 512
"""What the objects around a telling's bytes take: itself, three byte strings, its place, and an entry in a table."""

_Facts: TypeAlias = dict[str, Any]


class Telling(NamedTuple):
    """A record with its origin, as stored: OTLP messages."""

    signal: Signal
    resource: bytes
    scope: bytes
    record: bytes

    @property
    def held_bytes(self) -> int:
        """How much memory it holds at most, where it is kept by its place: small ones take many times their bytes."""
        return _OBJECTS_BYTES + len(self.resource) + len(self.scope) + len(self.record)


def relation(before: Telling, now: Telling) -> Relation | None:
    """What `now` is to `before`; None where they are not of one id after all.

    Raises:
        DecodeError: one of them is no OTLP record.
    """
    if before.signal != now.signal:
        return None
    old, new = _facts(before), _facts(now)
    shared = old.keys() & new.keys()
    if any(old.get(name) != new.get(name) for name in ("trace_id", "span_id")) and now.signal == "traces":
        return None
    otherwise = {name for name in shared if not _agree(name, old[name], new[name])}
    another_scope = _SCOPE in otherwise
    otherwise.discard(_SCOPE)
    more = any(_has_more(name, new[name], old.get(name)) for name in new)
    less = any(_has_more(name, old[name], new.get(name)) for name in old)
    was_open, is_open = (_is_unfinished(now.signal, facts) for facts in (old, new))
    if otherwise:
        if otherwise & _FIXED or not (was_open or is_open):
            return "conflicts_with"
        return "changes" if was_open else "differs_from"
    if another_scope or (more and less):
        return "changes" if was_open and not another_scope else "differs_from"
    if not more and not less:
        return "same"
    return "continued_by" if less else "continues"


def _is_unfinished(signal: Signal, facts: _Facts) -> bool:
    """Whether it may still change: a span without an end, or what an import found."""
    is_imported = facts[_SCOPE].startswith(_IMPORTED)
    return is_imported or (signal == "traces" and "end_time_unix_nano" not in facts)


@lru_cache(maxsize=2)
def _facts(telling: Telling) -> _Facts:
    """What it states, by field; each attribute is a field of its own. What is not set is not stated.

    The last two are kept: whoever sends one large record and thousands of small ones of its id must not make it be
    decoded thousands of times.
    """
    message: Any = (trace_pb2.Span if telling.signal == "traces" else logs_pb2.LogRecord).FromString(telling.record)
    facts: _Facts = dict(
        (_known_origin if len(telling.resource) + len(telling.scope) <= SMALL_ORIGIN_BYTES else _last_origin)(
            telling.resource, telling.scope
        )
    )
    if telling.signal == "traces":
        # A root span says that nothing is above it.
        facts["parent_span_id"] = message.parent_span_id
    for field, content in message.ListFields():
        if field.name in _UNSAID or field.name.startswith("dropped_"):
            continue
        if field.name == "attributes":
            facts.update(_attributes("attribute", content))
        elif field.name in _LISTS:
            facts[field.name] = frozenset(_listed(item) for item in content)
        elif field.name == "body":
            facts["body"] = _exact(value(content))
        elif field.name == "status":
            facts.update({f"status {part.name}": said for part, said in content.ListFields()})
        else:
            facts[field.name] = content
    return facts


def _origin(resource: bytes, scope: bytes) -> _Facts:
    decoded = common_pb2.InstrumentationScope.FromString(scope)
    facts = _attributes("resource attribute", resource_pb2.Resource.FromString(resource).attributes)
    facts.update(_attributes("scope attribute", decoded.attributes))
    facts[_SCOPE] = decoded.name
    return facts


_known_origin: Final = lru_cache(maxsize=256)(_origin)
_last_origin: Final = lru_cache(maxsize=1)(_origin)


def _attributes(of: str, pairs: Any) -> _Facts:
    return {f"{of} {pair.key}": _exact(value(pair.value)) for pair in pairs if pair.key not in _OF_REDACTION}


def _listed(item: Any) -> Any:
    """An event or a link of a span."""
    fields = {field.name: said for field, said in item.ListFields() if field.name not in _UNSAID}
    fields.pop("dropped_attributes_count", None)
    fields["attributes"] = _exact({pair.key: value(pair.value) for pair in item.attributes})
    return tuple(sorted(fields.items(), key=lambda pair: pair[0]))


def _exact(content: Any) -> Any:
    """A value that equals another only where both are of one type: 1 is not True, and what is no number is itself."""
    if isinstance(content, dict):
        return ("map", tuple(sorted((key, _exact(inner)) for key, inner in content.items())))
    if isinstance(content, list):
        return ("list", tuple(_exact(inner) for inner in content))
    if isinstance(content, str):
        content = without_drawn(content)
    return (type(content).__name__, repr(content))


def _agree(name: str, old: Any, new: Any) -> bool:
    return bool(old <= new or new <= old) if name in _LISTS else bool(old == new)


def _has_more(name: str, mine: Any, theirs: Any) -> bool:
    """Whether one telling states something of a field that the other does not."""
    if theirs is None:
        return True
    return name in _LISTS and bool(mine - theirs)
