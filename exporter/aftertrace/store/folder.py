"""Opening a data folder: its marker and its key."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from aftertrace.store import durable, lake
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.layout import FORMAT_VERSION, Layout

KEY_BYTES: Final = 32
_PREFIX: Final = "aftertrace store "
_ESCAPED: Final = re.compile("%[0-9A-Fa-f]{2}")
_TOLD: Final = re.compile(rf"{_PREFIX}([1-9][0-9]{{0,8}})\n", re.ASCII)
_MARKER: Final = f"{_PREFIX}{FORMAT_VERSION}\n".encode()


def open_folder(data: Path, tables: str | None = None) -> Layout:
    """Open a data folder to write to it; make it where there is none. One of an older version becomes one of this.

    Args:
        data: the folder.
        tables: folder or URL of its tables, if others share them; None leaves them where they are, at first inside.

    Raises:
        Invalid: a later version of aftertrace made the folder, it holds something else, its tables are elsewhere, or
            its path has what stands for another character in a URL.
        Unavailable: the tables cannot be made there, or not be reached.
    """
    layout = Layout(data)
    if not layout.marker.exists():
        _refuse_escaped(data)
        _refuse_foreign(data)
        # Evidence is for its owner: the agents that are watched often run as other users of the same machine.
        durable.make_folder(data, mode=0o700)
        for folder in (layout.wal_folder, layout.quarantine):
            durable.make_folder(folder)
        if tables is None:
            durable.make_folder(layout.tables_folder)
        else:
            lake.join(layout, tables)
        durable.create_file(layout.marker, _MARKER)
    check_format(layout)
    refuse_reader(layout)
    if layout.marker.read_bytes() != _MARKER:
        # Before anything is written that an older aftertrace would take for damage.
        durable.write_file(layout.marker, _MARKER)
    if tables is not None:
        lake.join(layout, tables)
    return layout


def refuse_reader(layout: Layout) -> None:
    """Refuse an account that may not write to a store of another one. Raises `Invalid`."""
    owner = layout.data.stat().st_uid
    if owner != os.geteuid() and not os.access(layout.data, os.W_OK):
        raise Invalid(
            f"write to {layout.data}: uid {os.geteuid()} may only read it, expected uid {owner}, which it belongs to; "
            "run this as that account"
        )


def _refuse_escaped(data: Path) -> None:
    """Refuse a name that the library that reads Delta would take for the escaped form of another."""
    escaped = _ESCAPED.search(str(data.resolve()))
    if escaped is not None:
        raise Invalid(f"open {data}: its path has {escaped[0]!r}, expected no % before two hexadecimal digits; choose "
                      "another --data")  # fmt: skip


def check_format(layout: Layout) -> None:
    """Refuse a folder that this version cannot read.

    Raises:
        Invalid: there is no store, or one of a later version.
    """
    try:
        text = layout.marker.read_text("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        raise Invalid(f"open {layout.data}: no store, expected a file FORMAT; choose another --data") from None
    told = _TOLD.fullmatch(text)
    if told is None:
        raise Invalid(f"open {layout.data}: FORMAT is not a store's, expected a line {_PREFIX}N; choose another --data")
    version = int(told[1])
    if version > FORMAT_VERSION:
        raise Invalid(
            f"open {layout.data}: store version {version}, expected {FORMAT_VERSION} at most; use a newer aftertrace"
        )


def store_key(layout: Layout) -> bytes:
    """The store's secret key, made at the first call: 32 random bytes for keyed record digests.

    Raises:
        Corrupt: the key file has another length.
        Invalid: it is not that of the lake that the store shares.
        Unavailable: that lake cannot be reached.
    """
    path = layout.store_key
    if not path.exists():
        if lake.has_key(layout):
            raise Invalid(
                f"open {layout.data}: no {path}, expected the key of the receivers that share its tables; copy "
                "keys/store.key from one of them"
            )
        durable.make_folder(path.parent, mode=0o700)
        durable.create_file(path, os.urandom(KEY_BYTES), mode=0o600)
    key = read_store_key(layout)
    lake.check_key(layout, key)
    return key


def read_store_key(layout: Layout) -> bytes:
    """The store's secret key, if there is one.

    Raises:
        Corrupt: there is no key file, or it has another length.
    """
    path = layout.store_key
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        raise Corrupt(f"read {path}: no key, expected {KEY_BYTES} bytes; restore it from a backup") from None
    if len(key) != KEY_BYTES:
        raise Corrupt(f"read {path}: {len(key)} bytes, expected {KEY_BYTES}; restore it from a backup")
    return key


def _refuse_foreign(data: Path) -> None:
    # A crash while the folder was being made leaves some of these and no marker.
    ours = {"wal", "tables", "quarantine", "keys", "drain.lock"}
    if data.is_dir():
        foreign = sorted(path.name for path in data.iterdir() if path.name not in ours and path.suffix != ".new")
        if foreign:
            raise Invalid(f"open {data}: holds {foreign[0]!r}, expected a store or an empty folder; choose another")
