"""The digests that tie stored rows together. `exporter/FORMAT.md` has the formulas and examples."""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
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
    return _then(_within(key, resource, scope), record).digest()


@lru_cache(maxsize=1)
def _within(key: bytes, resource: bytes, scope: bytes) -> hashlib.blake2b:
    return _then(_of(key, resource), scope)


@lru_cache(maxsize=1)
def _of(key: bytes, resource: bytes) -> hashlib.blake2b:
    """Kept, since thousands of records may be of one resource, and that as long as a request can be."""
    return _then(hashlib.blake2b(digest_size=KEY_BYTES, key=key), resource)


def _then(begun: hashlib.blake2b, part: bytes) -> hashlib.blake2b:
    digest = begun.copy()
    digest.update(len(part).to_bytes(8, "little"))
    digest.update(part)
    return digest


def tagged(content: bytes) -> str:
    """Tagged SHA-256 digest of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Tagged SHA-256 digest of a file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
