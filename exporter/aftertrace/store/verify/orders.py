"""What a ledger says of holds, and of what was to be destroyed: whether it goes against itself, and what is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import chain

from msgspec import UNSET, UnsetType

from aftertrace.store.commits import SEQUENCED
from aftertrace.store.ledger import contents
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import Erasure, Hold, Release, Retained, Retention, Withdrawn
from aftertrace.store.ledger.erased import Erased
from aftertrace.store.ledger.orders import Order, contradictions, held_days, keeps, last_seq
from aftertrace.store.ledger.state import Act
from aftertrace.store.verify.contents import DestroyedContents
from aftertrace.store.verify.expected import Expected
from aftertrace.store.verify.report import Findings


@dataclass(frozen=True, slots=True)
class _Placed:
    """An entry of an order, and its place."""

    order: Order
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
    _known: list[_Placed] = field(default_factory=list)
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
        elif isinstance(entry, Retention | Erasure):
            self._order(_Placed(entry, number, where), findings, is_whole=is_whole)
        elif isinstance(entry, ContentRetention):
            self._order_contents(entry, where, findings)
        elif isinstance(entry, Withdrawn):
            self._withdraw(entry, where, findings, is_whole=is_whole)
        elif isinstance(entry, Retained):
            self._finish(entry, where, findings)

    def holds(self) -> list[Hold]:
        """What holds, after all entries."""
        return [hold for _, hold in self._holds.values()]

    def tell(self, findings: Findings) -> None:
        """Tell what is gone, or is to go, after all entries."""
        for placed in self._known:
            order, (back, _) = placed.order, self._withdrawn.get(placed.order.id, (None, ""))
            if back is not None and order.day > back.day:
                continue
            gone = back.gone if back is not None and order.day == back.day else tuple(SEQUENCED)
            if gone:
                code, what = _said(order, gone)
                message = f"{what}, recorded in {placed.where}: {order.by}, {order.why}"
                findings.add(code, f"{order.receiver} {order.day}", message)
        for back, where in self._withdrawn.values():
            message = f"hold {back.hold} came: what it names of {back.day} and later stays, recorded in {where}"
            findings.add("withdrawn", f"order {back.id}", message)

    def _order(self, placed: _Placed, findings: Findings, *, is_whole: bool) -> None:
        order, expected = placed.order, self.receivers.get(placed.order.receiver)
        upto = {} if expected is None else {order.receiver: expected.last_seq}
        ordered_on = _day_of(order)
        holds = self.holds()
        last_hold = self._last_hold if is_whole else order.compared
        for what in contradictions(order, upto, holds, last_hold, ordered_on):
            findings.add("ledger_contradicts", placed.where, what)
        if expected is None or last_seq(order) > expected.last_seq:
            return
        if isinstance(order, Erasure):
            self.erased.order(order)
        elif strange := self._mark(placed, is_done=False):
            message = f"destroys {strange} requests that are not of {order.day}"
            findings.add("ledger_contradicts", placed.where, message)
        self._open.setdefault(order.id, []).append(placed)
        self._known.append(placed)

    def _order_contents(self, entry: ContentRetention, where: str, findings: Findings) -> None:
        ordered_on = _day_of(entry)
        for what in contents.contradictions(entry, held_days(self.holds()), ordered_on):
            findings.add("ledger_contradicts", where, what)
        self.contents.order(entry, ordered_on)

    def _withdraw(self, entry: Withdrawn, where: str, findings: Findings, *, is_whole: bool) -> None:
        if entry.id not in self._open or entry.hold not in self._holds:
            if is_whole:
                message = f"withdraws {entry.id} for hold {entry.hold}, and one of them is none"
                findings.add("ledger_contradicts", where, message)
            return
        self._withdrawn[entry.id] = entry, where
        self.erased.withdraw(entry)
        ordered = self._open[entry.id]
        self._open[entry.id] = [placed for placed in ordered if placed.order.day < entry.day]
        back = [placed for placed in ordered if placed.order.day >= entry.day]
        self._partly += [
            replace(placed, tables=entry.gone) for placed in back if entry.gone and placed.order.day == entry.day
        ]
        for placed in back:
            if isinstance(placed.order, Retention):
                for first, last in placed.order.requests:
                    self.receivers[placed.order.receiver].unmark(first, last)
        # Another order may name some of it too, and have taken it, or take it yet.
        days = {(placed.order.receiver, placed.order.day) for placed in back}
        for placed in (*self._partly, *chain.from_iterable(self._open.values())):
            if (placed.order.receiver, placed.order.day) in days:
                self._mark(placed, is_done=False)

    def _finish(self, entry: Retained, where: str, findings: Findings) -> None:
        self.erased.finish(entry.id)
        self.contents.finish(entry.id, _day_of(entry))
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


def _day_of(entry: Act) -> date:
    """On which an entry was made, in UTC."""
    return datetime.fromtimestamp(int(entry.time_ns) / 1e9, UTC).date()


def _said(order: Order, gone: tuple[str, ...]) -> tuple[str, str]:
    """The code of what is gone of an order, and how it is told."""
    of = "" if len(gone) == len(SEQUENCED) else f" of {' and '.join(gone)}"
    if isinstance(order, Erasure):
        return "erased", f"{sum(len(order.rows.get(table, ())) for table in gone)} rows{of} erased"
    counted = sum(last - first + 1 for first, last in order.requests)
    return "destroyed", f"{counted} requests{of and f', rows{of}'} destroyed by retention"
