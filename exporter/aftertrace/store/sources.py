"""Who may send: names of sources, and the digests of their tokens, in ``keys/sources.json``.

A source is an agent, a team or a Collector: whoever holds a token. Its name is ``NAME`` or ``TENANT/NAME``. It stands
in the frame, in `evidence.source` and beside every span and event, apart from what the telemetry claims to be. A token
is shown once, when it is made; the file holds its SHA-256, which is enough for 256 random bits.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final, TypeAlias

import msgspec

from aftertrace.store import durable
from aftertrace.store.digest import tagged
from aftertrace.store.errors import Corrupt, Invalid, Unauthenticated, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.lock import held

ANONYMOUS: Final = "anonymous"
"""The source of a request without a token, where none is asked for."""
RESERVED: Final = frozenset({ANONYMOUS, "import", "unknown"})
"""Names that the server gives by itself."""
TOKEN_PREFIX: Final = "aftertrace_"  # noqa: S105 - what every token begins with, so that scanners of secrets know it
_TOKEN_BYTES: Final = 32
_ID_CHARACTERS: Final = 8
_PART: Final = r"[a-z0-9][a-z0-9_.-]{0,62}"
_NAME: Final = re.compile(rf"{_PART}(/{_PART})?")
_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a source. A source may have several, so that a new one can be given out before the old one goes."""

    source: str
    digest: str
    """Tagged SHA-256 digest of the token."""
    added_ns: int

    @property
    def id(self) -> str:
        """What tells it from the other tokens of its source, and nothing of the token itself."""
        return self.digest.removeprefix("sha256:")[:_ID_CHARACTERS]


Stamp: TypeAlias = tuple[int, int, int] | None


def tenant_of(source: str) -> str | None:
    """The tenant that a source's name states."""
    tenant, slash, _ = source.partition("/")
    return tenant if slash else None


def tokens(layout: Layout) -> tuple[Token, ...]:
    """All tokens, in the order in which they were added.

    Raises:
        Corrupt: the file is not what was written.
    """
    path = layout.sources
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=list[Token]))
    except FileNotFoundError:
        return ()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt(f"read {path}: {error}, expected a list of tokens; restore it from a backup") from None


def add_token(layout: Layout, source: str, now_ns: int) -> str:
    """Make a token for a source, and return it: it is kept nowhere.

    Raises:
        Invalid: the name cannot be one.
        Held: somebody else changes the sources now.
    """
    if not _NAME.fullmatch(source) or source in RESERVED:
        raise Invalid(
            f"add source {source!r}: not a name that a source can have, expected NAME or TENANT/NAME of a-z 0-9 _ . - "
            f"and not {' or '.join(sorted(RESERVED))}"
        )
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    with _changing(layout) as known:
        _write(layout, [*known, Token(source, tagged(token.encode()), now_ns)])
    return token


def remove_tokens(layout: Layout, source: str, token_id: str | None = None) -> tuple[Token, ...]:
    """Take back all tokens of a source, or one. Returns those that are gone; what they sent stays.

    Raises:
        Invalid: there is none such.
        Held: somebody else changes the sources now.
    """
    with _changing(layout) as known:
        gone = tuple(token for token in known if token.source == source and token_id in (None, token.id))
        if not gone:
            which = "" if token_id is None else f" with a token {token_id}"
            raise Invalid(f"remove source {source!r}: no source{which}; see `aftertrace source list`")
        _write(layout, [token for token in known if token not in gone])
    return gone


class Sources:
    """Tells from a request's Authorization header who sent it. Safe to use from any thread.

    The file is read again when it has changed, so that a token holds, or no longer does, from the next request on.
    """

    def __init__(self, layout: Layout, *, required: bool) -> None:
        """Ask everybody for a token, or only hold those that are shown to what they say."""
        self._layout = layout
        self._required = required
        self._known: tuple[Stamp, tuple[Token, ...]] = (None, ())

    def identify(self, authorization: str | None) -> str:
        """The name of the source.

        Raises:
            Unauthenticated: a token is missing that has to be there, or is not known.
            Corrupt: the file of the sources is damaged.
            Unavailable: it cannot be read.
        """
        try:
            known = self._tokens()
        except OSError as error:
            raise Unavailable(
                f"read {self._layout.sources}: {error.strerror}; make it readable for whoever serves"
            ) from error
        if self._known[0] is None and not self._required:
            # Nobody has ever given out a token: a header that is there was meant for somebody else.
            return ANONYMOUS
        if authorization is None:
            if self._required:
                raise Unauthenticated("identify source: no token, expected a header `authorization: Bearer TOKEN`")
            return ANONYMOUS
        shown = _BEARER.fullmatch(authorization)
        if shown is None:
            raise Unauthenticated("identify source: not a bearer token, expected `authorization: Bearer TOKEN`")
        digest = tagged(shown[1].encode("utf-8", "replace"))
        # All of them, whichever fits: the time tells nothing.
        found = [token.source for token in known if hmac.compare_digest(token.digest, digest)]
        if not found:
            raise Unauthenticated("identify source: unknown token; make one with `aftertrace source add NAME`")
        return found[0]

    def _tokens(self) -> tuple[Token, ...]:
        stamp, known = self._known
        try:
            now = self._layout.sources.stat()
            current: Stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
        except FileNotFoundError:
            current = None
        if current != stamp:
            known = tokens(self._layout)
            self._known = (current, known)
        return known


@contextmanager
def _changing(layout: Layout) -> Iterator[tuple[Token, ...]]:
    durable.make_folder(layout.sources.parent, mode=0o700)
    with held(layout.sources_lock, "changes the sources"):
        yield tokens(layout)


def _write(layout: Layout, left: Iterable[Token]) -> None:
    content = msgspec.json.format(msgspec.json.encode([asdict(token) for token in left]), indent=2)
    durable.write_file(layout.sources, content + b"\n", mode=0o600)
