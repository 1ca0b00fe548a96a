"""verify: orders beside the times of the entries behind them, and how much of orders is kept in memory."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import Hold, Release, Retained, Tables, text_of
from aftertrace.store.ledger.orders import day_of, is_early
from aftertrace.store.verify.contents import References, Referred
from aftertrace.store.verify.orders import Orders
from aftertrace.store.verify.report import Findings

from .drain_samples import DAY_NS, new_store

FIRST = date(2025, 11, 25)
MIDNIGHT_NS = int(datetime(2025, 11, 25, tzinfo=UTC).timestamp()) * 10**9
LETTERS = str.maketrans("0123456789", "abcdefghij")
SAID: dict[str, Any] = {"uid": 0, "by": "ann", "why": "over"}


def order(number: int, time_ns: int, day: date = FIRST, term_days: int = 30, **changed: Any) -> ContentRetention:
    """One for a content."""
    told: dict[str, Any] = {"plan": text_of(bytes(32)), "blobs": (f"{number:032d}".translate(LETTERS),), **changed}
    named = {"id": f"{number:032x}", "term_days": term_days, "day": day.isoformat()}
    return ContentRetention(time_ns=str(time_ns), **SAID, **named, **told)


def told_of(entries: list[Any]) -> list[str]:
    """Which entries contradict the ledger, as all are heeded and taken."""
    orders, findings = Orders({}), Findings()
    for number, entry in enumerate(entries):
        orders.heed(entry, findings)
        orders.take(number, entry, str(number), findings, is_whole=True)
    return sorted(each.where for each in findings.found if each.code == "ledger_contradicts")


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 12 * DAY_NS), st.integers(0, 3), st.integers(1, 6)),
        max_size=12,
    )
)
def test_an_order_goes_against_each_entry_behind_it_by_which_its_term_was_not_over(
    made: list[tuple[bool, int, int, int]],
) -> None:
    """But for the last day; as each is compared with each."""
    entries = [
        order(number, MIDNIGHT_NS + at, FIRST + timedelta(days=day), term)
        if is_order
        else Tables(time_ns=str(MIDNIGHT_NS + at))
        for number, (is_order, at, day, term) in enumerate(made)
    ]
    expected = [
        str(number)
        for number, entry in enumerate(entries)
        if isinstance(entry, ContentRetention)
        and (
            is_early(entry, day_of(entry))
            or any(is_early(entry, day_of(later) + timedelta(days=1)) for later in entries[number + 1 :])
        )
    ]
    assert told_of(entries) == sorted(expected)


def test_what_was_compared_is_not_gone_through_for_each_entry() -> None:
    """After a clock that was ahead there may be entries for days, and orders for years before it."""
    orders, findings = Orders({}), Findings()
    for number in range(300):
        orders.take(number, order(number, MIDNIGHT_NS + 31 * DAY_NS), str(number), findings, is_whole=True)
    orders.take(300, order(300, MIDNIGHT_NS + 900 * DAY_NS, term_days=800), "300", findings, is_whole=True)
    calls = 0

    def count(_frame: object, event: str, _of: object) -> None:
        nonlocal calls
        calls += event == "call"

    behind = [Tables(time_ns=str(MIDNIGHT_NS + 40 * DAY_NS + number)) for number in range(300)]
    sys.setprofile(count)
    try:
        for entry in behind:
            orders.heed(entry, findings)
    finally:
        sys.setprofile(None)
    assert [each.where for each in findings.found] == ["300"]
    assert calls < 2 * len(behind)


def test_names_of_what_was_destroyed_are_kept_once(tmp_path: Path) -> None:
    """Beside those of orders that are not done, or under which something held; equal senders are one."""
    hold = Hold(id="f" * 32, of="source", name="a", **SAID)
    held, released = order(1, 0, compared=0), Release(id="e" * 32, hold=hold.id, **SAID)
    done = [Retained(id=f"{number:032x}", uid=0, files=1) for number in (1, 2)]
    orders = Orders({})
    for number, entry in enumerate([hold, held, released, order(2, 0), order(3, 0), *done]):
        orders.take(number, entry, str(number), Findings(), is_whole=True)
    assert [each.where for each in orders.contents.entries()] == ["1"]
    assert [each.where for found in orders.contents._open.values() for each in found] == ["4"]
    references = References(new_store(tmp_path / "data"), Findings())
    for name in "xy":
        references.take(Referred(senders={name: frozenset(["a"])}))
        references.take(Referred(senders={name: frozenset(["b"])}))
    assert len({id(each) for each in references._senders.values()}) == 1
