"""Blocks of the analyzer's documents as data for `drawings`: a page says in the same words what is printed.

Nothing here is markup. Every text is made plain, and the browser puts it where text is text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from aftertrace.analyzer.documents.document import (
    Block,
    Cards,
    Code,
    Excerpt,
    Facts,
    Inline,
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

Drawn: TypeAlias = dict[str, Any]
"""A block as JSON has it."""

_MOST_CHARACTERS: Final = 1_000
"""Longer texts within a line are cut."""


def drawn(blocks: Iterable[Block], addresses: Mapping[str, str] | None = None) -> list[Drawn]:
    """Blocks in their order; drawings within a document, such as `Lanes`, have drawings of their own on a page.

    Args:
        blocks: what a document says.
        addresses: where a piece of code leads to, by its text: addresses of this dashboard alone.
    """
    return [told for told in (_block(block, addresses or {}) for block in blocks) if told is not None]


def _block(block: Block, addresses: Mapping[str, str]) -> Drawn | None:
    match block:
        case Paragraph(line):
            return {"is": "paragraph", "line": _line(line, addresses)}
        case Points(lines):
            return {"is": "points", "lines": [_line(line, addresses) for line in lines]}
        case Facts(facts):
            told = [{"name": fact.name, "value": _line(fact.value, addresses)} for fact in facts]
            return {"is": "facts", "facts": told}
        case Table(columns, rows, more, unbroken):
            return {
                "is": "table",
                "columns": [
                    {"name": name.removesuffix(":"), "number": name.endswith(":"), "unbroken": name in unbroken}
                    for name in columns
                ],
                "rows": [[_line(cell, addresses) for cell in row] for row in rows],
                "more": _line(more, addresses),
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
            told = [{"title": step.title, "blocks": drawn(step.blocks, addresses)} for step in steps]
            return {"is": "steps", "steps": told}
        case Cards(cards, small):
            told = [
                {
                    "title": plain(card.title, most=_MOST_CHARACTERS),
                    "marks": [{"word": plain(mark.word), "tone": mark.tone} for mark in card.marks],
                    "blocks": drawn(card.blocks, addresses),
                    "tone": card.tone,
                }
                for card in cards
            ]
            return {"is": "cards", "cards": told, "small": small}
        case _:
            return None


def _line(line: Line, addresses: Mapping[str, str]) -> list[Drawn]:
    return [_piece(piece, addresses) for piece in inlines(line) if piece != ""]


def _piece(piece: Inline, addresses: Mapping[str, str]) -> Drawn:
    match piece:
        case str():
            return {"text": plain(piece, most=_MOST_CHARACTERS)}
        case Strong(text):
            return {"text": plain(text, most=_MOST_CHARACTERS), "strong": True}
        case Code(text):
            told = {"text": plain(text, most=_MOST_CHARACTERS), "code": True}
            return {**told, "to": addresses[text]} if text in addresses else told
        case Mark(word, tone):
            return {"text": plain(word), "tone": tone}
        case Interval():
            return {"text": piece.text}
        case Rows(command):
            return {"text": plain(command, most=_MOST_CHARACTERS), "code": True}
