"""Gemini CLI's and Qwen Code's records become the events they state: two forms of messages, cut text, two models."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import gemini, gemini_messages
from aftertrace.ingest.dialects.events import Event, Reading, Who

from .recordings import make_log, make_span, named, read_recording, values

SCOPE: Final = "gemini-cli"
QWEN: Final = "qwen-code"
EVENTS: Final = (
    "gemini_cli.tool_call", "gemini_cli.api_response", "gemini_cli.api_error", "gemini_cli.conseca.verdict",
    "gemini_cli.hook_call", "gemini_cli.plan.approval_mode_switch", "gemini_cli.user_prompt", "gemini_cli.config",
    "gen_ai.client.inference.operation.details", "qwen-code.tool_call", "qwen-code.api_response",
)  # fmt: skip
KEYS: Final = (
    "session.id", "prompt_id", "interactive", "function_name", "function_args", "duration_ms", "success", "status",
    "decision", "error", "error_type", "metadata", "verdict", "tool_call", "hook_event_name", "hook_input",
    "hook_output", "model", "input_token_count", "gen_ai.input.messages", "gen_ai.output.messages",
    "gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.response.model", "gen_ai.tool.call_id",
    "gen_ai.operation.name", "tool.failure_kind", "source", "new_context", "tool_input", "tools", "execution_status",
)  # fmt: skip
COMPLETED: Final = {
    "request": {"callId": "t__1", "name": "t", "args": {"a": 1}, "prompt_id": "p"},
    "status": "success",
    "response": {"responseParts": [{"functionResponse": {"response": {"output": "x"}}}]},
    "outcome": "proceed_once",
    "durationMs": 12,
    "startTime": 1,
}


def told(record: Any) -> Reading:
    """The reading of a record of this dialect."""
    reading = gemini.read(record)
    assert reading is not None
    return reading


def test_the_answer_of_a_model_proposes_calls_under_the_id_that_they_run_under() -> None:
    """The inference event of the answer: it names the model that served as the one asked for, too."""
    records = [
        record
        for record in read_recording("gemini-cli", "tty_allow_once_then_reject")
        if record.attributes.get("event.name") == "gen_ai.client.inference.operation.details"
        and "write_file" in str(record.attributes.get("gen_ai.output.messages"))
    ]
    (reading,) = [told(record) for record in records]
    assert reading.who == Who(
        conversation_id="79fadbf0-7634-4608-9949-62969a45de85",
        agent_name="gemini-cli",
        model_served="gemini-2.5-flash-served",
        system_prompt_digest=reading.who.system_prompt_digest,
    )
    assert reading.events == [
        Event(
            event="action.proposed",
            state="proposed",
            time_ns=1795245575387000000,
            tool_name="write_file",
            call_id="write_file__fc20c2975c",
            arguments={"file_path": "/home/user/project/n2.txt", "content": "x"},
            position=0,
            group="d676f92fff604476855fb3be2d30f7d1",
        )
    ]


def test_an_accepted_call_ran_when_its_span_began_and_came_to_its_control_before() -> None:
    """Six seconds lie between; the span has the content of the call, and its status is OK whatever it tells."""
    (record,) = named(read_recording("gemini-cli", "tty_allow_once_then_reject"), "tool_call")
    reading = told(record)
    assert reading.operation == "execute_tool"
    assert reading.who.turn_id == "79fadbf0-7634-4608-9949-62969a45de85########0"
    assert [(event.event, event.state, event.rule, event.time_ns) for event in reading.events] == [
        ("policy.evaluated", "allow", "proceed_once", 1795245569117000000),
        ("tool.called", "completed", "tool_call_span", 1795245575018000000),
    ]


def test_records_of_a_headless_run_belong_to_the_session_whatever_they_name() -> None:
    """Every model call and batch is a trace of its own there; at a terminal each prompt is a run."""
    attributes = {"event.name": "gemini_cli.user_prompt", "session.id": "s", "prompt_id": "s########3", "prompt": "go"}
    readings = [told(make_log("", attributes | {"interactive": there}, scope=SCOPE)) for there in (False, True)]
    assert [reading.who.turn_id for reading in readings] == ["s", "s########3"]


def test_tokens_are_told_once_and_the_model_that_served_is_not_the_one_asked_for() -> None:
    """By `api_response`; the inference event repeats them."""
    response = {"event.name": "gemini_cli.api_response", "model": "m-served", "input_token_count": 11,
                "output_token_count": 7, "role": "main"}  # fmt: skip
    inference = {"event.name": "gen_ai.client.inference.operation.details", "gen_ai.request.model": "m",
                 "gen_ai.usage.input_tokens": 11}  # fmt: skip
    first, second = (told(make_log("", attributes, scope=SCOPE)).who for attributes in (response, inference))
    assert (first.model, first.model_served, first.input_tokens, first.output_tokens) == (None, "m-served", 11, 7)
    assert (second.model, second.model_served, second.input_tokens) == ("m", None, None)


def test_the_system_prompt_has_one_digest_in_both_its_forms_and_tools_are_listed_by_name() -> None:
    """As a JSON text in the span, as a text part in the log event."""
    span = make_span(
        "llm_call",
        {
            "gen_ai.operation.name": "llm_call",
            "gen_ai.system_instructions": '"Be careful.\\nAlways."',
            "gen_ai.tool.definitions": '[{"functionDeclarations": [{"name": "read_file"}, {"name": "shell"}]}]',
        },
        scope=SCOPE,
    )
    log = make_log(
        "",
        {
            "event.name": "gen_ai.client.inference.operation.details",
            "gen_ai.system_instructions": '[{"type":"text","content":"Be careful.\\nAlways."}]',
        },
        scope=SCOPE,
    )
    assert told(span).who.system_prompt_digest == told(log).who.system_prompt_digest is not None
    assert told(span).who.tool_names == ["read_file", "shell"]


def test_a_change_of_the_approval_mode_is_kept() -> None:
    """With both modes."""
    attributes = {"event.name": "gemini_cli.plan.approval_mode_switch", "from_mode": "default", "to_mode": "yolo"}
    (event,) = told(make_log("", attributes, scope=SCOPE)).events
    assert event == Event(
        event="input.resolved",
        state="permission_mode",
        time_ns=9_000_000_000,
        content="yolo",
        attributes={"bypass": True, "from_mode": "default"},
    )


def test_a_hook_that_blocks_is_told_with_its_reason() -> None:
    """By name, which the sender asserts."""
    attributes = {
        "event.name": "gemini_cli.hook_call", "hook_event_name": "BeforeTool", "hook_name": "no-rm", "success": True,
        "hook_input": '{"tool_name": "shell", "tool_input": {"command": "rm"}}',
        "hook_output": '{"decision": "block", "reason": "no deletes"}',
    }  # fmt: skip
    assert told(make_log("", attributes, scope=SCOPE)).events == [
        Event(
            event="policy.evaluated",
            state="deny",
            time_ns=9_000_000_000,
            tool_name="shell",
            arguments={"command": "rm"},
            decided_by="hook",
            decider="no-rm",
            identity="asserted",
            reason="no deletes",
            rule="hook_call",
        )
    ]


def test_of_a_cut_batch_every_call_that_is_whole_is_read_and_the_others_are_known_to_be_scheduled() -> None:
    """Ten thousand characters may end inside the first result."""
    second = {**COMPLETED, "request": {"callId": "t__2", "name": "t", "args": {"a": 2}}}
    whole = json.dumps([COMPLETED, second])
    cut = f"{whole[:-170]}...[TRUNCATED: original length {len(whole)}]"
    asked = [COMPLETED["request"], second["request"]]
    span = make_span(
        "schedule_tool_calls",
        {
            "gen_ai.operation.name": "schedule_tool_calls",
            "gen_ai.input.messages": json.dumps(asked),
            "gen_ai.output.messages": cut,
        },
        scope=SCOPE,
    )
    states = [(event.call_id, event.state) for event in told(span).events if event.event == "tool.called"]
    assert states == [("t__1", "completed"), ("t__2", "entered")]


@given(cut_at=st.integers(0, 400), inner=st.recursive(st.none() | st.text(max_size=6) | st.integers(), st.lists))
def test_a_cut_text_is_read_up_to_where_it_is_cut(cut_at: int, inner: Any) -> None:
    """Whatever is read stands so in the whole, and an uncut text is read whole."""
    whole = [COMPLETED, {"inner": inner}]
    text = json.dumps(whole)
    assert gemini_messages.whole(text) == whole
    found = gemini_messages.whole(text[:cut_at] + "...[TRUNCATED: original length 99999]")
    assert not isinstance(found, list) or len(found) <= len(whole)
    if isinstance(found, list) and found:
        assert set(found[0]) <= set(COMPLETED)


@pytest.mark.parametrize(
    ("kind", "state", "decided_by"),
    [
        ("permission_denied", "refused", "policy"),
        ("permission_hook_denied", "refused", "hook"),
        ("invocation_guard_denied", "refused", "guardrail"),
        ("cancelled", "cancelled", None),
        ("tool_exception", "failed", None),
        (None, "entered", None),
    ],
)
def test_the_span_of_a_qwen_call_proves_no_run_by_itself(kind: str | None, state: str, decided_by: str | None) -> None:
    """Its failure kind tells what kept it from one."""
    attributes: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "edit"}
    if kind is not None:
        attributes["tool.failure_kind"] = kind
    called = told(make_span("qwen-code.tool", attributes, scope=QWEN)).events[-1]
    assert (called.state, called.decided_by) == (state, decided_by)


@pytest.mark.parametrize(
    "record",
    [
        make_span("tool_call", {"gen_ai.operation.name": "tool_call"}, scope="gemini"),
        make_span("POST", {"http.request.method": "POST"}, service="gemini-cli"),
        make_log("", {"event.name": "codex.tool_decision"}, scope="codex_otel"),
        make_log("", {"event.name": "gemini_cli.tool_call"}, scope="shop"),
        make_span("tool_call", {"event.name": "qwen-code.tool_call"}, scope="shop"),
        make_log("", {"event.name": "gen_ai.client.inference.operation.details"}, scope="other"),
    ],
)
def test_records_of_others_are_left_to_others(record: Any) -> None:
    """Also those of a library inside the same process."""
    assert gemini.read(record) is None


names = st.sampled_from(EVENTS) | values
attributes = st.dictionaries(st.sampled_from(KEYS), values | st.sampled_from([json.dumps([COMPLETED]), "[{"]))


@given(name=names, given_attributes=attributes, scope=st.sampled_from([SCOPE, QWEN]))
def test_no_log_record_makes_it_fail(name: object, given_attributes: dict[str, object], scope: str) -> None:
    """Whatever the attributes hold."""
    assert gemini.read(make_log("", {"event.name": name, **given_attributes}, scope=scope)) is not None


@given(
    name=st.sampled_from(["llm_call", "tool_call", "schedule_tool_calls", "qwen-code.tool", "qwen-code.llm_request",
                          "qwen-code.interaction", "qwen-code.tool.blocked_on_user", "qwen-code.tool.execution"]),
    given_attributes=attributes,
    scope=st.sampled_from([SCOPE, QWEN]),
)  # fmt: skip
def test_no_span_makes_it_fail(name: str, given_attributes: dict[str, object], scope: str) -> None:
    """Whatever the attributes hold."""
    assert gemini.read(make_span(name, {"gen_ai.operation.name": name, **given_attributes}, scope=scope)) is not None
