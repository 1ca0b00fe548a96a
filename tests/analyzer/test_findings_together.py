"""What several runs show together, in the record and the timeline of each of them, with the others named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import polars as pl

from aftertrace.analyzer import Analysis
from aftertrace.analyzer.effects.findings import KINDS
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.records.run_record import Finding
from aftertrace.analyzer.timelines.timeline import Wanted

from .test_effect_findings import OTHER, analysed, at, call, ended, everything, of_run, receipt

BRIEFS: Final = {kind.name: kind.brief for kind in KINDS}
RACE: Final = (
    *of_run(1, *call(1), receipt(5), ended(9)),
    *of_run(2, *call(2, **OTHER), receipt(6), ended(9), agent="cook"),
)
"""Two runs overlap, and both write one order."""
ONE_KEY: Final = (
    *of_run(1, *call(1), receipt(3, idempotency_key="k-1", receipt_id="r-1"), ended(4)),
    *of_run(2, *call(11), receipt(13, idempotency_key="k-1", receipt_id="r-2"), ended(14), agent="cook"),
)
"""One key in two runs after each other, and the system did it twice."""


def two(story: tuple[dict[str, Any], ...]) -> tuple[Analysis, str, str]:
    """The analysis of a story of two runs, and their ids, the one that began first before the other."""
    analysis = analysed(*story)
    first, second = analysis.runs.sort("first_ns")["run_id"]
    return analysis, first, second


def evidence(analysis: Analysis) -> tuple[str, ...]:
    """The receipts of a story, in the order in which they came."""
    return tuple(analysis.effects.sort("first_ns")["evidence"])


def test_a_race_is_told_by_both_runs_with_the_other() -> None:
    """By the later with what it met, by the earlier with what came after; each of its own call and effect."""
    analysis, first, second = two(RACE)
    shown = {"certainty": "likely", "basis": "explicit", "is_failure": False, "evidence": evidence(analysis)}
    after = f"written after it by run {second} of cook, which was under way then"
    before = f"written by run {first} of clerk while this one was under way"
    assert analysis.record(first).findings == (
        Finding("raced", BRIEFS["raced"], "effect", 1, what=after, other_runs=(second,), **shown),
    )
    assert analysis.record(second).findings == (
        Finding("raced", BRIEFS["raced"], "effect", 1, what=before, other_runs=(first,), **shown),
    )


def test_a_key_that_two_runs_shared_is_a_control_failure_of_both() -> None:
    """The change was made twice: whoever opens either run is told so."""
    analysis, first, second = two(ONE_KEY)
    told = [
        [(each.signal, each.is_failure, each.certainty, each.what, each.other_runs) for each in record.findings]
        for record in (analysis.record(first), analysis.record(second))
    ]
    assert told == [
        [("applied_twice", True, "certain", f"made again by run {second} of cook", (second,))],
        [("applied_twice", True, "certain", f"made before by run {first} under the same key", (first,))],
    ]


def test_the_timeline_of_each_run_has_it_where_the_later_write_stands() -> None:
    """And so has that of the object; the control: a run that shares nothing has none."""
    analysis, first, second = two(RACE)
    for run_id in (first, second):
        rows = analysis.timeline(run_id)
        assert rows.filter(pl.col("what") == "finding raced").select("at_ns", "run_id", "lane", "evidence").rows() == [
            (at(6), run_id, "tool", evidence(analysis)[1])
        ]
        assert rows["what"].to_list()[-3:] == ["effect.applied", "finding raced", "run.completed"]
        assert rows["order"].to_list()[-2] == "cause"
    told = analysis.timeline_of(Wanted(target="A-1")).rows
    assert told.filter(pl.col("what") == "finding raced")["run_id"].to_list() == [second]
    alone, quiet, _ = two((*of_run(1, *call(1), receipt(5), ended(6)), *of_run(2, *call(7), receipt(8), ended(9))))
    assert alone.record(quiet).findings == ()
    assert not alone.timeline(quiet)["what"].str.starts_with("finding").any()


def test_findings_of_a_run_are_listed_with_those_of_others_that_rest_on_it() -> None:
    """`aftertrace effects --run` tells either run of the race."""
    analysis, first, second = two(RACE)
    for run_id in (first, second):
        rows = analysis.select("effect_findings", Filter(run_id=run_id))
        assert rows.select("signal", "run_id").rows() == [("raced", second)]
    assert not analysis.select("effect_findings", Filter(run_id="another")).height


def test_every_run_of_all_stories_tells_what_the_whole_table_tells_of_it() -> None:
    """Nothing of it is missed, though only what touches the run is read, and nothing is added."""
    analysis = everything()
    told: list[tuple[str, str, tuple[str, ...]]] = []
    for run_id in analysis.runs["run_id"]:
        record = analysis.record(run_id)
        several = [each for each in record.findings if each.other_runs or each.signal == "receipt_missing"]
        told += [(run_id, each.signal, each.other_runs) for each in several]
    whole = analysis.effect_findings.filter(
        (pl.col("other_runs").list.len() > 0) | (pl.col("signal") == "receipt_missing")
    ).select("run_id", "signal", "other_runs").rows()  # fmt: skip
    expected = [(run_id, signal, tuple(others)) for run_id, signal, others in whole]
    expected += [(other, signal, (run_id,)) for run_id, signal, others in whole for other in others]
    assert sorted(told) == sorted(expected)
    assert {signal for _, signal, _ in told} == {"raced", "applied_twice", "receipt_missing"}


def test_where_other_runs_are_not_looked_at_nothing_is_said_of_them() -> None:
    """The control: the record says that they were not (`versions`), and tells what the run shows of itself."""
    analysis, first, _ = two(RACE)
    alone = replace(analysis, beside=lambda: None).record(first)
    assert (alone.versions, alone.findings) == (None, ())
    assert [each.signal for each in analysis.record(first).findings] == ["raced"]
