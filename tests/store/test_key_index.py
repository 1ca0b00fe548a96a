"""An index of many files: it names the parts that these name themselves, however it came to be."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.store import key_file, key_index
from aftertrace.store.key_index import Level, differing, extended, places

NAMES = [f"file-{number}" for number in range(8)]
NUMBERS = st.sampled_from([0, 1, 1 << 31, (1 << 32) - 1]) | st.integers(0, 1 << 32 - 1)
CONTENT = st.sets(st.tuples(NUMBERS, st.integers(0, 3)), max_size=30)


def entries(content: set[tuple[int, int]]) -> pl.Series:
    """Entries of numbers and parts."""
    return pl.Series(sorted(number << 32 | part for number, part in content), dtype=pl.UInt64)


@settings(max_examples=30, deadline=None)
@given(
    contents=st.tuples(*(CONTENT for _ in NAMES)),
    steps=st.lists(st.sets(st.sampled_from(NAMES)), min_size=1, max_size=6),
    asked=st.lists(NUMBERS),
    data=st.data(),
)
def test_an_index_names_what_its_files_hold(
    contents: tuple[set[tuple[int, int]], ...], steps: list[set[str]], asked: list[int], data: st.DataObject
) -> None:
    """Files come and go from step to step; a level may be lost or damaged in between, which is seen."""
    of_names = dict(zip(NAMES, contents, strict=True))
    sought = sorted({*asked, *(number for content in contents for number, _ in list(content)[::2])})
    levels: tuple[Level, ...] = ()
    with tempfile.TemporaryDirectory() as folder:
        for names in steps:
            if levels and data.draw(st.booleans()):
                path = Path(folder) / data.draw(st.sampled_from(levels)).path
                path.unlink()
            levels = extended(Path(folder), levels, names, lambda name: entries(of_names[name]))
            found = places(Path(folder), levels, sought)
            assert found is not None
            expected = {name: {part for number, part in of_names[name] if number in sought} for name in names}
            assert {name: found.get(name, set()) for name in names} == expected


def grown(folder: Path, steps: int, each: int) -> tuple[tuple[Level, ...], int]:
    """An index to which a file came at each step, and how many entries were written for it in all."""
    levels: tuple[Level, ...] = ()
    written = 0
    names: list[str] = []
    for step in range(steps):
        names.append(f"file-{step}")
        before = levels
        numbers = {(step * each + at) * 2_654_435_761 % (1 << 32) for at in range(each)}
        levels = extended(folder, levels, names, lambda _, numbers=numbers: entries({(n, 0) for n in numbers}))
        written += sum(level.entries for level in levels if level not in before)
    return levels, written


def test_an_index_that_grows_has_few_levels_and_writes_little(tmp_path: Path) -> None:
    """A thousand files, one after the other: as good as made at once."""
    levels, written = grown(tmp_path, 1000, 8)
    assert sum(level.entries for level in levels) == 8000
    assert {name for level in levels for name in level.of} == {f"file-{number}" for number in range(1000)}
    assert len(levels) <= 6
    assert written <= 8000 * 20


def test_levels_of_so_many_entries_are_left_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or of so many files: no step takes long, and a position has sixteen bits."""
    monkeypatch.setattr(key_index, "_ENTRIES_AT_MOST", 64)
    levels, _ = grown(tmp_path / "entries", 100, 8)
    assert max(level.entries for level in levels) <= 64
    assert sum(level.entries for level in levels) == 800
    monkeypatch.undo()
    monkeypatch.setattr(key_file, "FILES_AT_MOST", 16)
    levels, _ = grown(tmp_path / "files", 100, 8)
    assert max(len(level.of) for level in levels) <= 16
    assert {name for level in levels for name in level.of} == {f"file-{number}" for number in range(100)}


def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    """With the level in which they all are; and of others as soon as they are put together."""
    levels = extended(tmp_path, (), ["a", "b"], lambda name: entries({(ord(name), 0)}))
    assert extended(tmp_path, levels, ["b"], lambda _: None) == levels
    (level,) = extended(tmp_path, levels, ["b", "c"], lambda name: entries({(ord(name), 0)}))
    assert sorted(level.of) == ["b", "c"]
    assert level.entries == 2
    assert extended(tmp_path, (level,), [], lambda _: None) == ()


@pytest.mark.parametrize("damage", ["missing", "torn", "flipped", "empty"])
def test_a_level_that_is_damaged_is_told_and_made_again(tmp_path: Path, damage: str) -> None:
    """What it would have named is not taken for nothing."""
    levels = extended(tmp_path, (), ["a"], lambda _: entries({(7, 3)}))
    path = tmp_path / levels[0].path
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        half = content[: len(content) // 2]
        path.write_bytes({"torn": half, "flipped": content[:-1] + b"\xff", "empty": b""}[damage])
    assert places(tmp_path, levels, [7]) is None
    made = extended(tmp_path, levels, ["a", "b"], lambda name: entries({(7, 3)} if name == "a" else {(8, 0)}))
    assert places(tmp_path, made, [7]) == {"a": {3}}


def test_a_level_whose_files_are_told_otherwise_is_damaged(tmp_path: Path) -> None:
    """Of two files it has entries; the state that names them has lost one, as only somebody who forges it can."""
    (level,) = extended(tmp_path, (), ["a", "b"], lambda name: entries({(ord(name), 3)}))
    forged = Level(level.path, level.entries, level.of[:1])
    assert places(tmp_path, (forged,), [ord("b")]) is None
    assert differing(tmp_path, (forged,), ["a"], lambda name: entries({(ord(name), 3)})) == ["a"]
    made = extended(tmp_path, (forged,), ["a", "b"], lambda name: entries({(ord(name), 3)}))
    assert places(tmp_path, made, [ord("a"), ord("b")]) == {"a": {3}, "b": {3}}


def test_of_a_file_whose_entries_are_not_known_the_index_knows_nothing(tmp_path: Path) -> None:
    """It is for the reader to read it whole."""
    (level,) = extended(tmp_path, (), ["a", "b"], lambda name: None if name == "a" else entries({(7, 3)}))
    assert level.of == ("b",)
