"""Comparing orders with what is held, by the rows that are there: when they are entered, and when carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, TypeAlias

import polars as pl

from aftertrace.store.errors import AftertraceError
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import Hold
from aftertrace.store.ledger.orders import AnyOrder, Compared, Order, keeps
from aftertrace.store.retention.contents import kept
from aftertrace.store.retention.plan import Held, is_held
from aftertrace.store.retention.taking import taking
from aftertrace.store.schema import PARTITION
from aftertrace.store.snapshot import collected
from aftertrace.store.tables import TableWriter

Telling: TypeAlias = Callable[[Sequence[Hold]], Sequence[Held]]
"""Which requests holds of runs and agents keep: the analysis tells it."""
_COLUMNS: Final = ("receiver", "seq", "index", "source")


class Comparing:
    """Compares orders with holds."""

    def __init__(self, evidence: TableWriter, telling: Telling | None, key: bytes) -> None:
        """By the rows of `evidence`, and what they refer to by the store's secret; without `telling`, nothing can be
        told of holds of runs and agents.
        """
        self._evidence = evidence
        self._telling = telling
        self._key = key

    def __call__(self, orders: Sequence[AnyOrder], holds: Sequence[Hold]) -> Compared | None:
        """Whether any of some holds keeps any of what orders of one act name, as `orders.Compare`: they are all of
        rows or all of contents.
        """
        of_records = [hold for hold in holds if hold.of in ("run", "agent")]
        if of_records and self._telling is None:
            return None
        try:
            told = list(self._telling(of_records)) if of_records and self._telling is not None else []
            told += [Held(hold.why, hold=hold) for hold in holds if hold.of not in ("run", "agent")]
            if contents := [order for order in orders if isinstance(order, ContentRetention)]:
                keeping = next((hold for hold in holds for order in contents if keeps(hold, order)), None)
                return Compared(((),) * len(contents), keeping or self._keeping(contents, told))
            return self._compared([order for order in orders if isinstance(order, Order)], holds, told)
        except AftertraceError as refusal:
            return Compared((), untold=str(refusal))

    def _compared(self, orders: Sequence[Order], holds: Sequence[Hold], told: list[Held]) -> Compared:
        sources: dict[int, tuple[str, ...]] = {}
        keeping: Hold | None = next((hold for hold in holds for order in orders if keeps(hold, order)), None)
        for day in sorted({order.day for order in orders}):
            of_day = date.fromisoformat(day)
            rows = self._rows(of_day)
            for number, order in enumerate(orders):
                if order.day == day:
                    named = rows.filter(pl.Series(taking([order]).is_gone(rows.to_arrow())))
                    sources[number] = tuple(sorted(named["source"].unique()))
                    if keeping is None:
                        keeping = next((each.hold for each in told if named.filter(is_held(each, of_day)).height), None)
        return Compared(tuple(sources[number] for number in range(len(orders))), keeping)

    def _keeping(self, orders: Sequence[ContentRetention], held: Sequence[Held]) -> Hold | None:
        """The first hold that keeps contents which orders name: one of its requests refers to them."""
        for day in sorted({order.day for order in orders}):
            found = kept(self._evidence.scan(), self._key, held, date.fromisoformat(day))
            for blob in (blob for order in orders if order.day == day for blob in order.blobs):
                if blob in found:
                    return found[blob].hold
        return None

    def _rows(self, day: date) -> pl.DataFrame:
        of_day = self._evidence.scan().filter(pl.col(PARTITION) == day)
        (found,) = collected(of_day.select(*_COLUMNS))
        return found.with_columns(pl.col("source").fill_null(""))
