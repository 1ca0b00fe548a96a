"""Acts that somebody asks the drain to enter in the ledger: it alone appends, and the sealer alone signs.

Whoever acts writes a file, `acts/<id>.json`, and looks for the entry with its id. The drain enters it with its next
turn and then removes the file: after a crash between the two it knows the id. Who asked is what the file system says,
not what the file does.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from aftertrace.store import durable, quarantine
from aftertrace.store.finding import Finding
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Export, Of, text_of

_ID_BYTES: Final = 16
_MOST_BYTES: Final = 4096
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME: Final = re.compile(r"[0-9a-f]{32}\.json")
_DIGEST: Final = r"^[A-Za-z0-9+/]{43}=$"


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="export"):
    of: Of
    runs: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    digest: Annotated[str, msgspec.Meta(pattern=_DIGEST)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An act that waits."""

    path: Path
    entry: Export


def ask_export(layout: Layout, of: Of, runs: int, digest: bytes) -> str:
    """Ask for the entry of a packet with this digest. Durable when it returns.

    Returns:
        The id that the entry will have.

    Raises:
        OSError: the folder does not take it.
    """
    ident = secrets.token_hex(_ID_BYTES)
    durable.make_folder(layout.acts)
    content = msgspec.json.encode(_Asked(of, runs, text_of(digest)))
    durable.write_file(layout.acts / f"{ident}.json", content)
    return ident


def waiting(layout: Layout) -> Iterator[Waiting]:
    """The acts that wait, in no order. One that is none is put aside.

    Raises:
        OSError: the disk fails.
    """
    with suppress(FileNotFoundError):
        for found in os.scandir(layout.acts):
            if _NAME.fullmatch(found.name) and not found.is_dir(follow_symlinks=False):
                path = Path(found.path)
                if (entry := _read(layout, path)) is not None:
                    yield Waiting(path, entry)


def _read(layout: Layout, path: Path) -> Export | None:
    content, uid = b"", -1
    # Another one than a file: a link to what this account may read, or what would be waited for.
    with suppress(OSError), os.fdopen(os.open(path, _FLAGS), "rb") as file:
        uid = os.fstat(file.fileno()).st_uid
        content = file.read(_MOST_BYTES + 1)
    try:
        asked = msgspec.json.decode(content, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = "not an act, expected one that aftertrace asks for; put aside"
        quarantine.keep(layout, Finding("act_unreadable", "warning", f"acts/{path.name}", message), content)
        durable.remove(path)
        return None
    return Export(id=path.stem, of=asked.of, runs=asked.runs, digest=asked.digest, uid=uid)
