"""Small pieces of sentences in documents: counts with their nouns, names, and what stands where a name is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aftertrace.analyzer.documents.document import Code, Inline, Mark, Rows
from aftertrace.analyzer.documents.severity import SEVERITIES

NAMED: Final = 5
"""How many names a sentence lists."""


def count(number: int, noun: str, nouns: str | None = None) -> str:
    """Such as `1 run` and `1,200 runs`; `nouns` where an s does not make the plural."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def at_least(number: int, *, is_floor: bool) -> str:
    """A count, with `≥` before it where it is a floor."""
    return f"≥ {number:,}" if is_floor else f"{number:,}"


def name_of(name: str | None, missing: str) -> tuple[Inline, ...]:
    """A name from telemetry, or what stands in its place."""
    return (Code(name),) if name else (missing,)


def names(listed: Sequence[str]) -> tuple[Inline, ...]:
    """Names in a row; of many, the first ones."""
    pieces: list[Inline] = []
    for at, name in enumerate(listed[:NAMED]):
        pieces += [", ", Code(name)] if at else [Code(name)]
    return (*pieces, f" and {len(listed) - NAMED:,} more") if len(listed) > NAMED else tuple(pieces)


def linked(rows: Rows | None) -> tuple[Inline, ...]:
    """The rows behind a number, where a command can list them."""
    return () if rows is None else (rows,)


def severity(level: int) -> Mark:
    """A severity as a mark."""
    word = SEVERITIES[level]
    return Mark(word, word)
