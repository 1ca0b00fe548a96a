"""Packets that were made: whoever makes one leaves word of it where reads are left, and the drain enters it.

A file `reads/new/<id>.export` becomes the entry with this id at the drain's next turn, and is removed: after a crash
between the two the drain knows the id. Who made the packet is what the file system says, not what the file does. So an
account that may only read can have its export entered, and nothing else.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import msgspec

from aftertrace.store import durable, reads
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.entries import ACT_BYTES, Export, Of, text_of

_SUFFIX: Final = ".export"
_NAME: Final = re.compile(rf"[0-9a-f]{{{2 * ACT_BYTES}}}\{_SUFFIX}")
_AT_ONCE: Final = 1000
"""Of one turn of the drain."""


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    of: Of
    runs: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    digest: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{43}=$")]


_DECODER: Final = msgspec.json.Decoder(_Asked, strict=True)


def ask(layout: Layout, of: Of, runs: int, digest: bytes) -> str:
    """Ask for the entry of a packet with this digest.

    Returns:
        The id that the entry will have.

    Raises:
        OSError: the folder is not there, or takes nothing of this account.
    """
    durable.make_folder(layout.reads_new, mode=0o700)
    ident = secrets.token_hex(ACT_BYTES)
    reads.put(layout, f"{ident}{_SUFFIX}", msgspec.json.encode(_Asked(of, runs, text_of(digest))))
    return ident


def is_waiting(layout: Layout, ident: str) -> bool:
    """Whether an export waits to be entered."""
    return (layout.reads_new / f"{ident}{_SUFFIX}").exists()


def untaken(layout: Layout, known: Sequence[Recorded]) -> Iterator[tuple[Export, Path]]:
    """The exports that wait, in no order; each with the file that is to be removed once it is entered.

    Raises:
        OSError: the folder cannot be read.
    """
    with suppress(FileNotFoundError), os.scandir(layout.reads_new) as found:
        left = (each for each in found if _NAME.fullmatch(each.name) and not each.is_dir(follow_symlinks=False))
        for each in islice(left, _AT_ONCE):
            path = Path(each.path)
            entry = _entry(path)
            if entry is None or any(entry.id == other.act.id for other in known):
                path.unlink(missing_ok=True)
            else:
                yield entry, path


def _entry(path: Path) -> Export | None:
    left = reads.content_of(path)
    if left is None:
        return None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        asked = _DECODER.decode(left[0])
        return Export(id=path.stem, uid=left[1], of=asked.of, runs=asked.runs, digest=asked.digest)
    return None
