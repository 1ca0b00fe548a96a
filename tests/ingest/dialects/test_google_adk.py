"""ADK: what its first schema's model was given and made, in Gemini's form, and what its tools' spans say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import genai, google_adk
from aftertrace.ingest.dialects.events import Reading
from aftertrace.ingest.records import Span

from .recordings import make_log, make_span, named, read_recording, values

SCOPE = "gcp.vertex.agent"


def calls() -> list[Reading]:
    """The model calls of the recording."""
    found = named(read_recording("google-adk", "v1_legacy_reject_approve"), "call_llm")
    return [reading for reading in map(google_adk.read, found) if reading is not None]


def test_a_model_call_states_what_it_proposed_and_was_told() -> None:
    """And its tokens, once, although a second span tells them too."""
    first, second = calls()[:2]
    assert [(event.event, event.state, event.call_id, event.arguments) for event in first.events] == [
        ("model.called", None, None, None),
        ("input.resolved", "system_prompt", None, None),
        ("input.resolved", "user_prompt", None, None),
        ("action.proposed", "proposed", "call_read", {"q": "a"}),
        ("action.proposed", "proposed", "call_del1", {"q": "b"}),
        ("action.proposed", "proposed", "call_pay", {"amount": 900}),
    ]
    answered = [(event.call_id, event.state) for event in second.events if event.event == "tool.called"]
    assert answered == [("call_read", "answered"), ("call_del1", "refused"), ("call_pay", "answered")]
    assert (first.operation, first.who.input_tokens, first.who.output_tokens) == ("step", 11, 7)


def test_a_model_call_names_model_prompt_tools_session_and_invocation() -> None:
    """What `genai` finds under the standard names in the second schema."""
    who = calls()[0].who
    assert (who.model, who.model_served) == ("fake-model", "fake-served")
    assert who.tool_names == ["read_db", "delete_db", "pay"]
    assert who.system_prompt_digest is not None
    assert (who.conversation_id, who.turn_id) == (
        "7e7f9724-f831-4345-9f06-0a8c0ac81870",
        "e-d4fbe6fc-20f4-44fa-9979-b1a2128b78d4",
    )


def test_without_content_the_tools_are_unknown_and_not_empty() -> None:
    """`ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=false` leaves empty values."""
    span = make_span("call_llm", {"gcp.vertex.agent.llm_request": {}, "gcp.vertex.agent.llm_response": {}}, scope=SCOPE)
    reading = google_adk.read(span)
    assert reading is not None
    assert reading.who.tool_names is None
    assert [event.event for event in reading.events] == ["model.called"]


def test_a_call_that_the_model_gave_no_id_has_none() -> None:
    """ADK puts a text in its place, the same for all of them."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "<not specified>"}
    reading = genai.read(make_span("execute_tool pay", attributes, scope=SCOPE))
    assert reading is not None
    assert reading.who.call_id is None


@pytest.mark.parametrize(
    "record",
    [
        make_span("execute_tool pay", {"gen_ai.operation.name": "execute_tool"}, scope="another"),
        make_span("generate_content m", {"gen_ai.system": "gemini"}, scope=SCOPE),
        make_span("call_llm", {}, scope="another"),
        make_log("call_llm", {}, scope=SCOPE),
    ],
)
def test_other_spans_follow_the_conventions_and_are_left_to_them(record: Any) -> None:
    """Nor are the spans of others its own."""
    assert google_adk.read(record) is None


def tool(**attributes: Any) -> tuple[Any, ...]:
    """What a tool's span says of its call: state, decider, rule, basis and reason."""
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "gen_ai.tool.type": "FunctionTool"}
    span = make_span(
        "execute_tool pay", {**told, **attributes}, scope=SCOPE, status=2 if "error.type" in attributes else 0
    )
    reading = google_adk.read(span)
    assert reading is not None
    (event,) = reading.events
    return event.state, event.decided_by, event.rule, event.basis, event.reason


