"""The recordings in the wheel: real, and moved in time without being changed."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.cli import recording

from .conftest import RECORDINGS

NOW_NS = 1_900_000_000_000_000_000
MESSAGES: dict[str, type[Message]] = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}


def times(message: Message) -> Iterator[int]:
    """Every time in a message, in order; 0 where it says none."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.name.endswith("time_unix_nano"):
            yield value
        elif field.message_type is not None and not field.has_presence:
            for part in value:
                yield from times(part)


def decoded(name: str, ends_ns: int) -> list[Message]:
    """A recording's requests, moved so that it ends at a time."""
    exports = recording.moved(RECORDINGS / name, ends_ns)
    return [MESSAGES[export.signal].FromString(export.body) for export in exports]


def without_times(message: Message) -> bytes:
    """A message with every time taken out."""
    bare = type(message)()
    bare.CopyFrom(message)
    clear(bare)
    return bare.SerializeToString(deterministic=True)


def clear(message: Message) -> None:
    """Take every time out of a message."""
    for field, value in message.ListFields():
        if field.name.endswith("time_unix_nano"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if field.has_presence else value:
                clear(part)


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(recording.names()), by_ns=st.integers(-(10**18), 10**18))
def test_moving_a_recording_changes_its_times_alone_and_all_by_the_same(name: str, by_ns: int) -> None:
    """Order, lengths, absent times and everything else stay as they were recorded."""
    before, after = decoded(name, NOW_NS), decoded(name, NOW_NS + by_ns)
    assert [without_times(message) for message in before] == [without_times(message) for message in after]
    moved = [list(times(message)) for message in after]
    assert moved == [[time_ns + by_ns if time_ns else 0 for time_ns in times(message)] for message in before]
    assert max(time_ns for message in moved for time_ns in message) == NOW_NS + by_ns


def test_a_replay_ends_a_minute_ago_and_holds_every_recording() -> None:
    """Seven minutes apart, so that the pages have something to show."""
    requests = [MESSAGES[export.signal].FromString(export.body) for export in recording.replay(NOW_NS)]
    seen = [time_ns for request in requests for time_ns in times(request) if time_ns]
    assert NOW_NS - max(seen) == 60 * 10**9
    assert len(recording.names()) == 25
    assert {name.partition(".")[0] for name in recording.names()} == {
        "agent-framework",
        "ai-sdk-6",
        "claude-agent-sdk",
        "claude-code",
        "codex",
        "copilot-cli",
        "google-adk",
        "langchain",
        "openai-agents",
        "pydantic-ai",
        "strands",
    }


def test_no_recording_names_a_person_or_a_machine() -> None:
    """They are published: only stand-ins may be in them."""
    for path in RECORDINGS.iterdir():
        text = path.read_text()
        assert "/root/" not in text, path
        assert "@" not in text.replace("user@example.com", "").replace("@ai-sdk", "") or "example" in text, path
