"""What had been changed before a run began, as its record tells it: from all runs of its agents, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aftertrace.analyzer import Analysis, analyse, open_run
from aftertrace.analyzer.configurations import run_history
from aftertrace.analyzer.derived import around
from aftertrace.analyzer.derived.deriving import derive_all
from aftertrace.analyzer.documents import markdown
from aftertrace.analyzer.records import record_document
from aftertrace.analyzer.records.rfc3339 import rfc3339
from aftertrace.analyzer.records.run_record import AgentVersion, PriorChange
from aftertrace.store.folder import open_folder

from .frames import of_requests
from .test_change_story import FRIDAY, FRIDAY_AFTER, TUESDAY, ns, story, three_weeks
from .test_one_run import written
from .weeks import NOW_NS, Ran, days, telemetry


def runs_of(analysis: Analysis) -> list[str]:
    """The runs, the oldest first."""
    return analysis.runs.sort("first_ns")["run_id"].to_list()


def only(analysis: Analysis, run_id: str) -> AgentVersion:
    """The version of the one agent of a run."""
    (version,) = analysis.record(run_id).versions or ()
    return version


def at_of(version: AgentVersion) -> list[tuple[str, int | None, int | None, int]]:
    """The changes: what, from which version to which, and how many runs ago."""
    return [(each.part, each.version_before, each.version_after, each.runs_between) for each in version.changes]


def test_a_run_tells_what_had_been_changed_before_it_the_nearest_first() -> None:
    """With the version, how long before, and what it was: the drift, the tool and the prompt of the three weeks."""
    analysis = three_weeks()
    runs = runs_of(analysis)
    told = only(analysis, runs[-1])
    began_ns = int(analysis.runs["first_ns"].max() or 0)  # type: ignore[arg-type]  # an integer column
    drift, tool, prompt = told.changes
    assert (told.agent, told.version, told.runs_before) == ("clerk", 4, 167)
    assert drift == PriorChange(
        id=drift.id,
        at=rfc3339(ns(FRIDAY_AFTER)),
        ago_s=(began_ns - ns(FRIDAY_AFTER)) / 1e9,
        runs_between=23,
        part="model_served",
        before="model-5-0801",
        after="model-5-1115",
        added=(),
        removed=(),
        more=0,
        is_silent=True,
        is_return=False,
        version_before=3,
        version_after=4,
        first_run=runs[-24],
    )
    assert (tool.part, tool.added, tool.removed, tool.at) == ("tools", ("close_account",), (), rfc3339(ns(TUESDAY)))
    assert (prompt.part, prompt.removed, prompt.added, prompt.at) == (
        "prompt",
        ("Be polite.",),
        ("Be quick.", "Do not ask twice."),
        rfc3339(ns(FRIDAY)),
    )


def test_what_came_later_is_not_told_of_a_run() -> None:
    """The first run with a change says so; the one before it knows nothing of that, nor does the first of all."""
    analysis = three_weeks()
    runs = runs_of(analysis)
    first = runs.index(only(analysis, runs[-1]).changes[2].first_run)
    assert at_of(only(analysis, runs[first])) == [("prompt", 1, 2, 0)]
    assert at_of(only(analysis, runs[first - 1])) == []
    assert only(analysis, runs[0]).runs_before == 0


def test_another_agent_of_the_store_has_a_history_of_its_own() -> None:
    """The control: it was changed meanwhile as well, and neither run tells of the other's changes."""
    several = [Ran(at=at, tools=("pay", f"tool-{nth // 6}"), agent="reader", tokens=10) for nth, at in enumerate(
        days(3, runs=4))]  # fmt: skip
    analysis = of_requests(telemetry(iter([*story(), *several]))).analysis(NOW_NS)
    runs = analysis.runs.sort("first_ns")
    mine, theirs = (runs.filter(agent_name=name)["run_id"][-1] for name in ("clerk", "reader"))
    assert [each.part for each in only(analysis, mine).changes] == ["model_served", "tools", "prompt"]
    assert at_of(only(analysis, theirs)) == [("tools", 1, 2, 5)]


def test_a_run_that_is_read_alone_tells_the_same_from_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small store from all records; of a large one from what is kept, and not at all where nothing is."""
    open_folder(tmp_path / "data")
    data = written(tmp_path / "data", of_requests(telemetry(story())))
    whole = three_weeks()
    run_id = runs_of(whole)[-1]
    expected = whole.record(run_id).versions

    def told() -> tuple[AgentVersion, ...] | None:
        analysis, _ = open_run(data, run_id, now_ns=NOW_NS)
        return analysis.record(run_id).versions

    assert told() == expected
    monkeypatch.setattr(around, "RECORDS_AT_MOST", 0)
    assert told() is None
    list(derive_all(data, now_ns=NOW_NS))
    assert told() == expected


def test_what_is_not_looked_at_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that tells it; and nothing is said to have stayed the same."""
    analysis = replace(analyse(three_weeks().tables, now_ns=NOW_NS), beside=lambda: None)
    record = analysis.record(runs_of(analysis)[-1])
    assert record.versions is None
    page = markdown.written(record_document.document(record))
    assert "Other runs were not looked at" in page
    assert f"aftertrace changes --run {record.run_id}" in page
    assert "Nothing is known to have been changed" not in page
    # Of many runs the nearest are looked at; their versions are not counted from the first then.
    monkeypatch.setattr(run_history, "NEAREST_RUNS", 40)
    monkeypatch.setattr(run_history, "_AFTER_RUNS", 5)
    near = only(three_weeks(), record.run_id)
    assert (near.version, near.runs_before) == (None, 167)
    assert at_of(near) == [("model_served", None, None, 23)]
