"""Plain message logs of OpenAI's and Anthropic's APIs: what became of every call, as far as the model was told."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aftertrace.ingest import files

from . import frames

REFUSED: Final = "Tool execution was not approved."
COLUMNS: Final = ("tool_call_id", "tool_name", "outcome", "decided_by", "basis")


def write(folder: Path, *entries: Any, name: str = "log.jsonl") -> Path:
    """A file with an entry a line."""
    path = folder / name
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


def calls(*paths: Path, columns: tuple[str, ...] = COLUMNS) -> list[tuple[Any, ...]]:
    """Columns of the calls that files tell of, in the order of their conversation."""
    return frames.of_files(*paths).analysis().calls.sort("conversation_id", "ordinal").select(columns).rows()


def user(content: Any) -> dict[str, Any]:
    """What a user says."""
    return {"role": "user", "content": content}


def makes(*made: tuple[str | None, str, dict[str, Any]]) -> dict[str, Any]:
    """A message of OpenAI's form with calls: id, name and arguments of each."""
    functions = [
        {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}, "id": call_id}
        for call_id, name, arguments in made
    ]
    for each in functions:
        if each["id"] is None:
            del each["id"]
    return {"role": "assistant", "content": None, "tool_calls": functions}


def told(call_id: str, content: str) -> dict[str, Any]:
    """What the model is told became of a call."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


CHAT: Final = [
    {"role": "system", "content": "be tidy"},
    user("tidy up"),
    makes(("call_ls3456789", "ls", {"path": "/"}), ("call_rm3456789", "rm", {}), ("call_no3456789", "nope", {})),
    told("call_ls3456789", "a b"),
    told("call_rm3456789", REFUSED),
    told("call_no3456789", "Unknown tool: nope"),
    makes(("call_cp3456789", "cp", {})),
]
OF_CHAT: Final = [
    ("call_ls3456789", "ls", "executed", None, "inferred"),
    ("call_rm3456789", "rm", "denied", "human", "inferred"),
    ("call_no3456789", "nope", "unknown_tool", None, "inferred"),
    ("call_cp3456789", "cp", "pending", None, "inferred"),
]


@pytest.mark.parametrize(
    "entries",
    [
        [{"messages": CHAT}],
        [CHAT, [user("hello")]],
        CHAT,
        [{"model": "m", "messages": CHAT[:3]}, {"model": "m", "messages": CHAT}],
        [{"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": CHAT}}],
        [{"task": 1, "traj": CHAT, "reward": 0.5}],
    ],
    ids=["a conversation", "lists", "a message a line", "requests", "a batch", "a trajectory"],
)
def test_a_conversation_tells_the_same_however_it_is_laid_out(tmp_path: Path, entries: list[Any]) -> None:
    """And also as a list or an object over many lines."""
    assert calls(write(tmp_path, *entries)) == OF_CHAT
    pretty = tmp_path / "pretty.json"
    pretty.write_text(json.dumps(entries[0] if len(entries) == 1 else entries, indent=1), encoding="utf-8")
    assert calls(pretty) == OF_CHAT


def test_a_log_without_times_gives_none(tmp_path: Path) -> None:
    """Neither of calls nor of runs, and no waits; they stay in their order."""
    analysis = frames.of_files(write(tmp_path, {"model": "m", "messages": CHAT})).analysis()
    times = ("first_ns", "proposed_at", "decided_at", "started_at", "ended_at", "wait_ns")
    assert analysis.calls.select(pl.col(times).count()).row(0) == (0,) * len(times)
    assert analysis.runs.select("prompt", "model", "started_at", "ended_at", "duration_ns").rows() == [
        ("tidy up", "m", None, None, None)
    ]
    assert analysis.approvals.select("tool_name", "decision", "asked_at", "wait_ns").rows() == [
        ("rm", "rejected", None, None)
    ]
    timed = [{**message, "timestamp": f"2026-11-20T10:00:0{n}Z"} for n, message in enumerate(CHAT)]
    assert calls(write(tmp_path, *timed), columns=("tool_name", "proposed_at")) != calls(
        write(tmp_path, *CHAT, name="untimed.jsonl"), columns=("tool_name", "proposed_at")
    )


def test_a_log_that_grew_adds_only_what_is_new(tmp_path: Path) -> None:
    """Whatever was imported before: the same file, a shorter or a longer one, exchanges of the same conversation."""
    whole = write(tmp_path, {"messages": CHAT})
    short = write(tmp_path, {"messages": CHAT[:4]}, name="short.jsonl")
    assert calls(short, whole, whole, short) == OF_CHAT
    assert frames.of_files(short, whole).analysis().runs.height == 1
    once, twice = frames.of_files(whole), frames.of_files(whole, whole)
    assert once.events.height == twice.events.height


def test_conversations_that_open_alike_stay_apart(tmp_path: Path) -> None:
    """By the ids of their calls; where there are none, by the file and by how they go on."""
    other = json.loads(json.dumps(CHAT).replace("3456789", "9876543"))
    assert len(calls(write(tmp_path, {"messages": CHAT}, {"messages": other}))) == 2 * len(OF_CHAT)
    anonymous = [user("tidy up"), makes((None, "ls", {})), {"role": "tool", "name": "ls", "content": "a"}]
    refused = [*anonymous[:2], {"role": "tool", "name": "ls", "content": REFUSED}]
    expected = [("1.0", "ls", "denied", "human", "inferred"), ("1.0", "ls", "executed", None, "inferred")]
    assert sorted(calls(write(tmp_path, {"messages": anonymous}, {"messages": refused}))) == expected
    apart = [write(tmp_path, {"messages": each}, name=f"{n}.jsonl") for n, each in enumerate((anonymous, refused))]
    assert sorted(calls(*apart)) == expected
    longer = [*anonymous, {"role": "assistant", "content": "done"}]
    assert calls(write(tmp_path, {"messages": anonymous}, {"messages": longer})) == expected[1:]


def test_calls_without_ids_are_told_by_their_place(tmp_path: Path) -> None:
    """The same tool with the same arguments, twice in a message and again later, also in the oldest form."""
    log = [
        user("look"),
        makes((None, "ls", {}), (None, "ls", {})),
        {"role": "tool", "name": "ls", "content": "a"},
        {"role": "tool", "name": "ls", "content": REFUSED},
        {"role": "assistant", "content": None, "function_call": {"name": "ls", "arguments": "{}"}},
        {"role": "function", "name": "ls", "content": "b"},
    ]
    assert calls(write(tmp_path, *log)) == [
        ("1.0", "ls", "executed", None, "inferred"),
        ("1.1", "ls", "denied", "human", "inferred"),
        ("4.0", "ls", "executed", None, "inferred"),
    ]
    weak = json.loads(json.dumps(CHAT).replace("call_ls3456789", "call_0").replace("call_cp3456789", "call_0"))
    assert [outcome for _, _, outcome, _, _ in calls(write(tmp_path, *weak))] == [
        outcome for _, _, outcome, _, _ in OF_CHAT
    ]


def test_what_a_harness_says_in_a_message_is_about_the_calls_before_it(tmp_path: Path) -> None:
    """Of a call that was proposed, or of one that the model only wrote about; never of one of another turn."""
    refusal = "<function_error>[CALL ERROR] The function calling of rm has been refused.</function_error>"
    log = [
        user("tidy up"),
        {"role": "assistant", "content": "<function_call>[rm(path='/')]</function_call>"},
        user(refusal),
        makes(("call_rm3456789", "rm", {"path": "/x"})),
        told("call_rm3456789", "gone"),
        makes(("call_rm9876543", "rm", {"path": "/y"})),
        user(refusal),
    ]
    assert calls(write(tmp_path, *log)) == [
        ("2.1", "rm", "denied", "guardrail", "inferred"),
        ("call_rm3456789", "rm", "executed", None, "inferred"),
        ("call_rm9876543", "rm", "denied", "guardrail", "inferred"),
    ]


def test_an_error_that_is_kept_apart_and_a_call_that_nobody_proposed_are_read(tmp_path: Path) -> None:
    """As harnesses write them that run tools from code, and repeat the call beside its result."""
    log = [
        user("tidy up"),
        {"role": "tool", "content": "a", "tool_call": {"function": "ls", "args": {}, "id": ""}, "tool_call_id": ""},
        makes(("call_rm3456789", "rm", {}), ("call_no3456789", "nope", {})),
        {**told("call_rm3456789", ""), "error": "rm: no such file"},
        {**told("call_no3456789", ""), "error": "Invalid tool nope provided."},
    ]
    assert calls(write(tmp_path, *log)) == [
        ("1.0", "ls", "executed", None, "inferred"),
        ("call_rm3456789", "rm", "failed", None, "inferred"),
        ("call_no3456789", "nope", "unknown_tool", None, "inferred"),
    ]


def exchange(given: list[Any], made: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request with its response, in OpenAI's chat form."""
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    response = {"model": "m-1", "choices": [{"index": 0, "message": {"refusal": None, **made}}], "usage": usage, **more}
    tools = [{"type": "function", "function": {"name": name}} for name in ("ls", "rm", "cp")]
    return {"request": {"model": "m", "tools": tools, "messages": given}, "response": response}


