"""Three weeks of an agent: what was changed in it, when, and what moved after each change; and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Filter
from aftertrace.analyzer.configurations.in_force import at_time, of_run

from . import frames
from .weeks import MONDAY, NOW_NS, PROMPT, TOOLS, Ran, days, telemetry

FRIDAY: Final = MONDAY + timedelta(days=11, hours=1)
"""The second Friday, at ten: the prompt is changed."""
TUESDAY: Final = MONDAY + timedelta(days=15)
"""The third Tuesday: a tool is added."""
FRIDAY_AFTER: Final = MONDAY + timedelta(days=18)
"""The third Friday: another model answers to the same name."""
BOLDER: Final = PROMPT.replace("Be polite.", "Be quick.\nDo not ask twice.")


def story() -> Iterator[Ran]:
    """Eight runs a day, at any weekday. After the prompt was changed every third payment is refused instead of every
    twentieth, and after the drift runs take twice the tokens. People take as long as ever.
    """
    for nth, at in enumerate(days(21, runs=8)):
        is_bolder = at >= FRIDAY
        has_drifted = at >= FRIDAY_AFTER
        yield Ran(
            at=at,
            prompt=BOLDER if is_bolder else PROMPT,
            tools=(*TOOLS, "close_account") if at >= TUESDAY else TOOLS,
            served="model-5-1115" if has_drifted else "model-5-0801",
            is_denied=nth % 3 == 0 if is_bolder else nth % 20 == 0,
            waited_s=5 + nth % 11 if nth % 2 else None,
            tokens=(2000 if has_drifted else 1000) + nth % 13,
        )


def analysis_of(ran: Iterator[Ran]) -> Analysis:
    """What is stored of runs, looked at in December."""
    return frames.of_requests(telemetry(ran)).analysis(NOW_NS)


def ns(at: datetime) -> int:
    """Nanoseconds since 1970."""
    return int(at.timestamp()) * 10**9


@cache
def three_weeks() -> Analysis:
    """The story."""
    return analysis_of(story())


def what_changed(analysis: Analysis) -> list[tuple[datetime, str, list[str], list[str], str, list[str]]]:
    """When, what, and what moved."""
    told = analysis.configuration_changes.select("changed_at", "part", "removed", "added", "state", "moved")
    return [(at.replace(microsecond=0), *rest) for at, *rest in told.iter_rows()]


def test_three_weeks_hold_three_changes_and_what_moved_after_each() -> None:
    """The date of the day is none, and no measure moved by chance."""
    assert what_changed(three_weeks()) == [
        (
            FRIDAY,
            "prompt",
            ["Be polite."],
            ["Be quick.", "Do not ask twice."],
            "replaced",
            ["denials up", "near_misses up"],
        ),
        (TUESDAY, "tools", [], ["close_account"], "replaced", []),
        (FRIDAY_AFTER, "model_served", [], [], "replaced", ["tokens up"]),
    ]


def test_each_configuration_is_a_version_with_its_first_and_last_run() -> None:
    """One per change, not one per day; the template says what was set apart."""
    told = three_weeks().configurations
    assert told.select("version", "runs", "partial_runs", "first_at", "last_at").rows() == [
        (1, 91, 0, MONDAY, FRIDAY - timedelta(minutes=20)),
        (2, 29, 0, FRIDAY, TUESDAY - timedelta(hours=21, minutes=40)),
        (3, 24, 0, TUESDAY, FRIDAY_AFTER - timedelta(hours=21, minutes=40)),
        (4, 24, 0, FRIDAY_AFTER, MONDAY + timedelta(days=20, hours=2, minutes=20)),
    ]
    before = "You are a clerk. Today is ⟨date⟩.\nPay at most 100 EUR.\nBe polite."
    after = "You are a clerk. Today is ⟨date⟩.\nPay at most 100 EUR.\nBe quick.\nDo not ask twice."
    assert told.select("template", "model", "model_served").rows() == [
        (before, "model-5", "model-5-0801"),
        (after, "model-5", "model-5-0801"),
        (after, "model-5", "model-5-0801"),
        (after, "model-5", "model-5-1115"),
    ]
    assert told["set_apart"].to_list() == [["date"]] * 4
    assert told["tool_names"].to_list() == [[*TOOLS]] * 2 + [["close_account", *TOOLS]] * 2


def test_what_moved_is_told_with_both_sides_an_interval_and_a_correction_for_fifteen_looks() -> None:
    """Of the prompt. The shares are those of the rates: the same calls count, and the same are near misses."""
    analysis = three_weeks()
    prompt = analysis.change_measures.filter(pl.col("part") == "prompt")
    assert prompt.select("measure", "verdict", "runs_before", "runs_after", "count_before", "count_after").rows() == [
        ("near_misses", "up", 91, 29, 182, 58),
        ("denials", "up", 91, 29, 182, 58),
        ("errors", "not_shown", 91, 29, 177, 49),
        ("approval_wait", "not_shown", 45, 10, 45, 10),
        ("tokens", "not_shown", 91, 29, 91, 29),
        ("cost_usd", "not_told", 0, 0, 0, 0),
    ]
    near_misses = prompt.row(0, named=True)
    before, after = (
        analysis.rates([], Filter(since_ns=since, until_ns=until)).row(0, named=True)
        for since, until in ((ns(MONDAY), ns(FRIDAY)), (ns(FRIDAY), ns(TUESDAY)))
    )
    assert [near_misses[name] for name in ("before", "after")] == [before["rate"], after["rate"]]
    assert near_misses["low"] > 0
    # The third least of fifteen: near misses and denials are the same calls here, and tokens the least.
    assert near_misses["q"] == pytest.approx(near_misses["p"] * 15 / 3)
    assert analysis.change_measures["q"].count() == 15


def test_of_a_run_it_is_told_what_was_in_force_and_what_had_changed_just_before() -> None:
    """The nearest first: the first run with the new tool, and the prompt 29 runs before it."""
    analysis = three_weeks()
    run_id = analysis.runs.filter(pl.col("started_at") == TUESDAY)["run_id"][0]
    in_force = of_run(analysis.versioned, analysis.configurations, run_id)
    assert in_force.select("version", "run_id").rows() == [(3, run_id)]
    told = analysis.changes_before(in_force).select("part", "runs_between", "ago_ns")
    assert told.rows() == [("tools", 0, 0), ("prompt", 29, (TUESDAY - FRIDAY) // timedelta(seconds=1) * 10**9)]
    assert at_time(analysis.versioned, analysis.configurations, ns(TUESDAY) + 60, "clerk").equals(in_force)
    assert at_time(analysis.versioned, analysis.configurations, ns(MONDAY) - 1, None).height == 0


def test_three_weeks_without_a_change_hold_none() -> None:
    """Negative control: the same runs, refusals and tokens as after the changes, from the first day on."""
    same = (replace(run, prompt=BOLDER, tools=TOOLS, served="model-5-1115") for run in story())
    analysis = analysis_of(same)
    assert what_changed(analysis) == []
    assert analysis.change_measures.height == 0
    assert analysis.configurations["version"].to_list() == [1]


def test_a_change_after_which_nothing_moved_moved_nothing() -> None:
    """Negative control of the measures: everything is changed, and runs go on as before."""
    steady = (replace(run, is_denied=nth % 20 == 0, tokens=1000 + nth % 13) for nth, run in enumerate(story()))
    told = what_changed(analysis_of(steady))
    assert [(part, moved) for _, part, _, _, _, moved in told] == [("prompt", []), ("tools", []), ("model_served", [])]


def test_a_run_that_does_not_tell_its_prompt_is_no_change_to_none() -> None:
    """Every third run tells less: it is taken for the version in force, and counted apart."""
    told = (replace(run, prompt=None) if nth % 3 == 1 else run for nth, run in enumerate(story()))
    analysis = analysis_of(told)
    assert [part for _, part, *_ in what_changed(analysis)] == ["prompt", "tools", "model_served"]
    versions = analysis.configurations.select("version", "runs", "partial_runs")
    # The first run after the prompt was changed does not tell it.
    assert versions.rows() == [(1, 92, 31), (2, 28, 9), (3, 24, 8), (4, 24, 8)]


def test_versions_side_by_side_are_one_change_and_one_that_comes_back_is_the_same_again() -> None:
    """Two prompts in turn for a week, then the old alone, then for a week the new alone."""
    at = list(days(28, runs=8))
    week = 7 * 8
    ran = [
        Ran(at=each, prompt=BOLDER if (week <= nth < 2 * week and nth % 2) or nth >= 3 * week else PROMPT)
        for nth, each in enumerate(at)
    ]
    changes = analysis_of(iter(ran)).configuration_changes
    told = changes.select("changed_at", "state", "is_return", "runs", "overlap_runs", "version_before", "version_after")
    assert told.rows() == [
        (at[week + 1], "withdrawn", False, 28, 28 + week - 1, 1, 2),
        (at[3 * week], "replaced", True, 56, 0, 1, 2),
    ]


def test_few_runs_are_said_to_be_few() -> None:
    """A change with four runs since: nothing is tested, and nothing corrected for it."""
    ran = [*(Ran(at=at) for at in days(5, runs=4)), *(Ran(at=at, model="model-6", served="model-6")
           for at in days(1, runs=4, start=MONDAY + timedelta(days=6)))]  # fmt: skip
    analysis = analysis_of(iter(ran))
    assert analysis.configuration_changes.select("part", "before", "after").rows() == [("model", "model-5", "model-6")]
    assert set(analysis.change_measures.select("measure", "verdict", "q").rows()) == {
        ("near_misses", "too_few", None),
        ("denials", "too_few", None),
        ("errors", "too_few", None),
        ("approval_wait", "not_told", None),
        ("tokens", "too_few", None),
        ("cost_usd", "not_told", None),
    }


def test_agents_are_looked_at_by_themselves_and_definitions_apart_from_names() -> None:
    """Two agents in turn are no change of one; a tool that is defined anew is told as that."""
    ran = [
        Ran(at=at, agent=("clerk", "cook")[nth % 2], schema=2 if nth >= 30 else 1, version="1.0")
        for nth, at in enumerate(days(5, runs=12))
    ]
    changes = analysis_of(iter(ran)).configuration_changes
    assert changes.select("agent_name", "part", "changed_at", "added", "removed").rows() == [
        ("clerk", "tool_schemas", ran[30].at, [], []),
        ("cook", "tool_schemas", ran[31].at, [], []),
    ]
