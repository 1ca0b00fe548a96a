"""Large content by reference: taken out of a request before it is written, given back to who reads its records.

A content is replaced wherever it stands in its record, also in the middle of a longer text and within JSON, by a
reference that says how it was written there. So what is given back is the record that came, byte for byte.

The drain reads records whole, so that what became of a call is told as if nothing had been taken out; what it stores of
them has references too.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.ingest import dialects, records
from aftertrace.ingest.carried import records_in
from aftertrace.ingest.large_contents import is_of_term, large_contents
from aftertrace.ingest.redact_tokens import NOTE
from aftertrace.store.blobs import blobs, reference
from aftertrace.store.blobs.blobs import Content
from aftertrace.store.blobs.reference import BEGINS, SPELLINGS, Reference
from aftertrace.store.digest import tagged
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.frame import received_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from aftertrace.ingest.dialects.events import Event, Reading
    from aftertrace.store.layout import Layout
    from aftertrace.store.request import Request, Signal

RULE: Final = "by-reference"
"""How it is counted and noted beside what redaction does."""
_PIECE_CHARACTERS: Final = 32
"""A text that has so many characters in a row in common with a content, from a multiple of it on, is a part of it."""


_Held: TypeAlias = tuple[Any, str, int | None, str]
"""Where a text stands in a message: what holds it, its field, its place in a list; and the text."""


class Apart(NamedTuple):
    """A content that a stored record refers to."""

    written: str
    """The reference, as it stands in the record."""
    plain: str
    """One for a row, where the content stands by itself."""
    digest: str
    """Tagged digest in its place: equal for equal contents of a store."""
    text: str
    spelling: str


class Taking:
    """Takes large contents out of requests. Safe to use from any thread."""

    def __init__(self, key: bytes, at_least_bytes: int) -> None:
        """`key` is the store's secret; shorter contents stay where they are."""
        self._key = key
        self._at_least = at_least_bytes

    def take(self, message: Any, request: Request) -> list[Content]:
        """Put references in the place of large contents of a request's records, in place, and note how many.

        Returns:
            What they refer to, one for each.
        """
        if request.signal == "metrics":
            return []
        day = received_on(request.received_ns)
        taken: list[Content] = []
        for origin, record in records_in(message):
            if record.ByteSize() >= self._at_least:
                held = list(_strings(record, self._at_least))
                found = self._from(held, _large(record, origin, self._at_least), day) if held else []
                if found:
                    _note(record, len(found))
                    taken += found
        return taken

    def _from(self, strings: list[_Held], texts: Sequence[str], day: date) -> list[Content]:
        """Take texts, the longest first, out of where they stand."""
        taken: list[Content] = []
        for text in texts:
            content = text.encode()
            of = Reference(day, reference.digest_of(self._key, content), len(content))
            spelled = {name: spell(text) for name, spell in SPELLINGS.items()}
            marks = {each: name for name, each in reversed(spelled.items())}
            is_taken = False
            in_order = sorted(marks.items(), key=lambda pair: -len(pair[0]))
            for place, (holder, field, index, held) in enumerate(strings):
                if len(held) < len(text):
                    continue
                left = held
                for each, name in in_order:
                    if each in left:
                        left = left.replace(each, reference.written(replace(of, spelling=name), self._key))
                if left is not held:
                    is_taken = True
                    strings[place] = holder, field, index, left
                    _set(holder, field, index, left)
            if is_taken:
                taken.append(Content(of, content))
        return taken


class GivingBack:
    """Reads what stored records refer to."""

    def __init__(self, layout: Layout, key: bytes) -> None:
        """Of the store, whose secret is `key`."""
        self._layout = layout
        self._key = key

    def of(self, record: bytes) -> tuple[Apart, ...]:
        """What a stored record refers to, as far as it is there."""
        if BEGINS.encode() not in record:
            return ()
        text = record.decode("utf-8", "replace")
        found = dict(reference.found(text, self._key))
        return tuple(apart for written, of in found.items() if (apart := self._one(written, of)) is not None)

    def _one(self, written: str, of: Reference) -> Apart | None:
        try:
            text = blobs.get(self._layout, of, self._key)
        except (blobs.Gone, Corrupt):
            # A reader says what is missing, and `verify` whether it may be.
            return None
        except OSError as error:
            raise Unavailable(
                f"read blob {of.name}: {error.strerror}; it cannot be read: see to its permissions", 1.0
            ) from error
        plain = reference.written(replace(of, spelling="as-is"), self._key)
        return Apart(written, plain, tagged(of.digest.encode()), text, of.spelling)


