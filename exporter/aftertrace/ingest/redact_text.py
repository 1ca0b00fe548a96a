"""Redaction of one text: prose, code, command lines, and JSON however often it was quoted into itself.

Nothing is parsed and written back: what is secret is replaced where it stands and every other byte stays, so
texts that were cut off at a limit, or are not quite JSON, are treated like whole ones.

The JSON inside a string is found at any depth by its quoting. With `n` quotings, a quote is written behind
``2**n - 1`` backslashes; so a value that was opened by a quote behind `k` backslashes ends at the first quote
behind `r` of them where ``r % (2 * (k + 1)) == k``: each backslash of the value itself comes as a multiple of
``2 * (k + 1)``, each quote inside the value as one backslash less than such a multiple.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aftertrace.ingest.patterns import compile_pattern
from aftertrace.ingest.redact_tokens import in_token, is_token, token_end
from aftertrace.ingest.shapes import Shape, signs_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

    from aftertrace.ingest.redact_tokens import Tokens
    from aftertrace.ingest.secret_rules import FieldRule, ShapeRule

_Secret: TypeAlias = tuple[int, int, str, bytes]
"""Start, end, rule, and the quotes that a token needs in its place."""

_MAX_STEPS: Final = 10_000
"""How many secrets in one text, or quotes and brackets in one value, are told apart. What is behind goes as a
whole, so that a text made of nothing else costs no more than its length."""

_PLAIN_WORDS: Final = frozenset({b"null", b"none", b"nil", b"true", b"false", b"undefined"})
"""Values that tell nothing. They stay, and so do empty ones."""


def _spellings(name: str) -> str:
    r"""A pattern for a field name in any case, each character plain or as JSON may escape it (``\u0070``)."""
    spelled = []
    for character in name:
        if character == "~":
            spelled.append(r"(?:[-_.]|\\+u00(?:2[dDeE]|5[fF]))?")
        else:
            codes = "|".join(f"(?i:{ord(code):02x})" for code in (character, character.upper()))
            spelled.append(rf"(?:[{character}{character.upper()}]|\\+u00(?:{codes}))")
    return "".join(spelled)


def _names(fields: Iterable[FieldRule]) -> str:
    # The longest first: `secret` would otherwise hide `secret_key`.
    longest_first = sorted((name for field in fields for name in field.names), key=len, reverse=True)
    return "|".join(_spellings(name) for name in longest_first) or _NOTHING


_NOTHING: Final = r"[^\x00-\xff]"
"""A pattern that nothing matches, for rules that are all off."""
_ORDINAL: Final = r"(?:[-_.\[]?[0-9]{1,3}\]?)?"
_SEPARATOR: Final = _ORDINAL + r"""((?:\\*["'`])?)[ \t]*(=>|:{1,3}=|\?=|=|:)"""
# A flag and its value on a command line are separate words, or separate items of a list.
_FLAG: Final = r"""(?:[ \t]+|\\*["']\s*,\s*)"""

_SPACE: Final = r"(?:\s|\\+[nrt])*"
_COLON: Final = rf"{_SPACE}:{_SPACE}"
_COMMA: Final = rf"{_SPACE},{_SPACE}"
_PLAIN_MEMBER: Final = rf"""\\*["'][A-Za-z_]+\\*["']{_COLON}(?:[a-z]+|[0-9]+|\\*["'][^"'\\]*\\*["']){_COMMA}"""
# A header or form field as HAR and many clients write it: `{"name": "authorization", "value": "…"}`.
_PAIR: Final = rf"""(\\*["']){_COMMA}(?:{_PLAIN_MEMBER})*?\\*["'](?i:value)\\*["']{_SPACE}(:)"""
_VALUE_FIRST: Final = (
    rf"""\\*["'](?i:value)\\*["']{_COLON}\\*["']([^"'\\]+)\\*["']{_COMMA}\\*["'](?i:name|key)\\*["']{_COLON}"""
)
# Angle brackets as they are or as JSON may escape them.
_OPEN, _CLOSE = r"(?:<|\\+u003[cC])", r"(?:>|\\+u003[eE])"
_ELEMENT_END: Final = compile_pattern(_OPEN)
_CDATA_END: Final = compile_pattern(rf"\]\]{_CLOSE}")
_END_TAG: Final = compile_pattern(rf"{_OPEN}\\*/([A-Za-z0-9_.:-]+)")
_CUT_OFF: Final = compile_pattern(r"""[^\s"'`<>\\]+""")

_QUOTED: Final = compile_pattern(r"""[bBfFrRuU]{0,2}(\\*)(["'`])""")
_QUOTES: Final = {quote: compile_pattern(rf"(\\*){quote}") for quote in "\"'`"}
_BRACKETS: Final = compile_pattern(r"""(\\*)["']|[\[\]{}]""")
_BLANKS: Final = compile_pattern(r"[ \t]*")
_BLANKS_AND_LINES: Final = compile_pattern(r"(?:\s|\\+[nrt])*")
_BARE: Final = compile_pattern(r"""(?:[^\s"'`,;&<>(){}\[\]\\|]|\\[^nrtu"'`\\])+""")
_COOKIES: Final = compile_pattern(r"""[^\s=;"'`\\]+=[^\r\n"'`\\]*""")
_SCHEME: Final = compile_pattern(r"(?i:bearer|basic|token|digest|negotiate|apikey)[ \t]+")
_TELLING: Final = compile_pattern(r"[0-9!@#%^*+~?/=]")
_REFERENCE: Final = compile_pattern(r"[*x.-]+|[$%].*")


class TextRedactor:
    """Replaces secrets in texts, given as UTF-8. One secret gets the same token everywhere in one store."""

    def __init__(
        self, tokens: Tokens, fields: tuple[FieldRule, ...], shapes: tuple[ShapeRule, ...], signs: tuple[str, ...] = ()
    ) -> None:
        """Compile the rules.

        Args:
            tokens: what makes the tokens that stand for them.
            fields: names of fields that hold secrets.
            shapes: what secrets look like.
            signs: RE2 patterns that make a message suspect, beside those of the rules.
        """
        self._tokens = tokens
        names = _names(fields)
        self._rule = denier(fields)
        self._assigned = compile_pattern(f"({names}){_SEPARATOR}")
        self._paired = compile_pattern(f"({names}){_PAIR}")
        self._flagged = compile_pattern(f"--[A-Za-z0-9-]*({names}){_FLAG}")
        self._value_first = compile_pattern(rf"""{_VALUE_FIRST}\\*["'][^"'\\]*?({names})\\*["']""")
        attributes = r"(?:(?:\s|\\+[nrt])[^<>]*?)?"
        self._element = compile_pattern(
            rf"{_OPEN}([A-Za-z0-9_.:-]*?(?:{names})){attributes}{_CLOSE}({_OPEN}!\[CDATA\[)?"
        )
        self._shapes = tuple(Shape(shape) for shape in shapes)
        self._few = frozenset(shape.rule for shape in shapes if shape.is_few)
        any_shape = "|".join(signs_of(shapes))
        self._shaped = compile_pattern(any_shape, capture=False) if shapes else None
        self._suspect = compile_pattern("|".join(filter(None, (names, any_shape, *signs))), capture=False)

    def suspects(self, data: bytes) -> bool:
        """Whether there can be a secret in these bytes, a text or a whole message: one scan, and never a
        false no.
        """
        return self._suspect.search(data) is not None

    def suspicions(self, data: bytes) -> int:
        """How many places `suspects` would point at."""
        return sum(1 for _ in self._suspect.finditer(data))

    def denied(self, name: str) -> str | None:
        """The rule that denies a field of this name."""
        return self._rule(name.encode())

    def redact(self, data: bytes, hits: Counter[str]) -> bytes:
        """The text with its secrets replaced; counts each by rule."""
        if not self.suspects(data):
            return data
        for pattern in (self._assigned, self._paired, self._flagged):
            data = self._replace(data, self._in_fields(data, pattern), hits)
        data = self._replace(data, self._in_pairs(data), hits)
        data = self._replace(data, self._in_elements(data), hits)
        if self._shaped is None or not self._shaped.search(data):
            return data
        lowered = data.lower()
        for shape in self._shapes:
            if shape.is_in(lowered):
                data = self._replace(data, shape.found(data), hits)
        return data

    def _replace(self, data: bytes, secrets: Iterator[_Secret], hits: Counter[str]) -> bytes:
        """Put tokens where secrets are. They come in order and do not overlap."""
        parts: list[bytes] = []
        done = 0
        for found, (start, end, rule, quote) in enumerate(secrets):
            if in_token(data, start, end):
                continue
            hits[rule] += 1
            last = len(data) if found == _MAX_STEPS else end
            parts += (data[done:start], quote, self._token(rule, data[start:last]), quote)
            done = last
            if done == len(data):
                break
        return b"".join((*parts, data[done:])) if parts else data

    def _token(self, rule: str, secret: bytes) -> bytes:
        return self._tokens.random(rule) if rule in self._few else self._tokens.of(rule, secret)

    def _in_fields(self, data: bytes, pattern: Any) -> Iterator[_Secret]:
        """Values of denied fields: behind `name=`, `"name":`, `"name", "value":`, `--name` and the like."""
        position = 0
        while (match := pattern.search(data, position)) is not None:
            position = match.end()
            rule = self._rule(match.group(1)) or ""
            closing, separator = match.groups()[1:] if pattern is not self._flagged else (b"", b"--")
            extent = self._extent(data, position, rule, closing, separator)
            if extent is not None:
                start, end, quote = extent
                yield start, end, rule, quote
                position = end

    def _in_pairs(self, data: bytes) -> Iterator[_Secret]:
        """Values that stand before the name of their denied field: `"value": "…", "name": "authorization"`."""
        for match in self._value_first.finditer(data):
            start, end = match.span(1)
            if not is_token(data[start:end]):
                yield start, end, self._rule(match.group(2)) or "", b""

    def _in_elements(self, data: bytes) -> Iterator[_Secret]:
        """The text in denied elements of XML. `<password>` alone is a placeholder: its end tag has to follow the text,
        or the text was cut off within one word.
        """
        position, is_cdata_open = 0, False
        while (match := self._element.search(data, position)) is not None:
            start = position = match.end()
            if match.group(2) and is_cdata_open:
                # Looked for once to the end: no later one is closed either.
                continue
            ends = (_CDATA_END if match.group(2) else _ELEMENT_END).search(data, start)
            is_cdata_open = ends is None
            end = len(data) if ends is None else int(ends.start())
            if ends is None:
                whole = _CUT_OFF.fullmatch(data[start:]) is not None
            else:
                tag = _END_TAG.match(data, int(ends.end()) if match.group(2) else end)
                whole = tag is not None and tag.group(1) == match.group(1)
            value = data[start:end].strip().lower()
            if whole and value not in _PLAIN_WORDS and not (_REFERENCE.fullmatch(value) or is_token(value)) and value:
                position = end
                yield start, end, self._rule(match.group(1)) or "", b""

    def _extent(
        self, data: bytes, position: int, rule: str, closing: bytes, separator: bytes
    ) -> tuple[int, int, bytes] | None:
        """Where the value behind a field's name starts and ends, and the quotes its token needs; None if it
        may stay.

        `closing` is the quote that ended the name, with its backslashes; empty for a bare name.
        """
        position = (_BLANKS_AND_LINES if closing else _BLANKS).match(data, position).end()
        if token_end(data, position) is not None:
            return None
        if opening := _QUOTED.match(data, position):
            start = opening.end()
            end = _string_end(data, start, len(opening.group(1)), opening.group(2).decode())
            value = data[start:end]
            # Behind a bare name, a quote may close the text around it instead: `"… password=", "next": …`.
            if not value or is_token(value) or (not closing and value[:1] in b",:)}]"):
                return None
            return start, end, b""
        if data[position : position + 1] in (b"{", b"["):
            end = _brackets_end(data, position)
            return None if end - position <= 2 else (position, end, closing)
        return self._bare(data, position, rule, closing, separator)

    def _bare(
        self, data: bytes, position: int, rule: str, closing: bytes, separator: bytes
    ) -> tuple[int, int, bytes] | None:
        """The extent of a value without quotes. Prose and code name such fields too, so a bare word must look
        secret.
        """
        certain = bool(closing)
        if rule == "authorization-field" and (scheme := _SCHEME.match(data, position)):
            position, certain = scheme.end(), True
        pattern = _COOKIES if rule == "cookie-field" and separator == b":" and not closing else _BARE
        match = pattern.match(data, position)
        if match is None:
            return None
        start, end = match.span()
        value = match.group().lower()
        if value.rstrip(b".") in _PLAIN_WORDS:
            return None
        if certain or pattern is _COOKIES:
            return start, end, closing
        if _REFERENCE.fullmatch(value) or data[end : end + 1] in (b"(", b"[", b"{") or value[:1] == b"=":
            return None
        if len(value) < 3 or (separator == b":" and not _TELLING.search(value)):
            return None
        # `password=password` hands a variable on.
        return None if self._rule(value) else (start, end, b"")


def denier(fields: tuple[FieldRule, ...]) -> Callable[[bytes], str | None]:
    """A function from a field's name to the rule that denies it."""
    any_field = compile_pattern(f"(?s:.*)(?:{_names(fields)}){_ORDINAL}", capture=False)
    each_field = tuple(
        (field.rule, compile_pattern(f"(?s:.*)(?:{_names([field])}){_ORDINAL}", capture=False)) for field in fields
    )

    def rule(name: bytes) -> str | None:
        if not any_field.fullmatch(name):
            return None
        return next(rule for rule, pattern in each_field if pattern.fullmatch(name))

    return rule


def _string_end(data: bytes, start: int, backslashes: int, quote: str) -> int:
    """Where a string ends that was opened by this quote behind so many backslashes: see the module's text."""
    modulus = 2 * (backslashes + 1)
    position = start
    for _ in range(_MAX_STEPS):
        match = _QUOTES[quote].search(data, position)
        if match is None:
            break
        run = len(match.group(1))
        if run < backslashes:
            # The text around it ends here: the string was cut off.
            return int(match.start())
        if run % modulus == backslashes:
            return int(match.end() - 1 - backslashes)
        position = match.end()
    return len(data)


def _brackets_end(data: bytes, start: int) -> int:
    """Where the array or object ends that starts here; brackets inside its strings do not count."""
    depth = 0
    position = start
    for _ in range(_MAX_STEPS):
        match = _BRACKETS.search(data, position)
        if match is None:
            break
        position = match.end()
        found = match.group()
        if found in (b"{", b"["):
            depth += 1
        elif found in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return int(position)
        else:
            end = _string_end(data, position, len(match.group(1)), found[-1:].decode())
            position = end + len(found)
    return len(data)
