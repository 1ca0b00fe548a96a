"""A comment: who wrote what about which run, call or incident, and as of which state of the evidence.

A comment is written in one way only: members in order of their names, no space, every member and no other. It is never
changed: a later one replaces it, or takes it back, and both stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from aftertrace.semconv.canonical import is_unicode
from aftertrace.store.errors import Corrupt, Invalid

Kind: TypeAlias = Literal["note", "label", "event", "finding", "retraction"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""`note`: a text. `label`: a name with a value. `event`: what happened in an incident, and when. `finding`: what an
inquiry found. `retraction`: takes the comment back that it replaces.
"""
TEXT_CHARACTERS: Final = 16_384
NAME_CHARACTERS: Final = 256
"""How long an author's, an incident's or a label's name may be."""
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_SIZE_AT_MOST: Final = 1 << 62
_TIME_AT_MOST_NS: Final = 1 << 63


class Subject(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a comment is about."""

    kind: Literal["run", "call", "incident"]
    id: str
    """Id of the run, key of the call, or name of the incident."""


class AsOf(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The checkpoint of the ledger as it was when a comment was written: what evidence there was to look at."""

    size: int
    root: str


class Comment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wrote."""

    time_ns: str
    """When, by the clock of this machine, in decimal."""
    author: str
    """Who, by their own account."""
    account: str
    """The account of the operating system that wrote it."""
    kind: Kind
    about: tuple[Subject, ...]
    text: str
    label: str = ""
    """Name of a label; its value is the text."""
    at_ns: str = ""
    """When an event happened, in decimal."""
    replaces: int = 0
    """Number of the comment that it replaces; 0: none."""
    as_of: AsOf | None = None


_DECODER: Final = msgspec.json.Decoder(Comment, strict=True)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def encoded(comment: Comment) -> bytes:
    """The bytes of a comment: a line without its end."""
    return _ENCODER.encode(comment)


def decoded(content: bytes) -> Comment:
    """The inverse of `encoded`.

    Raises:
        Corrupt: it is not a comment, or not written as `encoded` writes it.
    """
    try:
        comment = _DECODER.decode(content)
        is_one = encoded(comment) == content
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        is_one = False
    if not is_one or _fault(comment) is not None:
        raise Corrupt("read commentary: a line that is no comment, expected one; put commentary/ back from a backup")
    return comment


def checked(comment: Comment, before: Sequence[Comment]) -> Comment:
    """A comment that is to follow others.

    Raises:
        Invalid: something of it is missing, too long or none, or it replaces one that is not there to be replaced.
    """
    fault = _fault(comment)
    if fault is None and comment.replaces:
        fault = _replacing(comment.replaces, before)
    if fault is not None:
        raise Invalid(f"add comment: {fault}")
    return comment


def replaced(comments: Sequence[Comment]) -> dict[int, int]:
    """By number of a comment that was replaced or taken back, the number of the one that did it. Numbers begin at 1."""
    return {comment.replaces: number for number, comment in enumerate(comments, 1) if comment.replaces}


def _replacing(number: int, before: Sequence[Comment]) -> str | None:
    if number > len(before):
        return f"it replaces comment {number}, expected one of the {len(before)} that there are"
    later = replaced(before).get(number)
    if later is not None:
        return f"comment {number} was replaced by {later}; replace that one"
    if before[number - 1].kind == "retraction":
        return f"comment {number} took another one back, expected one that says something"
    return None


def _fault(comment: Comment) -> str | None:
    """What is wrong with it by itself."""
    if not all(is_unicode(text) for text in (comment.text, comment.author, *(each.id for each in comment.about))):
        return "bytes that are no text, expected UTF-8"
    named = [comment.author, comment.account, *(subject.id for subject in comment.about)]
    if not comment.about:
        return "it is about nothing, expected a run, a call or an incident"
    if any(not name.strip() or len(name) > NAME_CHARACTERS for name in named):
        return f"a name that is empty or longer than {NAME_CHARACTERS} characters, expected one of a person or thing"
    if len(comment.text) > TEXT_CHARACTERS:
        return f"{len(comment.text)} characters, expected {TEXT_CHARACTERS} at most; refer to where the whole text is"
    if not comment.text.strip():
        return "an empty text, expected one"
    if (comment.kind == "label") != bool(comment.label) or (comment.label and not _LABEL.fullmatch(comment.label)):
        return f"the label {comment.label!r}, expected a name of {_LABEL.pattern} for a label, and none for others"
    if (comment.kind == "event") != bool(comment.at_ns):
        return "an event without its time, or a time without an event"
    if comment.kind == "retraction" and not comment.replaces:
        return "a retraction of nothing, expected the number of a comment"
    numbers = (comment.time_ns, comment.at_ns or "0")
    as_of = comment.as_of.size if comment.as_of is not None else 0
    is_time = all(_NUMBER.fullmatch(number) and int(number) < _TIME_AT_MOST_NS for number in numbers)
    if not is_time or not 0 <= as_of < _SIZE_AT_MOST:
        return "a time or size that is no number, expected one"
    return None if 0 <= comment.replaces < _SIZE_AT_MOST else "it replaces no number, expected one"
