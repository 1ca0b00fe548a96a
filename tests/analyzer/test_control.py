"""From an incident to a control: rules as TOML, and the smallest part of what shows it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.drafting.smallest import smallest
from aftertrace.analyzer.expectations.rule_texts import written
from aftertrace.analyzer.expectations.rules import LIMITS, RISKS, Argument, Limit, Rule, parsed
from aftertrace.analyzer.schemas.derived import DECIDERS

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
SOME = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)
LIMIT = st.builds(Limit, st.sampled_from(sorted(LIMITS)), st.floats(0, 1e12, allow_nan=False).map(float))
OF_CALLS = st.builds(
    Rule,
    name=TEXTS.filter(str.strip),
    agents=st.just(()) | SOME,
    environments=st.just(()) | SOME,
    tools=st.just(()) | SOME,
    risks=st.just(()) | st.lists(st.sampled_from(RISKS), min_size=1, max_size=2).map(tuple),
    arguments=st.dictionaries(TEXTS.map("/{}".format), SOME, max_size=2).map(
        lambda told: tuple(Argument(path, patterns) for path, patterns in told.items())
    ),
    approved_by=st.lists(st.sampled_from(DECIDERS), min_size=1, max_size=2).map(tuple),
    reviewers=st.none() | SOME,
    standing_grants=st.booleans(),
    only_tools=st.none() | st.just(()) | SOME,
)
OF_RUNS = st.builds(Rule, name=TEXTS.filter(str.strip), agents=st.just(()) | SOME, limits=LIMIT.map(lambda one: (one,)))


@given(OF_CALLS | OF_RUNS)
def test_any_rule_reads_back_from_its_text(rule: Rule) -> None:
    """Names from telemetry in it are what they were, whatever they hold."""
    assert parsed(written(rule), "it") == (rule,)


@given(st.integers(0, 40), st.sets(st.integers(0, 39), max_size=5))
def test_what_is_kept_shows_it_and_nothing_of_it_can_be_left_out(count: int, needed: set[int]) -> None:
    """For anything that all of some items show."""
    wanted = {each for each in needed if each < count}

    def shows(some: Sequence[int]) -> bool:
        return wanted <= set(some)

    kept = smallest(range(count), shows, most=1000)
    assert set(kept) == wanted or (len(kept) <= 1 and not wanted)


@pytest.mark.parametrize(("most", "kept"), [(0, 8), (1, 4), (1000, 1)])
def test_with_few_looks_more_is_kept(most: int, kept: int) -> None:
    """Negative control: it is the looking that makes it small, and it ends in time."""
    looks: list[int] = []

    def shows(some: Sequence[int]) -> bool:
        looks.append(len(some))
        return 7 in some

    assert len(smallest(range(8), shows, most=most)) == kept
    assert len(looks) <= most
