"""Raw API bodies of Claude Code reveal calls and answers, and a cut body nothing that is not whole."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import claude_code
from aftertrace.ingest.dialects.claude_code_bodies import context_events, request_events, response_events
from aftertrace.ingest.dialects.events import Event, Reading, Who

from .recordings import make_log, named, read_recording

CASE = ("claude-code", "dont_ask_raw_bodies")
WHO = Who(
    conversation_id="a704ce35-417b-4c3a-ab00-c487dde642e4",
    turn_id="5e0f14f0-9c80-4c86-85ae-e15335aba43a",
    agent_name="claude-code",
    agent_version="2.1.197",
    user_id="2c280a33c5c38f07ecf6bcd5d553fa17a338bc5fad2995c554de1aa9ae80b19b",
)
REQUEST: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Old", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "old"}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t2", "name": "New", "input": {"a": 1}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "new"}]},
    ],
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cc_entrypoint=cli;"},
        {"type": "text", "text": "Be good."},
    ],
    "tools": [{"name": "Old"}, {"name": "New"}],
}


def test_a_response_proposes_calls_of_tools_that_exist_and_of_tools_that_do_not() -> None:
    """An unknown tool leaves no other record."""
    answered = claude_code.read(named(read_recording(*CASE), "claude_code.api_response_body")[1])
    assert answered == Reading(
        dialect="claude_code",
        who=Who(**{name: getattr(WHO, name) for name in WHO.__slots__} | {"model_served": "claude-opus-4-8"}),
        events=[
            Event(
                event="action.proposed",
                state="proposed",
                time_ns=1795244968825000000,
                tool_name="Write",
                call_id="toolu_532f401a1fa84b068328",
                arguments={"file_path": "/home/user/project/new.txt", "content": "x"},
                position=0,
                group="msg_12b365d4237a47e4bac6",
            ),
            Event(
                event="action.proposed",
                state="proposed",
                time_ns=1795244968825000000,
                tool_name="NoSuchTool",
                call_id="toolu_e320dbdcfa774144bb9d",
                arguments={"a": 1},
                position=1,
                group="msg_12b365d4237a47e4bac6",
            ),
        ],
    )


def test_the_next_request_tells_what_the_model_was_told_of_the_calls() -> None:
    """The calls once more, their answers, the prompt, and the tools as far as the cut lets see them."""
    request = claude_code.read(named(read_recording(*CASE), "claude_code.api_request_body")[2])
    assert request is not None
    told = [event for event in request.events if event.event == "tool.called"]
    assert [(event.event, event.state) for event in request.events] == [
        ("action.proposed", "echoed"),
        ("action.proposed", "echoed"),
        ("tool.called", "answered"),
        ("tool.called", "unknown_tool"),
        ("input.resolved", "system_prompt"),
        ("input.resolved", "tools"),
    ]
    assert told[1] == Event(
        event="tool.called",
        state="unknown_tool",
        time_ns=1795244968839000000,
        tool_name="NoSuchTool",
        call_id="toolu_e320dbdcfa774144bb9d",
        basis="inferred",
        reason="<tool_use_error>Error: No such tool available: NoSuchTool</tool_use_error>",
        content="<tool_use_error>Error: No such tool available: NoSuchTool</tool_use_error>",
        rule="text:claude_unknown",
        attributes={"is_error": True},
    )
    assert request.events[4].attributes == {"entrypoint": "sdk"}
    assert request.events[5].attributes == {"complete": False}
    assert request.who.tool_names is None


def test_a_whole_request_states_the_last_turn_the_prompt_and_the_list_of_tools() -> None:
    """Older turns were in older requests; the billing block is no part of the prompt."""
    who = Who()
    assert request_events(json.dumps(REQUEST), who, 5) == [
        Event(
            event="action.proposed",
            state="echoed",
            time_ns=5,
            tool_name="New",
            call_id="t2",
            arguments={"a": 1},
            position=0,
        ),
        Event(
            event="tool.called",
            state="answered",
            time_ns=5,
            tool_name="New",
            call_id="t2",
            basis="inferred",
            content="new",
        ),
        Event(
            event="input.resolved",
            state="system_prompt",
            time_ns=5,
            content="Be good.",
            attributes={"entrypoint": "terminal"},
        ),
        Event(
            event="input.resolved",
            state="tools",
            time_ns=5,
            content=["Old", "New"],
            attributes={"complete": True},
        ),
    ]
    assert (who.model, who.tool_names) == ("m", ["Old", "New"])


@given(length=st.integers(0, len(json.dumps(REQUEST)) - 1))
def test_a_cut_request_states_nothing_that_is_not_whole(length: int) -> None:
    """At any cut: what is stated stands in the request, and a cut list is never taken for the list."""
    who = Who()
    body = json.dumps(REQUEST)
    tools_are_whole = length == len(body) - len("}")
    for event in request_events(body[:length], who, 5):
        if event.event == "tool.called":
            assert event.content == {"t1": "old", "t2": "new"}[str(event.call_id)]
        elif event.event == "action.proposed":
            assert event.arguments == {"t1": {}, "t2": {"a": 1}}[str(event.call_id)]
        elif event.state == "system_prompt":
            assert event.content == "Be good."
        else:
            assert event.content in ([], ["Old"], ["Old", "New"])
            assert event.attributes == {"complete": tools_are_whole}
    assert who.tool_names == (["Old", "New"] if tools_are_whole else None)


def test_a_call_that_is_open_at_the_cut_is_passed_over() -> None:
    """Closing its brackets would make up arguments."""
    body = '{"model":"m","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"rm -rf /tmp/x'
    assert response_events(body, Who(), 5) == []
    assert [event.arguments for event in response_events(body + '"}}]}', Who(), 5)] == [{"command": "rm -rf /tmp/x"}]


def test_the_request_for_a_title_shows_nothing_of_the_run() -> None:
    """It repeats the conversation under another prompt and without tools."""
    body = {"body": json.dumps(REQUEST), "query_source": "generate_session_title"}
    reading = claude_code.read(make_log("claude_code.api_request_body", body))
    assert reading == Reading(dialect="claude_code", who=Who(agent_name="claude-code"))


def test_new_context_tells_the_answers_under_the_ids_of_their_calls() -> None:
    """Text without such a heading tells nothing."""
    told = (
        "[USER]\nhi\n\n---\n\n[TOOL RESULT: toolu_1]\nhello\nyou\n\n---\n\n"
        "[TOOL RESULT: toolu_2]\nNo such tool available: X"
    )
    assert [(event.call_id, event.state, event.content) for event in context_events(told, 5)] == [
        ("toolu_1", "answered", "hello\nyou"),
        ("toolu_2", "unknown_tool", "No such tool available: X"),
    ]
    assert context_events("[USER]\nhi", 5) == []


@given(body=st.text() | st.text(alphabet='{}[]":, amodelmessagescontent', max_size=60))
def test_no_body_makes_it_fail(body: str) -> None:
    """JSON or not."""
    request_events(body, Who(), 5)
    response_events(body, Who(), 5)
    context_events(body, 5)


@given(
    content=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "id", "name", "input", "text", "role", "content", "tool_use_id"]),
                inner | st.sampled_from(["tool_use", "tool_result", "assistant", "text"]),
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_shape_of_a_body_makes_it_fail(content: object) -> None:
    """Members of any type."""
    members = dict.fromkeys(("model", "id", "messages", "content", "system", "tools"), content)
    request_events(json.dumps(members), Who(), 5)
    response_events(json.dumps(members), Who(), 5)


def test_an_answer_nested_without_end_does_not_make_it_fail() -> None:
    """It is an answer whose text is not looked for that deep."""
    deep = "[" * 900 + "]" * 900
    body = (
        '{"messages":[{"role":"assistant","content":[]},'
        f'{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t1","content":{deep}}}]}}]}}'
    )
    (event,) = request_events(body, Who(), 5)
    assert (event.state, event.call_id) == ("answered", "t1")
