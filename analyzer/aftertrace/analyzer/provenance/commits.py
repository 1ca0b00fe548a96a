"""A commit as git stores it (gitformat-commit: headers, an empty line, the message), read as an action."""

from __future__ import annotations

import re
from typing import Final

from aftertrace.analyzer.provenance.actions import Action, title_of
from aftertrace.semconv.propagate import named_conversations, named_runs

_PERSON: Final = re.compile(r"(?P<who>.*?) (?P<seconds>-?\d{1,18}) [+-]\d{4}")
_CO_AUTHOR: Final = re.compile(r"co-authored-by:[ \t]*(?P<who>[^\n]{1,300})", re.IGNORECASE)
_ENCODING: Final = re.compile(
    r"utf-?8|(?:iso[-_]?8859|latin)[-_]?\d{1,2}|(?:windows-|cp)125\d|koi8[-_][ru]"
    r"|euc[-_]?(?:jp|kr|cn)|s(?:hift)?[-_]?jis|gb18030|gbk|gb2312|big5",
    re.IGNORECASE,
)
"""Encodings that are read. Writers choose the header, and Python's punycode takes time by the square of the length."""
_PERSON_CHARACTERS: Final = 300
"""Longer names are cut."""
_CO_AUTHORS: Final = 20
"""More co-authors than these are not looked at."""


def commit(digits: str, stored: bytes) -> Action:
    """The commit with these digits.

    Args:
        digits: its id, in hexadecimal.
        stored: what git stores of it, or as much as is to be looked at.
    """
    head, _, body = stored.partition(b"\n\n")
    headers = _headers(head)
    message = _decoded(body, headers.get("encoding"))
    author, _ = _person(_decoded(headers.get("author", b""), headers.get("encoding")))
    committer, at_ns = _person(_decoded(headers.get("committer", b""), headers.get("encoding")))
    return Action(
        system="git",
        kind="commit",
        id=digits,
        at_ns=at_ns,
        title=title_of(message),
        people=tuple(dict.fromkeys(who for who in (author, committer, *co_authors(message)) if who)),
        text=message,
        run_ids=named_runs(message),
        conversations=named_conversations(message),
    )


def co_authors(message: str) -> list[str]:
    """Who a message says wrote it together: `Name <address>`."""
    found = (_CO_AUTHOR.fullmatch(line.strip()) for line in message.replace("\r", "\n").split("\n"))
    return [match["who"].strip() for match in found if match][:_CO_AUTHORS]


def _headers(head: bytes) -> dict[str, bytes]:
    """The first header of each name; lines that begin with a space go on with the one above."""
    told: dict[str, bytes] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        if name:
            told.setdefault(name.decode("ascii", "replace"), value)
    return told


def _decoded(text: bytes, encoding: bytes | None) -> str:
    """In the encoding that the commit names, if it is one of those that are read; else UTF-8."""
    name = (encoding or b"").decode("ascii", "replace")
    try:
        return text.decode(name if _ENCODING.fullmatch(name) else "utf-8", "replace")
    except LookupError:  # One of a family that has no such number.
        return text.decode("utf-8", "replace")


def _person(line: str) -> tuple[str | None, int | None]:
    """Who, and when: `Name <address> 1790000000 +0200`."""
    found = _PERSON.fullmatch(line)
    if found is None:
        return line.strip()[:_PERSON_CHARACTERS] or None, None
    time_ns = int(found["seconds"]) * 10**9
    return found["who"].strip()[:_PERSON_CHARACTERS] or None, time_ns if abs(time_ns) < 2**63 else None
