"""Web pages that may send from a browser: none, unless their origin is named.

https://fetch.spec.whatwg.org/#http-cors-protocol
Without this, any page that somebody looks at could write into the store of whoever looks. Senders other than browsers
give no origin, and are not concerned.
"""

from __future__ import annotations

import re
from typing import Final

from aftertrace.store.errors import Invalid

_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_MAX_AGE_S: Final = 7200
"""The longest that browsers keep an answer."""


def origins(text: str) -> frozenset[str]:
    """The origins in a list with commas, such as ``https://app.example.com, http://localhost:3000``.

    Raises:
        Invalid: one is no origin. `*` is none either: it would let in every page of the web.
    """
    found = frozenset(part.strip() for part in text.split(",") if part.strip())
    for origin in sorted(found):
        if not _ORIGIN.fullmatch(origin):
            raise Invalid(
                f"configure receiver: cors_origins has {origin!r}, expected origins such as https://app.example.com, "
                "in small letters, without a path and separated by commas"
            )
    return found


def headers(origin: str | None) -> tuple[tuple[str, str], ...]:
    """What an answer says to a browser whose page has an origin that is allowed; None: nothing."""
    if origin is None:
        return ()
    return (
        ("access-control-allow-origin", origin),
        ("access-control-expose-headers", "retry-after"),
        ("vary", "origin"),
    )


def preflight(origin: str) -> tuple[tuple[str, str], ...]:
    """What the answer says to a browser that asks whether such a page may send."""
    return (
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "authorization, content-encoding, content-type"),
        ("access-control-max-age", str(_MAX_AGE_S)),
        ("vary", "origin, access-control-request-method, access-control-request-headers"),
    )
