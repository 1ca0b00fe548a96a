"""When one value takes over from another: once for a rollout, however it comes and goes, and again if it came back."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.configurations.takeovers import takeovers


def told(values: str) -> list[tuple[int, str, str, bool]]:
    """Where, from what to what, how the old went, and whether it was a return."""
    return [(each.at, each.before + each.value, each.state, each.is_return) for each in takeovers(values)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("", []),
        ("A" * 30, []),
        ("A" * 20 + "B" * 15, [(20, "AB", "replaced", False)]),
        ("A" * 20 + "B" * 15 + "A" * 20, [(20, "AB", "replaced", False), (35, "BA", "replaced", True)]),
        ("A" * 20 + "B" * 3 + "A" * 20, [(20, "AB", "withdrawn", False)]),
        ("A" * 20 + "AB" * 20, [(21, "AB", "beside", False)]),
        ("A" * 20 + "AB" * 20 + "B" * 20, [(21, "AB", "replaced", False)]),
        ("A" * 20 + "B" * 20 + "C" * 20, [(20, "AB", "replaced", False), (40, "BC", "replaced", False)]),
        ("A" * 20 + ("A" * 9 + "B") * 9, [(29, "AB", "beside", False)]),
    ],
)
def test_a_row_of_values_is_told_as_its_takeovers(values: str, expected: list[tuple[int, str, str, bool]]) -> None:
    """Nothing, one configuration, a release, a rollback, a trial, an experiment, a rollout, two releases, a canary."""
    assert told(values) == expected


@pytest.mark.parametrize("seed", range(40))
def test_an_experiment_at_any_share_is_one_takeover_and_so_is_a_rollout_at_any_pace(seed: int) -> None:
    """Arms drawn by chance, and shares that grow from nothing to all."""
    random = Random(seed)
    share, runs = random.random(), random.choice((50, 200, 1000))
    arms = "A" * 30 + "B" + "".join(random.choices("AB", (1 - share, share))[0] for _ in range(500))
    rollout = "A" * 30 + "".join(random.choices("AB", (runs - at, at))[0] for at in range(runs)) + "B" * 30
    assert [each[1] for each in told(arms)] == ["AB"]
    assert [each[1:3] for each in told(rollout)] == [("AB", "replaced")]


@given(st.text("ABC", max_size=60))
def test_every_value_but_the_first_takes_over_once_as_new(values: str) -> None:
    """And what is told of a takeover is so: its runs, the old one before it, and how many of that came after."""
    found = takeovers(values)
    first = {value: values.index(value) for value in set(values)}
    assert {each.value: each.at for each in found if not each.is_return} == {
        value: at for value, at in first.items() if at > 0
    }
    for each in found:
        assert values[each.at] == values[each.until] == each.value != each.before == values[each.last_before]
        assert each.last_before < each.at <= each.until
        assert each.runs == values[each.at : each.until + 1].count(each.value)
        assert each.overlap <= values[each.at :].count(each.before)
        assert each.state != "withdrawn" or each.last_old > each.until
