"""Blocks of the analyzer's documents as data for `drawings`: a page says in the same words what is printed.

Nothing here is markup. Every text is made plain, and the browser puts it where text is text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final, TypeAlias

from aftertrace.analyzer.documents.document import (
    Block,
    Card,
    Cards,
    Code,
    Excerpt,
    Facts,
    Inline,
    Instant,
    Interval,
    Line,
    Mark,
    Paragraph,
    Points,
    Rows,
    Steps,
    Strong,
    Table,
    inlines,
)
from aftertrace.analyzer.documents.visible import EXCERPT_CHARACTERS
from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.zones import Zone, chosen

Drawn: TypeAlias = dict[str, Any]
"""A block as JSON has it."""

_MOST_CHARACTERS: Final = 1_000
"""Longer texts within a line are cut."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Whom it is told to."""

    addresses: Mapping[str, str]
    zone: Zone


def drawn(blocks: Iterable[Block], addresses: Mapping[str, str] | None = None, zone: Zone | None = None) -> list[Drawn]:
    """Blocks in their order; drawings within a document, such as `Lanes`, have drawings of their own on a page.

    Args:
        blocks: what a document says.
        addresses: where a piece of code leads to, by its text: addresses of this dashboard alone.
        zone: what times are told in; that of the page by itself.
    """
    return _blocks(blocks, _Reader(addresses or {}, zone or chosen()))


def instant(at: Instant, zone: Zone, *, has_offset: bool = True) -> Drawn:
    """A point in time as a piece of a line: in a zone, in UTC for a machine, and in UTC for whoever hovers."""
    hint = zone.hint(at)
    exact = f"{at.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    return {"text": zone.told(at, has_offset=has_offset), "at": exact, **({"hint": hint} if hint is not None else {})}


def line(told: Line, zone: Zone | None = None) -> list[Drawn]:
    """A line of a document, as `drawLine` draws it."""
    return _line(told, _Reader({}, zone or chosen()))


def _blocks(blocks: Iterable[Block], reader: _Reader) -> list[Drawn]:
    return [told for told in (_block(block, reader) for block in blocks) if told is not None]


def _block(block: Block, reader: _Reader) -> Drawn | None:
    match block:
        case Paragraph(line):
            return {"is": "paragraph", "line": _line(line, reader)}
        case Points(lines):
            return {"is": "points", "lines": [_line(line, reader) for line in lines]}
        case Facts(facts):
            told = [{"name": fact.name, "value": _line(fact.value, reader)} for fact in facts]
            return {"is": "facts", "facts": told}
        case Table(columns, rows, more, unbroken):
            return {
                "is": "table",
                "columns": [
                    {
                        "name": block.head(name, reader.zone.place),
                        "number": name.endswith(":"),
                        "unbroken": name in unbroken,
                    }
                    for name in columns
                ],
                "rows": [[_line(cell, reader) for cell in row] for row in rows],
                "more": _line(more, reader),
            }
        case Excerpt(text, changed, sign):
            cut = len(text) - EXCERPT_CHARACTERS
            return {
                "is": "excerpt",
                "lines": plain_lines(text[:EXCERPT_CHARACTERS].replace("\r\n", "\n").expandtabs(4)).split("\n"),
                "changed": sorted(changed),
                "sign": sign,
                "more": f"… {cut:,} more characters" if cut > 0 else "",
            }
        case Steps(steps):
            told = [{"title": step.title, "blocks": _blocks(step.blocks, reader)} for step in steps]
            return {"is": "steps", "steps": told}
        case Cards(cards, small):
            return {"is": "cards", "cards": [_card(card, reader) for card in cards], "small": small}
        case _:
            return None


def _card(card: Card, reader: _Reader) -> Drawn:
    return {
        "title": plain(card.title, most=_MOST_CHARACTERS),
        "at": None if card.at is None else instant(card.at, reader.zone),
        "marks": [{"word": plain(mark.word), "tone": mark.tone} for mark in card.marks],
        "blocks": _blocks(card.blocks, reader),
        "tone": card.tone,
    }


def _line(line: Line, reader: _Reader) -> list[Drawn]:
    return [_piece(piece, reader) for piece in inlines(line) if piece != ""]


def _piece(piece: Inline, reader: _Reader) -> Drawn:
    match piece:
        case str():
            return {"text": plain(piece, most=_MOST_CHARACTERS)}
        case Strong(text):
            return {"text": plain(text, most=_MOST_CHARACTERS), "strong": True}
        case Code(text):
            told = {"text": plain(text, most=_MOST_CHARACTERS), "code": True}
            return {**told, "to": reader.addresses[text]} if text in reader.addresses else told
        case Mark(word, tone):
            return {"text": plain(word), "tone": tone}
        case Instant():
            return instant(piece, reader.zone)
        case Interval():
            return {"text": piece.text}
        case Rows(command):
            return {"text": plain(command, most=_MOST_CHARACTERS), "code": True}