def test_exchanges_repeat_what_was_said_and_double_nothing(tmp_path: Path) -> None:
    """Each request holds all before it. Also where the log begins in the middle, and with ids that come again."""
    log = [
        exchange(CHAT[:2], CHAT[2], created=1_763_632_800, id="chatcmpl-1"),
        exchange(CHAT[:6], CHAT[6], created=1_763_632_860, id="chatcmpl-2"),
    ]
    analysis = frames.of_files(write(tmp_path, *log)).analysis()
    assert analysis.calls.sort("ordinal").select(COLUMNS).rows() == OF_CHAT
    assert analysis.runs.select("model", "model_served", "input_tokens", "tools_available", "prompt").rows() == [
        ("m", "m-1", 20, ["cp", "ls", "rm"], "tidy up")
    ]
    assert calls(write(tmp_path, log[1])) == OF_CHAT
    weak = json.loads(json.dumps(log).replace("call_ls3456789", "call_0").replace("call_cp3456789", "call_0"))
    assert [outcome for _, _, outcome, _, _ in calls(write(tmp_path, *weak))] == [
        outcome for _, _, outcome, _, _ in OF_CHAT
    ]


ASKED: Final = {"type": "mcp_approval_request", "name": "pay", "server_label": "bank"}


def test_an_approval_of_a_remote_tool_is_a_decision(tmp_path: Path) -> None:
    """It is the only thing in such a log that says who let a call through. One that nobody answered waits."""
    log = {
        "object": "response",
        "created_at": 1_763_632_800,
        "model": "m",
        "input": [
            user("pay them"),
            {**ASKED, "id": "mcpr_1", "arguments": '{"eur":900}'},
            {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False, "reason": "too much"},
            {**ASKED, "id": "mcpr_2", "arguments": '{"eur":9}'},
            {"type": "mcp_approval_response", "approval_request_id": "mcpr_2", "approve": True},
        ],
        "output": [
            {
                "type": "mcp_call",
                "id": "mcp_2",
                "approval_request_id": "mcpr_2",
                "name": "pay",
                "arguments": '{"eur":9}',
                "output": "paid",
                "status": "completed",
            },
            {**ASKED, "id": "mcpr_3", "arguments": '{"eur":90}'},
        ],
    }
    analysis = frames.of_files(write(tmp_path, log)).analysis()
    assert analysis.calls.sort("ordinal").select(*COLUMNS, "reason", "arguments").rows() == [
        ("mcpr_1", "pay", "denied", "human", "explicit", "too much", '{"eur":900}'),
        ("mcpr_2", "pay", "executed", "human", "explicit", None, '{"eur":9}'),
        ("mcpr_3", "pay", "pending", None, "explicit", None, '{"eur":90}'),
    ]
    answered = analysis.approvals.sort("tool_call_id", nulls_last=True)
    assert answered.select("decision", "basis", "reviewer_identity", "wait_ns").rows() == [
        ("rejected", "explicit", "inferred", None),
        ("granted", "explicit", "inferred", None),
        ("pending", "inferred", None, None),
    ]


