"""One run on the clock: lanes, waits, gaps, and events that an address can name."""

from __future__ import annotations

import pytest
from dashboards import stores

from aftertrace.analyzer import Analysis, open_analysis
from aftertrace.analyzer.records.run_record import RunRecord
from aftertrace.dashboards import timeline


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A run in which somebody was waited for."""
    analysis = open_analysis(stores.edited(tmp_path_factory.mktemp("edited") / "data"))
    return analysis.record(analysis.runs["run_id"][0])


def test_a_wait_for_a_person_is_a_bar_of_its_own(record: RunRecord) -> None:
    """As long as the wait, whatever the tool's own records say; with the call that it was about."""
    drawn = timeline.drawn(record)
    assert drawn is not None
    bars = [
        (each["lane"], each["label"], each["from"], each["lasted"], each["call"])
        for each in drawn["events"]
        if each["lasted"]
    ]
    assert bars == [("human", "pay: modified after 4.0 s", 2.0, 4.0, 1)]


def test_effects_are_in_the_lane_of_the_systems(record: RunRecord) -> None:
    """Lanes from top to bottom, those alone that have something."""
    drawn = timeline.drawn(record)
    assert drawn is not None
    assert [lane["title"] for lane in drawn["lanes"]] == ["agent", "model", "tool", "human wait", "system"]
    assert [each["title"] for each in drawn["events"] if each["lane"] == "system"] == ["effect.applied"]


def test_where_nothing_is_on_record_is_seen(record: RunRecord) -> None:
    """The wait is none: something is on record, and that is that somebody is waited for."""
    drawn = timeline.drawn(record)
    assert drawn is not None
    assert drawn["gaps"] == [{"from": 8.0, "to": 38.0, "title": "30.0 s without a record"}]
    assert drawn["span"] == 38.0


def test_what_was_refused_or_edited_is_told_from_what_ran(record: RunRecord) -> None:
    """Hollow marks are those of refusals alone."""
    drawn = timeline.drawn(record)
    assert drawn is not None
    assert [each["title"] for each in drawn["events"] if each["refused"]] == []


def test_every_event_of_every_recording_is_drawn_once_and_has_a_name(analysis: Analysis) -> None:
    """Within a run no two events have one name, and those of the timeline are those of the analyzer."""
    for run_id in analysis.runs["run_id"]:
        record = analysis.record(run_id)
        drawn = timeline.drawn(record)
        assert drawn is not None
        ids = [each["id"] for each in drawn["events"]]
        assert len(ids) == len(set(ids))
        waits = [each for each in ids if each.startswith("wait ")]
        timed = [each for each in record.timeline if each.offset_s is not None]
        assert len(ids) - len(waits) == len(timed)
        assert all(0 <= each["from"] <= drawn["span"] for each in drawn["events"])
        assert {each["lane"] for each in drawn["events"]} == {lane["name"] for lane in drawn["lanes"]}


def test_a_run_without_times_is_not_drawn(record: RunRecord) -> None:
    """The page says so instead."""
    from dataclasses import replace

    untimed = tuple(replace(each, at=None, offset_s=None, lasted_s=None) for each in record.timeline)
    assert timeline.drawn(replace(record, timeline=untimed)) is None
