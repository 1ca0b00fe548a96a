"""A document for people: what it says, apart from how it is written down.

`markdown.written` and `html.written` write the same document. Everything in it is text, and escaped by both: a value
from telemetry is never markup, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, TypeAlias

Tone: TypeAlias = Literal["critical", "high", "medium", "low", "good", "plain"]


@dataclass(frozen=True, slots=True)
class Code:
    """A name, an id or a command, as it is typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """What a reader must not miss."""

    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A word that is also told by a colour."""

    word: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with both ends of its interval, from 0 to 1; None where there is nothing to take a share of."""

    share: float | None
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """Such as `4.0 % (1.1 to 13.5 %)`."""
        if self.share is None or self.low is None or self.high is None:
            return "none to take a share of"
        return f"{self.share * 100:.1f} % ({self.low * 100:.1f} to {self.high * 100:.1f} %)"


@dataclass(frozen=True, slots=True)
class Rows:
    """The command that lists the rows behind a number. Documents number them, and list them at their end."""

    command: str


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time. A file tells it in UTC; a page, in the zone of whoever reads it."""

    at: datetime
    """With its zone."""
    is_clock: bool = False
    """Whether it is told as a time of day to the millisecond, in a zone that is named elsewhere, such as by
    `Table.timed`."""
    began: datetime | None = None
    """What it belongs to began then: the date and the offset of that are not told again with a time of day."""

    def told(self, zone: tzinfo = UTC, *, has_offset: bool = True) -> str:
        """Such as `2026-11-21 10:02:03 UTC`, `2026-11-21 15:32:03 +05:30` and, as a time of day, `10:02:03.120`.

        Args:
            zone: what it is told in.
            has_offset: whether its offset stands behind it; where each has the same, their zone may stand above them.
        """
        local = self.at.astimezone(zone)
        date = f"{local:%Y-%m-%d}"
        if not self.is_clock:
            return f"{date} {local:%H:%M:%S}" + (f" {_offset(local)}" if has_offset else "")
        began = None if self.began is None else self.began.astimezone(zone)
        told = [f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"]
        if began is None or began.date() != local.date():
            told.insert(0, date)
        if began is not None and began.utcoffset() != local.utcoffset():
            told.append(_offset(local))
        return " ".join(told)

    @property
    def text(self) -> str:
        """As a file tells it."""
        return self.told()


def _offset(at: datetime) -> str:
    if at.tzinfo is UTC:
        return "UTC"
    minutes = round((at.utcoffset() or timedelta()).total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


Inline: TypeAlias = str | Code | Strong | Mark | Interval | Instant | Rows
Line: TypeAlias = str | Instant | tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    line: Line


@dataclass(frozen=True, slots=True)
class Points:
    """A list of lines."""

    lines: tuple[Line, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A number with its name, for the head of a document."""

    name: str
    value: Line
    note: Line = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts side by side."""

    facts: tuple[Fact, ...]
    small: bool = False
    """Whether the values are words rather than numbers."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text in lines of its own, as it was; what is too long is cut, and said to be."""

    text: str
    changed: frozenset[int] = frozenset()
    """Lines, from 0, that another text of the same thing has not."""
    sign: Literal["-", "+"] = "+"
    """Whether those lines went away or came."""


@dataclass(frozen=True, slots=True)
class Step:
    """A titled step of something, beside the others."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps side by side."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One thing with its marks, and what is told of it."""

    title: str
    marks: tuple[Mark, ...]
    blocks: tuple[Block, ...]
    tone: Tone = "plain"
    at: Instant | None = None
    """When it was, where that stands before its title."""


@dataclass(frozen=True, slots=True)
class Cards:
    """Things one by one."""

    cards: tuple[Card, ...]
    small: bool = False
    """Whether several fit beside each other."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Something on the clock."""

    lane: str
    offset_s: float
    lasted_s: float
    name: str