def test_items_of_every_kind_are_calls(tmp_path: Path) -> None:
    """What the provider runs has a status of its own; what the client runs, an output."""
    log = [
        user("do it all"),
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "ls", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "a"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "grammar", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": REFUSED},
        {"type": "shell_call", "call_id": "call_3", "action": {"commands": ["false"]}},
        {
            "type": "shell_call_output",
            "call_id": "call_3",
            "output": [{"stdout": "", "stderr": "no", "outcome": {"type": "exit", "exit_code": 1}}],
        },
        {"type": "apply_patch_call", "call_id": "call_4", "operation": {"type": "delete_file", "path": "x"}},
        {"type": "apply_patch_call_output", "call_id": "call_4", "status": "failed", "output": "no such file"},
        {"type": "computer_call", "call_id": "call_5", "action": {}, "pending_safety_checks": [{"id": "s"}]},
        {
            "type": "computer_call_output",
            "call_id": "call_5",
            "acknowledged_safety_checks": [{"id": "s"}],
            "output": {"type": "computer_screenshot"},
        },
        {"type": "web_search_call", "id": "ws_6", "status": "completed", "action": {"query": "x"}},
        {"type": "mcp_call", "id": "mcp_7", "name": "get", "arguments": "{}", "status": "failed", "error": "gone"},
        {"type": "mcp_call", "id": "mcp_8", "name": "get", "error": {"type": "http_error", "code": 403}},
        {"type": "local_shell_call", "call_id": "call_9", "action": {"command": ["ls"]}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
    ]
    assert calls(write(tmp_path, *log)) == [
        ("call_1", "ls", "executed", None, "inferred"),
        ("call_2", "grammar", "denied", "human", "inferred"),
        ("call_3", "shell", "failed", None, "inferred"),
        ("call_4", "apply_patch", "failed", None, "inferred"),
        ("call_5", "computer", "executed", "human_or_program", "inferred"),
        ("ws_6", "web_search", "executed", None, "explicit"),
        ("mcp_7", "get", "failed", None, "explicit"),
        ("mcp_8", "get", "denied", "target", "explicit"),
        ("call_9", "local_shell", "pending", None, "inferred"),
    ]


def test_responses_that_follow_each_other_are_one_conversation(tmp_path: Path) -> None:
    """A request that names the response before it holds only what is new."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_a23456789", "name": "ls", "arguments": "{}"}
    answer = {"type": "function_call_output", "call_id": "call_a23456789", "output": "a"}
    log = [
        {
            "request": {"model": "m", "input": "look"},
            "response": {"id": "resp_1", "object": "response", "created_at": 1_763_632_800, "output": [call]},
        },
        {
            "request": {"model": "m", "previous_response_id": "resp_1", "input": [answer]},
            "response": {"id": "resp_2", "object": "response", "created_at": 1_763_632_801, "output": []},
        },
    ]
    assert calls(write(tmp_path, *log)) == [("call_a23456789", "ls", "executed", None, "inferred")]
    assert calls(write(tmp_path, log[0])) == [("call_a23456789", "ls", "pending", None, "inferred")]


def uses(*made: tuple[str, str]) -> dict[str, Any]:
    """A message of Anthropic's form with calls: id and name of each."""
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": call_id, "name": name, "input": {}} for call_id, name in made],
    }


