"""What no other dialect knows keeps its identity and its attributes, and states no more than that a tool was called."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import plain
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Record

from .recordings import make_log, make_span, values


def test_identity_is_read_by_the_standard_names() -> None:
    """Of spans and of log records; the GenAI name of a conversation before the general one."""
    told = {"aftertrace.run.id": "r-1", "gen_ai.conversation.id": "s-1", "session.id": "s-2", "enduser.id": "ana"}
    expected = Reading(dialect="plain", who=Who(run_key="r-1", conversation_id="s-1", user_id="ana"))
    assert plain.read(make_span("work", told)) == expected
    assert plain.read(make_log("hello", told)) == expected


def test_a_span_that_names_a_tool_and_its_call_is_a_call() -> None:
    """Under names that many use: what it says is inferred."""
    told = {"tool.name": "pay", "tool_call_id": "c-1", "tool.arguments": '{"amount":9}', "tool.result": "paid"}
    failed = make_span("tool", {"tool_name": "pay", "tool.input": "9"}, status=2, status_message="no such account")
    readings = [plain.read(span) for span in (make_span("tool", told), failed)]
    about: dict[str, Any] = {"time_ns": 1_000, "end_ns": 5_000_001_000, "basis": "inferred", "rule": "tool_names"}
    assert readings == [
        Reading("plain", Who(tool_name="pay", call_id="c-1"), "execute_tool",
                [Event(event="tool.called", state="completed", arguments={"amount": 9}, content="paid", **about)]),
        Reading("plain", Who(tool_name="pay"), "execute_tool",
                [Event(event="tool.called", state="failed", arguments=9, reason="no such account", **about)]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        make_span("pick", {"tool.name": "hammer"}),
        make_span("pick", {"tool.name": 7, "tool.result": "x"}),
        make_log("tool ran", {"tool.name": "pay", "tool.call_id": "c-1"}),
    ],
)
def test_a_tools_name_alone_is_no_call(record: Record) -> None:
    """Nor is a log record, which may say anything of it."""
    assert plain.read(record).events == []


KEYS = ("session.id", "user.id", "tool.name", "tool.call_id", "tool.result")


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(KEYS), values, max_size=4), values)
def test_any_record_is_read(attributes: dict[str, Any], body: Any) -> None:
    """This dialect takes everything."""
    assert plain.read(make_span("work", attributes)).dialect == "plain"
    assert plain.read(make_log(body, attributes)).dialect == "plain"
