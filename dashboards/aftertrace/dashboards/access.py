"""Who may look at the pages, as which role, and at which tenants: told by the claims of whoever signed in.

Nothing here imports Streamlit or the analyzer, so that a program that only starts the pages stays light.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from aftertrace.semconv.canonical import is_unicode

Role: TypeAlias = Literal["viewer", "reviewer", "auditor"]
MAY: Final[Mapping[Role, frozenset[str]]] = {
    "viewer": frozenset(),
    "reviewer": frozenset({"contents"}),
    "auditor": frozenset({"contents", "sql", "packets", "evidence"}),
}
"""What each role may see and do beside figures, names and outcomes: `contents`, what was said, asked for, answered and
given as a reason, on all pages, in run records and in drafted controls; `sql`; `packets`; and `evidence`, whether the
whole store holds, and who read what of it.
"""
_OF_THE_STORE: Final = frozenset({"packets", "evidence"})
"""What tells of all tenants: the ledger, and the policies and declarations that are in a packet."""
SUBJECT_CHARACTERS: Final = 255
"""The longest subject that OpenID Connect lets a provider give."""
ALL_TENANTS: Final = "*"
_ANY: Final = re.compile(r"\\\*")


@dataclass(frozen=True, slots=True)
class Person:
    """Who looks."""

    by: str
    """As reads are recorded: issuer, subject, and the e-mail address that the provider has verified. Empty:
    nobody signs in."""
    role: Role
    tenants: frozenset[str] | None = None
    """Whose runs they see; None: all."""

    def may(self, what: str) -> bool:
        """Whether their role includes something of `MAY`; nothing is everybody's."""
        if self.tenants is not None and what in _OF_THE_STORE:
            return False
        return not what or what in MAY[self.role]


ANYBODY: Final = Person("", "auditor")
"""Whoever reaches pages on loopback to which nobody signs in."""


@dataclass(frozen=True, slots=True)
class Access:
    """By which provider people sign in, and what each of them may see.

    Who is meant is told as `CLAIM=VALUE`: a claim of the token, and in it a text, or a list that has it; `*` stands for
    any characters.
    """

    issuer: str
    """Of the tokens, whose metadata is at `/.well-known/openid-configuration` below it."""
    client_id: str
    url: str
    """Where browsers reach the pages."""
    scope: str
    session_hours: int
    """How long a sign-in counts."""
    viewers: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    auditors: tuple[str, ...] = ()
    tenants: tuple[tuple[str, str], ...] = ()
    """Who sees which tenants, named with commas between, `*` for all: others see none. Empty: everybody sees all."""

    def written(self) -> str:
        """The same as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Access:
        """What `written` gave."""
        told = json.loads(text)
        lists = {name: tuple(told[name]) for name in ("viewers", "reviewers", "auditors")}
        return cls(**{**told, **lists, "tenants": tuple((who, names) for who, names in told["tenants"])})

    def is_current(self, claims: Mapping[str, Any], now_s: float) -> bool:
        """Whether somebody has signed in with this provider, and that still counts."""
        issued_s, meant, subject = claims.get("iat"), claims.get("aud"), claims.get("sub")
        return (
            claims.get("iss") == self.issuer
            # That these pages were sent it (`azp`) makes a token for others none for them.
            and self.client_id in (meant if isinstance(meant, list) else [meant])
            and isinstance(subject, str)
            and 0 < len(subject) <= SUBJECT_CHARACTERS
            and is_unicode(subject)
            and isinstance(issued_s, int | float)
            and now_s < issued_s + self.session_hours * 3600
        )

    def person(self, claims: Mapping[str, Any]) -> Person | None:
        """Who has these claims; None where no role, or no tenant, is theirs."""
        by_role: tuple[tuple[Role, tuple[str, ...]], ...] = (
            ("auditor", self.auditors),
            ("reviewer", self.reviewers),
            ("viewer", self.viewers),
        )
        role = next((role for role, who in by_role if _is_any(who, claims)), None)
        tenants = self._tenants(claims)
        if role is None or tenants == frozenset():
            return None
        email = claims.get("email") if claims.get("email_verified") is True else None
        named = f" ({email})" if isinstance(email, str) and is_unicode(email) else ""
        return Person(f"{self.issuer} {claims['sub']}{named}", role, tenants)

    def _tenants(self, claims: Mapping[str, Any]) -> frozenset[str] | None:
        if not self.tenants:
            return None
        names = {name.strip() for who, told in self.tenants if _is_any((who,), claims) for name in told.split(",")}
        return None if ALL_TENANTS in names else frozenset(names - {""})


def _is_any(who: Iterable[str], claims: Mapping[str, Any]) -> bool:
    return any(_is(each, claims) for each in who)


def _is(who: str, claims: Mapping[str, Any]) -> bool:
    claim, _, value = who.partition("=")
    if claim == "email" and claims.get("email_verified") is not True:
        # Anybody may give any address of which the provider has not asked whether it is theirs.
        return False
    told = claims.get(claim)
    pattern = re.compile(_ANY.sub(".*", re.escape(value)))
    return any(
        isinstance(each, str) and pattern.fullmatch(each) for each in (told if isinstance(told, list) else [told])
    )
