"""Orders to destroy: the drain enters none that goes against the ledger, and `verify` names one that was signed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeAlias

from msgspec import UNSET, UnsetType

from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.days import days_of
from aftertrace.store.ledger.entries import SOURCES, Erasure, Hold, Retention
from aftertrace.store.ledger.state import State
from aftertrace.store.sources import tenant_of

Order: TypeAlias = Retention | Erasure
"""Of rows."""
AnyOrder: TypeAlias = Order | ContentRetention


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether what holds keeps any of what orders name, as the stored rows tell."""

    sources: tuple[tuple[str, ...], ...]
    """Of each order, who sent what it names; nobody of one of contents."""
    keeps: Hold | None = None
    """The first hold that keeps some of it."""
    untold: str | None = None
    """Why it could not be told of some hold."""


Compare: TypeAlias = Callable[[Sequence[AnyOrder], Sequence[Hold]], Compared | None]
"""Compares orders with holds; None where nobody here can tell what runs and agents hold, and it may matter."""


def last_seq(order: Order) -> int:
    """The last request that an order takes anything of."""
    if isinstance(order, Retention):
        return order.requests[-1][1]
    return max(row.seq for found in order.rows.values() for row in found)


def sources_of(found: Sequence[str]) -> tuple[str, ...] | UnsetType:
    """Sources as an order names them."""
    return tuple(found) if 0 < len(found) <= SOURCES else UNSET


def keeps(hold: Hold, order: AnyOrder) -> bool:
    """Whether a hold of days, a source or a tenant keeps some of what an order names, as that says itself; one of
    contents does not say who sent what refers to them.
    """
    if hold.of == "days":
        held = days_of(hold.name)
        return held is not None and held[0] <= date.fromisoformat(order.day) <= held[1]
    return not isinstance(order, ContentRetention) and order.sources is not UNSET and is_of(hold, order.sources)


def is_of(hold: Hold, sources: Collection[str]) -> bool:
    """Whether a hold is of one of some sources, or of its tenant."""
    if hold.of == "source":
        return hold.name in sources
    return hold.of == "tenant" and any(tenant_of(source) == hold.name for source in sources)


def is_early(order: AnyOrder, day: date) -> bool:
    """Whether the term by which it was chosen was not over on a day."""
    if isinstance(order, Erasure):
        return False
    return (day - date.fromisoformat(order.day)).days <= order.term_days


def day_of(entry: State) -> date:
    """The day on which it was entered, in UTC, by the clock that was."""
    return datetime.fromtimestamp(int(entry.time_ns) / 1e9, UTC).date()


def contradictions(
    order: AnyOrder,
    upto: Mapping[str, int],
    holds: Iterable[Hold],
    last_hold: int | UnsetType,
    ordered_on: date,
) -> Iterator[str]:
    """What of an order goes against what the ledger says before it.

    Args:
        order: an entry of it.
        upto: last seq of each receiver that the ledger speaks of.
        holds: that hold.
        last_hold: number of the last hold or release.
        ordered_on: the day on which it is entered, in UTC.
    """
    if not isinstance(order, ContentRetention) and (last := last_seq(order)) > upto.get(order.receiver, 0):
        yield f"destroys {order.receiver}/{last} or some of it, which was not stored yet"
    if isinstance(order, Retention) and (is_early(order, ordered_on) or order.term_days < order.floor_days):
        yield f"destroys {order.day} before {order.term_days} days were over, of {order.floor_days} at least"
    if isinstance(order, ContentRetention) and is_early(order, ordered_on):
        yield f"destroys contents of {order.day} before {order.term_days} days were over"
    standing = list(holds)
    for hold in standing:
        if keeps(hold, order):
            yield f"destroys of {order.day}, which hold {hold.id} keeps"
    if standing and order.compared != last_hold:
        yield f"destroys of {order.day}, and was not compared with all that is held: {standing[-1].id}"
