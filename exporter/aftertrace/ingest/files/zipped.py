"""Members of zip archives, also those compressed with Zstandard, which the standard library cannot read everywhere."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from aftertrace.store.errors import Invalid

MAGIC: Final = b"PK\x03\x04"
_LOCAL: Final = struct.Struct("<4s5H3I2H")
"""The header before a member's bytes; its last two fields are the lengths of name and extra field."""
_ZSTANDARD: Final = 93

_FAULTS: Final = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, UnicodeDecodeError, struct.error,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What a damaged member raises, or one that is compressed or encrypted as nobody can read it here."""


@contextmanager
def archive(name: str, file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The archive in a file.

    Raises:
        Invalid: it is none, or damaged.
    """
    try:
        with zipfile.ZipFile(file) as found:
            yield found
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError, struct.error) as error:
        raise Invalid(f"read {name}: the zip file is damaged or cut short: {error}") from error


def first_member(head: bytes) -> str:
    """The name of the first member of an archive, from its beginning; empty where it is none."""
    if not head.startswith(MAGIC) or len(head) < _LOCAL.size:
        return ""
    length = _LOCAL.unpack_from(head)[-2]
    return head[_LOCAL.size : _LOCAL.size + length].decode("utf-8", "replace")


def content(name: str, found: zipfile.ZipFile, member: zipfile.ZipInfo, *, most_bytes: int) -> bytes:
    """What a member holds.

    Raises:
        Invalid: it is longer than `most_bytes`, damaged, or compressed in another way.
    """
    where = f"{name}!{member.filename}"
    if member.compress_type == _ZSTANDARD:
        text = _zstandard(where, found, member, most_bytes)
    else:
        try:
            with found.open(member) as file:
                text = file.read(most_bytes + 1)
        except _FAULTS as error:
            raise Invalid(f"read {where}: {error}, expected a member stored, deflated or in Zstandard") from error
    if len(text) > most_bytes:
        raise Invalid(f"read {where}: longer than {most_bytes} bytes, expected shorter members")
    return text


def _zstandard(where: str, found: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int) -> bytes:
    import pyarrow as pa

    raw = found.fp
    if raw is None:
        raise Invalid(f"read {where}: the archive is closed")
    raw.seek(member.header_offset)
    header = raw.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(MAGIC):
        raise Invalid(f"read {where}: no member where the archive says")
    *_, name_bytes, extra_bytes = _LOCAL.unpack(header)
    raw.seek(name_bytes + extra_bytes, io.SEEK_CUR)
    packed = raw.read(member.compress_size)
    try:
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            return bytes(stream.read(most_bytes + 1))
    except OSError as error:
        raise Invalid(f"read {where}: damaged: {error}") from error
