"""Messages of LangChain and OpenAI, in whichever form, become those of the conventions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects.message_forms import content_text, instructions, normal, plain_fields

from .recordings import values

TEXT = [{"role": "user", "parts": [{"type": "text", "content": "go"}]}]
CALL = [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c-1", "name": "pay", "arguments": {"eur": 9}}]}]
ANSWER = [
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c-1", "name": "pay", "response": "paid"}]},
]


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("go", TEXT),
        ([["human", "go"]], TEXT),
        ([["user", "go"], ["system", "Be careful."]],
         [*TEXT, {"role": "system", "parts": [{"type": "text", "content": "Be careful."}]}]),
        ([{"role": "user", "content": [{"type": "text", "text": "go"}]}], TEXT),
        ({"type": "human", "content": "go", "id": "m-1"}, TEXT),
        ([[{"lc": 1, "type": "constructor", "kwargs": {"type": "human", "content": "go"}}]], TEXT),
        ([{"type": "human", "data": {"content": "go"}}], TEXT),
        ([{"event.name": "gen_ai.user.message", "role": "user", "content": "go"}], TEXT),
        ([{"role": "assistant", "tool_calls": [{"id": "c-1", "name": "pay", "args": {"eur": 9}}]}], CALL),
        ([{"role": "assistant", "tool_calls": [
            {"id": "c-1", "type": "function", "function": {"name": "pay", "arguments": {"eur": 9}}}]}], CALL),
        ([{"type": "function_call", "id": "fc-1", "call_id": "c-1", "name": "pay", "arguments": {"eur": 9}}], CALL),
        ([{"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "tool_calls": [
            {"id": "c-1", "function": {"name": "pay", "arguments": {"eur": 9}}}]}}], CALL),
        ([{"role": "tool", "tool_call_id": "c-1", "name": "pay", "content": "paid"}], ANSWER),
        ([{"type": "tool", "data": {"tool_call_id": "c-1", "name": "pay", "content": "paid", "id": "m-2"}}], ANSWER),
        ([{"event.name": "gen_ai.tool.message", "role": "tool", "id": "c-1", "name": "pay", "content": "paid"}],
         ANSWER),
        ([{"type": "reasoning", "summary": []}, {"role": "robot", "content": "?"}, 3, None], []),
        (None, []),
    ],
)  # fmt: skip
def test_each_form_becomes_the_same(given_value: Any, expected: list[dict[str, Any]]) -> None:
    """What is no message is left out."""
    assert normal(given_value) == expected


def test_a_message_of_langchain_has_the_same_fields_in_each_rendering() -> None:
    """What is none has its own, or none."""
    fields = {"type": "tool", "content": "paid", "status": "error"}
    assert plain_fields({"lc": 1, "type": "constructor", "kwargs": fields}) == fields
    assert plain_fields({"type": "tool", "data": {"content": "paid", "status": "error"}}) == fields
    assert plain_fields(fields) == fields
    assert plain_fields({"kwargs": {"a": 1}}) == {"kwargs": {"a": 1}}
    assert plain_fields("paid") == {}


def test_instructions_are_the_first_system_message() -> None:
    """Also where OpenAI calls it the developer's."""
    assert instructions(
        normal([{"role": "developer", "content": "Be careful."}, {"role": "user", "content": "go"}])
    ) == ("Be careful.")
    assert instructions(TEXT) is None
    assert content_text({"text": "go"}) is None


@given(values, st.dictionaries(st.sampled_from(("role", "type", "content", "tool_calls", "message", "data")), values))
def test_any_value_is_read_without_an_error(value: Any, item: dict[str, Any]) -> None:
    """Whatever it holds."""
    for made in (value, [value], [[item]], item, [{**item, "role": "tool"}], [{**item, "role": "assistant"}]):
        assert all(set(message) == {"role", "parts"} for message in normal(made))
