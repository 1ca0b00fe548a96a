"""Calls that exist only as text: what harnesses say became of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects.events import Decider, Event
from aftertrace.ingest.dialects.text_calls import MAX_CHARACTERS, REPLAYED_TURNS, feedback, told


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


def said(*texts: str) -> list[dict[str, Any]]:
    """Messages of a harness, each after one of the agent."""
    return [
        {"role": role, "content": text}
        for number, told in enumerate(texts)
        for role, text in (("assistant", f"step {number}"), ("user", told))
    ]


def in_short(events: list[Event]) -> list[tuple[str | None, str | None, str | None, int, bool]]:
    """State, rule and error of events, the place of their message, and whether they are told again."""
    return [
        (event.state, event.rule, event.reason, event.attributes["message"], "replayed" in event.attributes)
        for event in events
    ]


def test_a_harness_tells_of_the_commands_it_ran() -> None:
    """By their exit code; the last answer is new, and those before it are told again."""
    ran, failed = "<returncode>0</returncode>\n<output>\na.py", "<returncode>2</returncode>\n<output>\nno such file"
    found = feedback(said(ran, failed))
    assert in_short(found) == [
        ("failed", "text:mini_swe_ran", failed, 2, False),
        ("completed", "text:mini_swe_ran", None, 0, True),
    ]
    assert [(event.tool_name, event.basis, event.group, event.content) for event in found] == [
        ("bash", "inferred", "feedback", failed),
        ("bash", "inferred", "feedback", ran),
    ]


def test_a_message_is_told_alike_however_often_it_is_repeated() -> None:
    """Its place, and the digest of what it answers, are the same in later histories; only so many are read again."""
    texts = [f"<returncode>{number}</returncode>" for number in range(2 * REPLAYED_TURNS)]
    new, *_ = feedback(said(*texts[:2]))
    again = feedback(said(*texts[:3]))[1]
    assert (again.attributes, again.content) == ({**new.attributes, "replayed": True}, new.content)
    assert len(feedback(said(*texts))) == REPLAYED_TURNS


def test_what_begins_a_conversation_or_lies_within_a_text_is_no_feedback() -> None:
    """A person may quote an exit code."""
    quoted = said("It printed <returncode>0</returncode>")
    assert feedback([{"role": "user", "content": "<returncode>0</returncode>"}]) == feedback(quoted) == []


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Also around the fixed words."""
    told(text)
    feedback(said(text, f"<returncode>{text}</returncode>"))
    told(f"function calling of {text} has been refused")


def test_a_text_that_nearly_fits_is_read_in_bounded_time() -> None:
    """Only so much of it is looked at."""
    start = time.perf_counter()
    for part in ("function calling of ", "The last command <command>", "function calling of [{'function': {'name': '"):
        told(part * (10 * MAX_CHARACTERS // len(part)))
    assert time.perf_counter() - start < 5
