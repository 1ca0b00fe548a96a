"""Terms: what a configuration may say of them."""

from __future__ import annotations

import pytest

from aftertrace.store.errors import Invalid
from aftertrace.store.retention.policy import Policy, policy


def test_terms_are_by_source_and_the_first_that_fits_counts() -> None:
    """An asterisk is any characters; 0 is for ever, and no term."""
    told = policy(400, 183, (("acme/*", "200"), ("acme/refunds", "300"), ("*", "0")), keeps_configurations=True)
    assert [told.days_of(source) for source in ("acme/refunds", "acme", "a+b")] == [200, 0, 0]
    assert (told.shortest_days, policy(0, 183, (), keeps_configurations=True).shortest_days) == (200, None)
    assert Policy(of_sources=(("a.c", 1),)).days_of("abc") == 400


@pytest.mark.parametrize(
    ("days", "floor", "of", "said"),
    [
        (182, 183, (), "expected 183 at least"),
        (-1, 0, (), "expected 1 at least"),
        (400, 183, (("acme", "30"),), "evidence_days_of 'acme'"),
        (400, 183, (("acme", "a year"),), "expected days"),
        (400, -1, (), "floor_days"),
    ],
)
def test_a_term_below_the_floor_is_refused(days: int, floor: int, of: tuple[tuple[str, str], ...], said: str) -> None:
    """With what it may be, and the way out."""
    with pytest.raises(Invalid, match=said):
        policy(days, floor, of, keeps_configurations=True)


def test_a_shorter_floor_is_a_choice() -> None:
    """Negative control: the same term with another floor; and policies are told apart."""
    one, other = (policy(30, floor, (), keeps_configurations=True) for floor in (30, 7))
    assert one.digest != other.digest
