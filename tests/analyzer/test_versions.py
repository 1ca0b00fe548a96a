"""Versions of a configuration: one for each that differs, and none for what merely tells less."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.configurations.changes import history
from aftertrace.analyzer.configurations.settled import SCHEMA, settled
from aftertrace.analyzer.configurations.sightings import SCHEMA as SIGHTINGS
from aftertrace.analyzer.configurations.table import versioned

PART = st.sampled_from((None, "a", "b"))


def seen(*told: dict[str, str | None]) -> pl.DataFrame:
    """Runs of one agent, a minute apart, that tell parts of its configuration."""
    rows = [{"run_id": f"{nth:016x}", "agent_name": "clerk", "first_ns": nth * 60 * 10**9, **each}
            for nth, each in enumerate(told, start=1)]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_a_run_that_tells_less_had_the_version_before_it_or_the_next() -> None:
    """Where two would fit, the one in force; before there is one, the first."""
    one, two, some = {"model": "m", "prompt": "p1"}, {"model": "m", "prompt": "p2"}, {"model": "m"}
    found = versioned(seen(some, one, some, two, some, one, some))
    assert found.select("version", "is_partial").rows() == [
        (1, True), (1, False), (1, True), (2, False), (2, True), (1, False), (1, True)
    ]  # fmt: skip
    assert versioned(seen({"prompt": "p1"}, {"model": "m"}))["version"].to_list() == [1, 2]


@given(st.lists(st.fixed_dictionaries({"model": PART, "prompt": PART, "policy": PART}), max_size=12))
def test_a_version_agrees_with_all_that_its_runs_tell(told: list[dict[str, str | None]]) -> None:
    """And is told whole by one of them; runs that tell the same, and no less than others, have the same version."""
    found = versioned(seen(*told))
    whole = {row["version"]: row for row in found.filter(~pl.col("is_partial")).iter_rows(named=True)}
    for row, said in zip(found.iter_rows(named=True), told, strict=True):
        own = whole[row["version"]]
        assert all(value in (None, own[part]) for part, value in said.items())
        assert row["is_partial"] == (said != {part: own[part] for part in said})
    kept = [frozenset(each.items()) for each, partial in zip(told, found["is_partial"], strict=True) if not partial]
    assert len(whole) == len(set(kept))


def test_a_version_of_its_own_for_every_run_is_no_change_of_each() -> None:
    """Builds that are named by their time cannot be compared; a version every few days can."""
    each, few = ([{"run_id": f"{nth:016x}", "agent_name": "clerk", "first_ns": nth * 3600 * 10**9,
                   "agent_version": f"1.0.{nth // length}"} for nth in range(1, 40)] for length in (1, 13))  # fmt: skip
    changes = [
        history(versioned(settled(pl.DataFrame(rows, schema=SIGHTINGS, orient="row")))).changes for rows in (each, few)
    ]
    assert [frame.select("before", "after").rows() for frame in changes] == [
        [],
        [("1.0.0", "1.0.1"), ("1.0.1", "1.0.2"), ("1.0.2", "1.0.3")],
    ]
