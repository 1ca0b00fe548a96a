"""Pieces of plain message logs: nothing in them is too odd to read, and nobody else's records are read."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import anthropic_messages, message_log, openai_items, openai_messages
from aftertrace.ingest.records import Log, Origin

from .recordings import values, whole_rows

SCOPES: Final = (openai_messages.SCOPE, anthropic_messages.SCOPE)
NAMES: Final = {openai_messages.NAME, anthropic_messages.NAME}
BLOCKS: Final = ("text", "tool_use", "tool_result", "server_tool_use", "mcp_tool_result", "web_search_tool_result")
KEYS: Final = (
    "content", "tool_calls", "function_call", "function", "name", "arguments", "id", "call_id", "tool_call_id",
    "output", "status", "error", "code", "approve", "approval_request_id", "tools", "action", "pending_safety_checks",
    "input", "acknowledged_safety_checks", "tool_use_id", "is_error", "text", "refusal",
)  # fmt: skip

part = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from((*BLOCKS, *sorted(openai_items.ITEMS))) | values,
        "role": st.sampled_from(("user", "assistant", "tool", "function", "system")) | values,
        **dict.fromkeys(KEYS, values),
    },
)
held = part | st.lists(part | values, max_size=3) | values
message = st.builds(
    lambda inner, more: {**inner, **more}, part, st.dictionaries(st.sampled_from(KEYS), held, max_size=4)
)
side = st.fixed_dictionaries(
    {},
    optional={
        "model": values,
        "tools": held,
        "system": held,
        "instructions": values,
        "usage": values,
        "messages": st.lists(message | values, max_size=3) | values,
        "input": st.lists(message | values, max_size=3) | values,
        "output": st.lists(message | values, max_size=3) | values,
        "choices": st.lists(st.fixed_dictionaries({"message": message | values}), max_size=2) | values,
        "body": values,
        **dict.fromkeys(("content", "custom_id", "result"), held),
    },
)


def log(event_name: str, scope: str, body: Any, **attributes: Any) -> Log:
    """A record as the import makes them."""
    return Log(Origin({}, scope), None, None, 7, event_name, 0, body, attributes, [])


@given(message, st.sampled_from(SCOPES), values)
def test_any_message_is_read(body: dict[str, Any], scope: str, ids: Any) -> None:
    """Whatever a vendor adds, it becomes rows of events and never an error."""
    text = json.dumps(body, default=repr)
    record = log(message_log.MESSAGE, scope, text, **{message_log.CALL_IDS: ids, message_log.CONVERSATION: ids})
    span, events = whole_rows(record)
    assert span is None
    assert {event["dialect"] for event in events} <= NAMES


@given(side, side, st.sampled_from(SCOPES), st.sampled_from((message_log.EXCHANGE, message_log.REST)), values)
def test_any_exchange_is_read(request: Any, response: Any, scope: str, event_name: str, known: Any) -> None:
    """As a pair, merged into one, and as each side alone."""
    for whole in (
        {"request": request, "response": response},
        {**request, **response},
        {"response": {"body": response}},
    ):
        record = log(event_name, scope, json.dumps(whole, default=repr), **{message_log.KNOWN: known})
        assert {event["dialect"] for event in whole_rows(record)[1]} <= NAMES


@given(values, st.sampled_from((message_log.MESSAGE, message_log.EXCHANGE)))
def test_only_records_of_the_import_are_read(body: Any, event_name: str) -> None:
    """The same text in somebody else's log is somebody else's; and a body that is no JSON states nothing."""
    for dialect in (openai_messages, anthropic_messages):
        assert dialect.read(log(event_name, "app", body)) is None
        assert dialect.read(log(event_name, dialect.SCOPE, body)) is not None
