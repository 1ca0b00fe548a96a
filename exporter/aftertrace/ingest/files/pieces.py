"""JSON files as pieces: lines, elements of a list, members of an object, each as the text it is in the file.

A list or an object of any length is cut as it is read, so that only one piece is in memory at a time. What a piece
holds is not decoded here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Literal, TypeAlias

import msgspec

from aftertrace.ingest.files import zipped
from aftertrace.ingest.files.item import Refused
from aftertrace.store.errors import Invalid

MAX_PIECE_BYTES: Final = 256 << 20
"""A longer piece is refused: it would have to fit into memory, several times over."""

FAULTS: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What the decoding of a JSON text raises where it is none, or is nested too deeply."""

Form: TypeAlias = Literal["lines", "list", "object", "none"]

_CHUNK_BYTES: Final = 1 << 20
_LOOKED_AT: Final = 20
"""How many pieces of the head are looked at."""
_BROKEN_AT_MOST: Final = 3
"""How many first lines may be broken before a file is taken for one that has no JSON lines."""
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{},]', re.DOTALL)
_KEY: Final = re.compile(rb'\s*"((?:[^"\\]|\\.)*)"\s*:\s*', re.DOTALL)
_SPACE: Final = b" \t\r\n"
_MARK: Final = b"\xef\xbb\xbf"
_CLOSES: Final = {ord("["): b"]", ord("{"): b"}"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A JSON text out of a file."""

    text: bytes
    where: str
    """File and line: for messages."""
    key: str = ""
    """Of the member of an object that it is, or is an element of."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the beginning of a file shows."""

    form: Form
    values: tuple[Any, ...] = field(default=())
    """The first values, decoded; of one that is cut, what is whole of it."""
    first_member: str = ""
    """Of a zip archive: the name of its first member."""

    def objects(self) -> list[dict[str, Any]]:
        """The first values that are objects."""
        return [value for value in self.values if isinstance(value, dict)]


def look(head: bytes, *, is_whole: bool) -> Look:
    """What the beginning of a file shows.

    Args:
        head: its first bytes.
        is_whole: whether they are all.
    """
    text = head.removeprefix(_MARK).lstrip(_SPACE)
    if text[:1] not in (b"[", b"{"):
        return Look("none", first_member=zipped.first_member(head))
    lines = [line for line in text.split(b"\n") if line.strip()]
    is_one_line = len(lines) == 1
    if not is_whole:
        lines.pop()
    values = [decoded(line) for line in lines[:_LOOKED_AT]]
    begins = [line.startswith(b"{") and isinstance(value, dict) for line, value in zip(lines, values, strict=False)]
    is_list_of_lists = isinstance(values[0], list) and not is_one_line if values else False
    if any(begins[:_BROKEN_AT_MOST]) or is_list_of_lists:
        return Look("lines", tuple(value for value in values if value is not None))
    value = begun(text)
    if isinstance(value, list):
        return Look("list", tuple(value[:_LOOKED_AT]))
    if not isinstance(value, dict):
        return Look("none")
    # A first line that is longer than what is looked at may be the only one: as a line, it is read either way.
    return Look("lines" if is_one_line else "object", (value,))


def decoded(text: bytes) -> Any:
    """A JSON text's value; None where it is none."""
    try:
        return msgspec.json.decode(standard(text))
    except FAULTS:
        return None


def standard(text: bytes) -> bytes:
    """A JSON text as the standard has it: where it holds NaN or Infinity, as Python writes them, those become texts."""
    if b"NaN" not in text and b"Infinity" not in text:
        return text
    try:
        return json.dumps(json.loads(text, parse_constant=str)).encode()
    except (ValueError, RecursionError):
        return text


def begun(text: bytes) -> Any:
    """What is whole of a JSON text that is cut somewhere; None where it is no JSON."""
    open_: list[int] = []
    cut = 0
    for token in _TOKEN.finditer(text):
        mark = text[token.start()]
        if mark == ord('"'):
            if not token[1]:
                break
        elif mark in _CLOSES:
            open_.append(mark)
            cut = token.end()
        elif mark == ord(","):
            cut = token.start()
        else:
            if not open_:
                break
            open_.pop()
            cut = token.end()
            if not open_:
                break
    return decoded(text[:cut] + b"".join(_CLOSES[mark] for mark in reversed(open_)))


def read(name: str, file: BinaryIO, form: Form, *, split: frozenset[str] = frozenset()) -> Iterator[Piece | Refused]:
    """The pieces of a file: its lines, the elements of its list, or the members of its object.

    Args:
        name: of the file, for messages.
        file: at its beginning.
        form: as its look shows it.
        split: keys of an object whose lists are given element by element.

    Raises:
        Invalid: a list or an object is cut short, or is no JSON.
    """
    return _lines(name, file) if form == "lines" else _Cutter(name, file, split).pieces()


def entries(name: str, file: BinaryIO, form: Form) -> Iterator[Piece | Refused]:
    """The pieces of a file whose lines or elements are entries; one that is an object is one entry.

    Raises:
        Invalid: a list is cut short, or is no JSON; an object is too long.
    """
    return iter([Piece(whole(name, file), name)]) if form == "object" else read(name, file, form)


def whole(name: str, file: BinaryIO) -> bytes:
    """All that a file holds, where it is one piece.

    Raises:
        Invalid: it is longer than a piece may be.
    """
    text = file.read(MAX_PIECE_BYTES + 1)
    if len(text) > MAX_PIECE_BYTES:
        raise Invalid(
            f"read {name}: longer than {MAX_PIECE_BYTES} bytes in one piece, expected less, or lines; where it is an "
            "archive that comes through a pipe, name its file"
        )
    return text.removeprefix(_MARK)


def _lines(name: str, file: BinaryIO) -> Iterator[Piece | Refused]:
    number = 0
    while line := file.readline(MAX_PIECE_BYTES + 1):
        number += 1
        if len(line) > MAX_PIECE_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(_CHUNK_BYTES)
            yield Refused(f"{name}:{number}", f"longer than {MAX_PIECE_BYTES} bytes, expected shorter lines")
            continue
        text = line.removeprefix(_MARK) if number == 1 else line
        if text.strip():
            yield Piece(text.strip(), f"{name}:{number}")


class _Cutter:
    """Cuts the list or object of a file at its commas, as it is read."""

    def __init__(self, name: str, file: BinaryIO, split: frozenset[str]) -> None:
        self._name, self._file, self._split = name, file, split
        self._buffer = b""
        self._line, self._counted = 1, 0

    def pieces(self) -> Iterator[Piece]:
        """The pieces, in order."""
        depth, start, at = 0, 0, 0
        level, key, is_list = 1, "", True
        while True:
            token = _TOKEN.search(self._buffer, at)
            if token is None or (token[0][:1] == b'"' and not token[1]):
                at = token.start() if token else len(self._buffer)
                kept = start if depth else at
                self._more(kept)
                at, start = at - kept, 0
                continue
            mark, at = token[0], token.end()
            if mark[:1] == b'"':
                continue
            if mark in (b"[", b"{"):
                depth += 1
                if depth == 1:
                    is_list, start = mark == b"[", at
                elif depth == 2 and level == 1 and not is_list and mark == b"[":
                    key = self._key(start, token.start())
                    if key in self._split:
                        level, start = 2, at
                continue
            if depth == level:
                is_member = level == 1 and not is_list
                if piece := self._piece(start, token.start(), key if level == 2 else "", is_member=is_member):
                    yield piece
                start = at
                if mark != b",":
                    level = 1
            depth -= mark != b","
            if depth < 1:
                self._end(at)
                return

    def _piece(self, start: int, end: int, key: str, *, is_member: bool) -> Piece | None:
        """What lies between two commas: the member of an object, or an element of a list, of the key if it has one."""
        text = self._buffer[start:end]
        stripped = text.lstrip(_SPACE)
        begin = start + len(text) - len(stripped)
        self._line += self._buffer.count(b"\n", self._counted, begin)
        self._counted = begin
        where = f"{self._name}:{self._line}"
        if not stripped:
            return None
        if not is_member:
            return Piece(stripped.rstrip(_SPACE), where, key)
        member = _KEY.match(stripped)
        if member is None:
            raise Invalid(f"read {where}: no member of a JSON object, expected one")
        return Piece(stripped[member.end() :].strip(_SPACE), where, _name(member[1]))

    def _key(self, start: int, end: int) -> str:
        member = _KEY.fullmatch(self._buffer, start, end)
        return _name(member[1]) if member else ""

    def _more(self, start: int) -> None:
        """Forget what lies before `start`, and read on."""
        self._line += self._buffer.count(b"\n", self._counted, start)
        self._counted = max(self._counted - start, 0)
        self._buffer = self._buffer[start:]
        if len(self._buffer) > MAX_PIECE_BYTES:
            raise Invalid(
                f"read {self._name}:{self._line}: a piece longer than {MAX_PIECE_BYTES} bytes, expected shorter ones"
            )
        # What waits is searched again: reading as much again keeps that from costing its square.
        some = self._file.read(max(_CHUNK_BYTES, len(self._buffer)))
        if not some:
            raise Invalid(f"read {self._name}:{self._line}: the JSON ends before it is whole")
        self._buffer += some

    def _end(self, at: int) -> None:
        rest = self._buffer[at:]
        while not rest.strip(_SPACE):
            rest = self._file.read(_CHUNK_BYTES)
            if not rest:
                return
        raise Invalid(f"read {self._name}: something follows the end of the JSON, expected nothing or JSON lines")


def _name(key: bytes) -> str:
    return str(decoded(b'"' + key + b'"') or key.decode("utf-8", "replace"))
