"""The scripted model: the same turn on every wire, told from the history alone, and nothing for those who only ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any, Final

import pytest

from . import model_server
from .model_server import Played
from .script import Conversation, Script, ToolCall, Turn

_CALL: Final = ToolCall("call_1", "pay", {"amount": 9})
_SCRIPT: Final = Script(
    (
        Conversation("[[main]]", (Turn("I pay.", (_CALL,)), Turn("Paid."))),
        Conversation("[[helper]]", (Turn("I help."),)),
    )
)
_TOOLS: Final = [{"name": "pay"}]


@pytest.fixture
def played() -> Iterator[Played]:
    """A server that plays the script."""
    with model_server.serve(_SCRIPT) as served:
        yield served


def _asked(played: Played, path: str, body: dict[str, Any] | None) -> str:
    connection = HTTPConnection(played.base_url.removeprefix("http://"), timeout=5)
    connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
    answered = connection.getresponse().read().decode()
    connection.close()
    return answered


def _data(stream: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return ["[DONE]" if line == "[DONE]" else json.loads(line) for line in lines]


def test_what_the_provider_runs_is_an_item_of_its_own() -> None:
    """Done already, whole and streamed: no arguments are left for anybody to run it with."""
    search = ToolCall("ws_1", "web_search", {"query": "a"}, by_provider=True)
    item = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "a"},
    }
    with model_server.serve(Script((Conversation("[[main]]", (Turn("Found.", (search,)),)),))) as played:
        body = {"model": "m", "tools": _TOOLS, "input": "[[main]]"}
        whole = json.loads(_asked(played, "/v1/responses", body))
        stream = _data(_asked(played, "/v1/responses", body | {"stream": True}))
    told = [(data["type"], data["item"]) for data in stream if data.get("output_index") == 1]
    assert whole["output"][1:] == [item]
    assert told == [
        ("response.output_item.added", item | {"status": "in_progress"}),
        ("response.output_item.done", item),
    ]


def test_a_turn_is_an_anthropic_message_whole_and_streamed(played: Played) -> None:
    """Text and call, with the call's arguments in the stream's deltas."""
    body = {"model": "m", "tools": _TOOLS, "messages": [{"role": "user", "content": "[[main]]"}]}
    whole = json.loads(_asked(played, "/v1/messages?beta=true", body))
    assert (whole["stop_reason"], whole["content"]) == (
        "tool_use",
        [
            {"type": "text", "text": "I pay."},
            {"type": "tool_use", "id": "call_1", "name": "pay", "input": {"amount": 9}},
        ],
    )
    stream = _data(_asked(played, "/v1/messages", body | {"stream": True}))
    deltas = [data["delta"] for data in stream if data["type"] == "content_block_delta"]
    assert deltas == [
        {"type": "text_delta", "text": "I pay."},
        {"type": "input_json_delta", "partial_json": '{"amount": 9}'},
    ]
    assert [stream[0]["type"], stream[-1]["type"]] == ["message_start", "message_stop"]


def test_a_turn_is_a_response_whole_and_streamed(played: Played) -> None:
    """The stream ends with the same response that is answered in one piece."""
    body = {"model": "m", "tools": _TOOLS, "input": "[[main]]"}
    whole = json.loads(_asked(played, "/v1/responses", body))
    assert [item["type"] for item in whole["output"]] == ["message", "function_call"]
    assert whole["output"][1] | {"id": ""} == {
        "type": "function_call",
        "id": "",
        "call_id": "call_1",
        "name": "pay",
        "arguments": '{"amount": 9}',
        "status": "completed",
    }
    stream = _data(_asked(played, "/v1/responses", body | {"stream": True}))
    assert stream[-1]["response"]["output"][1] == whole["output"][1]
    assert [data["sequence_number"] for data in stream] == list(range(len(stream)))


def test_a_turn_is_a_chat_completion_whole_and_streamed(played: Played) -> None:
    """The stream ends as every client waits for."""
    body = {"model": "m", "tools": _TOOLS, "messages": [{"role": "user", "content": "[[main]]"}]}
    call = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": '{"amount": 9}'}}
    choice = json.loads(_asked(played, "/v1/chat/completions", body))["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "I pay.", "tool_calls": [call]}
    stream = _data(_asked(played, "/v1/chat/completions", body | {"stream": True}))
    assert [choice["delta"] for chunk in stream[:-1] for choice in chunk["choices"]] == [
        {"role": "assistant", "content": "I pay."},
        {"tool_calls": [{"index": 0, **call}]},
        {},
    ]
    assert stream[-1] == "[DONE]"


def test_a_turn_is_a_gemini_answer_whole_and_streamed(played: Played) -> None:
    """One chunk holds it all."""
    body = {"tools": [{"functionDeclarations": _TOOLS}], "contents": [{"parts": [{"text": "[[main]]"}]}]}
    whole = json.loads(_asked(played, "/v1beta/models/gemini-x:generateContent", body))
    assert whole["candidates"][0]["content"]["parts"] == [
        {"text": "I pay."},
        {"functionCall": {"id": "call_1", "name": "pay", "args": {"amount": 9}}},
    ]
    (chunk,) = _data(_asked(played, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse", body))
    assert chunk["candidates"] == whole["candidates"]


def test_the_history_tells_which_turn_is_next() -> None:
    """By the call's id or by what was said with it; a request that is sent again gets the same turn again."""
    main = _SCRIPT.conversations[0].turns
    assert _SCRIPT.next_turn("[[main]]") == main[0]
    assert _SCRIPT.next_turn('[[main]] "call_1"') == main[1]
    assert _SCRIPT.next_turn("[[main]] I pay.") == main[1]
    assert _SCRIPT.next_turn("[[main]] I pay. Paid.") == _SCRIPT.aside
    assert _SCRIPT.next_turn("[[helper]]").said == "I help."
    assert _SCRIPT.next_turn("[[main]] [[helper]]") == main[0]
    assert _SCRIPT.next_turn("somebody else") == _SCRIPT.aside


def test_a_request_without_tools_is_no_turn_of_the_agent(played: Played) -> None:
    """Titles and summaries quote the prompt, and must not take a turn from the agent."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Name this: [[main]]"}]}
    assert json.loads(_asked(played, "/v1/messages", body))["content"][0]["text"] == _SCRIPT.aside.said


def test_what_else_is_asked_is_answered_harmlessly(played: Played) -> None:
    """Counts, lists and whatever a program reports home; all of it is kept."""
    assert json.loads(_asked(played, "/v1/messages/count_tokens", {}))["input_tokens"] > 0
    assert json.loads(_asked(played, "/telemetry", {"a": 1})) == {}
    listed = json.loads(_asked(played, "/v1/models", None))["data"]
    assert [model["id"] for model in listed] == ["scripted-1"]
    assert played.requests == [("/v1/messages/count_tokens", {}), ("/telemetry", {"a": 1})]
