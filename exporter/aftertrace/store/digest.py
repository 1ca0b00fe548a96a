"""The digests that tie stored rows together. `exporter/FORMAT.md` has the formulas and examples."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final

from aftertrace.store.request import Signal

KEY_BYTES: Final = 16
"""Length of a record key."""


def origin_digest(message: bytes, schema_url: str) -> str:
    """Tagged digest of a Resource or InstrumentationScope message and its schema URL: the key into their tables."""
    url = schema_url.encode()
    return "sha256:" + hashlib.sha256(struct.pack("<I", len(url)) + url + message).hexdigest()


def record_key(
    store_key: bytes, signal: Signal, record: bytes, resource_digest: str, scope_digest: str
) -> bytes:
    """Keyed digest of a record, its resource and its scope: the same for a resend and for nothing else.

    Keyed, because an unkeyed digest of a short record would let its content be guessed after it was redacted.
    """
    mac = hashlib.blake2b(record, digest_size=KEY_BYTES, key=store_key, person=signal.encode())
    mac.update(resource_digest.encode())
    mac.update(scope_digest.encode())
    return mac.digest()


def file_digest(path: Path) -> str:
    """Tagged digest of a file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
