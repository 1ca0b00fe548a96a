"""When one value took over from another in a row of runs: new ones, ones that came back, ones that run side by side.

A value that comes and goes, such as an arm of an experiment or a slow rollout, takes over once. It has come back where
it was away longer than chance makes it at the share that it had before and has since.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["replaced", "beside", "withdrawn"]
CHANCE: Final = 0.001
"""An absence that is less likely than this, over all absences of a value, is none of chance's."""
_LOOKED_BACK: Final = 10
"""What was in force before is what most of so many runs before had."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """One value took over from another. Positions are those of runs, from 0."""

    at: int
    """First run with the new value."""
    value: str
    before: str
    last_before: int
    """Last run, before that, with the old value."""
    until: int
    """Last run with the new value, before it went for good or came back."""
    runs: int
    """How many runs had the new value meanwhile."""
    overlap: int
    """How many runs had the old value after the first with the new one."""
    last_old: int
    """The last of these; `last_before` where there are none."""
    is_return: bool
    state: State
    """`replaced`: the old value is gone; `beside`: both are in use; `withdrawn`: the new one went, the old goes on."""


def takeovers(values: Sequence[str]) -> list[Takeover]:
    """The takeovers in a row of values, in order."""
    found: dict[str, list[int]] = {}
    for at, value in enumerate(values):
        found.setdefault(value, []).append(at)
    stays = {value: _stays(at, len(values)) for value, at in found.items()}
    begun = sorted((stay[0], nth > 0) for each in stays.values() for nth, stay in enumerate(each))
    return [_takeover(values, stays, at, is_return) for at, is_return in begun if at > 0]


def _stays(at: list[int], total: int) -> list[list[int]]:
    """The positions of a value, divided where it was away for longer than chance makes it."""
    stays, start = [], 0
    for nth in range(1, len(at)):
        if _is_away(at, nth, total):
            stays.append(at[start:nth])
            start = nth
    return [*stays, at[start:]]


def _is_away(at: list[int], nth: int, total: int) -> bool:
    last, back = at[nth - 1], at[nth]
    away = back - last - 1
    if away < 3:
        return False
    window = min(away, last + 1)
    before = (nth - bisect_left(at, last - window + 1)) / (window + 1)
    window = min(away, total - back)
    since = (bisect_right(at, back + window - 1) - nth) / (window + 1)
    return _is_no_chance(min(before, since), away, len(at))


def _is_no_chance(share: float, away: int, times: int) -> bool:
    return float(times * (1 - share) ** away) < CHANCE


def _takeover(values: Sequence[str], stays: dict[str, list[list[int]]], at: int, is_return: bool) -> Takeover:
    value = values[at]
    own = next(stay for stay in stays[value] if stay[0] == at)
    recent = [values[earlier] for earlier in range(max(0, at - _LOOKED_BACK), at) if values[earlier] != value]
    often = Counter(recent or [values[at - 1]])
    old = max(often, key=lambda name: (often[name], _last(values, name, at)))
    olds = next(stay for stay in reversed(stays[old]) if stay[0] < at)
    overlap = len(olds) - bisect_right(olds, at)
    last_before = _last(values, old, at)
    return Takeover(
        at=at,
        value=value,
        before=old,
        last_before=last_before,
        until=own[-1],
        runs=len(own),
        overlap=overlap,
        last_old=olds[-1] if overlap else last_before,
        is_return=is_return,
        state=_state(own, olds[-1], overlap, len(values)),
    )


def _last(values: Sequence[str], value: str, before: int) -> int:
    return next(position for position in range(before - 1, -1, -1) if values[position] == value)


def _state(own: list[int], last_old: int, overlap: int, total: int) -> State:
    if not overlap:
        return "replaced"
    if last_old > own[-1] and _is_gone(len(own), own[0], own[-1], total):
        return "withdrawn"
    return "replaced" if _is_gone(overlap, own[0], last_old, total) else "beside"


def _is_gone(times: int, since: int, last: int, total: int) -> bool:
    """Whether a value that so many runs had has been away since the last of them for longer than chance makes it."""
    return _is_no_chance(times / (last - since + 2), total - 1 - last, 1)
