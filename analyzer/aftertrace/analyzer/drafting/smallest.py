"""The smallest part of something that still shows what the whole shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def smallest(items: Sequence[_T], shows: Callable[[Sequence[_T]], bool], *, most: int) -> list[_T]:
    """Some of the items, in their order, that still show it: none of them can be left out, if as many looks suffice.

    Larger pieces are tried first (delta debugging, Zeller and Hildebrandt 2002).

    Args:
        items: they show it.
        shows: whether some of them do.
        most: how often to look.
    """
    kept, pieces, looks = list(items), 2, 0
    while len(kept) > 1 and looks < most:
        length = -(-len(kept) // pieces)
        for start in range(0, len(kept), length):
            if looks >= most:
                return kept
            looks += 1
            rest = kept[:start] + kept[start + length :]
            if shows(rest):
                kept, pieces = rest, max(2, pieces - 1)
                break
        else:
            if length == 1:
                return kept
            pieces = min(len(kept), pieces * 2)
    return kept
