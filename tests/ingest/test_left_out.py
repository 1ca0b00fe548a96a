"""Content that the configuration leaves out: what was said goes, who did what stays."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.ingest.left_out import LeavingOut
from aftertrace.ingest.redact_tokens import Tokens
from aftertrace.ingest.redaction_policy import Capture
from aftertrace.semconv.canonical import canonical_json

TOKENS = Tokens(b"k" * 32)
CANARY = "hunter2-CANARY"


def kept(key: str, value: Any, mode: Capture = "metadata-only") -> Any:
    """What is kept of an attribute."""
    return LeavingOut(mode, TOKENS.left_out).of_attribute(key, value, Counter())


GONE = "[[left-out:metadata-only]]"

MESSAGES = [
    {"role": "system", "parts": [{"type": "text", "content": CANARY}]},
    {
        "role": "assistant",
        "parts": [
            {"type": "tool_call", "id": "call_1", "name": "refund", "arguments": {"name": CANARY, "type": "text"}}
        ],
        "finish_reason": "tool_call",
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": {"id": CANARY}}]},
]
WITHOUT = [
    {"role": "system", "parts": [{"type": "text", "content": GONE}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "call_1", "name": "refund", "arguments": GONE}],
        "finish_reason": "tool_call",
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": GONE}]},
]


def test_messages_keep_roles_tools_and_ids() -> None:
    """So that proposals are still seen, as JSON text and as a list of maps alike."""
    assert json.loads(kept("gen_ai.input.messages", json.dumps(MESSAGES))) == WITHOUT
    assert kept("gen_ai.input.messages", MESSAGES) == WITHOUT


def test_calls_of_openai_keep_their_function() -> None:
    """Whose arguments are JSON in JSON."""
    call = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": '{"to": "x"}'}}
    told = json.dumps([{"role": "assistant", "content": None, "tool_calls": [call]}])
    gone = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": GONE}}
    assert json.loads(kept("ai.prompt.messages", told)) == [
        {"role": "assistant", "content": None, "tool_calls": [gone]}
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.tool.call.arguments", json.dumps({"role": "user", "name": CANARY})),
        ("gen_ai.tool.call.arguments", {"type": "tool_call", "name": CANARY}),
        ("gen_ai.tool.call.result", CANARY),
        ("gen_ai.completion.0.tool_calls.1.arguments", CANARY),
        ("llm.input_messages.0.message.content", CANARY),
        ("ai.toolCall.args", CANARY),
        ("toolInput", CANARY),
        ("tool_response", CANARY),
        ("prompt", CANARY),
        ("user_prompt", CANARY),
        ("input.value", CANARY),
        ("traceloop.entity.output", json.dumps({"outputs": {"name": CANARY}})),
        ("exception.message", CANARY),
        ("exception.stacktrace", f"a\n{CANARY}"),
        ("anything", "x" * 300 + CANARY),
        ("anything", f"first line\n{CANARY}"),
        ("gen_ai.input.messages", '[{"role": "user", "content": "' + CANARY),
        ("output.value", [{"name": CANARY}, [CANARY]]),
        ("output.value", CANARY.encode()),
        ("aftertrace.input.content", CANARY),
        ("aftertrace.approval.shown.text", CANARY),
        ("mcp.tools.call.arguments", CANARY),
        ("full_command", CANARY),
        ("github.copilot.tool.parameters.command", CANARY),
        ("process.command_args", ["-p", CANARY]),
        ("account", f"first line\n{CANARY}"),
        ("anything", [f"first line\n{CANARY}"]),
        ("anything", f"first line\n{CANARY}".encode()),
        ("gen_ai.tools.input", CANARY),
        ("gen_ai.tools.0.output", CANARY),
        ("gen_ai.input.messages", [{"role": "user", "content": {f"{CANARY} said": 1}}]),
        ("input.value", json.dumps({f"{CANARY}@example.com": 1})),
        ("input.value", json.dumps({"x" * 64 + CANARY: 1})),
        ("input.value", json.dumps({"type": "text", "id": CANARY})),
        ("input.value", json.dumps({"type": "message", "status": CANARY})),
        ("input.value", json.dumps({"type": "image", "function": {"name": CANARY}})),
        ("gen_ai.input.messages", f'[{{"role": "user", "content": "{CANARY}", "content": null}}]'),
        ("input.value", f'{{"x": "{{\\"a\\": \\"{CANARY}\\", \\"a\\": null}}"}}'),
    ],
)
def test_what_was_said_goes(key: str, value: Any) -> None:
    """Under the keys of all emitters, and by its form under any other."""
    assert CANARY not in str(kept(key, value))
    assert CANARY not in str(kept(key, value, "digest-only"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.tool.name", "refund"),
        ("gen_ai.usage.output_tokens", 7),
        ("gen_ai.prompt.name", "greeting"),
        ("gen_ai.response.model", "m-1"),
        ("session.id", "s-1"),
        ("gen_ai.tool.definitions", json.dumps([{"name": "refund", "description": "x" * 400}])),
        ("decision", "reject"),
        ("service.name", "x" * 300),
        ("aftertrace.retrieval.document.ids", ["d-1"]),
        ("llm.cost.prompt", "0.12"),
        ("llm.tools.0.tool.json_schema", json.dumps({"description": "x" * 400})),
        ("gen_ai.agent.tools", json.dumps(["x" * 300])),
        ("anything", ["a", "b"]),
        ("gen_ai.tool.call.result", ""),
        ("gen_ai.tool.call.arguments", None),
    ],
)
def test_what_says_who_did_what_stays(key: str, value: Any) -> None:
    """Names, counts, ids, definitions of tools, and what is empty."""
    hits: Counter[str] = Counter()
    assert LeavingOut("metadata-only", TOKENS.left_out).of_attribute(key, value, hits) == value
    assert not hits


def test_ids_stay_where_a_role_says_that_it_is_a_message() -> None:
    """A part alone keeps what it is."""
    item = {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": []}
    assert kept("output.value", json.dumps([item])) == json.dumps([item])
    assert kept("output.value", {"type": "text", "id": "x"}) == {"type": "text", "id": GONE}


def test_digests_join_equal_values_and_tell_others_apart() -> None:
    """Also where one comes as JSON text and the other as a map; of `metadata-only` nothing is told."""
    arguments = {"to": "x", "amount": 5}
    mark = TOKENS.left_out("digest-only", canonical_json(arguments))
    same = [
        kept("ai.toolCall.args", value, "digest-only") for value in (arguments, '{"amount": 5.0, "to":"x"}', '{"to":1}')
    ]
    assert [each == mark for each in same] == [True, True, False]
    assert kept("ai.toolCall.args", '{"to":1}') == GONE


def test_the_body_of_a_log_record_is_content_unless_it_names_an_event() -> None:
    """As agents' log records have it."""
    leaving_out = LeavingOut("metadata-only", TOKENS.left_out)
    bodies = (
        "claude_code.user_prompt",
        f"say {CANARY}",
        CANARY,
        "Ann@example.com",
        {"content": CANARY, "role": "user"},
    )
    assert [leaving_out.of_body(body, Counter()) for body in bodies] == [
        "claude_code.user_prompt",
        *[GONE] * 3,
        {"content": GONE, "role": "user"},
    ]


json_values = st.recursive(
    st.sampled_from([CANARY, f"{CANARY}\n", 1, None, True, "", f'{{"x": "{CANARY}"}}']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "arguments", "x", "function", "parts"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["gen_ai.output.messages", "tool_input", "body", "x.result"]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_form_of_content_is_kept(value: Any, key: str, as_text: bool) -> None:
    """Whatever its nesting, where no member says what a message is."""
    told = json.dumps(value) if as_text else value
    assert CANARY not in json.dumps(kept(key, told))
