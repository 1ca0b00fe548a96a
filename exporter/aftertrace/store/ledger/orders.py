"""Orders to destroy: the drain enters none that goes against the ledger, and `verify` names one that was signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from aftertrace.store.ledger.entries import Erasure, Hold, Retention, days_of


def last_seq(order: Retention | Erasure) -> int:
    """The last request that an order takes anything of."""
    if isinstance(order, Retention):
        return order.requests[-1][1]
    return max(row.seq for found in order.rows.values() for row in found)


def contradictions(
    order: Retention | Erasure, upto: Mapping[str, int], holds: Iterable[Hold], ordered_on: date
) -> Iterator[str]:
    """What of an order goes against what the ledger says before it.

    Args:
        order: an entry of it.
        upto: last seq of each receiver that the ledger speaks of.
        holds: that hold. Those of days alone can be told here.
        ordered_on: the day on which it is entered, in UTC.
    """
    day, last = date.fromisoformat(order.day), last_seq(order)
    if last > upto.get(order.receiver, 0):
        yield f"destroys {order.receiver}/{last} or some of it, which was not stored yet"
    is_early = isinstance(order, Retention) and (ordered_on - day).days <= order.term_days
    if isinstance(order, Retention) and (is_early or order.term_days < order.floor_days):
        yield f"destroys {order.day} before {order.term_days} days were over, of {order.floor_days} at least"
    for hold in holds:
        held = days_of(hold.name) if hold.of == "days" else None
        if held is not None and held[0] <= day <= held[1]:
            yield f"destroys of {order.day}, which hold {hold.id} keeps"