@dataclass(frozen=True, slots=True)
class Lanes:
    """What happened when, in lanes from top to bottom. It is drawn; a format without drawings leaves it out."""

    lanes: tuple[str, ...]
    stays: tuple[Stay, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. A column whose name ends in `:` holds numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    more: Line = ""
    """What is not in it."""
    unbroken: frozenset[str] = frozenset()
    """Columns whose cells stay on one line, where a format can say so."""
    timed: frozenset[str] = frozenset()
    """Columns of times of day: their heads name the zone, such as `at (UTC)`."""

    def head(self, column: str, zone: str = "UTC") -> str:
        """What stands above a column."""
        return f"{column.removesuffix(':')} ({zone})" if column in self.timed else column.removesuffix(":")


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of a trend."""

    name: str
    count: int
    of: int
    interval: Interval
    rows: Rows | None = None
    is_floor: bool = False
    """Whether there may have been more."""

    @property
    def text(self) -> str:
        """The count, with `≥` before it where it is a floor."""
        return f"{'≥ ' if self.is_floor else ''}{self.count:,}"


@dataclass(frozen=True, slots=True)
class Trend:
    """Counts and shares over time. Steps in which there was nothing to count have a place in drawings alone."""

    counted: str
    """What `Bar.count` counts, in the plural."""
    of: str
    """What `Bar.of` counts, in the plural."""
    bars: tuple[Bar, ...]


Block: TypeAlias = "Paragraph | Points | Facts | Table | Trend | Excerpt | Steps | Cards | Lanes"


@dataclass(frozen=True, slots=True)
class Part:
    """A titled part; the first part of a document may have no title."""

    title: str
    blocks: tuple[Block, ...]
    on_new_page: bool = False
    """Whether it begins a page where it is printed."""


@dataclass(frozen=True, slots=True)
class Document:
    """Something to read, to send and to print."""

    title: str
    parts: tuple[Part, ...]
    lead: Line = ""
    """One line below the title."""
    commands: tuple[str, ...] = field(init=False, compare=False)
    """The commands of all `Rows`, each once, in order: `Rows` number n is the n-th."""

    def __post_init__(self) -> None:
        """Number the commands."""
        found = dict.fromkeys(each.command for each in _rows(self))
        object.__setattr__(self, "commands", tuple(found))

    def number(self, rows: Rows) -> int:
        """The number of a command, from 1."""
        return self.commands.index(rows.command) + 1


def inlines(line: Line) -> tuple[Inline, ...]:
    """The pieces of a line."""
    return line if isinstance(line, tuple) else (line,)


def line_text(line: Line) -> str:
    """A line as text alone, as it is: without marks, and without the numbers of `Rows`."""
    return "".join(piece if isinstance(piece, str) else getattr(piece, "text", "") for piece in inlines(line))


def _rows(document: Document) -> Iterator[Rows]:
    for line in _lines(document):
        yield from (piece for piece in inlines(line) if isinstance(piece, Rows))


def _lines(document: Document) -> Iterator[Line]:
    yield document.lead
    for part in document.parts:
        yield from _lines_of(part.blocks)


def _lines_of(blocks: tuple[Block, ...]) -> Iterator[Line]:
    for block in blocks:
        match block:
            case Paragraph(line):
                yield line
            case Points(lines):
                yield from lines
            case Facts(facts):
                for fact in facts:
                    yield from (fact.value, fact.note)
            case Table(_, rows, more):
                yield from (cell for row in rows for cell in row)
                yield more
            case Trend(_, _, bars):
                yield from ((bar.rows,) for bar in bars if bar.rows is not None)
            case Steps(steps):
                for step in steps:
                    yield from _lines_of(step.blocks)
            case Cards(cards):
                for card in cards:
                    yield from _lines_of(card.blocks)


def moment(time_ns: int | None) -> str:
    """A point in time, to the minute, in UTC."""
    if time_ns is None or time_ns <= 0:
        return "unknown"
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M")
