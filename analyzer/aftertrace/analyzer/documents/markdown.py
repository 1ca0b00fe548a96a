"""Documents as Markdown. Everything in them is escaped, so that a value from telemetry is never markup."""

from __future__ import annotations

import re
from typing import Any, Final, assert_never

from aftertrace.analyzer.documents.document import (
    Block,
    Card,
    Cards,
    Code,
    Document,
    Excerpt,
    Facts,
    Inline,
    Instant,
    Interval,
    Lanes,
    Line,
    Mark,
    Paragraph,
    Points,
    Rows,
    Step,
    Steps,
    Strong,
    Table,
    Trend,
    inlines,
)
from aftertrace.analyzer.documents.visible import CELL_CHARACTERS, EXCERPT_CHARACTERS, edges, visible, visible_lines

LINE_CHARACTERS: Final = 1_000
"""Longer pieces of a line are cut."""
_MARKUP: Final = re.compile(r"([\\`*_\[\]|<>~&$])")
_SIGN_AT_START: Final = re.compile(r"^(?=#|[-+](?:[- ]|$))")
_NUMBER_AT_START: Final = re.compile(r"^\d+(?=[.)](?: |$))")
_ADDRESS: Final = re.compile(r"(?i)\b(https?|ftp|www|mailto)(?=[:.])")
_AT: Final = re.compile(r"(?<=\w)@(?=\w)")
_TICKS: Final = re.compile(r"`+")


def plain(value: Any, characters: int = CELL_CHARACTERS) -> str:
    """A value as text that Markdown shows as it is: one line, cut, no markup, and no link of an address."""
    text = _MARKUP.sub(r"\\\1", visible(value, characters))
    text = _AT.sub(r"\\@", _ADDRESS.sub(r"\1\\", text))
    return _NUMBER_AT_START.sub(r"\g<0>\\", _SIGN_AT_START.sub(r"\\", text))


def code(text: str) -> str:
    """Text as it is typed, within as many backticks as it needs; in a table, a bar in it is escaped."""
    shown = visible(text, LINE_CHARACTERS).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in _TICKS.findall(shown)), default=0) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}" if shown else ""


def written(document: Document) -> str:
    """The document as Markdown; the commands behind its numbers come at its end."""
    parts = [f"# {plain(document.title)}"]
    if document.lead:
        parts.append(_line(document, document.lead))
    for part in document.parts:
        if part.title:
            parts.append(f"## {plain(part.title)}")
        parts += [_block(document, block) for block in part.blocks]
    if document.commands:
        listed = [f"{number}. {code(command)}" for number, command in enumerate(document.commands, 1)]
        parts += ["## Where the numbers come from", "\n".join(listed)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(document: Document, block: Block) -> str:
    match block:
        case Paragraph(line):
            return _line(document, line)
        case Points(lines, ordered):
            return "\n".join(
                f"{f'{at}.' if ordered else '-'} {_line(document, line)}" for at, line in enumerate(lines, 1)
            )
        case Facts(facts):
            told = []
            for fact in facts:
                note = f" · {_line(document, fact.note)}" if fact.note else ""
                told.append(f"- {plain(fact.name)}: {_line(document, fact.value)}{note}")
            return "\n".join(told)
        case Table(columns, rows, more):
            names = [block.head(name) + (":" if name.endswith(":") else "") for name in columns]
            cells = [" | ".join(_line(document, cell) for cell in row) for row in rows]
            return table(" | ".join(names), cells) + (f"\n\n{_line(document, more)}" if more else "")
        case Trend(counted, of, bars):
            rows_of = [
                f"{plain(bar.name)} | {bar.text} | {bar.of:,} | {bar.interval.text} | "
                + (_inline(document, bar.rows) if bar.rows else "")
                for bar in bars
                if bar.of
            ]
            return table(f" | {plain(counted)}: | {plain(of)}: | rate, 95 % interval | rows", rows_of)
        case Excerpt():
            return _excerpt(block)
        case Steps(steps):
            return "\n\n".join(text for step in steps for text in _step(document, step) if text)
        case Cards(cards):
            return "\n\n".join(_card(document, card) for card in cards)
        case Lanes():
            return ""
        case _:
            assert_never(block)


def _step(document: Document, step: Step) -> list[str]:
    return [f"**{plain(step.title)}**", *(_block(document, each) for each in step.blocks)]


def _card(document: Document, card: Card) -> str:
    marks = ", ".join(plain(mark.word) for mark in card.marks)
    when = f"{card.at.text} · " if card.at is not None else ""
    title = f"### {when}{plain(card.title)}" + (f" ({marks})" if marks else "")
    return "\n\n".join(text for text in (title, *(_block(document, each) for each in card.blocks)) if text)


def _excerpt(excerpt: Excerpt) -> str:
    """A fenced block; of changed lines as a difference is written."""
    lines = visible_lines(excerpt.text, EXCERPT_CHARACTERS)
    fence = "`" * max(3, *(len(run) + 1 for line in lines for run in _TICKS.findall(line)), 3)
    if excerpt.changed:
        lines = [f"{excerpt.sign if at in excerpt.changed else ' '} {line}" for at, line in enumerate(lines)]
    cut = len(excerpt.text) - EXCERPT_CHARACTERS
    more = f"\n\n… {cut:,} more characters" if cut > 0 else ""
    return "\n".join((f"{fence}{'diff' if excerpt.changed else 'text'}", *lines, fence)) + more


def _line(document: Document, line: Line) -> str:
    return "".join(_inline(document, piece) for piece in inlines(line))


def _inline(document: Document, piece: Inline) -> str:
    match piece:
        case str():
            before, after = edges(piece)
            return before + plain(piece, LINE_CHARACTERS) + after
        case Code(text):
            return code(text)
        case Strong(text):
            before, after = edges(text)
            return f"{before}**{plain(text, LINE_CHARACTERS)}**{after}"
        case Mark(word):
            return plain(word)
        case Interval():
            return piece.text
        case Instant():
            return piece.text
        case Rows():
            return f"\\[{document.number(piece)}\\]"
        case _:
            assert_never(piece)


def table(head: str, rows: list[str]) -> str:
    """A table of rows whose cells are escaped. In `head`, a column that ends in `:` is aligned to the right."""
    columns = [column.strip() for column in head.split("|")]
    ruler = "".join("--:|" if column.endswith(":") else "---|" for column in columns)
    names = " | ".join(column.rstrip(":") for column in columns)
    return "\n".join([f"| {names} |", f"|{ruler}", *(f"| {row} |" for row in rows)])
