"""A terminal's screen as text: what a person would read now, after all that a program wrote. Pure: text in, text out.

Enough of a terminal for programs that redraw only what changed: the cursor, erasing, scrolling and its regions.
Colours and modes are passed over, and one screen serves for the main and the alternate one.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ROWS: Final = 50
COLUMNS: Final = 160
_ESCAPE: Final = re.compile(
    r"\x1b(?:\[(?P<given>[0-9;?<>=!:]*)[ -/]*(?P<command>[@-~])"
    r"|[\]PX^_](?:[^\x07\x1b]|\x1b(?!\\))*(?:\x07|\x1b\\)|[()*+#%][0-9A-Za-z]|(?P<single>[0-9=>A-Zcn-o|}~]))"
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-9;?<>=!: -/]*|[\]PX^_](?:[^\x07\x1b]|\x1b(?!\\))*\x1b?|[()*+#%])?\Z")
_BLANK: Final = " "
_TAB: Final = 8


class Screen:
    """Lines of cells, and where the next character goes."""

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        self._rows, self._columns = rows, columns
        self._lines = [self._line() for _ in range(rows)]
        self._row = self._column = 0
        self._top, self._bottom = 0, rows - 1
        self._saved = (0, 0)
        self._pending = ""

    @property
    def text(self) -> str:
        """What is on it, line by line, without the blanks at the ends."""
        return "\n".join("".join(line).rstrip() for line in self._lines).rstrip()

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 1, as terminals report it."""
        return self._row + 1, min(self._column, self._columns - 1) + 1

    def shows(self, *texts: str) -> bool:
        """Whether all of these are on it, however they are wrapped or spaced."""
        here = "".join(self.text.split())
        return all("".join(text.split()) in here for text in texts)

    def write(self, text: str) -> list[str]:
        """Draw what a program writes; the sequences among it that ask the terminal something, as `6n` and `c`."""
        text, self._pending = self._pending + text, ""
        if unfinished := _UNFINISHED.search(text):
            text, self._pending = text[: unfinished.start()], unfinished[0]
        asked: list[str] = []
        position = 0
        for escape in _ESCAPE.finditer(text):
            self._draw(text[position : escape.start()])
            position = escape.end()
            if escape["command"]:
                asked += self._control(escape["given"], escape["command"])
            elif escape["single"]:
                self._single(escape["single"])
        self._draw(text[position:])
        return asked

    def _draw(self, text: str) -> None:
        for character in text:
            if character == "\n":
                self._down()
            elif character == "\r":
                self._column = 0
            elif character == "\b":
                self._column = max(self._column - 1, 0)
            elif character == "\t":
                self._column = min((self._column // _TAB + 1) * _TAB, self._columns - 1)
            elif character >= _BLANK and not unicodedata.combining(character):
                self._put(character)

    def _put(self, character: str) -> None:
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._column + width > self._columns:
            self._column = 0
            self._down()
        self._lines[self._row][self._column : self._column + width] = [character, *[""] * (width - 1)]
        self._column += width

    def _down(self) -> None:
        if self._row == self._bottom:
            self._scroll(self._top, 1)
        else:
            self._row = min(self._row + 1, self._rows - 1)

    def _up(self) -> None:
        if self._row == self._top:
            self._scroll(self._top, -1)
        else:
            self._row = max(self._row - 1, 0)

    def _scroll(self, top: int, count: int) -> None:
        """Move the region from a row on up by so many lines, or down where `count` is negative."""
        inside = self._lines[top : self._bottom + 1]
        blank = [self._line() for _ in range(min(abs(count), len(inside)))]
        self._lines[top : self._bottom + 1] = (
            inside[len(blank) :] + blank if count > 0 else blank + inside[: len(inside) - len(blank)]
        )

    def _single(self, letter: str) -> None:
        match letter:
            case "7":
                self._saved = (self._row, self._column)
            case "8":
                self._row, self._column = self._saved
            case "M":
                self._up()
            case "D":
                self._down()
            case "E":
                self._column = 0
                self._down()

    def _control(self, given: str, command: str) -> list[str]:
        numbers = [int(part) if part.isdigit() else 0 for part in given.lstrip("?<>=!").split(";")]
        first = max(numbers[0], 1)
        match command:
            case "A" | "F":
                self._row = max(self._row - first, 0)
            case "B" | "E":
                self._row = min(self._row + first, self._rows - 1)
            case "C":
                self._column = min(self._column + first, self._columns - 1)
            case "D":
                self._column = max(self._column - first, 0)
            case "G":
                self._column = min(first, self._columns) - 1
            case "d":
                self._row = min(first, self._rows) - 1
            case "H" | "f":
                self._row = min(first, self._rows) - 1
                self._column = min(max([*numbers, 1][1], 1), self._columns) - 1
            case "J" | "K" | "X" | "P" | "@":
                self._erase(command, numbers[0])
            case "L" | "M" | "S" | "T":
                self._scroll(self._row if command in "LM" else self._top, first if command in "MS" else -first)
            case "r" if not given.startswith("?"):
                self._top = first - 1
                self._bottom = min([*numbers, 0][1] or self._rows, self._rows) - 1
                self._row = self._column = 0
            case "s" if not given:
                self._saved = (self._row, self._column)
            case "u" if not given:
                self._row, self._column = self._saved
            case "h" | "l" if numbers[0] in (47, 1047, 1049):
                self._lines = [self._line() for _ in range(self._rows)]
            case "n" | "c" | "u":
                return [f"{given}{command}"]
        if command in "EF":
            self._column = 0
        return []

    def _erase(self, command: str, how: int) -> None:
        line, count = self._lines[self._row], max(how, 1)
        match command:
            case "X":
                line[self._column : self._column + count] = [_BLANK] * len(line[self._column : self._column + count])
            case "P":
                line[:] = (line[: self._column] + line[self._column + count :] + self._line())[: self._columns]
            case "@":
                line[:] = (line[: self._column] + [_BLANK] * count + line[self._column :])[: self._columns]
            case _:
                start = 0 if how else self._column
                stop = min(self._column + 1, self._columns) if how == 1 else self._columns
                line[start:stop] = [_BLANK] * max(stop - start, 0)
                if command == "J":
                    above = range(self._row) if how else range(0)
                    below = range(self._row + 1, self._rows) if how != 1 else range(0)
                    for row in (*above, *below):
                        self._lines[row] = self._line()

    def _line(self) -> list[str]:
        return [_BLANK] * self._columns
