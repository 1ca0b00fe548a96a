"""The digests that tie stored rows together. `exporter/FORMAT.md` has the formulas and examples."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 16
"""Length of a record key."""


def origin_digest(message: bytes, schema_url: str) -> str:
    """Tagged digest of a Resource or InstrumentationScope message with its schema URL: their tables' key."""
    url = schema_url.encode()
    return tagged(struct.pack("<I", len(url)) + url + message)


def record_key(key: bytes, resource: bytes, scope: bytes, record: bytes) -> bytes:
    """The deduplication key of a record: a keyed digest of what was received, before redaction.

    A client that lost an OK sends the same bytes again; the same bytes make the same key. Parts are
    length-prefixed, so that no two triples run together. `key` is the store's secret, at most 64 bytes: without it
    nobody can test guesses of what was redacted against a stored key.
    """
    digest = hashlib.blake2b(digest_size=KEY_BYTES, key=key)
    for part in (resource, scope, record):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def tagged(content: bytes) -> str:
    """Tagged SHA-256 digest of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Tagged SHA-256 digest of a file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
