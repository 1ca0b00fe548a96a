"""Prompts as templates: what is a value, and which values were set by somebody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.configurations.settled import models, steady
from aftertrace.analyzer.configurations.templates import is_setting
from aftertrace.semconv.wording import kind_of, split

START = datetime(2026, 11, 2, 9, 7, tzinfo=UTC)


class Began(NamedTuple):
    """A run: its number, and when it began."""

    nth: int
    at: datetime


def hours(count: int, each: float = 6) -> list[Began]:
    """Runs, so many hours apart."""
    return [Began(nth, START + timedelta(hours=each * nth)) for nth in range(count)]


def set_by_somebody(value: Callable[[Began], str], runs: list[Began]) -> bool:
    """What is made of the value of each run."""
    return is_setting([value(run) for run in runs], [int(run.at.timestamp()) * 10**9 for run in runs])


def test_a_text_is_split_into_wording_and_values() -> None:
    """Each by its kind; a value is never part of a word and a word."""
    text = (
        "Today is Friday, 13 November 2026 (2026-11-13T09:05:00Z), 10:31 UTC. Work in /home/bob/shop or C:\\Users\\x. "
        "Refund up to 100.50 EUR. Session 5f3a9b2c-77, ask a.b@example.com, see https://example.com/p?q=1 on Mondays."
    )
    told = split(text)
    assert [(value, kind_of(value)) for value in told.values] == [
        ("Friday, 13 November 2026", "date"),
        ("2026-11-13T09:05:00Z", "date"),
        ("10:31 UTC", "time"),
        ("/home/bob/shop", "path"),
        ("C:\\Users\\x.", "path"),
        ("100.50", "number"),
        ("5f3a9b2c-77", "id"),
        ("a.b@example.com", "address"),
        ("https://example.com/p?q=1", "address"),
    ]
    assert told.text == text
    assert split("Pay 5 by 2026-11-13.").rendered(frozenset({0})) == "Pay 5 by ⟨date⟩."


@given(st.text(st.sampled_from("a1 /-:.@\\\nMay 2Z~é☃"), max_size=80))
def test_wording_and_values_are_the_text(text: str) -> None:
    """Nothing is lost, and each value is of its kind by itself too."""
    told = split(text)
    assert told.text == text
    assert len(told.words) == len(told.values) + 1


@pytest.mark.parametrize(
    "value",
    [
        lambda run: f"{run.at:%A, %-d %B %Y}",
        lambda run: f"{run.at:%Y-%m-%d}",
        lambda run: f"{run.at:%d.%m.%y}",
        lambda run: f"{run.at:%H:%M}",
        lambda run: f"{int(run.at.timestamp())}",
        lambda run: f"{run.nth * 7}",
        lambda run: f"/home/user{run.nth % 3}/work",
        lambda run: f"/srv/{run.nth // 4}",
        lambda run: f"run-{run.nth:06x}-7",
        lambda run: f"{17 + run.nth // 4} ",
    ],
)
def test_what_differs_from_run_to_run_was_set_by_nobody(value: Callable[[Began], str]) -> None:
    """Clocks from their first day on, counters, users, and what is another each day."""
    assert not set_by_somebody(lambda run: value(run).strip(), hours(24))


@pytest.mark.parametrize(
    "value",
    [
        lambda _: "100",
        lambda _: "2019-01-01",
        lambda run: "100" if run.nth < 9 else "500",
        lambda run: "2024-01-01" if run.nth < 9 else "2025-01-01",
        lambda run: "/etc/rules" if run.nth < 9 else "/tmp/rules",
        lambda run: "a@shop.example" if run.nth < 20 else "x@evil.example",
        lambda run: str(100 * (run.nth // 8)),
    ],
)
def test_what_stayed_and_then_was_another_was_set_by_somebody(value: Callable[[Began], str]) -> None:
    """Negative control: limits, policies' dates, paths, addresses; also several times, for days each."""
    assert set_by_somebody(value, hours(24))


def test_one_day_after_the_other_needs_no_third() -> None:
    """A date that follows the clock is told from the first change on; of any other two are a change."""
    two = hours(2, each=24)
    assert not set_by_somebody(lambda run: f"{run.at:%Y-%m-%d}", two)
    assert set_by_somebody(lambda run: f"{2000 + run.nth}-01-01", two)


def test_models_of_one_run_are_one_value() -> None:
    """In a row of runs with one each, a run of two is of the later; where two are the rule, one is less of them."""
    assert models([["a"], ["a"], ["a", "b"], ["b"], None]) == ["a", "a", "b", "b", None]
    assert models([["a", "b"], ["a"], ["a", "b"], ["a", "b"]]) == ["a, b"] * 4


def test_lists_that_flicker_keep_what_is_steady() -> None:
    """A line per user is left out, one that was added stays in; lists that do not flicker stay as they are."""
    flickering = [["be kind", f"user {nth}", *(["be quick"] if nth >= 10 else [])] for nth in range(20)]
    assert steady(flickering) == [["be kind"]] * 10 + [["be kind", "be quick"]] * 10
    calm = [["a"], None, ["a", "b"], ["b"]]
    assert steady(calm) == calm
