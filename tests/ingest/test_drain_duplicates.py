"""Which records came before: the window against the plain rule that it stands for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.duplicates import DuplicateWindow
from aftertrace.ingest.places import Place
from aftertrace.ingest.seen import SCHEMA, Seen
from aftertrace.store.sources import tenant_of

DAY = date(2026, 1, 10)
EVIDENCE = {
    "record_key": pl.Binary,
    "receiver": pl.String,
    "seq": pl.Int64,
    "index": pl.Int32,
    "duplicate_of": pl.String,
    "record_id": pl.Binary,
    "source": pl.String,
}
SCRATCH = Path(tempfile.gettempdir())


def key(number: int) -> bytes:
    """A record key; the first half decides."""
    return number.to_bytes(8, "little") * 2


class Store:
    """Evidence as the drain stores it, and a window over it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rows: dict[date, list[tuple[bytes, str, int, int, str | None, None, str]]] = {}
        self.window = self.fresh()

    def fresh(self) -> DuplicateWindow:
        """A window as a new process has it."""
        return DuplicateWindow(self._parts, SCRATCH)

    def _parts(self, day: date) -> Iterator[pl.DataFrame]:
        """Evidence of a day, in parts of three rows."""
        yield from pl.DataFrame(self.rows.get(day, []), schema=EVIDENCE, orient="row").iter_slices(3)

    def take(self, day: date, seq: int, numbers: list[int], source: str = "anonymous") -> list[Place | None]:
        """Take a frame in."""
        places = [("main", seq, index) for index in range(len(numbers))]
        tenants = [tenant_of(source)] * len(numbers)
        answers = self.window.first_copies(day, [key(number) for number in numbers], places, tenants)
        for number, (receiver, _, index), first in zip(numbers, places, answers, strict=True):
            copy = None if first is None else f"{first[0]}/{first[1]}/{first[2]}"
            self.rows.setdefault(day, []).append((key(number), receiver, seq, index, copy, None, source))
        return answers


@pytest.mark.parametrize("restart", [False, True])
def test_nobody_takes_a_record_from_another_tenant(restart: bool) -> None:
    """Whoever knows what another tenant is about to send could otherwise send it first, and it would be shown once."""
    store, sources = Store(), ("other/spy", "acme/refunds", "acme/claims", "nobody", "anonymous", "other/b")
    answers = []
    for seq, source in enumerate(sources, start=1):
        store.window = store.fresh() if restart else store.window
        answers += store.take(DAY, seq, [7], source)
    assert answers == [None, None, ("main", 2, 0), None, ("main", 4, 0), ("main", 1, 0)]


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
        assert (
            store.window.first_copies(day, [key(number) for number in numbers], again, [None] * len(numbers)) == wanted
        )


@pytest.mark.parametrize("memory_rows", [4, 1 << 18])
@given(batches=st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=20), max_size=12))
def test_every_key_that_was_added_is_found_where_it_was_last(memory_rows: int, batches: list[list[int]]) -> None:
    """And no other; the runs stay few, and long ones are files."""
    seen = Seen(SCRATCH, memory_rows)
    added: dict[int, int] = {}
    for seq, keys in enumerate(batches):
        added |= dict.fromkeys(keys, seq)
        seen.add(pl.DataFrame([(number, 0, 0, seq, 0) for number in keys], schema=SCHEMA, orient="row"))
    asked = sorted({*added, 0, 2**64 - 1, 12_345})
    found = seen.find(pl.Series("key", asked, dtype=pl.UInt64))
    assert dict(found.select("key", "seq").iter_rows()) == added
    assert len(seen._runs) <= 8


def test_records_whose_keys_begin_alike_are_no_copies_of_each_other() -> None:
    """Eight bytes of a digest are looked up, and twelve have to agree: a record must not be left out by chance."""
    store = Store()
    one, other = bytes(16), bytes(8) + b"\x01" + bytes(7)
    asked = [(one, 1), (other, 2), (other, 3)]
    answers = [store.window.first_copies(DAY, [digest], [("main", seq, 0)], [None]) for digest, seq in asked]
    assert answers == [[None], [None], [("main", 2, 0)]]


def test_memory_is_bounded_whatever_is_kept(tmp_path: Path) -> None:
    """A file has no name, so that a process that is killed leaves none behind; it goes with what it is of."""
    seen = Seen(tmp_path, 1_000)
    for seq in range(40):
        keys = pl.int_range(1_000, dtype=pl.UInt64, eager=True).hash(seq)
        seen.add(
            pl.select(key=keys, check=pl.lit(0), receiver=pl.lit(0), seq=pl.lit(seq), index=pl.lit(0)).cast(
                dict(SCHEMA)
            )
        )
    assert list(tmp_path.iterdir()) == []
    assert sum(run.height for run in seen._runs) == 40_000
    assert sum(not _is_mapped(run) for run in seen._runs if run.height > 1_000) == 0


def _is_mapped(run: pl.DataFrame) -> bool:
    """Whether the keys of a run lie in a file."""
    address = run["key"].to_arrow().buffers()[1].address
    maps = (line.split() for line in Path("/proc/self/maps").read_text().splitlines())
    return any(len(parts) > 5 and parts[-1] == "(deleted)" and _within(address, parts[0]) for parts in maps)


def _within(address: int, span: str) -> bool:
    low, high = (int(bound, 16) for bound in span.split("-"))
    return low <= address < high
