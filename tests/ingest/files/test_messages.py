"""Reading message logs: nothing in a file is lost, whatever it is, and which conversation a message is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aftertrace.ingest import files
from aftertrace.ingest.dialects import message_log
from aftertrace.ingest.files import conversations, messages, pieces
from aftertrace.store.errors import Invalid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ("role", "content", "tool_calls", "type", "id", "call_id", "messages", "input", "output", "choices", "request",
     "response", "result", "custom_id", "body", "system", "created", "metadata", "previous_response_id")
)  # fmt: skip
message = st.fixed_dictionaries(
    {"role": st.sampled_from(("user", "assistant", "tool")), "content": JSON},
    optional={"tool_calls": JSON, "type": JSON, "timestamp": JSON},
)
entry = st.dictionaries(KEYS, st.lists(message, max_size=3) | message | JSON, max_size=4) | message | st.lists(message)
FIRST: Final = {"messages": [{"role": "user", "content": "x"}]}


def bodies(path: Path) -> tuple[list[Any], list[str]]:
    """The bodies of the records of a file, decoded, and the places that were refused."""
    kept, refused = [], []
    with files.opened(path) as source:
        for item in files.read(source):
            if isinstance(item, files.Refused):
                refused.append(item.where.removeprefix(str(path)))
                continue
            for told in ExportLogsServiceRequest.FromString(item.body).resource_logs:
                kept += [json.loads(log.body.string_value) for log in told.scope_logs[0].log_records]
    return kept, refused


def leaves(value: Any) -> list[str]:
    """Everything that a value holds, in no order."""
    if isinstance(value, dict):
        return [leaf for key, held in value.items() for leaf in [key, *leaves(held)]]
    if isinstance(value, list):
        return [leaf for held in value for leaf in leaves(held)]
    return [json.dumps(value)]


@given(st.lists(entry, max_size=5))
def test_whatever_a_log_holds_is_kept(tmp_path_factory: pytest.TempPathFactory, entries: list[Any]) -> None:
    """An entry that is cut into messages is in their records and that of the rest, but for the key they stood under."""
    path = tmp_path_factory.mktemp("any") / "log.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in [FIRST, *entries]), encoding="utf-8")
    kept, refused = bodies(path)
    assert refused == []
    missing = list(leaves([FIRST, *entries]))
    for leaf in leaves(kept):
        missing.remove(leaf)
    assert set(missing) <= {"messages", "input", "output"}


@given(st.lists(st.text(max_size=30).filter(lambda text: "\n" not in text and "\r" not in text), max_size=4))
def test_a_broken_line_is_named_and_nothing_else_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    """Whatever stands in it."""
    path = tmp_path_factory.mktemp("broken") / "log.jsonl"
    text = [json.dumps(FIRST), *lines, json.dumps(FIRST)]
    path.write_text("\n".join(text), encoding="utf-8")
    kept, refused = bodies(path)
    bad = [number for number, line in enumerate(text, start=1) if line.encode().strip() and not _is_entry(line)]
    assert refused == [f":{number}" for number in bad]
    assert kept[0] == kept[-1] == FIRST["messages"][0]


def _is_entry(line: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict | list)
    except msgspec.DecodeError:
        return False


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_is_refused_and_nothing_else_is_lost(tmp_path: Path, depth: int) -> None:
    """As it would be in a request."""
    path = tmp_path / "log.jsonl"
    deep = '{"role":"user","content":' + "[" * depth + "]" * depth + "}"
    path.write_text(f"{json.dumps(FIRST)}\n{deep}\n{json.dumps(FIRST)}\n")
    kept, refused = bodies(path)
    assert kept[0] == kept[-1] == FIRST["messages"][0]
    assert (len(kept), refused) == ((2, [":2"]) if refused else (3, []))


@pytest.mark.parametrize(
    "text",
    ['{"a":1}\n', '[{"level":"info"}]', "hello\n", '{"content":"x"}\n', "[]", "{}"],
)
def test_a_file_of_no_known_format_gets_one_error(tmp_path: Path, text: str) -> None:
    """It lists what is known."""
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(Invalid) as told:
        bodies(path)
    assert str(told.value).startswith(f"read {path}: of no known format, expected one of: OTLP (JSON, or length-")
    assert [known.title for known in files.FORMATS if known.title not in str(told.value)] == []


def test_a_message_log_is_known_by_its_content() -> None:
    """OTLP and session files are others."""
    for text, expected in {
        b'{"role":"user","content":"x"}': True,
        b'{"model":"m","messages":[{"role":"user","content":"x"}': True,
        b'{"request":{},"response":{"choices":[{"message":{"role":"assistant","content":""}}]}}': True,
        b'[{"type":"function_call","name":"ls"}]': True,
        b'{"resourceLogs":[]}': False,
        b'{"sessionId":"s","uuid":"u","message":{"role":"user","content":"x"}}': False,
        b'{"messages":[]}': False,
    }.items():
        assert messages.is_log(pieces.look(text, is_whole=True)) is expected, text


@given(st.lists(message, min_size=1, max_size=5), st.data())
def test_a_conversation_keeps_its_id_as_it_grows(spoken: list[dict[str, Any]], data: st.DataObject) -> None:
    """From the model's first message on; and in another file too, if a provider's id stands in it."""
    made = {"role": "assistant", "tool_calls": [{"id": "call_0123456789"}]}
    first = next((n for n, each in enumerate(spoken) if conversations.is_made(each)), len(spoken))
    whole = [*spoken[:first], made, *spoken[first:]]
    short = whole[: data.draw(st.integers(first + 1, len(whole)))]
    log = conversations.Conversations("a")
    assert log.place(short, named=None).id == log.place(whole, named=None).id
    assert log.place(whole, named=None).known == len(whole)
    assert conversations.Conversations("b").place(whole, named=None).id == log.place(short, named=None).id


def test_a_name_that_the_log_gives_counts_alone() -> None:
    """Wherever it stands: beside the messages, in their metadata, or as the API's own conversation."""
    assert conversations.named({"metadata": {"session_id": "s"}}) == "s"
    assert conversations.named(None, {"conversation": {"id": "conv_1"}}) == "conv_1"
    assert conversations.named({"session_id": 7, "thread_id": ""}) is None
    log = conversations.Conversations("")
    first = log.place([{"role": "user", "content": "a"}], named="s")
    assert (first, log.place([{"role": "user", "content": "b"}], named="s").id) == (conversations.Place("s", 0), "s")


def test_the_scope_tells_the_vendor(tmp_path: Path) -> None:
    """Entry by entry, since a file may hold both."""
    path = tmp_path / "log.jsonl"
    claude = {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n"}]}]}
    path.write_text(f"{json.dumps(FIRST)}\n{json.dumps(claude)}\n")
    with files.opened(path) as source:
        requests = [ExportLogsServiceRequest.FromString(item.body) for item in files.read(source)]  # type: ignore[union-attr]  # nothing is refused
    scopes = [request.resource_logs[0].scope_logs[0].scope.name for request in requests]
    assert scopes == ["aftertrace.import.openai_messages", "aftertrace.import.anthropic_messages"]
    assert requests[0].resource_logs[0].scope_logs[0].log_records[0].event_name == message_log.MESSAGE