def results(*given: tuple[str, Any, bool]) -> dict[str, Any]:
    """What the model is told, in Anthropic's form: id, content and whether it is an error."""
    return user(
        [
            {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}
            for call_id, content, is_error in given
        ]
    )


CLAUDE: Final = [
    user("tidy up"),
    uses(("toolu_a23456789", "ls"), ("toolu_b23456789", "rm"), ("toolu_c23456789", "cp")),
    results(
        ("toolu_a23456789", "a b", False),
        ("toolu_b23456789", [{"type": "text", "text": "The user doesn't want to proceed with this tool use."}], True),
        ("toolu_c23456789", "cp: no such file", True),
    ),
]
OF_CLAUDE: Final = [
    ("toolu_a23456789", "ls", "executed", None, "inferred"),
    ("toolu_b23456789", "rm", "denied", "human_or_program", "inferred"),
    ("toolu_c23456789", "cp", "failed", None, "inferred"),
]


def test_an_anthropic_log_tells_errors_by_their_mark(tmp_path: Path) -> None:
    """As a conversation, and as exchanges."""
    conversation = {"model": "c", "system": "be tidy", "tools": [{"name": "ls"}], "messages": CLAUDE}
    analysis = frames.of_files(write(tmp_path, conversation)).analysis()
    assert analysis.calls.sort("ordinal").select(COLUMNS).rows() == OF_CLAUDE
    assert analysis.runs.select("dialects", "prompt", "model").rows() == [(["anthropic_messages"], "tidy up", "c")]
    response = {"id": "msg_1", "type": "message", "model": "c-1", "stop_reason": "tool_use", **CLAUDE[1]}
    log = [
        {"request": {"model": "c", "max_tokens": 9, "messages": CLAUDE[:1]}, "response": response},
        {
            "request": {"model": "c", "max_tokens": 9, "messages": CLAUDE},
            "response": {**response, "id": "msg_2", "content": [{"type": "text", "text": "done"}]},
        },
    ]
    assert calls(write(tmp_path, *log)) == OF_CLAUDE


