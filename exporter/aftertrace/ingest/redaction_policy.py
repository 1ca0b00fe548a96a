"""The redaction policy: which fields, shapes and attribute keys are secret, and how much of the content is kept.

It is made once from the configuration and never changes; its digest is stored with each request. Whatever cannot
hold is refused when it is made, so that no rule that a person wrote is silently without effect.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Final, Literal, TypeAlias, get_args

import re2

from aftertrace.ingest.gitleaks import GITLEAKS, OFF
from aftertrace.ingest.patterns import compile_pattern
from aftertrace.ingest.pii import PII
from aftertrace.ingest.redact_text import denier
from aftertrace.ingest.secret_rules import FIELDS, SHAPES, FieldRule, ShapeRule
from aftertrace.semconv.canonical import canonical_json, digest
from aftertrace.store.errors import Invalid

Capture: TypeAlias = Literal["full", "by-reference", "digest-only", "metadata-only"]
"""What is kept of content (prompts, arguments, results): all; all, and large results apart; a keyed digest of each;
nothing."""

REFERENCE_BYTES: Final = 4096
LEAST_REFERENCE_BYTES: Final = 256
"""Shorter ones are hardly longer than what refers to them."""
OWN_FIELD: Final = "own-field"
"""Rule name of fields that the configuration denies by their name (`redaction.secret_fields`)."""

STANDARD_SHAPES: Final = (*SHAPES, *(shape for shape in GITLEAKS if shape.rule not in OFF))
"""What secrets look like that are looked for unless a policy says otherwise. Those of aftertrace come first."""
OPTIONAL: Final = OFF | {shape.rule for shape in PII}
"""Names of rules that are off unless a policy names them: of classes of personal data, and such as find much else."""

_POLICY_VERSION: Final = 3
_RULE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,47}")
_FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_.~-]{2,100}")
_ASSERTIONS: Final = frozenset(("^", "$", r"\b", r"\B", r"\A", r"\z"))
"""What holds of the ends of a text, or of a word, and not of the same place in the bytes of a whole request."""
_ASSERTION: Final = re.compile(r"(?s)\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|[\^$]")
_ORDINARY: Final = (
    b"The agent called get_weather for Berlin at 2026-11-22T12:30:00Z and got 200 OK.",
    b'{"status": "ok", "items": [1, 2, 3], "path": "/srv/data/report.csv", "elapsed_ms": 125}',
)
"""Texts of which a rule for secrets finds next to nothing."""
_ORDINARY_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Keys:
    """What is done to attributes by their keys. Each is a pattern over a whole key, in any case: `*` stands for any
    characters and `?` for one. Members of maps have their own key and its path: `customer.email`.
    """

    redact: tuple[str, ...] = ()
    """Their values become tokens."""
    drop: tuple[str, ...] = ()
    """They are removed, key and all."""
    keep: tuple[str, ...] = ()
    """If there are any, the values of all others become tokens."""


@dataclass(frozen=True)
class RedactionPolicy:
    """What is secret. Its digest is stored with each request, so that a reader knows what was looked for."""

    fields: tuple[FieldRule, ...] = FIELDS
    shapes: tuple[ShapeRule, ...] = STANDARD_SHAPES
    keys: Keys = Keys()
    capture: Capture = "full"
    """Of sources that `capture_of` does not name."""
    capture_of: tuple[tuple[str, Capture], ...] = ()
    """Patterns of source names, in which `*` stands for any characters, and what holds for them; the first that fits
    counts."""
    reference_bytes: int = REFERENCE_BYTES
    """The length from which on a content is kept apart, where that is asked for."""

    @cached_property
    def digest(self) -> str:
        """Tagged digest over all of it: two stores with the same one looked for the same things."""
        return digest(self.document)

    @cached_property
    def document(self) -> bytes:
        """All of it as canonical JSON."""
        told = {"reference_bytes": self.reference_bytes} if self.has_references else {}
        return canonical_json(
            {
                **told,
                "version": _POLICY_VERSION,
                "fields": [[field.rule, list(field.names)] for field in self.fields],
                "shapes": [asdict(shape) for shape in self.shapes],
                "keys": [list(self.keys.redact), list(self.keys.drop), list(self.keys.keep)],
                "capture": self.capture,
                "capture_of": [list(pair) for pair in self.capture_of],
            }
        )

    @property
    def has_references(self) -> bool:
        """Whether content of any source is kept apart."""
        return "by-reference" in (self.capture, *(mode for _, mode in self.capture_of))

    def capture_for(self, source: str) -> Capture:
        """What is kept of the content that a source sends."""
        return next((mode for pattern, mode in self._modes if pattern.fullmatch(source)), self.capture)

    @cached_property
    def _modes(self) -> tuple[tuple[re.Pattern[str], Capture], ...]:
        return tuple(
            (re.compile(re.escape(pattern).replace(r"\*", ".*"), re.DOTALL), mode) for pattern, mode in self.capture_of
        )


def make_policy(
    *,
    keys: Keys = Keys(),
    secret_fields: Iterable[str] = (),
    secret_patterns: Iterable[tuple[str, str]] = (),
    rules_on: Iterable[str] = (),
    rules_off: Iterable[str] = (),
    capture: str = "full",
    capture_of: Iterable[tuple[str, str]] = (),
    reference_bytes: int = REFERENCE_BYTES,
) -> RedactionPolicy:
    """The policy of a configuration, with the rules that come with aftertrace.

    Args:
        keys: what is done to attributes by their keys.
        secret_fields: names of further fields that hold secrets, as in `FieldRule.names`.
        secret_patterns: names and RE2 patterns of further secrets.
        rules_on: names of rules that are off unless they are named here.
        rules_off: names of rules that do not count.
        capture: what is kept of content.
        capture_of: the same by source.
        reference_bytes: the length from which on a content is kept apart.

    Raises:
        Invalid: a rule cannot hold.
    """
    if reference_bytes < LEAST_REFERENCE_BYTES:
        raise _invalid("reference_bytes", f"{reference_bytes}", f"expected {LEAST_REFERENCE_BYTES} at least")
    on, off = frozenset(rules_on), frozenset(rules_off)
    rules = sorted({rule.rule for rule in FIELDS} | {rule.rule for rule in (*SHAPES, *GITLEAKS, *PII)})
    for key, named, known in (("rules_off", off, rules), ("rules_on", on, sorted(OPTIONAL))):
        for name in sorted(named - set(known)):
            raise _invalid(key, f"there is no such rule {name!r}", _meant(name, known))
    optional = (shape for shape in (*GITLEAKS, *PII) if shape.rule not in OPTIONAL or shape.rule in on)
    standard = (*SHAPES, *optional)
    own_fields = tuple(_field_name(name) for name in secret_fields)
    fields = (*FIELDS, FieldRule(OWN_FIELD, own_fields)) if own_fields else FIELDS
    own_shapes = tuple(_own_shape(name, pattern, rules) for name, pattern in secret_patterns)
    for pattern in (*keys.redact, *keys.drop, *keys.keep):
        if not pattern.strip("*?. "):
            raise _invalid("keys", f"{pattern!r} is every key", "name some, or use capture")
    return RedactionPolicy(
        fields=tuple(field for field in fields if field.rule not in off),
        # A person's own rule is more telling than any other.
        shapes=(*own_shapes, *(shape for shape in standard if shape.rule not in off)),
        keys=keys,
        capture=_capture("capture", capture),
        capture_of=tuple((source, _capture("capture_of", mode)) for source, mode in capture_of),
        reference_bytes=reference_bytes,
    )


def _field_name(name: str) -> str:
    if not _FIELD_NAME.fullmatch(name) or not name.strip("~._-"):
        raise _invalid(
            "secret_fields",
            f"{name!r} is no name of a field",
            "give its last letters and digits, with ~ where -, _, . or nothing may stand",
        )
    return name.lower()


def _own_shape(name: str, pattern: str, known: list[str]) -> ShapeRule:
    if not _RULE_NAME.fullmatch(name) or name in known:
        raise _invalid(
            "secret_patterns",
            f"{name!r} cannot name a rule",
            "take a name of its own of 48 small letters, digits and hyphens at most",
        )
    if denier(FIELDS)(name.encode()) is not None:
        raise _invalid("secret_patterns", f"{name!r} is what a field of a secret is called", f"take {name}-shape")
    if not pattern.isascii():
        raise _invalid("secret_patterns", f"{name}: characters beyond ASCII", r"write their UTF-8 bytes: \xc3\xa4")
    try:
        compiled = compile_pattern(pattern)
    except re2.error as error:
        raise _invalid(
            "secret_patterns",
            f"{name}: not RE2: {_said(error)}",
            "see github.com/google/re2/wiki/Syntax; it has no look-around and no back-references",
        ) from error
    if compiled.groups > 1:
        raise _invalid("secret_patterns", f"{name}: {compiled.groups} groups", "have one group at most: what is secret")
    for text in _ORDINARY:
        found_bytes = sum(match.end() - match.start() for match in compiled.finditer(text))
        if compiled.fullmatch(b"") is not None or found_bytes > _ORDINARY_SHARE * len(text):
            raise _invalid("secret_patterns", f"{name}: it matches everything", "say what the secret looks like")
    sign = _ASSERTION.sub(_without, pattern)
    return ShapeRule(name, pattern, word=False, sign="" if sign == pattern else sign)


def _without(found: re.Match[str]) -> str:
    return "(?:)" if found[0] in _ASSERTIONS else found[0]


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("latin-1") if isinstance(said, bytes) else str(said)


def _capture(key: str, mode: str) -> Capture:
    for known in get_args(Capture):
        if mode == known:
            return known  # type: ignore[no-any-return]
    raise _invalid(key, f"{mode!r}", f"expected one of {', '.join(get_args(Capture))}")


def _invalid(key: str, found: str, way_out: str) -> Invalid:
    return Invalid(f"configure redaction: {key}: {found}; {way_out}")


def _meant(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
