"""Calls that exist only as text: what harnesses say became of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects.events import Decider, Event
from aftertrace.ingest.dialects.text_calls import MAX_CHARACTERS, told


def refused(tool: str, decided_by: Decider, rule: str, text: str) -> Event:
    """A call that was refused, as far as its harness says."""
    return Event(event="tool.called", state="refused", tool_name=tool, group="feedback", basis="inferred",
                 decided_by=decided_by, reason=text, rule=rule)  # fmt: skip


def test_drift_tells_of_the_calls_it_refused() -> None:
    """One by its name, several as a list of calls."""
    one = "The function calling of send_money has been refused, as it is not in the plan."
    several = (
        "The function calling of [{'function': {'name': 'send_money', 'args': {}}}, "
        "{'function': {'name': 'send_email'}}] has been refused."
    )
    assert told(one) == [refused("send_money", "guardrail", "text:drift", one)]
    assert told(several) == [
        refused("send_money", "guardrail", "text:drift", several),
        refused("send_email", "guardrail", "text:drift", several),
    ]


def test_mini_swe_agent_tells_of_a_command_it_did_not_run() -> None:
    """And of one that it ended."""
    text = "Please always provide EXACTLY ONE action in triple backticks, found 2 actions."
    ended = "The last command <command>sleep 999</command> timed out and has been killed."
    assert told(text) == [refused("bash", "program", "text:mini_swe_format", text)]
    assert told(ended) == [
        Event(event="tool.called", state="failed", tool_name="bash", group="feedback", basis="inferred", reason=ended,
              rule="text:mini_swe_timeout")
    ]  # fmt: skip


@pytest.mark.parametrize("text", [None, "", "row 1", "The call has been refused", "function calling of x"])
def test_other_text_tells_of_no_call(text: str | None) -> None:
    """Only what a harness is known to say is read."""
    assert told(text) == []


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Also around the fixed words."""
    told(text)
    told(f"function calling of {text} has been refused")


def test_a_text_that_nearly_fits_is_read_in_bounded_time() -> None:
    """Only so much of it is looked at."""
    start = time.perf_counter()
    for part in ("function calling of ", "The last command <command>", "function calling of [{'function': {'name': '"):
        told(part * (10 * MAX_CHARACTERS // len(part)))
    assert time.perf_counter() - start < 5
