"""How long records are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, TypeAlias, get_args

from aftertrace.store.errors import Invalid
from aftertrace.store.sources import tenant_of

EVIDENCE_DAYS: Final = 400
FLOOR_DAYS: Final = 183
"""Half a year: what Articles 19 and 26(6) of the EU AI Act ask for at least."""
FOR_EVER: Final = 0
TermOf: TypeAlias = Literal["tag", "agent", "source", "tenant"]
"""By what it is told which records a term is for, the most specific first: that counts."""
OF: Final[tuple[TermOf, ...]] = get_args(TermOf)


@dataclass(frozen=True, slots=True)
class Term:
    """How long some records are kept."""

    of: TermOf
    name: str
    """In which `*` stands for any characters; of a tag `KEY=VALUE`, and its key is meant as it stands."""
    days: int
    """`FOR_EVER`: they always are."""

    def fits(self, name: str) -> bool:
        """Whether it is for what has a name; for a tag whose key is the same, for its value."""
        wanted = self.name.partition("=")[2] if self.of == "tag" else self.name
        return re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), name, re.DOTALL) is not None

    @property
    def key(self) -> str:
        """Of the attribute that a tag is."""
        return self.name.partition("=")[0]

    def __str__(self) -> str:
        """As people read it."""
        return f"{told_days(self.days)} of {self.of} {self.name}"


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a class of what is kept. Of whole days in UTC: what was received on a day is over when so many days
    lie behind it.
    """

    days: int
    """Of what no other is for; `FOR_EVER`: it always stays."""
    others: tuple[Term, ...] = ()
    """Of each name the first that fits counts."""

    def of(self, of: TermOf, name: str, key: str = "") -> Term | None:
        """The term for what has a name; of a tag, for the value of a key."""
        return next((term for term in self.others if term.of == of and _has(term, key) and term.fits(name)), None)

    def of_source(self, source: str) -> Term | None:
        """The term for what a source sends; None: no other than that of all."""
        tenant = tenant_of(source)
        return self.of("source", source) or (None if tenant is None else self.of("tenant", tenant))

    @property
    def shortest_days(self) -> int | None:
        """The shortest; None where all is kept for ever."""
        found = [days for days in (self.days, *(term.days for term in self.others)) if days != FOR_EVER]
        return min(found, default=None)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long what is kept of each class."""

    evidence: Terms = Terms(EVIDENCE_DAYS)
    """Of records, with all that is read from them."""
    floor_days: int = FLOOR_DAYS
    """The shortest that a term may be."""
    keeps_configurations: bool = True
    """Whether the first run of each configuration stays for ever."""

    @property
    def digest(self) -> bytes:
        """Tells it from others."""
        others = [[term.of, term.name, term.days] for term in self.evidence.others]
        told = [self.evidence.days, self.floor_days, self.keeps_configurations, *others]
        return sha256(json.dumps(told, ensure_ascii=True).encode()).digest()


def policy(
    evidence_days: int, floor_days: int, evidence_days_of: Sequence[tuple[str, str]], *, keeps_configurations: bool
) -> Policy:
    """The policy that a configuration states.

    Raises:
        Invalid: a term is below the floor, is for nothing that there is, or no number of days.
    """
    if floor_days < 0:
        raise Invalid(f"configure retention.floor_days: {floor_days}, expected a number of days; 0 is none")
    evidence = terms("evidence_days", evidence_days, evidence_days_of, floor_days)
    return Policy(evidence, floor_days, keeps_configurations)


def terms(name: str, days: int, others: Sequence[tuple[str, str]], floor_days: int) -> Terms:
    """The terms that a setting states, and the one beside it that ends with `_of`.

    Raises:
        Invalid: as `policy`.
    """
    _check(name, days, floor_days)
    return Terms(days, tuple(_term(f"{name}_of", said, text, floor_days) for said, text in others))


def told_days(days: int) -> str:
    """A term as people read it."""
    return "for ever" if days == FOR_EVER else f"{days} days"


def _term(setting: str, said: str, text: str, floor_days: int) -> Term:
    of, _, name = said.partition(":")
    is_named = bool(name) and (of != "tag" or all(name.partition("=")[::2]))
    if of not in OF or not is_named:
        raise Invalid(
            f"configure retention.{setting}: {said!r}, expected 'source:NAME', 'tenant:NAME', 'agent:NAME' or "
            "'tag:KEY=VALUE', where * in NAME and VALUE is any characters"
        )
    if not text.isascii() or not text.isdecimal():
        raise Invalid(f"configure retention.{setting} {said!r}: {text!r}, expected days, as in '400'")
    _check(f"{setting} {said!r}", int(text), floor_days)
    return Term(of, name, int(text))


def _check(name: str, days: int, floor_days: int) -> None:
    if days != FOR_EVER and days < max(floor_days, 1):
        raise Invalid(
            f"configure retention.{name}: {days} days, expected {max(floor_days, 1)} at least, which is "
            "retention.floor_days, or 0 for ever; make it longer, or lower the floor if the law lets you"
        )


def _has(term: Term, key: str) -> bool:
    return term.of != "tag" or term.key == key
