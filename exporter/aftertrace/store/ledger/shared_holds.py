"""Holds in a lake that several data folders share: what is set at one of them keeps what the others stored, too.

Each has a ledger of its own. Who enters a hold or a release that was asked for here puts the entry into the lake,
`_holds/<id of the hold>`, with `.released` behind it for its release, before whoever asked is told that it holds. Every
other drain enters what it finds there in its own ledger: once in a while, and before it compares an order with what is
held. What it has entered holds there whatever becomes of the lake's copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Hold, Release, decoded, encoded
from aftertrace.store.objects import objects_of

_FOLDER: Final = "_holds"
_RELEASED: Final = ".released"
_ID: Final = re.compile(r"[0-9a-f]{32}")


def publish(layout: Layout, entries: Sequence[object]) -> None:
    """Put holds and releases into a lake that is shared. Durable when this returns.

    Raises:
        OSError: it cannot be reached.
    """
    if layout.is_shared:
        for entry in entries:
            if isinstance(entry, Hold):
                objects_of(layout).put(key_of(entry.id), encoded(entry))
            elif isinstance(entry, Release):
                objects_of(layout).put(f"{key_of(entry.hold)}{_RELEASED}", encoded(entry))


def key_of(ident: str) -> str:
    """Where a hold is in a lake, by its id."""
    return f"{_FOLDER}/{ident}"


def read(layout: Layout, ident: str) -> Hold:
    """A hold in a lake, by its id.

    Raises:
        Corrupt: it is another, or none.
        OSError: it is not there, or the lake cannot be reached.
    """
    found = _read(objects_of(layout).get(key_of(ident)), ident, ident)
    if isinstance(found, Hold):
        return found
    raise _none(ident)


def untaken(layout: Layout, known: Sequence[acts.Recorded]) -> Iterator[Hold | Release]:
    """Holds and releases in a lake that this ledger does not have, as it has to enter them.

    Raises:
        Corrupt: one cannot be read: nobody can tell what it keeps.
        OSError: the lake cannot be reached.
    """
    if not layout.is_shared:
        return
    objects = objects_of(layout)
    names = {listed.key.rpartition("/")[2] for listed in objects.list_under(_FOLDER)}
    set_here = {each.act.id for each in known if isinstance(each.act, Hold)}
    released_here = {each.act.hold for each in known if isinstance(each.act, Release)}
    for name in sorted(names):
        ident = name.removesuffix(_RELEASED)
        if _ID.fullmatch(ident) is None:
            continue
        is_release = name != ident
        if ident in (released_here if is_release else set_here) or (is_release and ident not in set_here):
            continue
        if not is_release and f"{name}{_RELEASED}" in names:
            continue
        yield _read(objects.get(f"{_FOLDER}/{name}"), ident, name)


def _read(content: bytes, ident: str, name: str) -> Hold | Release:
    try:
        found = decoded(content)
    except Corrupt:
        found = None
    if isinstance(found, Hold) and found.id == ident == name:
        return found
    if isinstance(found, Release) and found.hold == ident != name:
        return found
    raise _none(name)


def _none(name: str) -> Corrupt:
    return Corrupt(
        f"read {_FOLDER}/{name}: not a hold or a release of this id, expected one; put it back from a backup, or, if "
        "nobody knows it, remove it"
    )
