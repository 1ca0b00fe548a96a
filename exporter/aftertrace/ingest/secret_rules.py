"""What counts as a secret: names of fields that hold one, and shapes that give one away. Data only.

The shapes are those that the issuers document, so that a match is a secret and not a word. Patterns are RE2
syntax (github.com/google/re2/wiki/Syntax): no look-around and no back-references, hence linear time on any
input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Check: TypeAlias = Literal["none", "digit", "basic", "card", "iban", "phone", "ip", "ssn"]
"""What else must hold of a match: nothing; a digit in it; base64 of a `user:password`; that it adds up as such a number
does (`pii`).
"""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a match is no secret for: examples, references, words of which names are made."""

    secret: tuple[str, ...] = ()
    """RE2 patterns that are found in the secret."""
    match: tuple[str, ...] = ()
    """The same, in all that the rule's pattern matched."""
    line: tuple[str, ...] = ()
    """The same, in the line that it begins in."""
    words: tuple[str, ...] = ()
    """What stands in the secret, in small letters."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Fields whose value is secret whatever it looks like."""

    rule: str
    """Name in replacement tokens and counts. It ends in `-field`, so that a token is never read as such a
    field."""
    names: tuple[str, ...]
    """How a field's name ends, in any case; ``~`` stands for ``-``, ``_``, ``.`` or nothing."""


@dataclass(frozen=True, slots=True)
class ShapeRule:
    """Text that is secret wherever it stands."""

    rule: str
    pattern: str
    """RE2 pattern; its group, if it has one, is what is secret."""
    check: Check = "none"
    word: bool = True
    """Whether it starts where a word starts: `sk-` in `task-list` is no key."""
    sign: str = ""
    """RE2 pattern of which every match of `pattern` holds a match, for the one scan over a whole request; empty if it
    is `pattern`. Needed where `pattern` counts from nearly every byte: such counters multiply the states of the
    automaton, and the scan is thirty times slower."""
    field: str = ""
    """RE2 pattern of the names of fields whose value it looks for, instead of a sign: all such rules have one."""
    keywords: tuple[str, ...] = ()
    """In small letters: one of them is in every text in which it finds anything. Empty: it is looked for in all."""
    entropy: float = 0.0
    """Bits per character that a secret has more of; 0: any."""
    group: int | None = None
    """Which group of `pattern` is secret; 0: all of it; None: the last, and of a rule with keywords the first that
    holds anything."""
    allowed: Allowed = Allowed()
    is_few: bool = False
    """Whether there are so few that whoever may send could try them all: their tokens are drawn."""


FIELDS: Final = (
    FieldRule("authorization-field", ("authorization",)),
    FieldRule("cookie-field", ("cookie", "cookies")),
    FieldRule("password-field", ("password", "passwords", "passwd", "passphrase")),
    FieldRule("api-key-field", ("api~key", "api~keys", "api~token")),
    FieldRule(
        "token-field",
        (
            "access~token",
            "refresh~token",
            "auth~token",
            "bearer~token",
            "session~token",
            "oauth~token",
            "id~token",
            "security~token",
            "csrf~token",
            "bot~token",
            "deploy~token",
            "github~token",
            "gh~token",
            "gitlab~token",
            "npm~token",
            "slack~token",
            "vault~token",
            "hf~token",
        ),
    ),
    FieldRule("secret-field", ("secret", "secrets", "secret~key", "secret~access~key")),
    FieldRule("connection-string-field", ("connection~string",)),
    FieldRule("private-key-field", ("private~key", "signing~key", "encryption~key")),
)
"""Counts such as `gen_ai.usage.input_tokens` or `llm.token_count.total` end otherwise and are kept."""

SHAPES: Final = (
    ShapeRule(
        "pem-block",
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,._-]*?"
        r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)",
        word=False,
    ),
    # Cut off by a length limit: no END, and still a key.
    ShapeRule(
        "pem-block",
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,.-]*)",
        word=False,
    ),
    ShapeRule("aws-access-id", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    ShapeRule("aftertrace", r"aftertrace_[A-Za-z0-9_-]{43}"),
    ShapeRule("github", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    ShapeRule("github", r"github_pat_[A-Za-z0-9_]{22,255}"),
    ShapeRule("gitlab", r"glpat-[A-Za-z0-9_-]{20,}"),
    ShapeRule("anthropic", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    ShapeRule("openai", r"sk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}", "digit"),
    ShapeRule("google", r"AIza[0-9A-Za-z_-]{35}"),
    ShapeRule("google", r"ya29\.[0-9A-Za-z_-]{20,}"),
    ShapeRule("slack", r"xox[abeprs]-[0-9A-Za-z-]{10,}"),
    ShapeRule("slack", r"hooks\.slack\.com/services/(T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]+)"),
    ShapeRule("stripe", r"(?:sk|rk)_(?:live|test)_[0-9a-zA-Z]{16,}"),
    ShapeRule("stripe", r"whsec_[0-9a-zA-Z+/=]{24,}"),
    ShapeRule("npm", r"npm_[A-Za-z0-9]{36}"),
    ShapeRule("pypi", r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    ShapeRule("huggingface", r"hf_[A-Za-z0-9]{34,}"),
    ShapeRule("sendgrid", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ShapeRule("jwt", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),
    ShapeRule("bearer-header", r"(?i:bearer)\s+([A-Za-z0-9._~+/-]{8,}=*)", "digit"),
    ShapeRule("basic-header", r"(?i:basic)\s+([A-Za-z0-9+/]{8,}={0,2})", "basic"),
    # Not every `-u user:password`: `docker run -u 1000:1000` names no secret.
    ShapeRule(
        "curl-credentials",
        r"curl\b[^\r\n|;]*?(?:[ \t\"',]|\\[nrt])-(?:u|-user|U|-proxy-user)[ \t=\"',\\]*[^\s:\"',\\]+:([^\s\"'\\]+)",
        sign=r"-(?:u|-user|U|-proxy-user)[ \t=\"',\\]*[^\s:\"'\\]+:[^\s\"'\\]",
    ),
    ShapeRule(
        "url-credentials",
        r"[A-Za-z][A-Za-z0-9+.-]{1,20}:\\*/\\*/[^\s/?#:@\"'<>\\]{0,256}:([^\s/?#@\"'<>\\]{1,1000})@",
        sign=r"[A-Za-z0-9+.-]:\\*/\\*/[^\s/?#:@\"'<>\\]*:[^\s/?#@\"'<>\\]+@",
    ),
)
"""Looked for in this order: a more telling shape comes before a wider one."""
