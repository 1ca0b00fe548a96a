"""Blobs on the disk: one file for each content and day, under one key for each day.

::

    <data>/keys/blobs/<day>.key         32 random bytes, mode 0600
    <data>/blobs/<day>/<digest>.blob    a content, compressed and encrypted

A file, byte for byte in `exporter/FORMAT.md`::

     0  magic 89 "atblob" 01      8 bytes
     8  nonce                    12 bytes
    20  AES-256-GCM of a zlib stream, with its tag of 16 bytes; bound to magic, day, digest and length of the content

A blob is durable before the frame that refers to it is written: a crash leaves both, or a blob that nothing refers to.
Without the key of its day nothing of it can be read: whoever destroys that destroys all blobs of the day, also those of
which a disk still has the bytes.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aftertrace.store import durable
from aftertrace.store.blobs.reference import Reference, digest_of
from aftertrace.store.errors import Corrupt

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout

MAGIC: Final = b"\x89atblob\x01"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = len(MAGIC) + NONCE_BYTES
_FAST: Final = 1


@dataclass(frozen=True, slots=True)
class Content:
    """A content that was taken out of a record."""

    reference: Reference
    text: bytes
    """In UTF-8."""


class Gone(Exception):
    """A blob or its key is not there."""


def put(layout: Layout, contents: Iterable[Content]) -> None:
    """Store contents, once each. Durable when it returns.

    Raises:
        Corrupt: the key of a day is damaged.
        OSError: the disk does not take them.
    """
    days: dict[date, dict[str, Content]] = {}
    for content in contents:
        days.setdefault(content.reference.day, {})[content.reference.digest] = content
    for day, found in days.items():
        key = _key(layout, day)
        folder = layout.blobs_of(day)
        durable.make_folder(folder, mode=0o700)
        drafted = (
            (layout.blob(day, digest), encoded(content, key))
            for digest, content in found.items()
            if not _is_there(layout.blob(day, digest))
        )
        durable.create_files(folder, drafted, mode=0o600)


def _is_there(path: Path) -> bool:
    """Whether a blob is there; it is then as young as a new one, so that nobody removes it for being unused."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def get(layout: Layout, reference: Reference, store_key: bytes) -> str:
    """The content that a reference is to.

    Raises:
        Gone: the blob or its key is not there.
        Corrupt: the blob or its key is damaged.
        OSError: it cannot be read.
    """
    try:
        key = layout.blob_key(reference.day).read_bytes()
        content = layout.blob(reference.day, reference.digest).read_bytes()
    except FileNotFoundError as error:
        raise Gone(f"read blob {reference.name}: no {Path(str(error.filename)).name}") from None
    return decoded(content, reference, _sound(key, reference.day), store_key)


def destroyed_on(layout: Layout, day: date) -> date | None:
    """When the contents of a day were destroyed by their term; None where they were not, as far as is known here."""
    try:
        return date.fromisoformat(layout.blobs_destroyed(day).read_text("ascii").strip())
    except (OSError, ValueError):
        return None


def encoded(content: Content, key: bytes) -> bytes:
    """The bytes of a blob; `decoded` is the inverse."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    packed = zlib.compress(content.text, _FAST)
    return MAGIC + nonce + AESGCM(key).encrypt(nonce, packed, _bound(content.reference))


def decoded(blob: bytes, reference: Reference, key: bytes, store_key: bytes) -> str:
    """The content of a blob, once it was checked to be what a reference is to.

    Raises:
        Corrupt: it is not.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not blob.startswith(MAGIC):
        raise _damaged(reference)
    nonce = blob[len(MAGIC) : _HEADER_BYTES]
    try:
        packed = AESGCM(key).decrypt(nonce, blob[_HEADER_BYTES:], _bound(reference))
        # What is authentic was packed here: it is no longer than it says.
        content = zlib.decompressobj().decompress(packed, reference.size_bytes + 1)
        if len(content) != reference.size_bytes or digest_of(store_key, content) != reference.digest:
            raise _damaged(reference)
        return content.decode()
    except (InvalidTag, ValueError, zlib.error):
        raise _damaged(reference) from None


def _bound(reference: Reference) -> bytes:
    return MAGIC + f"{reference.name}:{reference.size_bytes}".encode()


def _damaged(reference: Reference) -> Corrupt:
    return Corrupt(f"read blob {reference.name}: not what was written, expected its content; restore it from a backup")


def _key(layout: Layout, day: date) -> bytes:
    """The key of a day; made where there is none."""
    path = layout.blob_key(day)
    if not path.exists():
        durable.make_folder(path.parent, mode=0o700)
        durable.create_file(path, os.urandom(KEY_BYTES), mode=0o600)
    return _sound(path.read_bytes(), day)


def _sound(key: bytes, day: date) -> bytes:
    if len(key) != KEY_BYTES:
        raise Corrupt(f"read key of blobs of {day}: {len(key)} bytes, expected {KEY_BYTES}; restore it from a backup")
    return key
