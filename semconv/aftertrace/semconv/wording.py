"""Texts as wording and values: what of a prompt may differ from run to run, and what each such value is.

A value that is the same everywhere is part of the wording: which values were set by somebody is for a reader of many
texts to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)"
CLOCK: Final = (
    r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm]\b)?(?: ?(?:Z\b|UTC\b|GMT\b|[+-]\d{2}:?\d{2}\b))?"
)
_DATE: Final = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?|\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}(?:,? \d{{4}})?"
    rf"|{_MONTH} \d{{4}})"
)
_VALUE: Final = re.compile(
    r"(?P<address>https?://[^\s\"'<>()\[\]]{1,400}|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8})"
    r"|(?P<path>(?<![\w./\\])(?:~|[A-Za-z]:)?(?:[/\\][\w.@%+~-]{1,255}){1,64})"
    rf"|(?P<date>\b(?:{_DAY},? )?{_DATE}(?!\w)(?:(?:T|,? (?:at )?){CLOCK})?|\b\d{{4}}-\d\d-\d\dT{CLOCK}"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b)"
    rf"|(?P<time>\b{CLOCK})"
    r"|(?P<id>(?<![\w-])(?=[\w-]{0,199}?\d)(?=[\w-]{0,199}?[A-Za-z])[\w-]{8,200}(?![\w-]))"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
)
_HINT: Final = re.compile(r"[\d/\\@MTWFS](?:(?<=[\d/\\@])|(?:on|ues|ednes|hurs|ri|atur|un)day)")
"""What each value has: one of these characters, or the name of a day."""
_SPACES: Final = 2
"""So many stand in a value at most before what hints at it: in `Sunday, March 1`."""
_KINDS: Final = ("address", "path", "date", "time", "id", "number")
_SHORT_CHARACTERS: Final = 512
"""Longer lines are not remembered: who sends them chooses how long they are."""
REMEMBERED_LINES: Final = 1_024
"""As many are remembered: a line of nothing but values takes 20 kB once it is split."""
WHOLE: Final = "whole"
"""Kind of the digest that stands for a text, or for the rest of it, that is not kept."""


@dataclass(frozen=True, slots=True)
class Split:
    """A text as its wording and the values in it, alternately: a word before each value, and one at the end."""

    words: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        """The text that was split."""
        return self.rendered(frozenset(range(len(self.values))))

    def rendered(self, kept: frozenset[int]) -> str:
        """The text with its values, where their positions are among `kept`, else with the kind of each."""
        told = [value if at in kept else f"⟨{kind_of(value)}⟩" for at, value in enumerate(self.values)]
        return "".join(part for pair in zip(self.words, [*told, ""], strict=True) for part in pair)


def split(text: str) -> Split:
    """A text as wording and values. No value goes over the end of a line, and most lines of prompts come again."""
    words, values, open_words = list[str](), list[str](), list[str]()
    for line in text.split("\n"):
        (first, *others), found = (_remembered if len(line) <= _SHORT_CHARACTERS else _line)(line)
        open_words.append(first)
        if others:
            words += ["\n".join(open_words), *others[:-1]]
            open_words = [others[-1]]
        values += found
    return Split((*words, "\n".join(open_words)), tuple(values))


def _line(line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    words, values, end = [], [], 0
    while (begin := _beginning(line, end)) is not None and (found := _VALUE.search(line, begin)):
        words.append(line[end : found.start()])
        values.append(found[0])
        end = found.end()
    return (*words, line[end:]), tuple(values)


def _beginning(line: str, end: int) -> int | None:
    """Where after `end` the next value begins, or a little before; None where there is none.

    To look for a value at every character takes fifty times as long as to look for what each of them has.
    """
    hint = _HINT.search(line, end)
    if hint is None:
        return None
    at = hint.start()
    for _ in range(_SPACES + 1):
        at = line.rfind(" ", end, at)
        if at < 0:
            return end
    return at


_remembered = lru_cache(maxsize=REMEMBERED_LINES)(_line)


def kind_of(value: str) -> str:
    """What a value is: address, path, date, time, id or number, else a digest that stands for a whole text."""
    found = _VALUE.fullmatch(value)
    return next((kind for kind in _KINDS if found and found[kind]), WHOLE)
