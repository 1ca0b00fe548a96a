"""Which of many files may hold a key, at a cost that hardly grows with their number.

An index is a few levels. A level is a file in the form of `key_file` with the entries of several files: below a key's
number are the position of the file among those, and the part. New files make a small level; levels that are not much
larger are put together with it, so that there are few, and each entry is written a few times. Files that are gone stay
named until their level is put together with others.

All of it can be made again from what the files hold.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from aftertrace.store import durable, key_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

SUFFIX: Final = ".keys"
_TIMES: Final = 4
"""A level is put together with a new one if it has at most so many times the entries."""
_ENTRIES_AT_MOST: Final = 1 << 23
"""A level of more stays as it is, so that no step takes long: 64 MiB."""
_FILE: Final = 1 << key_file.PART_BITS
_PART: Final = _FILE - 1


@dataclass(frozen=True, slots=True)
class Level:
    """The entries of some files."""

    path: str
    """Below the folder of the index; it ends with the digest of its bytes."""
    entries: int
    of: tuple[str, ...]
    """The names of the files, in the order of their positions."""


@dataclass(frozen=True, slots=True)
class _Joined:
    of: tuple[str, ...]
    entries: pl.Series


def places(folder: Path, levels: Iterable[Level], numbers: Sequence[int]) -> dict[str, set[int]] | None:
    """By file, the parts that may hold any of some keys; a file without any is not named, and one that is gone may be.

    Args:
        folder: of the index.
        levels: of the index.
        numbers: of the keys (`key_file.numbers_of`).

    Returns:
        None where a level is missing or damaged.
    """
    found: dict[str, set[int]] = {}
    for level in levels:
        parts = key_file.parts_at(folder / level.path, numbers)
        if parts is None:
            return None
        for each in parts:
            at = each >> key_file.PART_BITS
            if at >= len(level.of):
                # Which files a level is of is told elsewhere than in it.
                return None
            found.setdefault(level.of[at], set()).add(each & _PART)
    return found


def extended(
    folder: Path, levels: Iterable[Level], names: Collection[str], entries_of: Callable[[str], pl.Series | None]
) -> tuple[Level, ...]:
    """The levels of an index of some files, and of others that are gone. Durable when this returns. A level that is
    found to be missing or damaged is made again.

    Args:
        folder: of the index.
        levels: of the index as it was.
        names: of the files.
        entries_of: the entries of a file, by its name; None where they are not known: the index knows nothing of it.

    Raises:
        OSError: the disk does not take it.
    """
    wanted = frozenset(names)
    left = [each for each in levels if not wanted.isdisjoint(each.of) and key_file.is_there(folder / each.path)]
    left.sort(key=lambda level: level.entries)
    new = sorted(wanted.difference(chain.from_iterable(level.of for level in left)))
    made: list[Level] = []
    for batch in _joined(new, entries_of):
        joined = batch
        while left and _belongs_with(left[0], joined):
            entries = _read(folder, left[0])
            if entries is None:
                return extended(folder, [*left[1:], *made], names, entries_of)
            joined = _together(joined, _Joined(left.pop(0).of, entries), wanted)
        made.append(_written(folder, joined))
    return (*made, *left)


def differing(
    folder: Path, levels: Iterable[Level], names: Collection[str], entries_of: Callable[[str], pl.Series]
) -> list[str]:
    """The files, of some, of which an index says otherwise than they do themselves; parameters as of `extended`."""
    import polars as pl

    wanted, found = frozenset(names), []
    for level in levels:
        entries = _read(folder, level)
        if entries is None:
            entries = pl.Series("entry", [], dtype=pl.UInt64)
        at = entries // _FILE & _PART
        of_files = pl.DataFrame({"at": at, "entry": entries - at * _FILE}).partition_by("at", as_dict=True)
        nothing = pl.DataFrame({"entry": entries.clear()})
        for position, name in enumerate(level.of):
            told = of_files.get((position,), nothing)["entry"]
            if name in wanted and not told.equals(entries_of(name).unique().sort(), check_names=False):
                found.append(name)
    return found


def _joined(names: Iterable[str], entries_of: Callable[[str], pl.Series | None]) -> Iterator[_Joined]:
    """The entries of some files, so many at once as make a level."""
    batch: dict[str, pl.Series] = {}
    count = 0
    for name in names:
        entries = entries_of(name)
        if entries is None:
            continue
        batch[name] = entries
        count += entries.len()
        if len(batch) == key_file.FILES_AT_MOST or count > _ENTRIES_AT_MOST:
            yield _Joined(tuple(batch), key_file.joined(batch.values()))
            batch, count = {}, 0
    if batch:
        yield _Joined(tuple(batch), key_file.joined(batch.values()))


def _belongs_with(level: Level, joined: _Joined) -> bool:
    entries = joined.entries.len()
    return (
        level.entries <= _TIMES * entries
        and level.entries + entries <= _ENTRIES_AT_MOST
        and len(level.of) + len(joined.of) <= key_file.FILES_AT_MOST
    )


def _together(one: _Joined, other: _Joined, wanted: Collection[str]) -> _Joined:
    """The entries of both, but of files of the other one that are gone."""
    import polars as pl

    of, positions = list(one.of), []
    for name in other.of:
        positions.append(len(of) if name in wanted else None)
        if name in wanted:
            of.append(name)
    at = other.entries // _FILE & _PART
    moved = other.entries - at * _FILE + pl.Series(positions, dtype=pl.UInt64).gather(at) * _FILE
    return _Joined(tuple(of), pl.concat([one.entries, moved.drop_nulls()]).sort())


def _read(folder: Path, level: Level) -> pl.Series | None:
    try:
        content = (folder / level.path).read_bytes()
    except OSError:
        return None
    entries = key_file.entries_of(content) if key_file.is_whole(content) else None
    return entries if entries is not None and _is_of(entries, level) else None


def _is_of(entries: pl.Series, level: Level) -> bool:
    """Whether entries are of files that a level names: it is told elsewhere than they are."""
    return not entries.len() or int((entries // _FILE & _PART).max()) < len(level.of)  # type: ignore[arg-type]


def _written(folder: Path, joined: _Joined) -> Level:
    content = key_file.made_of(joined.entries)
    path = f"{uuid.uuid4().hex}-{hashlib.sha256(content).hexdigest()}{SUFFIX}"
    durable.make_folder(folder)
    durable.write_file(folder / path, content)
    return Level(path, joined.entries.len(), joined.of)
