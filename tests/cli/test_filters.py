"""Filters: times as people write them, and no filter that a table would ignore."""

from __future__ import annotations

from contextlib import suppress

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer import DECIDERS, DERIVED, OUTCOMES
from aftertrace.analyzer.documents.severity import RISKS
from aftertrace.cli.filters import NARROWING, instant_ns
from aftertrace.cli.listing import LISTINGS

NOW_NS = 1_800_000_000_123_456_789
_OF_CALLS = {"outcome", "decided_by", "reviewer", "tool"}


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("30d", NOW_NS - 30 * 86_400 * 10**9),
        ("12h", NOW_NS - 12 * 3600 * 10**9),
        ("15m", NOW_NS - 900 * 10**9),
        ("90s", NOW_NS - 90 * 10**9),
        ("2w", NOW_NS - 14 * 86_400 * 10**9),
        ("2026-11-21", 1_795_219_200_000_000_000),
        ("2026-11-21T01:30:00+01:00", 1_795_221_000_000_000_000),
        ("2026-11-21T00:30:00.000001Z", 1_795_221_000_000_001_000),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected_ns: int) -> None:
    """A time without an offset is UTC."""
    assert instant_ns(text, now_ns=NOW_NS) == expected_ns


@pytest.mark.parametrize("text", ["0001-01-01", "1677-01-01", "9999-12-31", "400000d"])
def test_a_time_that_no_record_can_have_is_a_value_error(text: str) -> None:
    """Columns hold nanoseconds from 1677 to 2262."""
    with pytest.raises(ValueError, match=r"further from 1970"):
        instant_ns(text, now_ns=NOW_NS)


@given(st.text(max_size=30))
def test_any_other_text_is_a_value_error(text: str) -> None:
    """And nothing else, so that the command can say what it expects."""
    with suppress(ValueError, OverflowError):
        assert isinstance(instant_ns(text, now_ns=NOW_NS), int)


@pytest.mark.parametrize("command", LISTINGS, ids=lambda command: command.name)
def test_a_listing_offers_only_filters_that_its_table_can_answer(command: object) -> None:
    """A filter whose column is missing would silently keep everything. Runs answer for their calls."""
    name = command.name.replace("-", "_")  # type: ignore[attr-defined]
    offered = {parameter.name for parameter in command.params} - {"form", "out", "limit", "data", "as_of"}  # type: ignore[attr-defined]
    columns = set(DERIVED[name].schema)
    needed = {"run": "run_id", "agent": "agent_name", "tool": "tool_name", "since": "first_ns", "until": "first_ns"}
    missing = {name for name in offered if needed.get(name, name) not in columns}
    # What `narrowing` answers needs the run or the call of a row.
    answered = set(NARROWING) if columns & {"run_id", "call_key"} else set()
    assert missing <= answered | (_OF_CALLS if name == "runs" else set())


def test_the_help_of_a_filter_names_every_word_it_takes() -> None:
    """Help loads no analyzer, so it has the words of its own."""
    calls = next(command for command in LISTINGS if command.name == "calls")
    helps = {option.name: option.help or "" for option in calls.params if isinstance(option, click.Option)}
    assert [word for word in OUTCOMES if word not in helps["outcome"]] == []
    assert [word for word in DECIDERS if word not in helps["decided_by"]] == []
    assert [word for word in RISKS if word not in helps["risk"]] == []
