"""Terms: what a configuration may say of them."""

from __future__ import annotations

import pytest

from aftertrace.store.errors import Invalid
from aftertrace.store.retention.policy import Policy, Term, Terms, policy

NAMED = (
    ("source:acme/*", "200"),
    ("source:acme/refunds", "300"),
    ("tenant:acme", "250"),
    ("tenant:*", "210"),
    ("source:a.c", "0"),
    ("agent:re*", "500"),
    ("tag:stage=prod*", "600"),
    ("tag:stage=*", "190"),
    ("tag:tier=a=b", "700"),
)


def test_of_each_name_the_first_that_fits_counts_and_a_source_before_its_tenant() -> None:
    """An asterisk is any characters; 0 is for ever, and no term."""
    told = policy(400, 183, NAMED, keeps_configurations=True).evidence
    found = {source: told.of_source(source) for source in ("acme/refunds", "other/x", "abc", "a.c", "anonymous")}
    assert {source: term and (term.of, term.name, term.days) for source, term in found.items()} == {
        "acme/refunds": ("source", "acme/*", 200),
        "other/x": ("tenant", "*", 210),
        "abc": None,
        "a.c": ("source", "a.c", 0),
        "anonymous": None,
    }
    assert [str(term) for term in (told.of("agent", "refunds"), told.of("agent", "x"), found["a.c"])] == [
        "500 days of agent re*", "None", "for ever of source a.c",
    ]  # fmt: skip
    assert (told.shortest_days, Terms(0).shortest_days) == (190, None)


def test_a_tag_is_a_key_as_it_stands_and_a_value() -> None:
    """With asterisks and equals signs in the value alone."""
    told = policy(400, 183, NAMED, keeps_configurations=True).evidence
    found = [told.of("tag", value, key) for value, key in (("prod-1", "stage"), ("test", "stage"), ("prod", "tier"))]
    assert [term and term.days for term in [*found, told.of("tag", "a=b", "tier")]] == [600, 190, None, 700]


@pytest.mark.parametrize(
    ("days", "floor", "of", "said"),
    [
        (182, 183, (), "expected 183 at least"),
        (-1, 0, (), "expected 1 at least"),
        (400, 183, (("agent:acme", "30"),), "evidence_days_of 'agent:acme'"),
        (400, 183, (("source:acme", "a year"),), "expected days"),
        (400, 183, (("acme", "400"),), "expected 'source:NAME'"),
        (400, 183, (("run:acme", "400"),), "expected 'source:NAME'"),
        (400, 183, (("tenant:", "400"),), "expected 'source:NAME'"),
        (400, 183, (("tag:stage", "400"),), "'tag:KEY=VALUE'"),
        (400, 183, (("tag:=prod", "400"),), "'tag:KEY=VALUE'"),
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
    assert Policy(Terms(30, (Term("agent", "a", 30),))).digest != Policy(Terms(30, (Term("source", "a", 30),))).digest
