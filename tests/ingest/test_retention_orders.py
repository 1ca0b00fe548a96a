"""Orders that are not carried out, or not yet; and a disk that fails while one is."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from aftertrace.ingest.drain import Drain
from aftertrace.store.errors import Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention import destroying
from aftertrace.store.retention.policy import Policy, Terms

from .drain_samples import DAY_NS, NOON_NS, drain, send, stored, traces
from .retaining import AT_ONCE, apply, asked, canary, checked, codes, every, fill, left, plan


@pytest.fixture
def filled(layout: Layout) -> Layout:
    """A store with days that are over."""
    fill(layout)
    return layout


def turns(layout: Layout) -> None:
    """As often as an order needs."""
    for _ in range(2):
        drain(layout, AT_ONCE)
        seal(layout)


def test_a_hold_of_something_else_keeps_no_order_from_being_carried_out(filled: Layout) -> None:
    """The control: it keeps none of it."""
    acts.ask_hold(filled, "tenant", "acme", "bob", "case 7")
    drain(filled)
    apply(filled)
    assert left(filled) == every([5, 6])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "not stored yet": ({"requests": ((5, 99),)}, "was not stored yet"),
    "of another receiver": ({"receiver": "other"}, "was not stored yet"),
    "before its term": ({"term_days": 400_000}, "before 400000 days were over"),
    "below the floor": ({"floor_days": 200}, "before 184 days were over, of 200 at least"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_order_that_verify_would_not_take_is_not_entered(filled: Layout, name: str) -> None:
    """Whoever asked is told why; nothing goes, now or when more comes."""
    changed, why = WRONG[name]
    order = asked(plan(filled))
    of_part = {key: value for key, value in changed.items() if key in ("requests", "receiver")}
    of_order = {key: value for key, value in changed.items() if key not in of_part}
    parts = tuple(msgspec.structs.replace(part, **of_part) for part in order.parts)
    ident = acts.ask_to_destroy(filled, msgspec.structs.replace(order, parts=parts, **of_order))
    turns(filled)
    assert why in (acts.refusal(filled, ident) or "")
    assert left(filled) == every([1, 2, 3, 4, 5, 6])
    assert codes(checked(filled)) == {}


def test_an_order_for_days_that_are_held_is_not_entered(filled: Layout) -> None:
    """Although it knows of the hold."""
    hold = acts.ask_hold(filled, "days", "2025-11-20/2025-11-25", "bob", "case 7")
    drain(filled)
    ident = acts.ask_to_destroy(filled, asked(plan(filled)))
    turns(filled)
    assert f"hold {hold} of days 2025-11-20/2025-11-25 keeps some of it" in (acts.refusal(filled, ident) or "")
    assert left(filled) == every([1, 2, 3, 4, 5, 6])


def test_a_disk_that_fails_while_an_order_is_carried_out_loses_nothing(
    filled: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resource that went before it failed is stored again with the next record that names it."""
    acts.ask_to_destroy(filled, asked(plan(filled)))
    drain(filled, AT_ONCE)
    seal(filled)

    def fail(*_: object) -> bool:
        raise OSError(5, "Input/output error")

    with Drain(filled, AT_ONCE) as draining:
        with monkeypatch.context() as failing:
            failing.setattr(destroying, "_left_log", fail)
            with pytest.raises(Unavailable):
                draining.once()
        send(filled, traces(1, service=canary(1)), received_ns=NOON_NS + 3 * DAY_NS)
        draining.once()
    seal(filled)
    tables = stored(filled)
    assert set(tables["evidence"]["resource_digest"]) == set(tables["resources"]["digest"])
    assert codes(checked(filled)).keys() == {"destroyed"}


def test_a_term_of_more_days_than_the_calendar_has_is_never_over(filled: Layout) -> None:
    """And no error."""
    assert plan(filled, today=date(9999, 12, 31), terms=Policy(Terms(10**9))).going == ()
