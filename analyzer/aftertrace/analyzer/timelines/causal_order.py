"""The order of what happened, as far as it is known: by cause where there is one, else by clocks, and where neither
tells, not at all.

A span comes after the one it lies in, a question after the proposal, an answer after the question, a result after the
begin: where the times of two senders say otherwise, one of their clocks is wrong by at least as much. That a call
begins after its approval is expected and no law: it is said where clocks contradict it, and nothing is moved, since
that may be a control that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

ROUNDED_NS: Final = 1_000_000
"""Many senders tell milliseconds: a shorter contradiction is rounding."""
_NEVER_NS: Final = 2**63
_FAR: Final = 64
"""How many causes back it is looked for whether one entry follows from the one before it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened."""

    time_ns: int | None
    clock: str
    """Who told the time."""
    causes: tuple[int, ...] = ()
    """Places, among the entries, of what must have come before it."""
    expected: tuple[int, ...] = ()
    """Places of what should have."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry in its place."""

    entry: int
    """Its place among the entries that were given."""
    order: str
    """Why it stands after the one before: `cause`, `clock`, or `unsure`; the first is by its `clock`."""
    behind_ns: int | None = None
    """By how much at least its clock is behind that of what it follows; None where nothing contradicts."""
    after: int | None = None
    """Which entry that is."""


@dataclass(frozen=True, slots=True)
class Skew:
    """What entries show of two clocks."""

    behind: str
    ahead: str
    at_least_ns: int
    entries: int
    """How many show that one is behind."""


def ordered(entries: Sequence[Entry]) -> tuple[list[Placed], list[Skew]]:
    """The entries in order, and the clocks that contradict each other, the worst first.

    What comes first of entries that nothing tells apart is as given. Causes that go round in a circle are none, nor is
    one that the same clock puts later: what was told together is not in order.
    """
    causes = _without_circles([_before(entries, entry) for entry in entries])
    moved, depth = _moments(entries, causes)
    order = sorted(range(len(entries)), key=lambda at: (moved[at] is None, moved[at] or 0, depth[at], at))
    worst = [_contradicted(entries, (*causes[at], *entries[at].expected), at) for at in range(len(entries))]
    skews = _skews(entries, worst)
    seen = {(skew.behind, skew.ahead): skew.at_least_ns for skew in skews}
    placed = []
    for before, at in zip([None, *order], order, strict=False):
        behind_ns, after = worst[at] or (None, None)
        placed.append(Placed(at, _order(entries, causes, moved, seen, before, at), behind_ns, after))
    return placed, skews


def _before(entries: Sequence[Entry], entry: Entry) -> tuple[int, ...]:
    """The causes of an entry that its own clock does not put later."""
    return tuple(
        cause
        for cause in entry.causes
        if entries[cause].clock != entry.clock or (entries[cause].time_ns or 0) <= (entry.time_ns or _NEVER_NS)
    )


def _without_circles(causes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The causes of each entry; none of what lies on a circle, or behind one."""
    waiting = [len(of) for of in causes]
    follow: dict[int, list[int]] = {}
    for at, of in enumerate(causes):
        for cause in of:
            follow.setdefault(cause, []).append(at)
    ready = [at for at, left in enumerate(waiting) if left == 0]
    for at in ready:
        for after in follow.get(at, ()):
            waiting[after] -= 1
            if waiting[after] == 0:
                ready.append(after)
    return [of if waiting[at] == 0 else () for at, of in enumerate(causes)]


def _moments(entries: Sequence[Entry], causes: Sequence[tuple[int, ...]]) -> tuple[list[int | None], list[int]]:
    """When each entry happened, by its own clock and those of its causes, or of what followed from it; and how many
    causes lie before it.
    """
    moved: list[int | None] = [entry.time_ns for entry in entries]
    depth = [0] * len(entries)
    in_turn = list(_causes_first(causes))
    for at in in_turn:
        for cause in causes[at]:
            depth[at] = max(depth[at], depth[cause] + 1)
            then = moved[cause]
            if then is not None:
                own = moved[at]
                moved[at] = then if own is None else max(own, then)
    # What has no time came before what followed from it.
    untimed = {at for at, when in enumerate(moved) if when is None}
    for at in reversed(in_turn):
        when = moved[at]
        if when is None:
            continue
        for cause in untimed.intersection(causes[at]):
            then = moved[cause]
            moved[cause] = when if then is None else min(then, when)
    return moved, depth


def _causes_first(causes: Sequence[tuple[int, ...]]) -> Iterator[int]:
    """All places, each after its causes."""
    done = [False] * len(causes)
    for start in range(len(causes)):
        path = [start]
        while path:
            at = path[-1]
            if done[at]:
                path.pop()
                continue
            wanting = [cause for cause in causes[at] if not done[cause]]
            if wanting:
                path += wanting
                continue
            done[at] = True
            path.pop()
            yield at


def _contradicted(entries: Sequence[Entry], causes: Sequence[int], at: int) -> tuple[int, int] | None:
    """By how much the clock of an entry is behind another, by something it follows, and which that is: the worst."""
    own = entries[at]
    if own.time_ns is None:
        return None
    found = [
        (then - own.time_ns, cause)
        for cause in causes
        if entries[cause].clock != own.clock and (then := entries[cause].time_ns) is not None
    ]
    worst = max(found, default=None)
    return worst if worst is not None and worst[0] >= ROUNDED_NS else None


def _skews(entries: Sequence[Entry], worst: Sequence[tuple[int, int] | None]) -> list[Skew]:
    shown: dict[tuple[str, str], list[int]] = {}
    for at, found in enumerate(worst):
        if found is not None:
            shown.setdefault((entries[at].clock, entries[found[1]].clock), []).append(found[0])
    skews = [Skew(behind, ahead, max(by), len(by)) for (behind, ahead), by in shown.items()]
    return sorted(skews, key=lambda skew: (-skew.at_least_ns, skew.behind, skew.ahead))


def _order(
    entries: Sequence[Entry],
    causes: Sequence[tuple[int, ...]],
    moved: Sequence[int | None],
    seen: dict[tuple[str, str], int],
    before: int | None,
    at: int,
) -> str:
    if before is None:
        return "clock"
    if _follows(causes, at, before):
        return "cause"
    first, second = moved[before], moved[at]
    if entries[before].time_ns is None or entries[at].time_ns is None or first is None or second is None:
        return "unsure"
    apart, clocks = second - first, (entries[before].clock, entries[at].clock)
    if not apart:
        return "unsure"
    return "unsure" if apart <= max(seen.get(clocks, -1), seen.get(clocks[::-1], -1)) else "clock"


def _follows(causes: Sequence[tuple[int, ...]], at: int, before: int) -> bool:
    """Whether an entry follows from another, over several causes."""
    near = {at}
    for _ in range(_FAR):
        near = {cause for each in near for cause in causes[each]}
        if before in near:
            return True
        if not near:
            break
    return False
