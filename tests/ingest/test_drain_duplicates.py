"""Which records came before: the window against the plain rule that it stands for."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.duplicates import DuplicateWindow, Place, Seen

DAY = date(2026, 1, 10)
EVIDENCE = {
    "record_key": pl.Binary,
    "receiver": pl.String,
    "seq": pl.Int64,
    "index": pl.Int32,
    "duplicate_of": pl.String,
}


def key(number: int) -> bytes:
    """A record key; the first half decides."""
    return number.to_bytes(8, "little") * 2


class Store:
    """Evidence as the drain stores it, and a window over it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rows: dict[date, list[tuple[bytes, str, int, int, str | None]]] = {}
        self.window = self.fresh()

    def fresh(self) -> DuplicateWindow:
        """A window as a new process has it."""
        return DuplicateWindow(lambda day: pl.DataFrame(self.rows.get(day, []), schema=EVIDENCE, orient="row"))

    def take(self, day: date, seq: int, numbers: list[int]) -> list[Place | None]:
        """Take a frame in."""
        places = [("main", seq, index) for index in range(len(numbers))]
        answers = self.window.first_copies(day, [key(number) for number in numbers], places)
        for number, (receiver, _, index), first in zip(numbers, places, answers, strict=True):
            copy = None if first is None else f"{first[0]}/{first[1]}/{first[2]}"
            self.rows.setdefault(day, []).append((key(number), receiver, seq, index, copy))
        return answers


FRAMES = st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 9), max_size=6), st.booleans()), max_size=12)


@given(FRAMES)
def test_a_record_is_a_duplicate_if_its_key_came_on_a_day_beside(frames: list[tuple[int, list[int], bool]]) -> None:
    """Whatever the order of days and restarts, and asking again changes no answer."""
    store, model = Store(), dict[tuple[int, date], Place]()
    for seq, (offset, numbers, restart) in enumerate(frames, start=1):
        day = DAY + timedelta(days=offset)
        wanted: list[Place | None] = []
        for index, number in enumerate(numbers):
            around = [model.get((number, day + timedelta(days=days))) for days in (0, -1, 1)]
            first = next((place for place in around if place), ("main", seq, index))
            model[(number, day)] = model.get((number, day), first)
            wanted.append(None if first == ("main", seq, index) else first)
        assert store.take(day, seq, numbers) == wanted
        if restart:
            store.window = store.fresh()
        again = [("main", seq, index) for index in range(len(numbers))]
        assert store.window.first_copies(day, [key(number) for number in numbers], again) == wanted


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=20), max_size=12))
def test_every_key_that_was_added_is_found(batches: list[list[int]]) -> None:
    """And no other; the runs stay few."""
    schema = {"key": pl.UInt64, "receiver": pl.UInt16, "seq": pl.Int64, "index": pl.Int32}
    seen = Seen(pl.DataFrame(schema=schema))
    added: dict[int, int] = {}
    for seq, keys in enumerate(batches):
        fresh = [number for number in keys if number not in added]
        added |= dict.fromkeys(fresh, seq)
        seen.add(pl.DataFrame([(number, 0, seq, 0) for number in fresh], schema=schema, orient="row"))
    asked = sorted({*added, 0, 2**64 - 1, 12_345})
    found = seen.find(pl.Series("key", asked, dtype=pl.UInt64))
    assert dict(found.select("key", "seq").iter_rows()) == added
    assert len(seen._runs) <= 8
