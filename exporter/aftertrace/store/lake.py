"""A lake that several receivers share: each has a data folder of its own, whose tables are in one folder or bucket.

What they must agree on stands in the lake. `LAKE` names the key by which records are told apart: with another key, what
one receiver has stored would look new to the other. And each name of a receiver is claimed there by one WAL: two that
count under one name would take each other's requests for their own.

A lake that does not have a name which was claimed there is another one, or an empty folder where a file system is not
mounted. It is waited for, and nothing is made in its place: that would be gone when it is back.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from aftertrace.store import durable
from aftertrace.store.errors import Invalid, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.objects import SCHEME, Objects, objects_of

_MARKER: Final = "LAKE"
_PREFIX: Final = "aftertrace lake 1 "
_MARK_BYTES: Final = 16
_CLAIM_BYTES: Final = 16
_WAIT_S: Final = 5.0


def join(layout: Layout, lake: str) -> None:
    """Make the tables of a data folder those of a lake; make the lake where there is none.

    Args:
        layout: of the data folder.
        lake: a folder, or `s3://bucket/prefix`.

    Raises:
        Invalid: the folder has tables of its own, or those of another lake; or the bucket cannot hold one.
        Unavailable: the lake cannot be made or reached.
    """
    tables = layout.tables_folder
    lake = lake.rstrip("/") if lake.startswith(SCHEME) else str(Path(lake).resolve())
    joined = _joined(layout)
    if joined == lake:
        return
    if joined is not None or (tables.is_dir() and any(tables.iterdir())):
        raise Invalid(
            f"open {layout.data}: its tables are in {joined or tables}, expected {lake}; set store.tables to that, or "
            "choose another --data"
        )
    try:
        if lake.startswith(SCHEME):
            _join_bucket(tables, lake)
        else:
            durable.make_folder(Path(lake), mode=0o700)
            if tables.is_dir():
                tables.rmdir()
            tables.symlink_to(lake)
            durable.sync_folder(layout.data)
    except OSError as error:
        raise Unavailable(f"open {lake}: {error.strerror}; see to its permissions, or to store.tables") from error


def check_key(layout: Layout, key: bytes) -> None:
    """Compare the store's key with the one that the records of a shared lake have; the first one's counts.

    Raises:
        Invalid: it is another.
        Unavailable: the lake cannot be reached, or is not there any more.
    """
    if not layout.is_shared:
        return
    check_there(layout)
    objects, line = objects_of(layout), f"{_PREFIX}{_mark(key)}\n".encode()
    try:
        if not objects.create(_MARKER, line) and objects.get(_MARKER) != line:
            raise Invalid(
                f"open {objects.url}: {layout.store_key} is not its key, expected that of the receivers that share it; "
                "copy keys/store.key from one of them"
            )
    except OSError as error:
        raise _unreachable(objects.url, error) from error


def has_key(layout: Layout) -> bool:
    """Whether the records of a shared lake have a key already.

    Raises:
        Unavailable: the lake cannot be reached, or is not there any more.
    """
    if not layout.is_shared:
        return False
    check_there(layout)
    objects = objects_of(layout)
    try:
        objects.get(_MARKER)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreachable(objects.url, error) from error
    return True


def claim(layout: Layout, receiver: str) -> None:
    """Take the name of a receiver in a shared lake, for this WAL and for ever. Only under the lock of the WAL.

    Raises:
        Invalid: it is that of another WAL.
        Unavailable: the lake cannot be reached, or is not there any more.
    """
    if not layout.is_shared:
        return
    own, wanted, objects, key = (
        layout.claim(receiver),
        layout.claim_wanted(receiver),
        objects_of(layout),
        _key(receiver),
    )
    try:
        if own.exists():
            is_own = _claimed(layout, objects, receiver) == own.read_bytes()
        else:
            # First here: a crash between the two leaves a name that this WAL can still take. And it is known as claimed
            # only when it is: what was claimed is never claimed anew.
            durable.create_file(wanted, f"{os.urandom(_CLAIM_BYTES).hex()}\n".encode(), mode=0o600)
            is_own = objects.create(key, wanted.read_bytes()) or objects.get(key) == wanted.read_bytes()
            if is_own:
                durable.move(wanted, own)
    except OSError as error:
        raise _unreachable(objects.url, error) from error
    if not is_own:
        raise Invalid(
            f"open WAL {receiver!r}: another WAL has this name in {objects.url}, expected a name of its own; "
            "set receiver.name"
        )


def check_there(layout: Layout) -> None:
    """Find out whether the lake that a data folder has stored in is where it was. Of a folder that has stored nothing
    in it, only whether there is one can be told.

    Raises:
        Unavailable: it is not, or cannot be reached.
    """
    if not layout.is_shared:
        return
    objects = objects_of(layout)
    try:
        for receiver in layout.receivers():
            if layout.claim(receiver).exists():
                _claimed(layout, objects, receiver)
    except OSError as error:
        raise _unreachable(objects.url, error) from error
    if objects.folder is not None and not objects.folder.is_dir():
        raise Unavailable(f"open {objects.url}: no such folder, expected a lake; mount it", _WAIT_S)


def _joined(layout: Layout) -> str | None:
    """Where the shared tables of a folder are; None if it has its own."""
    if layout.tables_folder.is_file():
        return layout.tables_folder.read_text("utf-8").strip()
    return str(layout.tables_folder.resolve()) if layout.is_shared else None


def _join_bucket(tables: Path, url: str) -> None:
    from aftertrace.store.s3 import bucket, prove

    prove(bucket(url))
    if tables.is_dir():
        tables.rmdir()
    durable.create_file(tables, f"{url}\n".encode())


def _claimed(layout: Layout, objects: Objects, receiver: str) -> bytes:
    """The claim that a lake has of a name that was claimed there."""
    try:
        return objects.get(_key(receiver))
    except FileNotFoundError:
        raise Unavailable(
            f"open {objects.url}: no {_key(receiver)}, expected the lake that {layout.data} has stored in; mount it, "
            "see to the endpoint of its bucket, or put it back from a backup",
            _WAIT_S,
        ) from None


def _key(receiver: str) -> str:
    return f"_receivers/{receiver}"


def _unreachable(url: str, error: OSError) -> Unavailable:
    return Unavailable(f"open {url}: {error.strerror}; see to store.tables, or try again", _WAIT_S)


def _mark(key: bytes) -> str:
    """Tells a key from others, and nothing else of it: it is random and long."""
    return hashlib.blake2b(b"lake", key=key, digest_size=_MARK_BYTES).hexdigest()
