"""Files of requests: three forms, and an exact word about anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.cli import otlp_files
from aftertrace.cli.otlp_files import Item
from aftertrace.store.errors import Invalid

SPANS = '{"resourceSpans":[]}'
LOGS = '{"resourceLogs":[]}'


def write(folder: Path, name: str, content: bytes | str) -> Path:
    """A file in a folder."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def varint(value: int) -> bytes:
    """Base 128, least significant group first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def test_json_lines_tell_their_signal_by_their_key(tmp_path: Path) -> None:
    """Blank lines are passed over; every item says where it stood."""
    path = write(tmp_path, "mixed.jsonl", f"{SPANS}\n\n{LOGS}\n")
    assert list(otlp_files.read(path, None)) == [
        Item("traces", "json", f"{SPANS}\n".encode(), f"{path}:1", 21),
        Item("logs", "json", f"{LOGS}\n".encode(), f"{path}:3", 42),
    ]


def test_tagged_lines_are_unwrapped(tmp_path: Path) -> None:
    """The request inside comes out byte for byte."""
    path = write(tmp_path, "x.jsonl", '{"signal":"metrics","request":{"resourceMetrics": [ ]},"more":1}\n')
    assert [(item.signal, item.body) for item in otlp_files.read(path, None)] == [
        ("metrics", b'{"resourceMetrics": [ ]}')
    ]


def test_one_document_over_many_lines_is_read(tmp_path: Path) -> None:
    """As people keep it after looking at it."""
    document = json.dumps({"resourceLogs": [{"scopeLogs": []}]}, indent=2)
    path = write(tmp_path, "pretty.json", document)
    assert [(item.signal, item.body.decode()) for item in otlp_files.read(path, None)] == [("logs", document)]


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_length_delimited_requests_come_back_as_they_were_written(bodies: list[bytes]) -> None:
    """Any bytes, also none; the signal is in the file's name."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "traces.pb", b"".join(varint(len(body)) + body for body in bodies))
        assert [(item.signal, item.body) for item in otlp_files.read(path, None)] == [
            ("traces", body) for body in bodies
        ]


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_file_that_is_cut_short_is_told(body: bytes, data: st.DataObject) -> None:
    """Wherever the cut falls inside the last request, what stood before it is read and the rest is refused."""
    import tempfile

    whole = varint(len(body)) + body
    cut = data.draw(st.integers(1, len(whole) - 1))
    with tempfile.TemporaryDirectory() as folder:
        items = otlp_files.read(write(Path(folder), "logs.pb", whole + whole[:cut]), None)
        assert next(items).body == body
        with pytest.raises(Invalid):
            next(items)


def test_a_protobuf_file_that_begins_with_a_brace_is_not_taken_for_json(tmp_path: Path) -> None:
    """A first request of 123 bytes has the length byte of an opening brace."""
    path = write(tmp_path, "spans", bytes([123]) + bytes(123))
    assert [(item.signal, len(item.body)) for item in otlp_files.read(path, None)] == [("traces", 123)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '{"resourceSpans":[]}\n{"a":1}\n', r"x\.jsonl:2: 0 of resourceSpans"),
        ("x.jsonl", '{"resourceSpans":[],"resourceLogs":[]}', "2 of resourceSpans"),
        ("x.jsonl", "[1]", "not a JSON object of OTLP"),
        ("x.json", '{"resourceSpans":', "not a JSON object of OTLP"),
        ("x.jsonl", '{"signal":"profiles","request":{}}', "not a JSON object of OTLP"),
        ("data.pb", b"\x01x", "its name tells no signal"),
        ("logs-and-traces.pb", b"\x01x", "its name tells no signal"),
        ("traces.pb", b"\xff" * 12, "no length of at most"),
        ("traces.pb", varint(1 << 30), "no length of at most"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, name: str, content: bytes | str, message: str) -> None:
    """File, line or offset, and what was expected."""
    with pytest.raises(Invalid, match=message):
        list(otlp_files.read(write(tmp_path, name, content), None))


def test_a_signal_that_is_given_wins_over_the_name(tmp_path: Path) -> None:
    """For files named otherwise."""
    path = write(tmp_path, "data.pb", b"\x00")
    assert [item.signal for item in otlp_files.read(path, "logs")] == ["logs"]
