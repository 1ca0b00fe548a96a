"""Two sequences of calls laid side by side: which call of one stands for which of the other.

The order of both is kept. Of all ways to do that the one that costs least is taken: a call of the same tool with the
same arguments costs nothing, with others the more the fewer of its values are the same, and a call that only one side
has costs as much as the least alike pair. So a call is paired with the most alike one that the order lets it have.

Source: S. B. Needleman, C. D. Wunsch, J. Mol. Biol. 48, 1970, with distances for similarities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aftertrace.analyzer.populations.leaves import leaves

ALIGNED_AT_MOST: Final = 600
"""Calls of each side that are compared with all of the other, after those that both begin with, and before those that
both end with."""
_LEAVES_AT_MOST: Final = 64
_ALONE: Final = 60
_NOT_TOLD: Final = 30
"""What an argument that one side does not tell costs: more than a likeness, less than a difference."""
_OTHER_LEAST: Final = 20
_OTHER_MOST: Final = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asked for."""

    tool: str | None
    """Name of the tool."""
    arguments: str | None
    """Canonical JSON of its arguments; None: not told."""
    values: frozenset[tuple[str, object]] = field(init=False, compare=False)
    """The single values in them."""

    def __post_init__(self) -> None:
        """Take the arguments apart once."""
        found = [(path, (type(value), value)) for path, value in leaves(self.arguments)]
        object.__setattr__(self, "values", frozenset(found[:_LEAVES_AT_MOST]))


@dataclass(frozen=True, slots=True)
class Alignment:
    """Positions in the first and in the second sequence, in order; None where the other has no such call."""

    pairs: tuple[tuple[int | None, int | None], ...]
    left_out: tuple[int, int]
    """How many calls of each were not looked at: too many differ."""


def aligned(first: Sequence[Asked], second: Sequence[Asked]) -> Alignment:
    """The two sequences side by side. With the sides changed it is the same, changed."""
    # Of ways that cost the same, which is found depends on the sides: so they are taken in an order of their own.
    if _order(second) < _order(first):
        turned = aligned(second, first)
        pairs = [(mine, other) for other, mine in turned.pairs]
        return Alignment(_own_first(pairs), (turned.left_out[1], turned.left_out[0]))
    begin = _same(first, second)
    end = _same(first[begin:][::-1], second[begin:][::-1])
    middles = (first[begin : len(first) - end], second[begin : len(second) - end])
    heads = tuple(middle[:ALIGNED_AT_MOST] for middle in middles)
    left_out = (len(middles[0]) - len(heads[0]), len(middles[1]) - len(heads[1]))
    pairs = [(at, at) for at in range(begin)]
    for one, other in _middle(*heads):
        pairs.append((None if one is None else begin + one, None if other is None else begin + other))
    pairs += [(len(first) - at, len(second) - at) for at in range(end, 0, -1)]
    return Alignment(_own_first(pairs), left_out)


def _order(calls: Sequence[Asked]) -> list[tuple[bool, str, bool, str]]:
    return [(call.tool is None, call.tool or "", call.arguments is None, call.arguments or "") for call in calls]


def _same(first: Sequence[Asked], second: Sequence[Asked]) -> int:
    """With how many equal calls both begin."""
    for at, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return at
    return min(len(first), len(second))


def _cost(one: Asked, other: Asked) -> int | None:
    """What it costs to take one call for the other; None where it cannot be."""
    if one.tool != other.tool:
        return None
    if one.arguments == other.arguments:
        return 0
    if one.arguments is None or other.arguments is None:
        return _NOT_TOLD
    most = max(len(one.values), len(other.values))
    alike = len(one.values & other.values)
    return _OTHER_MOST - (_OTHER_MOST - _OTHER_LEAST) * alike // most if most else _OTHER_MOST


def _middle(first: Sequence[Asked], second: Sequence[Asked]) -> list[tuple[int | None, int | None]]:
    """The pairs that cost least, found from the end, so that the first of equal ways is taken from the beginning."""
    rows, columns = len(first), len(second)
    least = [[_ALONE * (rows - at) if column == columns else 0 for column in range(columns + 1)] for at in range(rows)]
    least.append([_ALONE * (columns - column) for column in range(columns + 1)])
    costs: dict[tuple[Asked, Asked], int | None] = {}
    paired: list[list[int | None]] = [[None] * columns for _ in range(rows)]
    for at in range(rows - 1, -1, -1):
        mine, below, one = least[at], least[at + 1], first[at]
        for column in range(columns - 1, -1, -1):
            best = min(below[column], mine[column + 1]) + _ALONE
            other = second[column]
            if one.tool == other.tool:
                key = (one, other)
                cost = costs[key] if key in costs else costs.setdefault(key, _cost(one, other))
                if cost is not None and below[column + 1] + cost <= best:
                    best = paired[at][column] = below[column + 1] + cost
            mine[column] = best
    return _walked(least, paired)


def _walked(least: list[list[int]], paired: list[list[int | None]]) -> list[tuple[int | None, int | None]]:
    rows, columns = len(least) - 1, len(least[0]) - 1
    found: list[tuple[int | None, int | None]] = []
    at = column = 0
    while at < rows or column < columns:
        if at < rows and column < columns and paired[at][column] is not None:
            found.append((at, column))
            at, column = at + 1, column + 1
        elif at < rows and least[at][column] == least[at + 1][column] + _ALONE:
            found.append((at, None))
            at += 1
        else:
            found.append((None, column))
            column += 1
    return found


def _own_first(pairs: list[tuple[int | None, int | None]]) -> tuple[tuple[int | None, int | None], ...]:
    """Between two pairs what only the first side has, then what only the second has."""
    found: list[tuple[int | None, int | None]] = []
    waiting: list[tuple[int | None, int | None]] = []
    for pair in pairs:
        if pair[0] is None:
            waiting.append(pair)
        else:
            if pair[1] is not None:
                found += waiting
                waiting = []
            found.append(pair)
    return (*found, *waiting)
