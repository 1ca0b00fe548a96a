"""Packets that were made: whoever makes one leaves word of it where reads are left, and the drain enters it.

A file `reads/new/<id>.export` becomes the entry with this id at the drain's next turn, and is removed: after a crash
between the two the drain knows the id. Who made the packet is what the file system says, not what the file does. So an
account that may only read can have its export entered, and nothing else: whoever leaves a file chooses the id, and with
that of somebody else's act it would be taken for that. Such a file goes.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import msgspec

from aftertrace.store import durable, reads
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.entries import ACT_BYTES, Export, Of, text_of

_SUFFIX: Final = ".export"
_NAME: Final = re.compile(rf"[0-9a-f]{{{2 * ACT_BYTES}}}\{_SUFFIX}")
_MOST_A_MINUTE: Final = 300
"""Each is an entry for ever."""
_MINUTE_S: Final = 60.0


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


class Exports:
    """The exports that wait, as one drain takes them: so many a minute at most, whoever leaves how many."""

    def __init__(self, layout: Layout) -> None:
        """Nothing is looked at yet."""
        self._layout = layout
        self._since_s = -math.inf
        self._looks = 0

    def untaken(self, known: Sequence[Recorded]) -> dict[Path, Export]:
        """The entries that wait, in no order, by the files that are to be removed once they are in. What is to become
        none is removed now.

        Raises:
            OSError: a folder cannot be read.
        """
        if time.monotonic() - self._since_s >= _MINUTE_S:
            self._since_s, self._looks = time.monotonic(), _MOST_A_MINUTE
        left: list[Path] = []
        with suppress(FileNotFoundError), os.scandir(self._layout.reads_new) as found:
            files = (each for each in found if _NAME.fullmatch(each.name) and not each.is_dir(follow_symlinks=False))
            left += (Path(each.path) for each in islice(files, self._looks))
        self._looks -= len(left)
        if not left:
            return {}
        # After what was left: whoever took an id from there left it since.
        others = acts.asked(self._layout) | {each.act.id for each in known}
        taken: dict[Path, Export] = {}
        for path in left:
            entry = None if path.stem in others else _entry(path)
            if entry is None:
                path.unlink(missing_ok=True)
            else:
                taken[path] = entry
        return taken


def _entry(path: Path) -> Export | None:
    left = reads.content_of(path)
    if left is None:
        return None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        asked = _DECODER.decode(left[0])
        return Export(id=path.stem, uid=left[1], of=asked.of, runs=asked.runs, digest=asked.digest)
    return None
