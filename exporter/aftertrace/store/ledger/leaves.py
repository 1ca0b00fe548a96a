"""What the ledger holds of a record: one hash over every stored field, that tells nothing without its salt.

::

    leaf = leaf hash of  "aftertrace/record/v1" LF || salt || SHA-256(frame) || SHA-256(own) || SHA-256(record)

`frame` and `own` are the columns of `evidence` that all records of a frame share, and the others: each as its length
in decimal, a colon, its bytes and a comma; `-,` for null. Numbers are in decimal, dates as in ISO 8601, texts in UTF-8.
The salt is 16 random bytes in the row itself: once it is erased, nobody can test guesses of the record.

The root of a frame is that of the RFC 6962 tree over the leaves of its records, in their order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import reduce
from hashlib import sha256
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store.schema import PARTITION
from aftertrace.tlog.merkle import leaf_hash

SALT_BYTES: Final = 16
_DOMAIN: Final = b"aftertrace/record/v1\n"
FRAME_COLUMNS: Final = (
    PARTITION,
    "receiver",
    "seq",
    "received_ns",
    "source",
    "frame_records",
    "signal",
    "redactions",
    "policy_digest",
)
"""Columns that all records of a frame share."""
OWN_COLUMNS: Final = ("index", "resource_digest", "scope_digest", "record_key", "duplicate_of", "record_id", "flags")
"""The others, but `record` itself, `salt` and `leaf`."""


def sealed(rows: pa.Table) -> pa.Table:
    """Rows of `evidence` with new salts, and leaves made with them."""
    salts = os.urandom(SALT_BYTES * rows.num_rows)
    column = pa.array([salts[start : start + SALT_BYTES] for start in range(0, len(salts), SALT_BYTES)], pa.binary())
    salted = rows.set_column(rows.schema.get_field_index("salt"), rows.schema.field("salt"), column)
    leaves = pa.array(leaves_of(salted), pa.binary())
    return salted.set_column(rows.schema.get_field_index("leaf"), rows.schema.field("leaf"), leaves)


def leaves_of(rows: pa.Table) -> Iterator[bytes]:
    """The leaves of rows of `evidence`, in their order, made anew from what the rows hold."""
    own = zip(*(rows.column(name).to_pylist() for name in OWN_COLUMNS), strict=True)
    salts, records = (rows.column(name).to_pylist() for name in ("salt", "record"))
    for frame, columns, salt, record in zip(_frames(rows), own, salts, records, strict=True):
        digest = sha256(b"".join(map(_field, columns))).digest()
        content = sha256(record or b"").digest()
        yield leaf_hash(b"".join((_DOMAIN, salt or b"", frame, digest, content)))


def _frames(rows: pa.Table) -> Iterator[bytes]:
    """The digest of the columns of its frame for each row; made once for neighbours that have them in common."""
    count = rows.num_rows
    if not count:
        return
    differs = [
        # What is null differs from everything here, which makes the same digest once more.
        pc.fill_null(pc.not_equal(column.slice(1), column.slice(0, count - 1)), fill_value=True)
        for column in (rows.column(name) for name in FRAME_COLUMNS)
    ]
    starts = [0, *(place + 1 for place in pc.indices_nonzero(reduce(pc.or_, differs)).to_pylist())]
    firsts = rows.select(FRAME_COLUMNS).take(starts)
    frames = zip(*(firsts.column(name).to_pylist() for name in FRAME_COLUMNS), strict=True)
    for columns, start, end in zip(frames, starts, [*starts[1:], count], strict=True):
        digest = sha256(b"".join(map(_field, columns))).digest()
        for _ in range(start, end):
            yield digest


def _field(value: Any) -> bytes:
    if value is None:
        return b"-,"
    content = value if type(value) is bytes else str(value).encode()
    return b"%d:%b," % (len(content), content)
