"""A lake that several receivers share: each has a data folder of its own, whose `tables` is a link to one folder.

What they must agree on stands in the lake. `LAKE` names the key by which records are told apart: with another key, what
one receiver has stored would look new to the other. And each name of a receiver is claimed there by one WAL: two that
count under one name would take each other's requests for their own.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from aftertrace.store import durable
from aftertrace.store.errors import Invalid, Unavailable
from aftertrace.store.layout import Layout

_PREFIX: Final = "aftertrace lake 1 "
_MARK_BYTES: Final = 16
_CLAIM_BYTES: Final = 16


def join(layout: Layout, lake: Path) -> None:
    """Make the tables of a data folder those of a lake; make the lake where there is none.

    Raises:
        Invalid: the folder has tables of its own, or those of another lake.
        Unavailable: the lake cannot be made.
    """
    lake, tables = lake.absolute(), layout.tables_folder
    if layout.is_shared and tables.resolve() == lake.resolve():
        return
    if layout.is_shared or (tables.is_dir() and any(tables.iterdir())):
        where = tables.resolve() if layout.is_shared else tables
        raise Invalid(
            f"open {layout.data}: its tables are in {where}, expected {lake}; set store.tables to that, or empty"
        )
    try:
        durable.make_folder(lake, mode=0o700)
        if tables.is_dir():
            tables.rmdir()
        tables.symlink_to(lake)
        durable.sync_folder(layout.data)
    except OSError as error:
        raise Unavailable(f"open {lake}: {error.strerror}; make the folder writable, or see to store.tables") from error


def check_key(layout: Layout, key: bytes) -> None:
    """Compare the store's key with the one that the records of a shared lake have; the first one's counts.

    Raises:
        Invalid: it is another.
    """
    if not layout.is_shared:
        return
    line = f"{_PREFIX}{_mark(key)}\n"
    if not durable.create_file(layout.lake, line.encode()) and layout.lake.read_text("utf-8", "replace") != line:
        raise Invalid(
            f"open {layout.tables_folder.resolve()}: {layout.store_key} is not its key, expected that of the receivers "
            "that share it; copy keys/store.key from one of them"
        )


def claim(layout: Layout, receiver: str) -> None:
    """Take the name of a receiver in a shared lake, for this WAL and for ever. Only under the lock of the WAL.

    Raises:
        Invalid: it is that of another WAL.
    """
    if not layout.is_shared:
        return
    own, claimed = layout.claim(receiver), layout.claimed(receiver)
    # First here: a crash between the two leaves a name that this WAL can still take.
    durable.create_file(own, f"{os.urandom(_CLAIM_BYTES).hex()}\n".encode())
    durable.make_folder(claimed.parent)
    if not durable.create_file(claimed, own.read_bytes()) and claimed.read_bytes() != own.read_bytes():
        raise Invalid(
            f"open WAL {receiver!r}: another WAL has this name in {layout.tables_folder.resolve()}, expected a name of "
            "its own; set receiver.name"
        )


def _mark(key: bytes) -> str:
    """Tells a key from others, and nothing else of it: it is random and long."""
    return hashlib.blake2b(b"lake", key=key, digest_size=_MARK_BYTES).hexdigest()
