"""Messages of the GenAI conventions: what was proposed, and what the model was told became of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.messages import REPLAYED_MESSAGES
from aftertrace.semconv.canonical import digest_json

from .recordings import values


def call(name: str, call_id: str | None, **arguments: Any) -> dict[str, Any]:
    """A tool call as a model emits it."""
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": json.dumps(arguments)}


def response(call_id: str | None, told: Any, **more: Any) -> dict[str, Any]:
    """What the model is given for a call."""
    return {"type": "tool_call_response", "id": call_id, "response": told, **more}


def message(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    """A message of some parts."""
    return {"role": role, "parts": list(parts)}


def text(content: str) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "content": content}


def facts(events: list[Event]) -> list[tuple[Any, ...]]:
    """Event, state, tool, call, decider and rule."""
    return [(e.event, e.state, e.tool_name, e.call_id, e.decided_by, e.rule) for e in events]


def test_proposals_are_read_in_order_whether_text_or_structured() -> None:
    """The provider's own calls are left out."""
    made = [message("assistant", text("first"), call("pay", "c-1", amount=900), {"type": "server_tool_call"},
                    call("read_db", None))]  # fmt: skip
    expected = [
        Event(event="action.proposed", state="proposed", tool_name="pay", call_id="c-1", arguments={"amount": 900},
              position=0),
        Event(event="action.proposed", state="proposed", tool_name="read_db", arguments={}, position=1),
    ]  # fmt: skip
    assert messages.proposals(made) == expected
    assert messages.proposals(json.dumps(made)) == expected


def test_what_the_provider_ran_itself_is_left_out() -> None:
    """Pydantic AI 1 marks its call and its result, in one message of the model."""
    own = {"builtin": True}
    made = [message("assistant", {**call("web_search", "w-1"), **own}, response("w-1", "found", **own),
                    call("pay", "c-1"))]  # fmt: skip
    assert facts(messages.proposals(made)) == [("action.proposed", "proposed", "pay", "c-1", None, None)]
    assert facts(messages.answers(made)) == [("action.proposed", "echoed", "pay", "c-1", None, None)]


def test_answers_name_their_call_by_id_and_repeat_the_last_turn() -> None:
    """A result, a refusal in an observed wording, and one that a field states."""
    given_messages = [
        message("user", text("tidy")),
        message("assistant", call("pay", "c-1"), call("drop", "c-2"), call("mail", "c-3")),
        message("tool", response("c-1", "paid"), response("c-2", "The tool call was denied."),
                response("c-3", {"denied": True, "reason": "not now"})),
    ]  # fmt: skip
    assert facts(messages.answers(given_messages)) == [
        ("action.proposed", "echoed", "pay", "c-1", None, None),
        ("action.proposed", "echoed", "drop", "c-2", None, None),
        ("action.proposed", "echoed", "mail", "c-3", None, None),
        ("tool.called", "answered", "pay", "c-1", None, None),
        ("tool.called", "refused", "drop", "c-2", "human", "text:pydantic_denied"),
        ("tool.called", "refused", "mail", "c-3", "human", "denied_response"),
    ]
    assert [event.basis for event in messages.answers(given_messages)[3:]] == ["inferred", "inferred", "explicit"]


def test_a_tool_that_answers_that_somebody_is_denied_has_run() -> None:
    """Its own words are more than the two of a refusal."""
    turn = [message("assistant", call("may", "c-1")),
            message("tool", response("c-1", {"denied": True, "account": "c-19"}))]  # fmt: skip
    assert facts(messages.answers(turn))[-1] == ("tool.called", "answered", "may", "c-1", None, None)


def test_a_list_of_what_is_wrong_with_a_value_is_no_result() -> None:
    """Pydantic's own form, as Pydantic AI tells the model; a tool's list of other things is a result."""
    wrong = [{"type": "int_parsing", "loc": ["total"], "msg": "Input should be a valid integer", "input": "much"}]
    told = [messages.answer(response("c-1", value), "close") for value in (wrong, [{"type": "int", "loc": "here"}], [])]
    assert facts(told) == [
        ("tool.called", "invalid_arguments", "close", "c-1", None, "validation_errors"),
        ("tool.called", "answered", "close", "c-1", None, None),
        ("tool.called", "answered", "close", "c-1", None, None),
    ]