def whole(signal: Signal, record: bytes, apart: Sequence[Apart]) -> bytes:
    """The record that came, where all that it refers to is there."""
    if not apart:
        return record
    message = (Span if signal == "traces" else LogRecord).FromString(record)
    for holder, field, index, held in list(_strings(message)):
        text = held
        for each in apart:
            text = text.replace(each.written, SPELLINGS[each.spelling](each.text))
        if text is not held:
            _set(holder, field, index, text)
    return bytes(message.SerializeToString())


def keep_apart(reading: Reading, apart: Sequence[Apart]) -> None:
    """Have what was read of a whole record refer to its large contents again."""
    for event in reading.events:
        if not is_of_term(event):
            continue
        if event.content is not None:
            _keep_content_apart(event, apart)
        if event.reason is not None:
            event.reason = without(event.reason, apart)


def without(text: str, apart: Sequence[Apart]) -> str:
    """A text; or, where it has a part of a content, the reference to that."""
    for each in apart:
        if _has_part_of(text, each.text):
            return each.plain
    return text


def _keep_content_apart(event: Event, apart: Sequence[Apart]) -> None:
    content = event.content
    for each in apart:
        if content == each.text or (isinstance(content, dict | list) and _loaded(each.text) == content):
            event.content, event.content_digest = each.plain, each.digest
            return
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    left = text
    for each in apart:
        for spell in SPELLINGS.values():
            left = left.replace(spell(each.text), each.plain)
    left = without(left, apart)
    if left != text:
        event.content = left


def _has_part_of(text: str, content: str) -> bool:
    if len(text) < _PIECE_CHARACTERS:
        return bool(text) and 2 * len(text) >= _PIECE_CHARACTERS and text in content
    starts = range(0, len(text) - _PIECE_CHARACTERS + 1, _PIECE_CHARACTERS)
    return any(text[start : start + _PIECE_CHARACTERS] in content for start in starts)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _large(record: Any, origin: records.Origin, at_least_bytes: int) -> list[str]:
    decode: Callable[[bytes, records.Origin], records.Record] = (
        records.span if record.DESCRIPTOR.name == "Span" else records.log
    )
    decoded = decode(record.SerializeToString(), origin)
    try:
        reading = dialects.read(decoded)
    except dialects.FAULTS:
        reading = None
    return large_contents(decoded, reading, at_least_bytes)


def _note(record: Any, many: int) -> None:
    """Note it on the record, beside what redaction noted just before."""
    noted = f"{RULE} {many}"
    last = record.attributes[-1] if record.attributes else None
    if last is not None and last.key == NOTE and last.value.string_value:
        last.value.string_value = ", ".join(sorted((*last.value.string_value.split(", "), noted)))
        return
    pair = record.attributes.add()
    pair.key, pair.value.string_value = NOTE, noted


def _strings(message: Any, at_least_bytes: int = 0) -> Iterator[_Held]:
    """The texts in an OTLP message, at any depth, that have so many bytes."""
    for part, held in message.ListFields():
        for index, item in enumerate(held) if part.is_repeated else ((None, held),):
            if part.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                if item.ByteSize() >= at_least_bytes:
                    yield from _strings(item, at_least_bytes)
            elif part.cpp_type != FieldDescriptor.CPPTYPE_STRING or not isinstance(item, str):
                continue
            elif 4 * len(item) >= at_least_bytes:
                yield message, part.name, index, item


def _set(holder: Any, field: str, index: int | None, text: str) -> None:
    if index is None:
        setattr(holder, field, text)
    else:
        getattr(holder, field)[index] = text
