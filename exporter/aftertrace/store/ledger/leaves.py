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
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import pyarrow as pa

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
    frames = zip(*(rows.column(name).to_pylist() for name in FRAME_COLUMNS), strict=True)
    own = zip(*(rows.column(name).to_pylist() for name in OWN_COLUMNS), strict=True)
    for frame, columns, salt, record in zip(
        frames, own, rows.column("salt").to_pylist(), rows.column("record").to_pylist(), strict=True
    ):
        digest = sha256(b"".join(map(_field, columns))).digest()
        content = sha256(record or b"").digest()
        yield leaf_hash(b"".join((_DOMAIN, salt or b"", _frame_digest(frame), digest, content)))


@lru_cache(maxsize=64)
def _frame_digest(columns: tuple[Any, ...]) -> bytes:
    return sha256(b"".join(map(_field, columns))).digest()


def _field(value: Any) -> bytes:
    if value is None:
        return b"-,"
    content = value if type(value) is bytes else str(value).encode()
    return b"%d:%b," % (len(content), content)
