"""The frame: what the WAL holds for one request. Byte for byte in `exporter/FORMAT.md`; pure, no disk.

::

    header   0  magic 89 "atframe"      8 bytes
             8  version 3 or 4          u16      10  zero u16
            12  length of the body      u32
            16  seq                     u64
            24  previous digest         32 bytes
            56  digest                  32 bytes: SHA-256 of bytes 0..55 and the body
    body    88  received_ns             i64
            96  signal                  u8: 1 traces, 2 logs, 3 metrics
            97  length of receiver      u8      98  length of credential u16
           100  records                 u32
           104  redactions              u32
           108  length of source        u16     110  length of policy  u16
           112  length of keys          u32     116  length of payload u32
           120  salt                    16 bytes
           136  receiver, credential, source, policy (UTF-8), keys, payload

All numbers are little-endian. A frame names the digest of the frame before it, so that frames cannot be taken out,
put in or swapped unseen; the first of a receiver names `genesis(receiver)`. Each names its receiver too, so that none
can be moved to another, or be read under another name when its WAL is. One of version 1 does not: it has a zero for the
length of the receiver, and is that of the WAL it stands in. One of version 1 or 2 has no salt: its texts begin at 120.

A frame of version 4 has a credential, one of version 3 has none.

The salt is that of the request in the ledger (`ledger.leaves`). It stands here so that a request which is stored once
more, from a WAL that still has it, becomes the very rows that the ledger has.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

from aftertrace.semconv.canonical import is_unicode
from aftertrace.store.digest import KEY_BYTES
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.request import Prepared, Request, Signal

MAGIC: Final = b"\x89atframe"
VERSION: Final = 3
_WITH_CREDENTIAL: Final = 4
"""The version of frames of requests with which a credential was shown."""
SALT_BYTES: Final = 16
_NAMELESS: Final = 1
"""The version whose frames do not name their receiver."""
_SALTLESS: Final = 2
"""The last version whose frames have no salt."""
HEADER_BYTES: Final = 88
MAX_BODY_BYTES: Final = 256 << 20
"""Far over any request that a receiver lets in; a length beyond it is damage, not a reason to read on."""

_PREFIX: Final = struct.Struct("<8sHHIQ32s")
_BODY: Final = struct.Struct("<qBBHIIHHII")
_CODES: Final[dict[Signal, int]] = {"traces": 1, "logs": 2, "metrics": 3}
_SIGNALS: Final[dict[int, Signal]] = {code: signal for signal, code in _CODES.items()}
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Frame:
    """One accepted request, as the WAL holds it."""

    receiver: str
    """Name of the receiver that accepted it; empty in a frame of version 1."""
    seq: int
    previous: bytes
    """Digest of the frame before."""
    digest: bytes
    received_ns: int
    signal: Signal
    source: str
    records: int
    keys: bytes
    """16 bytes per record, or empty: see `Prepared.keys`."""
    redactions: int
    """How many values redaction replaced."""
    policy: str
    payload: bytes
    credential: str = field(kw_only=True, default="")
    """By what it was told who sent it, as `Principal.credential`; empty: by nothing that was shown."""
    salt: bytes
    """Random, and nowhere else than here and in the rows of `evidence`; empty in a frame of version 1 or 2."""

    @property
    def length_bytes(self) -> int:
        """Bytes of the whole frame."""
        texts = (self.receiver, self.credential, self.source, self.policy)
        return length_bytes(*texts, self.keys, self.payload) - SALT_BYTES + len(self.salt)

    @property
    def received_date(self) -> date:
        """Day of receipt, as `received_on` has it."""
        return received_on(self.received_ns)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the body. Nothing of it can be believed before the body's digest was checked."""

    version: int
    seq: int
    previous: bytes
    digest: bytes
    body_bytes: int
    prefix: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A frame ready to be written."""

    seq: int
    previous: bytes
    digest: bytes
    content: bytes


def genesis(receiver: str) -> bytes:
    """What the first frame of a receiver names as the digest of the frame before it."""
    return hashlib.sha256(b"aftertrace wal\n" + receiver.encode()).digest()


def length_bytes(receiver: str, credential: str, source: str, policy: str, keys: bytes, payload: bytes) -> int:
    """Bytes of a frame that holds these."""
    texts_bytes = sum(len(text.encode()) for text in (receiver, credential, source, policy))
    return HEADER_BYTES + _BODY.size + SALT_BYTES + texts_bytes + len(keys) + len(payload)


def check(request: Request, prepared: Prepared) -> None:
    """Refuse what a frame cannot hold.

    Raises:
        Invalid: a field is out of range.
    """
    if len(prepared.keys) not in (0, prepared.records * KEY_BYTES):
        raise Invalid(
            f"append request: {len(prepared.keys)} bytes of keys for {prepared.records} records,"
            f" expected {KEY_BYTES} each or none"
        )
    body_bytes = _BODY.size + SALT_BYTES + len(prepared.keys) + len(prepared.payload)
    if body_bytes > MAX_BODY_BYTES:
        raise Invalid(f"append request: {body_bytes} bytes, expected {MAX_BODY_BYTES} at most; send smaller batches")
    if not -(1 << 63) <= request.received_ns < 1 << 63:
        raise Invalid(f"append request: received_ns {request.received_ns}, expected an int64; set the clock")
    for name, text in (
        ("source", request.source),
        ("credential", request.credential),
        ("policy", prepared.policy),
    ):
        if len(text.encode("utf-8", "surrogatepass")) > 0xFFFF or not is_unicode(text):
            raise Invalid(f"append request: {name} is not Unicode text of 65,535 bytes at most; change it")


def seal(
    receiver: str, seq: int, previous: bytes, request: Request, prepared: Prepared, salt: bytes | None = None
) -> Sealed:
    """Make the frame of a request that `check` accepts, with a new salt if none is given. `decode` is the inverse."""
    name, source, policy = receiver.encode(), request.source.encode(), prepared.policy.encode()
    credential = request.credential.encode()
    fixed = _BODY.pack(
        request.received_ns,
        _CODES[request.signal],
        len(name),
        len(credential),
        prepared.records,
        sum(count for _, count in prepared.redactions),
        len(source),
        len(policy),
        len(prepared.keys),
        len(prepared.payload),
    )
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    body = (fixed, salt, name, credential, source, policy, prepared.keys, prepared.payload)
    version = _WITH_CREDENTIAL if credential else VERSION
    prefix = _PREFIX.pack(MAGIC, version, 0, sum(map(len, body)), seq, previous)
    digest = _digest(prefix, *body)
    return Sealed(seq, previous, digest, b"".join((prefix, digest, *body)))


def parse_header(content: bytes) -> Header:
    """Read the 88 bytes before a body.

    Raises:
        Corrupt: no frame begins here.
    """
    if len(content) < HEADER_BYTES:
        raise Corrupt(f"read frame: {len(content)} bytes, expected a header of {HEADER_BYTES}")
    magic, version, zero, body_bytes, seq, previous = _PREFIX.unpack_from(content)
    if magic != MAGIC:
        raise Corrupt("read frame: no frame begins here, expected its magic")
    if version not in (_NAMELESS, _SALTLESS, VERSION, _WITH_CREDENTIAL) or zero:
        raise Corrupt(f"read frame: version {version}, expected {_WITH_CREDENTIAL} at most")
    if not _BODY.size <= body_bytes <= MAX_BODY_BYTES:
        raise Corrupt(f"read frame: body of {body_bytes} bytes, expected {MAX_BODY_BYTES} at most")
    return Header(version, seq, previous, content[_PREFIX.size : HEADER_BYTES], body_bytes, content[: _PREFIX.size])


def decode(header: Header, body: bytes) -> Frame:
    """Check a body against its header and read it.

    Raises:
        Corrupt: the body is not the one that was written.
    """
    if len(body) != header.body_bytes:
        raise Corrupt(f"read frame: body of {len(body)} bytes, expected {header.body_bytes}")
    if _digest(header.prefix, body) != header.digest:
        raise Corrupt("read frame: digest differs from the one that was written")
    received_ns, code, name_bytes, credential_bytes, records, redactions, *others = _BODY.unpack_from(body)
    lengths = [0 if header.version <= _SALTLESS else SALT_BYTES, name_bytes, credential_bytes, *others]
    is_named = bool(name_bytes) or header.version == _NAMELESS
    is_told = bool(credential_bytes) == (header.version == _WITH_CREDENTIAL)
    if code not in _SIGNALS or not is_told or not is_named or _BODY.size + sum(lengths) != len(body):
        raise Corrupt("read frame: fields that no writer writes")
    parts, start = [], _BODY.size
    for length in lengths:
        parts.append(body[start : start + length])
        start += length
    salt, receiver, credential, source, policy, keys, payload = parts
    try:
        return Frame(
            receiver=receiver.decode(),
            seq=header.seq,
            previous=header.previous,
            digest=header.digest,
            received_ns=received_ns,
            signal=_SIGNALS[code],
            source=source.decode(),
            records=records,
            keys=keys,
            redactions=redactions,
            policy=policy.decode(),
            payload=payload,
            credential=credential.decode(),
            salt=salt,
        )
    except UnicodeDecodeError:
        raise Corrupt("read frame: receiver, credential, source or policy is not UTF-8") from None


def _digest(prefix: bytes, *body: bytes) -> bytes:
    digest = hashlib.sha256(prefix)
    for part in body:
        digest.update(part)
    return digest.digest()


def received_on(received_ns: int) -> date:
    """Day of receipt in UTC; the first or last day there is for a clock that is beyond."""
    return _date(_EPOCH_DAY + received_ns // _DAY_NS)


@lru_cache(maxsize=16)
def _date(ordinal: int) -> date:
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))
