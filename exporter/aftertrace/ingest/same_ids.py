"""Records of one id: a span or log record that is told of again in other bytes.

Each record is compared with the one that stands for its id: the first, or the last that told it further. What it is to
that one becomes a flag (`ingest.flags`); where it says the same, it is a duplicate. As with duplicates, one that came
on the same day or a day beside it is found, so at least 24 hours back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from google.protobuf.message import DecodeError

from aftertrace.ingest.places import Place, PlacesByDay, key_columns, key_of, text
from aftertrace.ingest.tellings import STANDING, Relation, Telling, relation

FETCHED_FRAMES: Final = 64
"""Of so many frames a turn, earlier records are read from `evidence` to be compared with: each may cost the reading of
a part of a file, and whoever sends must not be able to make the drain read all of them."""
OPEN_BYTES: Final = 16 << 20
"""Records of spans that had not ended are kept in memory, the newest that fit into so much of it: they are soon told of
again."""
COLUMNS: Final = ("record_id", "receiver", "seq", "index", "duplicate_of", "flags")
"""What is loaded of `evidence`."""

_UNCOMPARED: Final = "same_id_as"
_FLAGS: Final = ("continues", "changes", "continued_by", "differs_from", "conflicts_with", _UNCOMPARED)
STOOD_LATER: Final = f'"({"|".join(STANDING)}):'
"""A pattern that the flags of a record match which took the place of another."""


class Told(NamedTuple):
    """A record that has an id."""

    record_id: bytes
    place: Place
    telling: Telling
    is_open: bool
    """It is a span that has not ended."""


@dataclass(frozen=True, slots=True)
class Related:
    """What a record is to the one that stood for its id."""

    place: Place
    """Of that one."""
    relation: Relation | None
    """None: they were not compared, since there were too many."""

    @property
    def flag(self) -> str:
        """The flag of the record; not for one that says the same, which is a duplicate."""
        return f"{self.relation or _UNCOMPARED}:{text(self.place)}"


def is_relation(flag: str) -> bool:
    """Whether a flag tells of another record of the same id."""
    return flag.partition(":")[0] in _FLAGS


class SameIds:
    """The ids of the days that matter, each with the place of the record that stands for it."""

    def __init__(
        self,
        load: Callable[[date], Iterable[pl.DataFrame]],
        fetch: Callable[[date, Collection[Place]], Mapping[Place, Telling]],
        folder: Path,
    ) -> None:
        """Keep how to load a day and how to read records, and where files without a name may be.

        Args:
            load: rows of `evidence` of a day, in parts, with `COLUMNS`: in order of time where one id has several.
            fetch: the records at some places, of a day or one beside it: those that can be read, up to a size.
            folder: on a disk with some space: 26 bytes a record for each of three days.
        """
        self._places = PlacesByDay(lambda day: map(_standing, load(day)), folder)
        self._fetch = fetch
        self._open: OrderedDict[Place, Telling] = OrderedDict()
        self._open_bytes = 0

    def take_in(self, day: date, evidence: pl.DataFrame) -> None:
        """Know rows of a day that another receiver has stored, with `COLUMNS`.

        Raises:
            OSError: the disk does not take it.
        """
        self._places.take_in(day, _standing(evidence))

    def keep(self) -> None:
        """What is known now is what `back` goes back to."""
        self._places.keep()

    def back(self) -> None:
        """Forget what was asked for since `keep`: it was not stored."""
        self._places.back()

    def relate(self, day: date, told: Sequence[Told], unstored: Mapping[Place, Telling]) -> list[Related | None]:
        """What each record of a day is to the one that stood for its id; None for the first.

        Args:
            day: of receipt.
            told: in order.
            unstored: records of other days that are not in `evidence` yet.

        Raises:
            OSError: the disk does not take it.
        """
        keys = [key_of(each.record_id) for each in told]
        standing = {**self._places.beside(day, keys), **self._places.of(day, keys)}
        tellings = self._earlier(day, list(dict.fromkeys(standing.values())), unstored)
        by_key: dict[int, list[int]] = {}
        for number, key in enumerate(keys):
            by_key.setdefault(key, []).append(number)
        answers: list[Related | None] = [None] * len(told)
        # One id after the other, so that what is compared with again and again is decoded once.
        for key, numbers in by_key.items():
            for number in numbers:
                each, before = told[number], standing.get(key)
                if before is not None and before != each.place:
                    answers[number] = _related(before, tellings.get(before), each.telling)
                related = answers[number]
                if related is None or related.relation in STANDING:
                    standing[key] = each.place
                    tellings[each.place] = each.telling
                    self._keep(each)
        own = {each.place for each in told}
        self._places.add(day, ((key, standing[key]) for key in by_key if standing[key] in own))
        return answers

    def _earlier(self, day: date, places: Sequence[Place], unstored: Mapping[Place, Telling]) -> dict[Place, Telling]:
        """The records at some places, of as many frames as may be read."""
        at_hand = (self._open, unstored)
        found = {place: known[place] for place in places for known in at_hand if place in known}
        frames: set[tuple[str, int]] = set()
        wanted = []
        for place in places:
            if place not in found and (place[:2] in frames or len(frames) < FETCHED_FRAMES):
                frames.add(place[:2])
                wanted.append(place)
        return {**found, **(self._fetch(day, wanted) if wanted else {})}

    def _keep(self, told: Told) -> None:
        if told.is_open and told.place not in self._open:
            self._open[told.place] = told.telling
            self._open_bytes += told.telling.held_bytes
            while self._open_bytes > OPEN_BYTES:
                self._open_bytes -= self._open.popitem(last=False)[1].held_bytes


def _related(place: Place, before: Telling | None, now: Telling) -> Related | None:
    if before is None:
        return Related(place, None)
    try:
        found = relation(before, now)
    except DecodeError:
        return Related(place, None)
    return None if found is None else Related(place, found)


def _standing(evidence: pl.DataFrame) -> pl.DataFrame:
    """The records that stand for their ids, or did until another took their place."""
    passed = "|".join(name for name in _FLAGS if name not in STANDING)
    stands = ~pl.col("flags").str.contains(f'"({passed}):').fill_null(value=False)
    return evidence.filter(
        pl.col("record_id").is_not_null() & pl.col("duplicate_of").is_null() & stands
    ).select(*key_columns("record_id"), "seq", "index", name="receiver")  # fmt: skip
