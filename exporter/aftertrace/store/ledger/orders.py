"""Orders to destroy: the drain enters none that goes against the ledger, and `verify` names one that was signed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from msgspec import UNSET, UnsetType

from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.days import days_of
from aftertrace.store.ledger.entries import SOURCES, Erasure, Hold, Retention
from aftertrace.store.sources import tenant_of

Order: TypeAlias = Retention | Erasure


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether what holds keeps any of what orders name, as the stored rows tell."""

    sources: tuple[tuple[str, ...], ...]
    """Of each order, who sent what it names; nobody of one of contents."""
    keeps: Hold | None = None
    """The first hold that keeps some of it."""
    untold: str | None = None
    """Why it could not be told of some hold."""


Compare: TypeAlias = Callable[[Sequence[Order | ContentRetention], Sequence[Hold]], Compared | None]
"""Compares orders with holds; None where nobody here can tell what runs and agents hold, and it may matter."""


def last_seq(order: Order) -> int:
    """The last request that an order takes anything of."""
    if isinstance(order, Retention):
        return order.requests[-1][1]
    return max(row.seq for found in order.rows.values() for row in found)


def sources_of(found: Sequence[str]) -> tuple[str, ...] | UnsetType:
    """Sources as an order names them."""
    return tuple(found) if 0 < len(found) <= SOURCES else UNSET


def keeps(hold: Hold, order: Order) -> bool:
    """Whether a hold of days, a source or a tenant keeps some of what an order names, as that says itself."""
    if hold.of == "days":
        held = days_of(hold.name)
        return held is not None and held[0] <= date.fromisoformat(order.day) <= held[1]
    named = () if order.sources is UNSET else order.sources
    if hold.of == "source":
        return hold.name in named
    return hold.of == "tenant" and any(tenant_of(source) == hold.name for source in named)


def held_days(holds: Iterable[Hold]) -> list[tuple[date, date]]:
    """First and last days of those holds that are by days."""
    return [days for hold in holds if hold.of == "days" and (days := days_of(hold.name)) is not None]


def contradictions(
    order: Order,
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
    day, last = date.fromisoformat(order.day), last_seq(order)
    if last > upto.get(order.receiver, 0):
        yield f"destroys {order.receiver}/{last} or some of it, which was not stored yet"
    is_early = isinstance(order, Retention) and (ordered_on - day).days <= order.term_days
    if isinstance(order, Retention) and (is_early or order.term_days < order.floor_days):
        yield f"destroys {order.day} before {order.term_days} days were over, of {order.floor_days} at least"
    standing = list(holds)
    for hold in standing:
        if keeps(hold, order):
            yield f"destroys of {order.day}, which hold {hold.id} keeps"
    if standing and order.compared != last_hold:
        yield f"destroys of {order.day}, and was not compared with all that is held: {standing[-1].id}"
