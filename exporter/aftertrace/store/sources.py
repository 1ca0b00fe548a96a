"""Who may send: names of sources, and digests of what they show, in ``keys/sources.json``.

A source is an agent, a team or a Collector: whoever holds one of its credentials, a token or a certificate. Its name
is ``NAME`` or ``TENANT/NAME``. It stands in the frame, in `evidence.source` and beside every span and event, apart from
what the telemetry claims to be. A token is shown once, when it is made; the file holds its SHA-256, which is enough for
256 random bits. Of a certificate it holds the SHA-256 too.

What a source sends is of the tenant that its name states, whatever the telemetry says: no attribute tells a tenant. Of
which agents it may be is told for each credential.
"""

from __future__ import annotations

import hmac
import re
import secrets
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal, TypeAlias

import msgspec

from aftertrace.store import durable
from aftertrace.store.digest import tagged
from aftertrace.store.errors import Corrupt, Invalid, Unauthenticated, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.lock import held
from aftertrace.store.request import Principal

ANONYMOUS: Final = "anonymous"
"""The source of a request without a credential, where none is asked for."""
RESERVED: Final = frozenset({ANONYMOUS, "import", "unknown"})
"""Names that the server gives by itself."""
TOKEN_PREFIX: Final = "aftertrace_"  # noqa: S105 - what every token begins with, so that scanners of secrets know it
PATTERN_CHARACTERS: Final = 256
"""How long the pattern of an agent may be."""
_TOKEN_BYTES: Final = 32
_ID_CHARACTERS: Final = 16
_PART: Final = r"[a-z0-9][a-z0-9_.-]{0,62}"
_NAME: Final = re.compile(rf"{_PART}(/{_PART})?")
_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
Kind: TypeAlias = Literal["token", "certificate"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a source shows. It may have several, so that a new one can be given out before the old one goes."""

    source: str
    digest: str
    """Tagged SHA-256 digest of the token, or of the certificate (DER)."""
    added_ns: int
    kind: Kind = "token"
    agents: tuple[str, ...] = ()
    """Patterns of the agents that what is sent with it may be of, `*` for any text; empty: of any."""

    @property
    def id(self) -> str:
        """What tells it from the others, and nothing of a token itself."""
        return self.digest.removeprefix("sha256:")[:_ID_CHARACTERS]

    @property
    def principal(self) -> Principal:
        """Who shows it."""
        return Principal(self.source, f"{self.kind} {self.id}", self.agents)


Stamp: TypeAlias = tuple[int, int, int] | None


def tenant_of(source: str) -> str | None:
    """The tenant that a source's name states."""
    tenant, slash, _ = source.partition("/")
    return tenant if slash else None


def credentials(layout: Layout) -> tuple[Credential, ...]:
    """All credentials, in the order in which they were added.

    Raises:
        Corrupt: the file is not what was written.
    """
    path = layout.sources
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=list[Credential]))
    except FileNotFoundError:
        return ()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt(f"read {path}: {error}, expected a list of credentials; restore it from a backup") from None


def add_token(layout: Layout, source: str, now_ns: int, agents: Iterable[str] = ()) -> str:
    """Make a token for a source, and return it: it is kept nowhere.

    Args:
        layout: of the store.
        source: its name.
        now_ns: what time it is.
        agents: patterns of the agents that what is sent with it may be of, `*` for any text; none: of any.

    Raises:
        Invalid: the name or a pattern cannot be one.
        Held: somebody else changes the sources now.
    """
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    _add(layout, Credential(source, tagged(token.encode()), now_ns, agents=tuple(agents)))
    return token


def add_certificate(layout: Layout, source: str, pem: str, now_ns: int, agents: Iterable[str] = ()) -> Credential:
    """Let a source be told by a certificate of its own: whoever shows it in a handshake is the source.

    Args:
        layout: of the store.
        source: its name.
        pem: the certificate; what leads from it to its root may follow.
        now_ns: what time it is.
        agents: as for `add_token`.

    Raises:
        Invalid: the name or a pattern cannot be one, there is no certificate, or a source has it already.
        Held: somebody else changes the sources now.
    """
    found = _PEM.search(pem)
    try:
        shown = ssl.PEM_cert_to_DER_cert(found[0]) if found is not None else b""
    except ValueError:
        shown = b""
    if not shown:
        raise Invalid(f"add source {source!r}: no certificate, expected one in PEM; give the client's, not its key")
    added = Credential(source, tagged(shown), now_ns, "certificate", tuple(agents))
    _add(layout, added)
    return added


