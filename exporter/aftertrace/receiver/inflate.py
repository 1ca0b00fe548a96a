"""Content encodings of a request body: identity and gzip, never past a limit."""

from __future__ import annotations

import zlib
from typing import Final

from aftertrace.receiver.status import Unsupported
from aftertrace.store.errors import Invalid, TooLarge

ACCEPTED: Final = ("identity", "gzip")
"""What OTLP asks for. Formats that inflate further (zstd, brotli) make better bombs and are not taken."""

_OLD_NAMES: Final = {"": "identity", "x-gzip": "gzip"}
"""Other names of the same (RFC 9110 8.4.1.3)."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_STRETCH_BYTES: Final = 2**14
"""How much is given to the library at a time, which copies what it leaves over."""
_PART_BYTES: Final = 2**18
"""How much it makes at a time: it joins that while nothing else runs."""
_MAX_MEMBERS: Final = 1_000
"""Senders make one; each costs as much as 100 kB of text."""


def coding(header: str) -> str:
    """The one content coding that a `Content-Encoding` header names. Raises `Unsupported` for what is not
    taken.
    """
    given = header.strip().lower()
    name = _OLD_NAMES.get(given, given)
    if name not in ACCEPTED:
        raise Unsupported(
            f"read request: content encoding {name[:40]!r}, expected one of {', '.join(ACCEPTED)}; "
            "set the sender's compression to gzip or none"
        )
    return name


def inflate(body: bytes, name: str, max_bytes: int) -> bytes:
    """Undo a content coding, holding at most `max_bytes` of the result.

    A gzip body may have some members, as RFC 1952 allows. Raises `TooLarge` as soon as the limit is
    passed, and `Invalid` for what is not gzip, is cut off, or has something behind its end.
    """
    if name == "identity":
        if len(body) > max_bytes:
            raise too_large(max_bytes)
        return body
    inflated: list[bytes] = []
    left = max_bytes
    position = 0
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            stretch = body[position : position + _STRETCH_BYTES]
            if not stretch:
                raise Invalid("inflate request: the gzip body is cut off, expected its end; send it again whole")
            try:
                # One byte more than is allowed tells "full" from "over".
                part = member.decompress(stretch, min(left + 1, _PART_BYTES))
            except zlib.error as error:
                raise Invalid("inflate request: the body is not gzip, expected what Content-Encoding says") from error
            if len(part) > left:
                raise too_large(max_bytes)
            inflated.append(part)
            left -= len(part)
            position += len(stretch) - len(member.unused_data if member.eof else member.unconsumed_tail)
        if position == len(body):
            return b"".join(inflated)
    raise Invalid(
        f"inflate request: the gzip body has more than {_MAX_MEMBERS} members, expected one; compress it whole"
    )


def too_large(max_bytes: int) -> TooLarge:
    """The refusal of a body over the limit."""
    return TooLarge(
        f"read request: the inflated body is over the limit of {max_bytes} bytes; "
        "make the sender's batches smaller, or raise the receiver's max_request_bytes"
    )
