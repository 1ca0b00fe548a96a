"""How a text is looked for: the same pull request, ticket or commit is written in several ways.

A number is not found within a longer one: `1042` is not in `10420`. A commit is found by its beginning, at least seven
digits of it, whichever side gives less. A pull request or issue is found by its address and by `owner/name#12`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from aftertrace.store.errors import Invalid

LEAST_CHARACTERS: Final = 3
_COMMIT_CHARACTERS: Final = 7
_COMMIT: Final = re.compile(r"(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}")
"""Digits alone are a number, and letters alone a word."""
_REFERENCE: Final = re.compile(
    r"(?:https?://[^/\s]+/)?(?P<project>[\w.-]+(?:/[\w.-]+)+?)"
    r"(?:/(?:-/)?(?:pull|pulls|issues|merge_requests)/|[#!])(?P<number>\d+)(?:[/?#]\S*)?"
)
_AROUND: Final = 18
"""Characters of a snippet before what was found."""
_SNIPPET: Final = 60


@dataclass(frozen=True, slots=True)
class Sought:
    """A text that is looked for."""

    literals: tuple[str, ...]
    """Any of these stands in whatever it is found in, in any case."""
    pattern: re.Pattern[str]
    """What counts as found."""

    def snippet(self, text: str) -> str | None:
        """Where the text is found, with what stands around it; None where it is not."""
        found = self.pattern.search(text)
        if found is None:
            return None
        begin = max(0, found.start() - _AROUND)
        cut = text[begin : begin + _SNIPPET]
        return ("…" if begin else "") + cut + ("…" if begin + _SNIPPET < len(text) else "")


def sought(text: str) -> Sought:
    """How a text is looked for.

    Raises:
        Invalid: it is too short to lead anywhere.
    """
    # Arguments of a command may hold bytes that are no text; no table holds those.
    text = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    if len(text) < LEAST_CHARACTERS:
        raise Invalid(f"find {text!r}: {len(text)} characters, expected at least {LEAST_CHARACTERS}; give more of it")
    if _COMMIT.fullmatch(text.lower()):
        return _commit(text.lower())
    if (reference := _REFERENCE.fullmatch(text)) is not None:
        return _reference(reference["project"], reference["number"])
    spaced = r"\s+".join(re.escape(word) for word in text.split(" "))
    longest = max(text.split(" "), key=len)
    return Sought((longest,), re.compile(_bounded(text, spaced), re.IGNORECASE))


def _commit(digits: str) -> Sought:
    """A commit, or a digest: any beginning of it that is long enough, and whatever begins with all of it."""
    least, rest = digits[:_COMMIT_CHARACTERS], digits[_COMMIT_CHARACTERS:]
    tail = ""
    for digit in reversed(rest):
        tail = f"(?:{digit}{tail})?"
    # No digit may follow but after all of it: another commit may begin with the same seven.
    pattern = rf"(?<![0-9a-z]){least}{tail}(?![0-9a-f])|(?<![0-9a-z]){digits}"
    return Sought((least,), re.compile(pattern, re.IGNORECASE))


def _reference(project: str, number: str) -> Sought:
    """A pull request or an issue of a project, as an address or in short."""
    parts = project.split("/")
    # An address without its scheme begins with a host, which the short form has not.
    short = "/".join(parts[1:]) if len(parts) > 2 and "." in parts[0] else project
    way = r"(?:/(?:-/)?(?:pull|pulls|issues|merge_requests)/|[#!])"
    pattern = rf"(?<![\w.-]){re.escape(short)}{way}{number}(?!\d)"
    return Sought((short,), re.compile(pattern, re.IGNORECASE))


def _bounded(text: str, pattern: str) -> str:
    before = r"(?<!\d)" if text[0].isdigit() else ""
    after = r"(?!\d)" if text[-1].isdigit() else ""
    return before + pattern + after
