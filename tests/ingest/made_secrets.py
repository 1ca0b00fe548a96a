"""Secrets made of the patterns of rules, the same ones each time, and the forms in which they stand in texts."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Iterator
from functools import cache
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

ALL: Final = "".join(map(chr, range(0x20, 0x7F)))
_WORD: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_CATEGORIES: Final = {
    kinds.CATEGORY_DIGIT: "0123456789",
    kinds.CATEGORY_WORD: _WORD,
    kinds.CATEGORY_SPACE: " ",
    kinds.CATEGORY_NOT_WORD: " ,;",
    kinds.CATEGORY_NOT_SPACE: _WORD,
    kinds.CATEGORY_NOT_DIGIT: "abcxyz",
}
_MORE: Final = 6
"""How many more than the least of a repetition there are at most."""

FORMS: Final = {
    "ini, quoted": '{i}Token="{s}"',
    "ini, quoted, spaces": '{i}Token = "{s}"',
    "ini": "{i}Token={s}",
    "ini, spaces": "{i}Token = {s}",
    "json": '{\n    "{i}_token": "{s}"\n}',
    "json, line end in text": '{"config.ini": "{I}_TOKEN={s}\\nBACKUP_ENABLED=true"}',
    "json, escaped": '{\n    \\"{i}_token\\": \\"{s}\\"\n}',
    "xml": "<{i}Token>\n    {s}\n</{i}Token>",
    "yaml": "{i}_token: {s}",
    "yaml, single quotes": "{i}_token: '{s}'",
    "yaml, double quotes": '{i}_token: "{s}"',
    "c#": 'string {i}Token = "{s}";',
    "go": 'var {i}Token string = "{s}"',
    "go, short": '{i}Token := "{s}"',
    "go, backticks": "{i}Token := `{s}`",
    "java": 'String {i}Token = "{s}";',
    "kotlin": 'var {i}Token = "{s}"',
    "php": '${i}Token .= "{s}"',
    "python": "{i}Token = '{s}'",
    "properties": 'System.setProperty("{I}_TOKEN", "{s}")',
    "logstash": '  "{i}Token" => "{s}"',
    "make": '{i}_TOKEN := "{s}"',
    "make, shell": '{i}_TOKEN ::= "{s}"',
    "make, evaluated": '{i}_TOKEN :::= "{s}"',
    "make, conditional": '{i}_TOKEN ?= "{s}"',
}
"""Where gitleaks' own tests have the secret `s` of the field `i` (cmd/generate/config/utils/generate.go, MIT), and JSON
that stands in JSON, which they name as still to be done."""


def in_form(form: str, identifier: str, secret: str) -> str:
    """A secret in one of the forms."""
    return FORMS[form].replace("{i}", identifier).replace("{I}", identifier.upper()).replace("{s}", secret)


def made(pattern: str, seed: int) -> str:
    """A text that a pattern of RE2 matches, but for what it demands around itself."""
    return "".join(_made(_parsed(pattern), random.Random(seed)))


def python_form(pattern: str) -> str:
    """A pattern of RE2 as Python reads it: flags hold in groups, not from where they stand."""
    pattern = pattern.replace(r"\z", r"\Z").replace("[[:alnum:]]", "[A-Za-z0-9]")
    return _scoped(pattern)


@cache
def _parsed(pattern: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parser.parse(python_form(pattern))


def _scoped(pattern: str) -> str:
    """With `(?i)` in the middle as a group that ends where the group around it does, or the alternative."""
    parts: list[str] = []
    opened = [0]
    position, in_class = 0, False
    while position < len(pattern):
        if pattern[position] == "\\":
            parts.append(pattern[position : position + 2])
            position += 2
            continue
        if not in_class and pattern.startswith("(?i)", position):
            parts.append("(?i:")
            opened[-1] += 1
            position += 4
            continue
        character = pattern[position]
        in_class = character == "[" or (in_class and character != "]")
        if not in_class and character == "(":
            opened.append(0)
        elif not in_class and character == ")":
            parts.append(")" * opened.pop())
        parts.append(character)
        position += 1
    return "".join(parts) + ")" * opened.pop()


def _made(parsed: Any, rng: random.Random) -> Iterator[str]:
    for kind, what in parsed:
        if kind is kinds.LITERAL:
            yield chr(what)
        elif kind is kinds.ANY:
            yield "."
        elif kind is kinds.NOT_LITERAL:
            yield rng.choice([each for each in _WORD if ord(each) != what])
        elif kind is kinds.IN:
            yield rng.choice(_of_class(tuple(what)))
        elif kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            least, most, inner = what
            for _ in range(rng.randint(least, min(int(most), least + _MORE))):
                yield from (rng.choice(_WORD),) if inner[0][0] is kinds.ANY else _made(inner, rng)
        elif kind is kinds.SUBPATTERN:
            yield from _made(what[3], rng)
        elif kind is kinds.BRANCH:
            yield from _made(rng.choice(what[1]), rng)
        elif kind is not kinds.AT:
            raise NotImplementedError(kind)


@cache
def _of_class(members: tuple[Any, ...]) -> str:
    found: list[str] = []
    negated = False
    for kind, what in members:
        if kind is kinds.NEGATE:
            negated = True
        elif kind is kinds.LITERAL:
            found.append(chr(what))
        elif kind is kinds.RANGE:
            found += map(chr, range(what[0], what[1] + 1))
        else:
            found += _CATEGORIES[what]
    # White space and quotes at will would end what is made, as they end it in a text.
    kept = [each for each in ALL if each not in found] if negated else found
    return "".join(each for each in kept if re.match(r"[\w.~+/=@-]", each)) or "".join(kept)
