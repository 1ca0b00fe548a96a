"""Documents as HTML: one file that holds all it needs, runs nothing and asks for nothing, and prints well.

Every text is escaped, and the page's own policy forbids scripts, forms, frames and requests: what a hostile agent wrote
stays text, and whoever opens the file tells nobody.
"""

from __future__ import annotations

from functools import partial
from html import escape
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
    Part,
    Points,
    Rows,
    Steps,
    Strong,
    Table,
    Trend,
    inlines,
    line_text,
)
from aftertrace.analyzer.documents.lanes import lanes_drawn
from aftertrace.analyzer.documents.sheet import SHEET
from aftertrace.analyzer.documents.trend import interval_drawn, trend_drawn
from aftertrace.analyzer.documents.visible import EXCERPT_CHARACTERS, edges, visible, visible_lines

LINE_CHARACTERS: Final = 1_000
"""Longer texts are cut."""
SHORT_CHARACTERS: Final = 22
"""Cells of tables with no more than this are not broken over lines."""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def text(value: Any, characters: int = LINE_CHARACTERS) -> str:
    """A value as text of an element or of a quoted attribute: escaped, cut, with what cannot be seen written out."""
    return escape(visible(value, characters), quote=True)


def page(title: str, body: str) -> str:
    """A whole file.

    Args:
        title: what the window is called; escaped here.
        body: HTML whose texts are escaped.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{SHEET}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n"
        "</html>\n"
    )


def written(document: Document) -> str:
    """The document as one HTML file; the commands behind its numbers come at its end, and each number links there."""
    parts = [f"<h1>{text(document.title)}</h1>"]
    if document.lead:
        parts.append(f'<p class="lead">{_line(document, document.lead)}</p>')
    parts += [_part(document, part) for part in document.parts]
    if document.commands:
        listed = "\n".join(
            f'<li id="rows-{number}"><code>{text(command)}</code></li>'
            for number, command in enumerate(document.commands, 1)
        )
        parts.append(
            f'<section>\n<h2>Where the numbers come from</h2>\n<ol class="commands">\n{listed}\n</ol>\n</section>'
        )
    return page(document.title, "\n".join(parts))


def _part(document: Document, part: Part) -> str:
    head = f"<h2>{text(part.title)}</h2>\n" if part.title else ""
    kind = ' class="new-page"' if part.on_new_page else ""
    return f"<section{kind}>\n{head}" + "\n".join(_block(document, block) for block in part.blocks) + "\n</section>"


def _block(document: Document, block: Block) -> str:
    match block:
        case Paragraph(line):
            return f"<p>{_line(document, line)}</p>"
        case Points(lines, ordered):
            kind = "ol" if ordered else "ul"
            return f"<{kind}>\n" + "\n".join(f"<li>{_line(document, line)}</li>" for line in lines) + f"\n</{kind}>"
        case Facts(facts, small):
            told = [
                f'<div><dt>{text(fact.name)}</dt><dd class="value">{_line(document, fact.value)}</dd>'
                + (f'<dd class="note">{_line(document, fact.note)}</dd>' if fact.note else "")
                + "</div>"
                for fact in facts
            ]
            return f'<dl class="facts{" small" if small else ""}">\n' + "\n".join(told) + "\n</dl>"
        case Table():
            return _table(document, block)
        case Trend():
            return trend_drawn(block, lambda rows: _inline(document, rows), text)
        case Excerpt():
            return _excerpt(block)
        case Steps(steps):
            told = [
                f'<div><p class="label">{text(step.title)}</p>{_blocks(document, step.blocks)}</div>' for step in steps
            ]
            return '<div class="steps">' + "".join(told) + "</div>"
        case Cards(cards, small):
            told = [_card(document, card) for card in cards]
            return f'<div class="cards{" small" if small else ""}">\n' + "\n".join(told) + "\n</div>"
        case Lanes():
            return lanes_drawn(block, text)
        case _:
            assert_never(block)


def _blocks(document: Document, blocks: tuple[Block, ...]) -> str:
    return "".join(_block(document, block) for block in blocks)


def _card(document: Document, card: Card) -> str:
    marks = " ".join(_inline(document, mark) for mark in card.marks)
    when = f"{text(card.at.text)} · " if card.at is not None else ""
    return (
        f'<article class="card {card.tone}">\n<header><h3>{when}{text(card.title)}</h3><div>{marks}</div></header>\n'
        f"{_blocks(document, card.blocks)}</article>"
    )


def _excerpt(excerpt: Excerpt) -> str:
    mark = "ins" if excerpt.sign == "+" else "del"
    lines = [escape(line, quote=True) for line in visible_lines(excerpt.text, EXCERPT_CHARACTERS)]
    shown = [f"<{mark}>{line}</{mark}>" if at in excerpt.changed else line for at, line in enumerate(lines)]
    cut = len(excerpt.text) - EXCERPT_CHARACTERS
    more = f'<p class="more">… {cut:,} more characters</p>' if cut > 0 else ""
    return "<pre>" + "\n".join(shown) + f"</pre>{more}"


def _table(document: Document, table: Table) -> str:
    kinds = [_kind(table, name) for name in table.columns]
    head = "".join(
        f'<th scope="col"{kind}>{text(table.head(name))}</th>' for name, kind in zip(table.columns, kinds, strict=True)
    )
    body = "\n".join(
        "<tr>" + "".join(map(partial(_cell, document, table), row, table.columns)) + "</tr>" for row in table.rows
    )
    more = f'\n<p class="more">{_line(document, table.more)}</p>' if table.more else ""
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>{more}'
    )


def _kind(table: Table, column: str, *, is_short: bool = False) -> str:
    unbroken = "unbroken" if is_short or column in table.unbroken else ""
    kinds = ("number" if column.endswith(":") else "", unbroken)
    return f' class="{told}"' if (told := " ".join(filter(None, kinds))) else ""


def _cell(document: Document, table: Table, cell: Line, column: str) -> str:
    """What is short stays on one line, so that what is long has the room."""
    is_drawn = any(isinstance(piece, Interval) for piece in inlines(cell))
    is_short = len(line_text(cell)) <= SHORT_CHARACTERS and not is_drawn
    return f"<td{_kind(table, column, is_short=is_short)}>{_line(document, cell)}</td>"


def _line(document: Document, line: Line) -> str:
    return "".join(_inline(document, piece) for piece in inlines(line))


def _inline(document: Document, piece: Inline) -> str:
    match piece:
        case str():
            before, after = edges(piece)
            return before + text(piece) + after
        case Code(shown):
            return f"<code>{text(shown)}</code>"
        case Strong(shown):
            before, after = edges(shown)
            return f"{before}<strong>{text(shown)}</strong>{after}"
        case Mark(word, tone):
            return f'<span class="mark {tone}">{text(word)}</span>'
        case Interval():
            return f'<span class="interval">{interval_drawn(piece)}<span>{text(piece.text)}</span></span>'
        case Instant():
            return text(piece.text)
        case Rows():
            number = document.number(piece)
            return f'<a class="rows" href="#rows-{number}" title="{text(piece.command)}">[{number}]</a>'
        case _:
            assert_never(piece)
