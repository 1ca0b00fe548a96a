"""Events of Inspect's logs: nothing in them is too odd to read, and nobody else's records are read."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import inspect_log
from aftertrace.ingest.records import Log, Origin

from .recordings import values, whole_rows

KINDS: Final = ("model", "tool", "approval", "sample_init", "sample_limit", "sandbox")
ERRORS: Final = ("approval", "permission", "parsing", "cancelled", "timeout", "unknown")
DECISIONS: Final = ("approve", "modify", "reject", "escalate", "terminate")
error = st.fixed_dictionaries({}, optional={"type": st.sampled_from(ERRORS) | values, "message": values}) | values
call = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "function", "arguments"), values)) | values
message = (
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(("user", "assistant", "system", "tool")) | values,
            "content": values,
            "tool_calls": st.lists(call, max_size=2) | values,
            "tool_call_id": values,
            "error": error,
        },
    )
    | values
)
event = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(KINDS) | values,
        "call": call,
        "modified": call,
        "decision": st.sampled_from(DECISIONS) | values,
        "approver": st.sampled_from(("human", "pkg/human", "auto")) | values,
        "error": error,
        "input": st.lists(message, max_size=3) | values,
        "output": st.fixed_dictionaries({}, optional={"choices": st.lists(st.fixed_dictionaries({"message": message}))})
        | values,
        "sample": st.fixed_dictionaries({}, optional={"input": st.lists(message, max_size=2) | values}) | values,
        **dict.fromkeys(
            (
                "explanation",
                "view",
                "result",
                "failed",
                "pending",
                "metadata",
                "tools",
                "model",
                "limit",
                "completed_at",
            ),
            values,
        ),
    },
)


def log(event_name: str, body: Any, scope: str = inspect_log.SCOPE, **attributes: Any) -> Log:
    """A record as the import makes them."""
    return Log(Origin({}, scope), None, None, 7, event_name, 0, body, attributes, [])


@pytest.mark.parametrize(
    ("entry", "ended", "state"),
    [
        ({"result": "paid"}, None, "completed"),
        ({"result": ""}, 3, "completed"),
        ({"result": ""}, None, "started"),
        ({}, None, "started"),
        ({"result": "half", "pending": True}, None, "started"),
        ({"result": "no", "error": {"type": "timeout"}}, None, "failed"),
    ],
)
def test_a_tool_ran_where_its_result_or_its_end_is_told(entry: dict[str, Any], ended: Any, state: str) -> None:
    """Even where the end is left out, or set before the beginning by another clock."""
    reading = inspect_log.read(log(inspect_log.EVENT, {"event": "tool", **entry}, **{inspect_log.ENDED: ended}))
    assert reading is not None
    assert [(each.state, each.end_ns) for each in reading.events] == [(state, None)]


@given(event, st.sampled_from((inspect_log.EVENT, inspect_log.SAMPLE)), values)
def test_any_event_is_read(body: dict[str, Any], event_name: str, attribute: Any) -> None:
    """Whatever a later version writes, it becomes rows of events and never an error."""
    names = (inspect_log.ENDED, inspect_log.BEFORE, inspect_log.DECISION, inspect_log.TASK)
    record = log(event_name, json.dumps(body, default=repr), **dict.fromkeys(names, attribute))
    span, events = whole_rows(record)
    assert span is None
    assert {each["dialect"] for each in events} <= {inspect_log.NAME}


@given(values, st.sampled_from((inspect_log.EVENT, "inspect.part")))
def test_only_records_of_the_import_are_read(body: Any, event_name: str) -> None:
    """The same text in somebody else's log is somebody else's; and what events refer to states nothing."""
    assert inspect_log.read(log(event_name, body, scope="app")) is None
    reading = inspect_log.read(log(event_name, body))
    assert reading is not None
    assert reading.events == []