def test_answers_without_ids_take_the_calls_of_the_last_turn_in_order_and_by_name() -> None:
    """With their arguments, so that they can be told apart; older turns are not read again."""
    turn = [message("assistant", call("pay", None, amount=1), call("pay", None, amount=2)),
            message("tool", response(None, "first"), response(None, "second"))]  # fmt: skip
    told = [event for event in messages.answers([*turn, *turn]) if event.state == "answered"]
    assert [(e.tool_name, e.arguments, e.position, e.content) for e in told] == [
        ("pay", {"amount": 1}, 2, "first"),
        ("pay", {"amount": 2}, 3, "second"),
    ]


def test_answers_with_ids_are_read_some_messages_back() -> None:
    """Every model call repeats the history: all of it would cost the square of its length."""
    history = [message("tool", response(f"c-{number}", "row")) for number in range(REPLAYED_MESSAGES + 10)]
    told = messages.answers(history)
    assert [told[0].call_id, told[-1].call_id, len(told)] == ["c-10", f"c-{REPLAYED_MESSAGES + 9}", REPLAYED_MESSAGES]


def test_an_edit_told_to_the_model_is_an_answer_and_a_confirmation_is_an_ask() -> None:
    """LangChain's note after an edit; Google ADK's placeholder while it waits."""
    note, waits = (
        "Note: a human reviewer replaced this tool call",
        "This tool call requires confirmation, please approve",
    )
    told = [messages.answer(response("c-1", words), "pay") for words in (note, waits)]
    assert facts(told) == [
        ("tool.called", "answered", "pay", "c-1", "human", "text:langchain_edited"),
        ("approval.requested", None, "pay", "c-1", None, "text:adk_asked"),
    ]


def test_approval_parts_ask_and_answer() -> None:
    """Agent Framework's, with the call they are about."""
    function = {"call_id": "c-1", "name": "pay", "arguments": '{"amount": 900}'}
    parts = [
        {"type": "function_approval_request", "id": "a-1", "function_call": function},
        {"type": "function_approval_response", "id": "a-1", "function_call": function, "approved": True},
        {"type": "function_approval_response", "id": "a-2", "function_call": None, "approved": False, "reason": "no"},
    ]
    about = {"tool_name": "pay", "call_id": "c-1", "arguments": {"amount": 900}, "group": "a-1"}
    person = {"decided_by": "human", "identity": "inferred"}
    assert messages.approvals([message("user", *parts)]) == [
        Event(event="approval.requested", **about),
        Event(event="approval.granted", **about, **person),
        Event(event="approval.rejected", group="a-2", reason="no", **person),
    ]


def test_asks_without_ids_are_counted() -> None:
    """AI SDK 7 drops them; those that keep theirs are read otherwise."""
    parts = [{"type": "tool-approval-request"}, {"type": "tool-approval-request", "toolCallId": "c-1"}]
    assert messages.asks_without_ids([message("assistant", *parts)]) == 1


def test_the_users_text_is_the_last_that_is_no_answer() -> None:
    """Pydantic AI gives tool results in messages of the user."""
    asked, told = message("user", text("tidy")), message("user", response("c-1", "row"))
    assert messages.user_text([asked, told]) == "tidy"
    assert messages.user_text([asked], last_only=True) == "tidy"
    assert messages.user_text([asked, told], last_only=True) is None
    assert messages.user_text("nonsense") is None


def test_users_answer_the_last_messages_of_the_agent_the_last_first() -> None:
    """What began the conversation answers none; the place of the agent's message counts those before it."""
    begun, first, last = message("user", text("go")), message("assistant", text("ls")), message("assistant", text("rm"))
    told = [
        begun,
        first,
        message("user", text("a")),
        message("user", text("b")),
        last,
        message("user", text("refused")),
    ]
    assert messages.told_by_users([begun], 2) == []
    assert messages.told_by_users(told, 2) == [(4, last, "refused"), (1, first, "a\nb")]
    assert messages.told_by_users(told, 1) == [(4, last, "refused")]
    assert messages.told_by_users([begun, first, last], 2) == []


