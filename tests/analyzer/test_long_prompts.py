"""Prompts that are longer than what is kept of them beside the evidence: told apart by their wording all the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, analyse

from . import frames
from .frames import Frames
from .weeks import MONDAY, NOW_NS, PROMPT, Ran, days, telemetry

LONG = "Follow the house rules.\n" * 120 + PROMPT
CHANGED = MONDAY + timedelta(days=4)


@cache
def stored() -> Frames:
    """Nine days; on the fifth the limit at the very end is raised."""
    ran = (Ran(at=at, prompt=LONG.replace("100", "500" if at >= CHANGED else "100")) for at in days(9, runs=5))
    return frames.of_requests(telemetry(ran))


def what_changed(analysis: Analysis) -> list[tuple[object, ...]]:
    """When, what, and whether lines of it can be shown."""
    return analysis.configuration_changes.select("changed_at", "part", "added").rows()


def test_a_change_beyond_what_is_kept_is_found_and_the_date_beyond_it_is_none() -> None:
    """Its text is in the evidence alone, so that no line of it can be shown."""
    analysis = stored().analysis(NOW_NS)
    assert what_changed(analysis) == [(CHANGED, "prompt", [])]
    assert analysis.configurations["set_apart"].to_list() == [["date"]] * 2


def test_an_event_says_the_wording_and_the_values_of_a_long_prompt() -> None:
    """Not of a short one, which is there itself."""
    events = stored().events.filter(pl.col("state") == "system_prompt")
    told = [json.loads(text) for text in events["attributes"].unique(maintain_order=True)]
    assert json.loads(told[0]["template_values"]) == ["Monday, 2 November 2026", "100"]
    assert len({each["template_digest"] for each in told}) == 1
    short = frames.of_requests(telemetry(Ran(at=at) for at in days(1, runs=1))).events
    assert short.filter(pl.col("state") == "system_prompt")["attributes"].to_list() == [None]


def test_where_nothing_tells_the_wording_of_the_rest_it_is_said_that_a_change_cannot_be_told() -> None:
    """What was stored before events said it: the date makes each day's digest another one."""
    frame = stored()
    bare = replace(frame, events=frame.events.with_columns(attributes=pl.lit(None, dtype=pl.String)))
    analysis = analyse(bare.tables(), now_ns=NOW_NS)
    assert what_changed(analysis) == []
    assert analysis.configurations["set_apart"].to_list() == [["whole"]]


def test_what_a_sender_calls_the_wording_of_its_prompt_is_not_taken_for_it() -> None:
    """Whoever could choose it could hide a change; where the text ends what is kept nothing else would say it."""
    attributes = {
        "aftertrace.input.type": "system_prompt",
        "aftertrace.input.content": "Follow the house rules.\n" * 100,
        "aftertrace.template.digest": "chosen",
        "aftertrace.template.values": "nothing to read",
    }
    told = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    record = {"timeUnixNano": "1", "eventName": "aftertrace.input.resolved", "attributes": told}
    request = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    kept = json.loads(frames.of_requests([("logs", "json", json.dumps(request).encode())]).events["attributes"][0])
    assert kept["template_digest"].startswith("sha256:")
    assert kept["template_values"] == "[]"
    record["attributes"][1]["value"]["stringValue"] = "Be polite."
    short = frames.of_requests([("logs", "json", json.dumps(request).encode())]).events["attributes"][0]
    assert "template" not in (short or "")


@pytest.mark.parametrize("values", ["nothing to read", "5", "[[1]]", "[" * 5000, '{"a":1}'])
def test_values_that_cannot_be_read_are_values_that_are_not_told(values: str) -> None:
    """In a store that is older than the name, a sender may have chosen them."""
    frame = stored()
    told = json.dumps({"template_digest": "d", "template_values": values})
    odd = replace(frame, events=frame.events.with_columns(attributes=pl.lit(told)))
    assert what_changed(analyse(odd.tables(), now_ns=NOW_NS)) == []


def test_a_gap_in_a_prompt_is_no_value() -> None:
    """Two prompts that differ in where one has a value and the other what stands for one here."""
    prompts = ("Refund \x00 EUR.", "Refund 5 EUR.")
    ran = (Ran(at=at, prompt=prompts[at >= CHANGED]) for at in days(9, runs=5))
    analysis = frames.of_requests(telemetry(ran)).analysis(NOW_NS)
    assert what_changed(analysis) == [(CHANGED, "prompt", ["Refund 5 EUR."])]
