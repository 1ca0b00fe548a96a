"""Who read what: one line of JSON for each, in batches that the ledger commits to.

Whoever reads leaves a file in `reads/new/` and goes on. The drain, which the folder belongs to, takes what is there
once a minute at most: it writes the lines to `reads/<id>.jsonl`, each with the account that the file system says left
it, enters the digest of the file in the ledger under this id, and removes what was left. So an account that only reads
leaves its reads and cannot change them once they are taken; in `reads/new/`, which can be made sticky, nobody changes
those of others.

After a crash between the entry and the removal, what the last batch has already is not taken again. A batch that has
no entry, since a crash came before it or the ledger was put back from before, is entered as it is.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from aftertrace.store import durable
from aftertrace.store.dropped import look
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout

WHAT_CHARACTERS: Final = 500
"""How much is kept of what was read: of a statement in SQL its beginning."""
BY_CHARACTERS: Final = 512
"""How much is kept of who had signed in: the provider and whom it knows come first."""
_BATCH_FILES: Final = 10_000
_MOST_BYTES: Final = 64 << 10
_BATCHES_AT_ONCE: Final = 200
_NAME: Final = re.compile(r"[0-9a-f]{32}\.json")
_BATCH_NAME: Final = re.compile(r"[0-9a-f]{32}\.jsonl")
_ID_BYTES: Final = 16


class Read(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody read something."""

    at_ns: str
    """When, in decimal, by whoever read."""
    how: str
    """With which command, or on which page: `sql`, `page run`."""
    what: str
    """Which run, id or statement; may be empty."""
    by: str = ""
    """Who, where somebody had signed in; empty: the account is all that is known. Of another account than the one that
    serves pages it would be a claim, and is not taken.
    """
    uid: int = -1
    """The account, as the file system has it; -1: it is not taken yet."""
    id: str = ""
    """32 hex digits; empty: it is not taken yet."""


