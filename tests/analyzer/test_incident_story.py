"""Three weeks in which five things go wrong or are changed: the reports tell all of them, and nothing else.

A prompt is changed on the second Friday, a tool is added, a destructive call is denied, an approval comes with edited
arguments, and a payment takes effect twice. All other runs are as they should be: each pays, with one receipt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Filter
from aftertrace.analyzer.documents.markdown import written
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.reports.near_miss_figures import figures
from aftertrace.analyzer.reports.near_miss_report import told

from .test_change_story import BOLDER, FRIDAY, TUESDAY, analysis_of, ns
from .weeks import MONDAY, NOW_NS, PROMPT, TOOLS, Ran, days

DENIED_AT: Final = MONDAY + timedelta(days=4, minutes=40)
EDITED_AT: Final = MONDAY + timedelta(days=9, minutes=20)
TWICE_AT: Final = MONDAY + timedelta(days=18, hours=1)
THREE_WEEKS: Final = Period.of(ns(MONDAY), ns(MONDAY + timedelta(days=21)), now_ns=NOW_NS)
EDITED: Final = 9 * 8 + 2
"""Which run that is, and its order; each day has eight."""
LESS: Final[dict[str, Any]] = {"order": EDITED, "amount": 10}


def quiet() -> Iterator[Ran]:
    """Eight runs a day for three weeks; people are asked about every second payment, and take as long as ever."""
    for nth, at in enumerate(days(21, runs=8)):
        yield Ran(at=at, waited_s=5 + nth % 11 if nth % 2 else None, tokens=1000 + nth % 13, receipts=1)


def eventful() -> Iterator[Ran]:
    """The same, with what happened."""
    for run in quiet():
        yield replace(
            run,
            prompt=BOLDER if run.at >= FRIDAY else PROMPT,
            tools=(*TOOLS, "close_account") if run.at >= TUESDAY else TOOLS,
            does="delete_order" if run.at == DENIED_AT else "pay",
            is_denied=run.at == DENIED_AT,
            edited=LESS if run.at == EDITED_AT else None,
            receipts=0 if run.at == DENIED_AT else 2 if run.at == TWICE_AT else 1,
        )


@cache
def analysis(what: str) -> Analysis:
    """What is stored of the weeks."""
    return analysis_of({"quiet": quiet, "eventful": eventful}[what]())


def run_at(analysis: Analysis, at: datetime) -> str:
    """The run that began then."""
    return str(analysis.runs.filter(pl.col("started_at") == at)["run_id"].item())


def test_the_changes_are_those_that_were_made() -> None:
    """And nothing moved after them."""
    changes = analysis("eventful").configuration_changes.select("changed_at", "part", "removed", "added", "moved")
    assert changes.rows() == [
        (FRIDAY, "prompt", ["Be polite."], ["Be quick.", "Do not ask twice."], []),
        (TUESDAY, "tools", [], ["close_account"], []),
    ]


def test_the_near_misses_are_the_denied_call_and_the_edited_approval() -> None:
    """With who stopped it; of the edit both sides."""
    found = analysis("eventful")
    columns = ("started_at", "tool_name", "outcome", "decided_by", "risk")
    near = found.near_misses().join(found.runs.select("run_id", at="started_at"), on="run_id")
    assert sorted(near.select("at", *columns[1:]).rows()) == [
        (DENIED_AT, "delete_order", "denied", "policy", "destructive"),
        (EDITED_AT, "pay", "modified", "human", "money"),
    ]
    (edited,) = found.approvals.filter(pl.col("decision") == "modified").iter_rows(named=True)
    assert (edited["arguments"], edited["approved_arguments"]) == (
        f'{{"order":{EDITED}}}',
        f'{{"amount":10,"order":{EDITED}}}',
    )
    assert edited["reviewer"] == "ann"


def test_the_finding_is_the_payment_that_took_effect_twice() -> None:
    """One row, which names its run, both receipts and the key that should have kept it from happening."""
    found = analysis("eventful")
    (row,) = found.effect_findings.iter_rows(named=True)
    nth = 18 * 8 + 4
    assert (row["signal"], row["certainty"], row["run_id"]) == ("applied_twice", "certain", run_at(found, TWICE_AT))
    assert (row["object"], len(row["evidence"])) == (f"bank order {nth}", 2)
    assert (
        found.effects.filter(pl.col("evidence").is_in(row["evidence"]))["idempotency_key"].to_list() == [f"k-{nth}"] * 2
    )


def test_the_report_tells_all_of_it_and_nothing_else() -> None:
    """Two near misses of two kinds and one failure of a control, by name."""
    made = figures(analysis("eventful"), THREE_WEEKS, Filter())
    assert (made.totals.near_misses, made.totals.kinds, made.totals.failures) == (2, 2, 2)
    assert made.kinds.select("tool_name", "outcome", "near_misses").rows() == [
        ("pay", "modified", 1),
        ("delete_order", "denied", 1),
    ]
    text = written(told(made))
    assert "`applied_twice`" in text
    assert [name for name in ("ran_", "no_call", "raced", "receipt_missing", "other_") if f"`{name}" in text] == []


def test_three_weeks_without_any_of_it_tell_of_nothing() -> None:
    """Negative control: the same runs."""
    found = analysis("quiet")
    made = figures(found, THREE_WEEKS, Filter())
    assert (made.totals.near_misses, made.totals.failures) == (0, 0)
    assert [found.select(table).height for table in ("near_misses", "configuration_changes", "effect_findings")] == [
        0
    ] * 3
    assert "Where a control failed" not in written(told(made))


@pytest.mark.parametrize("missing", ["denial", "edit", "second receipt"])
def test_each_of_them_is_told_for_its_own_reason(missing: str) -> None:
    """Negative control: without one, the others are still told."""
    undone = {
        "denial": (DENIED_AT, {"does": "pay", "is_denied": False, "receipts": 1}),
        "edit": (EDITED_AT, {"edited": None}),
        "second receipt": (TWICE_AT, {"receipts": 1}),
    }
    at, as_usual = undone[missing]
    week = MONDAY + timedelta(days=7 * ((at - MONDAY).days // 7))
    # One week is enough, and quicker.
    ran = [
        replace(run, **(as_usual if run.at == at else {}))
        for run in eventful()
        if week <= run.at < week + timedelta(days=7)
    ]
    found = analysis_of(iter(ran))
    assert (found.near_misses().height, found.effect_findings.height) == (0, 0)
