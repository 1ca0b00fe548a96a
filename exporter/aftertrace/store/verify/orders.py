"""What a ledger says of holds, and of what was to be destroyed: whether it goes against itself, and what is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from heapq import heappop, heappush
from itertools import chain
from typing import Final, NamedTuple

from msgspec import UNSET, UnsetType

from aftertrace.store.commits import SEQUENCED
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import Erasure, Hold, Release, Retained, Retention, Withdrawn
from aftertrace.store.ledger.erased import Erased
from aftertrace.store.ledger.orders import AnyOrder, Order, contradictions, day_of, keeps, last_seq
from aftertrace.store.ledger.state import Act, State
from aftertrace.store.verify.contents import DestroyedContents
from aftertrace.store.verify.expected import Expected
from aftertrace.store.verify.report import Findings

_DAY_NS: Final = 86_400 * 10**9
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class _Term(NamedTuple):
    """A term that was over when an order of it was entered. The one that was over last comes first."""

    negative_over_ns: int
    """When the day began at the end of which it was over."""
    number: int
    """Of the entry."""
    day: str
    """Of receipt, of what is destroyed."""
    where: str


@dataclass(frozen=True, slots=True)
class _Placed:
    """An entry of an order, and its place."""

    order: AnyOrder
    number: int
    where: str
    tables: tuple[str, ...] = SEQUENCED
    """Those of which its rows go."""


@dataclass(slots=True)
class Orders:
    """What one ledger says of them, entry by entry."""

    receivers: Mapping[str, Expected]
    """What it expects of each receiver."""
    erased: Erased = field(default_factory=Erased)
    """Rows that were erased."""
    contents: DestroyedContents = field(default_factory=DestroyedContents)
    """Large contents that were destroyed."""
    _holds: dict[str, tuple[int, Hold]] = field(default_factory=dict)
    """By id, what holds, and its number."""
    _last_hold: int | UnsetType = UNSET
    """Number of the last hold or release."""
    _open: dict[str, list[_Placed]] = field(default_factory=dict)
    """By id, what is to be destroyed, and is not yet."""
    _partly: list[_Placed] = field(default_factory=list)
    """Of orders that were withdrawn within a day, what was gone of it."""
    _known: list[tuple[Order, str]] = field(default_factory=list)
    """Orders of rows, and where they are."""
    _terms: list[_Term] = field(default_factory=list)
    """A heap."""
    _withdrawn: dict[str, tuple[Withdrawn, str]] = field(default_factory=dict)
    """By id, orders that were carried out no further, and where that is said."""

    def take(self, number: int, entry: Act, where: str, findings: Findings, *, is_whole: bool) -> None:
        """Add an act; `is_whole`: all entries before it could be read."""
        if isinstance(entry, Hold):
            self._holds[entry.id] = number, entry
            self._last_hold = number
        elif isinstance(entry, Release):
            self._last_hold = number
            if self._holds.pop(entry.hold, None) is None and is_whole:
                findings.add("ledger_contradicts", where, f"releases {entry.hold}, which does not hold")
        elif isinstance(entry, AnyOrder):
            self._order(_Placed(entry, number, where), findings, is_whole=is_whole)
        elif isinstance(entry, Withdrawn):
            self._withdraw(entry, where, findings, is_whole=is_whole)
        elif isinstance(entry, Retained):
            self._finish(entry, where, findings)

    def holds(self) -> list[Hold]:
        """What holds, by all entries so far."""
        return [hold for _, hold in self._holds.values()]

    def heed(self, entry: State, findings: Findings) -> None:
        """Look at the time of an entry behind orders: one by which a term was not over contradicts them."""
        time_ns = int(entry.time_ns)
        # Clocks are set back a little, around midnight too: a day before the term was over tells, not its last one.
        while self._terms and time_ns < -self._terms[0].negative_over_ns:
            told = heappop(self._terms)
            message = f"destroys {told.day} by a clock that was ahead: an entry behind it is of {day_of(entry)}"
            findings.add("ledger_contradicts", told.where, message)

    def tell(self, findings: Findings) -> None:
        """Tell what is gone, or is to go, after all entries."""
        for order, said in self._known:
            back, _ = self._withdrawn.get(order.id, (None, ""))
            if back is not None and order.day > back.day:
                continue
            gone = back.gone if back is not None and order.day == back.day else tuple(SEQUENCED)
            if gone:
                code, what = _said(order, gone)
                message = f"{what}, recorded in {said}: {order.by}, {order.why}"
                findings.add(code, f"{order.receiver} {order.day}", message)
        for back, where in self._withdrawn.values():
            message = f"hold {back.hold} came: what it names of {back.day} and later stays, recorded in {where}"
            findings.add("withdrawn", f"order {back.id}", message)

    def _order(self, placed: _Placed, findings: Findings, *, is_whole: bool) -> None:
        order = placed.order
        upto = {name: expected.last_seq for name, expected in self.receivers.items()}
        holds = self.holds()
        last_hold = self._last_hold if is_whole else order.compared
        found = list(contradictions(order, upto, holds, last_hold, day_of(order)))
        for what in found:
            findings.add("ledger_contradicts", placed.where, what)
        if not found and not isinstance(order, Erasure):
            over = date.fromisoformat(order.day).toordinal() + order.term_days - _EPOCH_DAY
            heappush(self._terms, _Term(-over * _DAY_NS, placed.number, order.day, placed.where))
        if isinstance(order, ContentRetention):
            self.contents.order(order, placed.where, holds)
        elif last_seq(order) > upto.get(order.receiver, 0):
            return
        else:
            self._known.append((order, placed.where))
        if isinstance(order, Erasure):
            self.erased.order(order)
        elif strange := self._mark(placed, is_done=False):
            message = f"destroys {strange} requests that are not of {order.day}"
            findings.add("ledger_contradicts", placed.where, message)
        self._open.setdefault(order.id, []).append(placed)

    def _withdraw(self, entry: Withdrawn, where: str, findings: Findings, *, is_whole: bool) -> None:
        ordered = self._open.get(entry.id, [])
        # Contents wait for what holds.
        is_of_rows = bool(ordered) and not any(isinstance(placed.order, ContentRetention) for placed in ordered)
        if not is_of_rows or entry.hold not in self._holds:
            if is_whole:
                message = f"withdraws {entry.id} for hold {entry.hold}, and one of them is none"
                findings.add("ledger_contradicts", where, message)
            return
        self._withdrawn[entry.id] = entry, where
        self.erased.withdraw(entry)
        self._open[entry.id] = [placed for placed in ordered if placed.order.day < entry.day]
        back = [placed for placed in ordered if placed.order.day >= entry.day]
        self._partly += [
            replace(placed, tables=entry.gone) for placed in back if entry.gone and placed.order.day == entry.day
        ]
        days = set()
        for order in (placed.order for placed in back):
            if isinstance(order, Retention):
                days.add((order.receiver, order.day))
                for first, last in order.requests:
                    self.receivers[order.receiver].unmark(first, last)
        # Another order may name some of it too, and have taken it, or take it yet.
        for placed in (*self._partly, *chain.from_iterable(self._open.values())):
            if isinstance(order := placed.order, Retention) and (order.receiver, order.day) in days:
                self._mark(placed, is_done=False)

    def _finish(self, entry: Retained, where: str, findings: Findings) -> None:
        self.erased.finish(entry.id)
        self.contents.finish(entry, self.holds())
        for placed in self._open.pop(entry.id, ()):
            order = placed.order
            if entry.id not in self._withdrawn:
                for hold in self._later(placed):
                    message = f"destroyed of {order.day}, which hold {hold.id} kept by then"
                    findings.add("ledger_contradicts", where, message)
            self._mark(placed, is_done=True)

    def _mark(self, placed: _Placed, *, is_done: bool) -> int:
        """Know of requests that retention takes; returns how many of them are of another day."""
        order = placed.order
        if not isinstance(order, Retention):
            return 0
        expected, day = self.receivers[order.receiver], date.fromisoformat(order.day)
        return sum(expected.mark(first, last, day, placed.tables, is_done=is_done) for first, last in order.requests)

    def _later(self, placed: _Placed) -> Iterator[Hold]:
        """What holds that keeps some of an order, and came after it."""
        for number, hold in self._holds.values():
            if number > placed.number and keeps(hold, placed.order):
                yield hold


def _said(order: Order, gone: tuple[str, ...]) -> tuple[str, str]:
    """The code of what is gone of an order, and how it is told."""
    of = "" if len(gone) == len(SEQUENCED) else f" of {' and '.join(gone)}"
    if isinstance(order, Erasure):
        return "erased", f"{sum(len(order.rows.get(table, ())) for table in gone)} rows{of} erased"
    counted = sum(last - first + 1 for first, last in order.requests)
    return "destroyed", f"{counted} requests{of and f', rows{of}'} destroyed by retention"