_LEFT: Final = msgspec.json.Decoder(Read, strict=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """Reads that are to be entered in the ledger, in a file that is durable."""

    id: str
    reads: int
    content: bytes
    left: tuple[Path, ...]
    """What was left by whoever read."""

    def clear(self) -> None:
        """Remove what was left, now that the ledger has it.

        Raises:
            OSError: the folder does not take it.
        """
        for path in self.left:
            path.unlink(missing_ok=True)


def leave(layout: Layout, *, how: str, what: str, at_ns: int, by: str = "") -> None:
    """Leave a read for the drain to take. Not synced: a power cut within the minute may lose it.

    Raises:
        OSError: the folder is not there, or takes nothing of this account.
    """
    told = Read(at_ns=str(at_ns), how=how, what=what[:WHAT_CHARACTERS], by=by[:BY_CHARACTERS])
    put(layout, f"{secrets.token_hex(_ID_BYTES)}.json", msgspec.json.encode(told))


def put(layout: Layout, name: str, content: bytes) -> None:
    """Put a file into the drop box, whole. Whoever may only put files there cannot sync its folder, and does not.

    Raises:
        OSError: the folder is not there, or takes nothing of this account.
    """
    path = layout.reads_new / name
    draft = path.with_suffix(".new")
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    try:
        # Readable by the drain, whichever account it runs as and whatever the umask of this one.
        os.fchmod(fd, 0o644)
        durable.write_all(fd, content, 0)
    finally:
        os.close(fd)
    draft.rename(path)


def content_of(path: Path) -> tuple[bytes, int] | None:
    """What a file of the drop box holds, as far as it is looked at, and the account that left it, as the file system
    has it; None for anything but a file with this one name.

    A link, or another name of a file, may be that of one which this account may read or somebody else wrote.

    Raises:
        OSError: it could not be looked at now.
    """
    found = look(path, _MOST_BYTES + 1)
    return (found.content, found.uid) if found is not None and found.names == 1 else None


def gather(layout: Layout, last: str | None) -> Batch | None:
    """Take what was left; None where that is nothing. Durable when it returns.

    Args:
        layout: of the store.
        last: id of the last batch that the ledger has; None: it has none.

    Raises:
        OSError: the disk does not take it.
    """
    durable.make_folder(layout.reads_new, mode=0o700)
    known = set()
    if last is not None:
        with suppress(OSError, Corrupt):
            known = {each.id for each in of_batch(layout, last)}
    taken: dict[Path, Read] = {}
    for path, read in waiting(layout):
        if read is None or read.id in known:
            path.unlink(missing_ok=True)
        else:
            taken[path] = read
    if not taken:
        return None
    content = _written(sorted(taken.values(), key=lambda read: read.at_ns))
    ident = secrets.token_hex(_ID_BYTES)
    durable.write_file(layout.reads / f"{ident}.jsonl", content, mode=0o640)
    return Batch(ident, len(taken), content, tuple(taken))


def batches(layout: Layout) -> list[str]:
    """The ids of the batches that are there, entered or not.

    Raises:
        OSError: the folder cannot be read.
    """
    with suppress(FileNotFoundError), os.scandir(layout.reads) as found:
        return sorted(each.name.partition(".")[0] for each in found if _BATCH_NAME.fullmatch(each.name))
    return []


class Unentered:
    """The batches that no entry tells of, as one drain comes to them: each is judged once, and some at a time."""

    def __init__(self, layout: Layout) -> None:
        """None is judged yet."""
        self._layout = layout
        self._judged: set[str] = set()
        self._known: dict[str, Read] | None = None
        """All that are entered, by id, while there are batches to judge."""
        self.is_over = True
        """Whether all that were there are judged. Until then nothing that was left is to be taken: they may have it."""

    def untaken(self, entered: Collection[str]) -> list[Batch]:
        """Some that are to be entered: but what is no batch, or has reads that were entered otherwise, or those alone.

        Args:
            entered: ids of those that an entry tells of.

        Raises:
            OSError: a folder, or a file, cannot be read.
        """
        there = (ident for ident in batches(self._layout) if ident not in entered and ident not in self._judged)
        fresh = {ident: _whole(self._layout.reads / f"{ident}.jsonl") for ident in islice(there, _BATCHES_AT_ONCE)}
        if self._known is None and any(fresh.values()):
            self._known = {read.id: read for read in _entered(self._layout, entered)}
        known = {} if self._known is None else self._known
        taken: dict[str, Sequence[Read]] = {}
        for ident, found in fresh.items():
            is_otherwise = any(known.get(read.id, read) != read for read in found)
            if not is_otherwise and any(read.id not in known for read in found):
                known |= {read.id: read for read in found}
                taken[ident] = found
        left = {read: path for path, read in waiting(self._layout) if read is not None} if taken else {}
        self._judged.update(fresh)
        self.is_over = len(fresh) < _BATCHES_AT_ONCE
        if self.is_over:
            self._known = None
        return [
            Batch(ident, len(found), _written(found), tuple(left[read] for read in found if read in left))
            for ident, found in taken.items()
        ]


def _entered(layout: Layout, entered: Iterable[str]) -> Iterator[Read]:
    for ident in entered:
        with suppress(OSError, Corrupt):
            yield from of_batch(layout, ident)


def _whole(path: Path) -> tuple[Read, ...]:
    """The reads of a batch; none where it is not written as batches are."""
    there = look(path)
    content = b"" if there is None else there.content
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = tuple(_LEFT.decode(line) for line in content.splitlines())
        are_taken = all(read.uid >= 0 and _NAME.fullmatch(f"{read.id}.json") for read in found)
        if are_taken and _written(found) == content:
            return found
    return ()


def _written(found: Iterable[Read]) -> bytes:
    return b"".join(msgspec.json.encode(read) + b"\n" for read in found)


def waiting(layout: Layout) -> Iterator[tuple[Path, Read | None]]:
    """What was left and is not taken yet, in no order; None for a file that tells of no read.

    Raises:
        OSError: the folder, or a file, cannot be read.
    """
    with suppress(FileNotFoundError), os.scandir(layout.reads_new) as found:
        serves = layout.reads_new.stat().st_uid
        left = (each for each in found if _NAME.fullmatch(each.name) and not each.is_dir(follow_symlinks=False))
        for each in islice(left, _BATCH_FILES):
            path = Path(each.path)
            yield path, _left(path, path.stem, serves)


def of_batch(layout: Layout, ident: str) -> tuple[Read, ...]:
    """The reads of a batch, in order of their times.

    Raises:
        Corrupt: its file is gone, or holds something else.
        OSError: it cannot be read.
    """
    path = layout.reads / f"{ident}.jsonl"
    try:
        return tuple(_LEFT.decode(line) for line in path.read_bytes().splitlines())
    except FileNotFoundError:
        raise Corrupt(f"read {path}: no file, expected reads that the ledger has; restore it from a backup") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt(f"read {path}: {error}, expected a read in each line; restore it from a backup") from None


def _left(path: Path, ident: str, serves: int) -> Read | None:
    left = content_of(path)
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = _LEFT.decode(b"" if left is None else left[0])
        is_sound = told.at_ns.isascii() and told.at_ns.isdecimal() and len(told.what) <= WHAT_CHARACTERS
        is_short = max(map(len, (told.how, told.at_ns))) <= 256 and len(told.by) <= BY_CHARACTERS
        if left is not None and is_sound and is_short:
            return msgspec.structs.replace(told, uid=left[1], id=ident, by=told.by if left[1] == serves else "")
    return None