def test_what_the_provider_ran_is_told_explicitly(tmp_path: Path) -> None:
    """Its searches, its code and remote MCP servers: the result stands in the model's own message."""
    content = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
        {"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_search", "input": {"query": "y"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_2",
            "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
        },
        {"type": "mcp_tool_use", "id": "mcptoolu_3", "name": "get", "server_name": "s", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_3", "is_error": True, "content": "gone"},
    ]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "c-1", "content": content}
    batch = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": {**message, "stop_reason": "end_turn"}}},
        {"custom_id": "b", "result": {"type": "errored", "error": {"type": "invalid_request"}}},
    ]
    expected = [
        ("srvtoolu_1", "web_search", "executed", None, "explicit", None),
        ("srvtoolu_2", "web_search", "failed", None, "explicit", "max_uses_exceeded"),
        ("mcptoolu_3", "get", "failed", None, "explicit", "gone"),
    ]
    assert calls(write(tmp_path, *batch), columns=(*COLUMNS, "reason")) == expected


LATER: Final = [
    user("hi"),
    {"role": "assistant", "content": "Hello! What now?"},
    user("tidy up"),
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "toolu_b23456789", "name": "rm", "input": {"path": "a"}}],
    },
    user(
        [
            {
                "type": "tool_result",
                "tool_use_id": "toolu_b23456789",
                "is_error": True,
                "content": "The user doesn't want to proceed with this tool use.",
            }
        ]
    ),
]
"""A conversation of Anthropic's API whose first answer is a text, as any vendor's would be."""
REFUSED_LATER: Final = [("toolu_b23456789", "rm", "denied", "human_or_program", "inferred")]


@pytest.mark.parametrize("form", ["lines", "list", "messages", "named"])
def test_a_vendor_that_shows_late_is_read_as_from_the_start(tmp_path: Path, form: str) -> None:
    """The model's first message tells nothing of it; the call after it is proposed and refused all the same."""
    entries = {"list": [LATER], "messages": [{"messages": LATER}], "named": [{"session_id": "s", "messages": LATER}]}
    assert calls(write(tmp_path, *entries.get(form, LATER))) == REFUSED_LATER


@pytest.mark.parametrize("name", [{}, {"session_id": "s"}])
@pytest.mark.parametrize("said", [LATER, CLAUDE])
def test_a_conversation_that_went_on_adds_only_what_is_new(
    tmp_path: Path, said: list[dict[str, Any]], name: dict[str, str]
) -> None:
    """Each message of it has one record, whatever came after: from the model's first on, or from the start if named."""
    parts = [{**name, "messages": said[:upto]} for upto in range(1 if name else 2, len(said) + 1)]
    grown = [write(tmp_path, part, name="log.jsonl") and _records(tmp_path / "log.jsonl") for part in parts]
    assert [records[: len(before)] == before for before, records in pairwise(grown)] == [True] * (len(grown) - 1)
    assert len(grown[-1]) == len(said) + bool(name)


def _records(path: Path) -> list[tuple[str, bytes]]:
    """The records of a file: the scope of each, and all that it is."""
    with files.opened(path) as source:
        items = [item for item in files.read(source) if isinstance(item, files.Item)]
    return [
        (scope.scope.name, record.SerializeToString(deterministic=True))
        for item in items
        for held in ExportLogsServiceRequest.FromString(item.body).resource_logs
        for scope in held.scope_logs
        for record in scope.log_records
    ]