@pytest.mark.parametrize(
    ("definitions", "names"),
    [
        ('[{"name": "pay"}, {"type": "function", "function": {"name": "mail"}}, "read"]', ["pay", "mail", "read"]),
        ([], []),
        ("[vendor text removed]", None),
        (None, None),
        ({"name": "pay"}, None),
    ],
)
def test_a_tool_list_is_known_empty_or_unknown(definitions: Any, names: list[str] | None) -> None:
    """Never conflated."""
    assert messages.tool_names(definitions) == names


def test_a_system_prompt_has_one_digest_however_it_is_wrapped() -> None:
    """As text, as parts, as JSON."""
    forms = ("Be careful.", [text("Be careful.")], '[{"type":"text","content":"Be careful."}]', ["Be careful."])
    assert len({messages.instructions_digest(form) for form in forms}) == 1
    assert messages.instructions_digest("Be careless.") != messages.instructions_digest(forms[0])
    assert messages.instructions_digest(None) is None


def test_a_digest_is_of_the_value_and_not_of_its_spelling() -> None:
    """Also for values that are not canonical JSON."""
    assert messages.value_digest('{"b": 1, "a": 2}') == messages.value_digest({"a": 2, "b": 1})
    assert messages.value_digest([float("nan")]) != messages.value_digest([float("inf")])


@given(st.text() | st.text(st.characters(max_codepoint=0x9F)))
def test_the_digest_of_a_text_is_that_of_its_canonical_form(content: str) -> None:
    """Of every text, however it is escaped; of half a character, which has no such form, it is told apart."""
    assert messages.value_digest(f"so: {content}") == digest_json(f"so: {content}")
    assert messages.value_digest("so: \ud800") not in (None, messages.value_digest("so: \udfff"))


def test_the_chat_completions_form_is_read() -> None:
    """Of the deprecated log events."""
    function = {"name": "pay", "arguments": '{"amount":1}'}
    assert messages.function_calls({"tool_calls": [{"id": "c-1", "function": function}, None, {}]}) == [
        Event(event="action.proposed", state="proposed", tool_name="pay", call_id="c-1", arguments={"amount": 1},
              position=0)
    ]  # fmt: skip


roles = st.sampled_from(("user", "assistant", "tool", "system", None))
kinds = st.sampled_from(
    ("tool_call", "tool_call_response", "text", "function_approval_request", "tool-approval-request")
)
keys = st.sampled_from(("id", "name", "arguments", "response", "content", "function_call", "approved"))
odd_parts = st.dictionaries(keys, values, max_size=4).flatmap(
    lambda part: kinds.map(lambda kind: {**part, "type": kind})
)
odd_messages = st.lists(
    st.builds(
        lambda role, parts: {"role": role, "parts": parts}, roles, st.lists(odd_parts | values, max_size=3) | values
    ),
    max_size=4,
)


@given(odd_messages | values)
def test_any_value_is_read_without_an_error(value: Any) -> None:
    """What is no message is passed over."""
    for read in (messages.proposals, messages.answers, messages.approvals, messages.asks_without_ids,
                 messages.user_text, messages.tool_names, messages.value_digest, messages.instructions_digest,
                 messages.response_text, lambda told: messages.told_by_users(told, 3)):  # fmt: skip
        read(value)
    if isinstance(value, dict):
        messages.function_calls(value)


def test_deep_nesting_is_no_way_to_end_the_drain() -> None:
    """JSON of a hundred thousand lists is text, and a deep answer has no text."""
    deep = "[" * 100_000 + "]" * 100_000
    assert messages.load(deep) == deep
    nested: Any = "The tool call was denied."
    for _ in range(100):
        nested = [nested]
    assert messages.response_text(nested) is None


written = st.one_of(
    values.map(lambda value: json.dumps(value, default=repr)),
    st.sampled_from(
        ["NaN", "-Infinity", "1e999", '"\\ud800"', "[NaN]", "It may", "not all", "- one", "2 of 3", "{'a': 1}"]
    ),
    st.text(alphabet='{}[]",:-0123456789eEtrufalsn \n', max_size=6),
)


@given(st.sampled_from(("", " ", "\n", "\x00")), written, st.sampled_from(("", " ", "\t", "x")))
def test_a_text_is_the_value_that_python_reads_in_it(before: str, told: str, after: str) -> None:
    """Or itself where that is none: it is known by how it begins."""
    try:
        expected = json.loads(before + told + after)
    except ValueError:
        expected = before + told + after
    assert repr(messages.load(before + told + after)) == repr(expected)