def remove_credentials(layout: Layout, source: str, ident: str | None = None) -> tuple[Credential, ...]:
    """Take back all credentials of a source, or one. Returns those that are gone; what they sent stays.

    Raises:
        Invalid: there is none such.
        Held: somebody else changes the sources now.
    """
    with _changing(layout) as known:
        gone = tuple(each for each in known if each.source == source and ident in (None, each.id))
        if not gone:
            which = "" if ident is None else f" with a credential {ident}"
            raise Invalid(f"remove source {source!r}: no source{which}; see `aftertrace source list`")
        _write(layout, [each for each in known if each not in gone])
    return gone


class Sources:
    """Tells from a request's Authorization header, and its client's certificate, who sent it. Any thread may ask.

    The file is read again when it has changed, so that a credential holds, or no longer does, from the next request on.
    """

    def __init__(self, layout: Layout, *, required: bool) -> None:
        """Ask everybody for a credential, or only hold those that are shown to what they say."""
        self._layout = layout
        self._required = required
        self._known: tuple[Stamp, tuple[Credential, ...]] = (None, ())

    def identify(self, authorization: str | None, certificate: bytes | None = None) -> Principal:
        """Who sends. Where both a token and a certificate of a source are shown, they are of the same one.

        Raises:
            Unauthenticated: a credential is missing that has to be there, or is not known.
            Corrupt: the file of the sources is damaged.
            Unavailable: it cannot be read.
        """
        try:
            known = self._credentials()
        except OSError as error:
            raise Unavailable(
                f"read {self._layout.sources}: {error.strerror}; make it readable for whoever serves"
            ) from error
        if self._known[0] is None and not self._required:
            # Nobody has ever been given one: a header that is there was meant for somebody else.
            return Principal(ANONYMOUS)
        by_certificate = None if certificate is None else _shown(known, "certificate", certificate)
        if authorization is None:
            if by_certificate is not None:
                return by_certificate.principal
            if self._required:
                raise Unauthenticated("identify source: no token, expected a header `authorization: Bearer TOKEN`")
            return Principal(ANONYMOUS)
        shown = _BEARER.fullmatch(authorization)
        if shown is None:
            raise Unauthenticated("identify source: not a bearer token, expected `authorization: Bearer TOKEN`")
        found = _shown(known, "token", shown[1].encode("utf-8", "replace"))
        if found is None:
            raise Unauthenticated("identify source: unknown token; make one with `aftertrace source add NAME`")
        if by_certificate is None:
            return found.principal
        if by_certificate.source != found.source:
            raise Unauthenticated("identify source: token and certificate are of two sources, expected one's")
        if found.agents and by_certificate.agents and set(found.agents) != set(by_certificate.agents):
            raise Unauthenticated("identify source: token and certificate are bound to other agents, expected the same")
        # What binds one of them binds whoever shows both.
        return replace(found.principal, agents=found.agents or by_certificate.agents)

    def _credentials(self) -> tuple[Credential, ...]:
        stamp, known = self._known
        try:
            now = self._layout.sources.stat()
            current: Stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
        except FileNotFoundError:
            current = None
        if current != stamp:
            known = credentials(self._layout)
            self._known = (current, known)
        return known


def _shown(known: Iterable[Credential], kind: Kind, content: bytes) -> Credential | None:
    digest = tagged(content)
    # All of them, whichever fits: the time tells nothing.
    found = [each for each in known if hmac.compare_digest(each.digest, digest) and each.kind == kind]
    return found[0] if found else None


def _add(layout: Layout, added: Credential) -> None:
    if not _NAME.fullmatch(added.source) or added.source in RESERVED:
        raise Invalid(
            f"add source {added.source!r}: not a name that a source can have, expected NAME or TENANT/NAME of "
            f"a-z 0-9 _ . - and not {' or '.join(sorted(RESERVED))}"
        )
    for pattern in added.agents:
        if not 0 < len(pattern) <= PATTERN_CHARACTERS or not pattern.isprintable():
            raise Invalid(
                f"add source {added.source!r}: agent {pattern!r}, expected a name of {PATTERN_CHARACTERS} printable "
                "characters at most, with * for any text"
            )
    with _changing(layout) as known:
        if any(each.digest == added.digest for each in known):
            raise Invalid(f"add source {added.source!r}: a source has this {added.kind} already; remove it there first")
        _write(layout, [*known, added])


@contextmanager
def _changing(layout: Layout) -> Iterator[tuple[Credential, ...]]:
    durable.make_folder(layout.sources.parent, mode=0o700)
    with held(layout.sources_lock, "changes the sources"):
        yield credentials(layout)


def _write(layout: Layout, left: Iterable[Credential]) -> None:
    content = msgspec.json.format(msgspec.json.encode([asdict(each) for each in left]), indent=2)
    durable.write_file(layout.sources, content + b"\n", mode=0o600)
