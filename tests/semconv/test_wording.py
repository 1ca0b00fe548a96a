"""What is remembered of texts."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.semconv.wording import _VALUE, REMEMBERED_LINES, split

TEXTS = 50
CHARACTERS = 200_000


def held_bytes(*, kept: bool) -> int:
    """What long lines leave in memory, once they were split; with what was made of them, if that is kept."""
    found = []
    tracemalloc.start()
    try:
        for number in range(TEXTS):
            made = split(f"{number} " + "x" * CHARACTERS)
            if kept:
                found.append(made)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_long_lines_are_not_remembered() -> None:
    """Who sends prompts chooses how long they are, and the drain has to live with them."""
    assert held_bytes(kept=False) < CHARACTERS * 10
    assert held_bytes(kept=True) > CHARACTERS * TEXTS


def test_lines_of_nothing_but_values_fill_no_memory() -> None:
    """Four megabytes of prompts would be kept as a hundred and seventy otherwise, in each process that splits them."""
    tracemalloc.start()
    try:
        for nth in range(2 * REMEMBERED_LINES):
            split("".join(f"{(nth * 7 + at) % 9000 + 1000}é漢" for at in range(85)))
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 32 << 20


NAMES = ["Monday", "May", "today", "at", "PM", "a.b", "x-", "é漢"]
NUMBERS = ["3", "٣", "2026-03-01", "10:30"]
MARKS = [" ", ", ", "\n", "/", "\\", "~", "@"]


@given(st.lists(st.sampled_from(NAMES + NUMBERS + MARKS), max_size=14).map("".join))
def test_no_value_is_missed_where_a_line_is_looked_through_at_once(text: str) -> None:
    """What the patterns of all values find, one after the other."""
    assert split(text).values == tuple(found[0] for found in _VALUE.finditer(text))