SOURCE = "adk.experimental.response.source"
RESULT = "gen_ai.tool.call.result"
FAILED = {"error.type": "TOOL_ERROR"}


def test_a_recorded_tool_was_asked_about_refused_or_ran() -> None:
    """In the order of its spans."""
    spans = [record for record in read_recording("google-adk", "v2_content_reject_approve") if isinstance(record, Span)]
    readings = [google_adk.read(span) for span in spans]
    told = [(event, reading.who.call_id) for reading in readings if reading is not None for event in reading.events]
    assert [(call, event.event, event.state, event.rule) for event, call in told] == [
        ("call_read", "tool.called", "completed", None),
        ("call_del1", "approval.requested", None, "text:adk_asked"),
        ("call_pay", "approval.requested", None, "text:adk_asked"),
        ("call_del1", "tool.called", "refused", "text:adk_rejected"),
        ("call_pay", "tool.called", "completed", None),
    ]


def test_a_callback_that_answers_keeps_the_tool_from_running() -> None:
    """Its answer is a refusal if it is an error. A result may be one as well, or have been kept from before."""
    error = {SOURCE: "before_tool_callback", RESULT: '{"error":"Not on Mondays."}', **FAILED}
    assert tool(**error) == ("refused", "hook", "response_source", "explicit", "Not on Mondays.")
    cached = {SOURCE: "before_tool_callback", RESULT: '{"rows":3}'}
    assert tool(**cached) == ("refused", "hook", "response_source", "inferred", None)
    assert tool(**{SOURCE: "after_tool_callback"})[0] == "completed"
    assert tool(**{RESULT: '{"error":"Not on Mondays."}', **FAILED})[:2] == ("failed", None)


def test_a_callback_that_answers_for_an_error_does_not_undo_it() -> None:
    """The tool raised, and its span ended well."""
    assert tool(**{SOURCE: "on_tool_error_callback"})[:3] == ("failed", None, "response_source")


def test_a_tool_of_no_type_does_not_exist() -> None:
    """ADK puts its base class in the place of a tool that it did not find, with or without content."""
    assert tool(**{"gen_ai.tool.type": "BaseTool", "error.type": "ValueError"})[:4] == (
        "unknown_tool", None, "no_tool", "explicit",
    )  # fmt: skip
    assert tool(**{"gen_ai.tool.type": "BaseTool"})[0] == "completed"
    assert tool(**{"error.type": "ValueError"})[0] == "failed"


def test_adks_own_words_in_its_own_span_are_no_tools() -> None:
    """A refusal or wrong arguments, stated; a tool's own words are its result."""
    wrong = '{"error":"Invoking `pay()` failed as the following mandatory input parameters are not present:\\namount"}'
    assert tool(**{RESULT: wrong, **FAILED})[:4] == ("invalid_arguments", None, "text:adk_invalid", "explicit")
    assert tool(**{RESULT: '{"error":"no connection"}', **FAILED})[:4] == ("failed", None, None, "explicit")


content = st.fixed_dictionaries(
    {},
    optional={
        "role": values,
        "parts": values | st.lists(st.dictionaries(st.sampled_from(["function_call", "function_response"]), values)),
    },
)


@given(
    request=values | st.dictionaries(st.sampled_from(["contents", "config"]), values | st.lists(content, max_size=2)),
    response=values | st.dictionaries(st.sampled_from(["content", "model_version"]), values | content),
    tools=values,
)
def test_no_span_makes_it_fail(request: Any, response: Any, tools: Any) -> None:
    """Whatever the attributes hold."""
    if isinstance(request, dict):
        request["config"] = {"tools": tools}
    attributes = {"gcp.vertex.agent.llm_request": request, "gcp.vertex.agent.llm_response": response}
    assert google_adk.read(make_span("call_llm", attributes, scope=SCOPE)) is not None
    told = {"gen_ai.operation.name": "execute_tool", SOURCE: request, RESULT: response, "gen_ai.tool.type": tools}
    assert google_adk.read(make_span("execute_tool pay", told, scope=SCOPE)) is not None
