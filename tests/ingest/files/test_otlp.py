"""Files of requests: three forms, and an exact word about anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import files
from aftertrace.ingest.files import Item, Refused
from aftertrace.store.errors import Invalid
from aftertrace.store.request import Signal

SPANS = '{"resourceSpans":[]}'
LOGS = '{"resourceLogs":[]}'


def write(folder: Path, name: str, content: bytes | str) -> Path:
    """A file in a folder."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, signal: Signal | None = None) -> list[Item | Refused]:
    """All that a file gives."""
    with files.opened(path) as source:
        return list(files.read(source, signal))


def requests(path: Path, signal: Signal | None = None) -> list[tuple[Signal, bytes]]:
    """The requests of a file that gives nothing else."""
    return [(item.signal, item.body) for item in read(path, signal) if isinstance(item, Item)]


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
    assert read(path) == [
        Item("traces", "json", SPANS.encode(), f"{path}:1"),
        Item("logs", "json", LOGS.encode(), f"{path}:3"),
    ]


def test_tagged_lines_are_unwrapped(tmp_path: Path) -> None:
    """The request inside comes out byte for byte."""
    path = write(tmp_path, "x.jsonl", '{"signal":"metrics","request":{"resourceMetrics": [ ]},"more":1}\n')
    assert requests(path) == [("metrics", b'{"resourceMetrics": [ ]}')]


def test_one_document_over_many_lines_is_read(tmp_path: Path) -> None:
    """As people keep it after looking at it; or several of them in a list."""
    document = {"resourceLogs": [{"scopeLogs": []}]}
    pretty = json.dumps(document, indent=2)
    assert requests(write(tmp_path, "pretty.json", pretty)) == [("logs", pretty.encode())]
    listed = write(tmp_path, "list.json", json.dumps([document, document], indent=2))
    assert [(signal, json.loads(body)) for signal, body in requests(listed)] == [("logs", document)] * 2


bodies = st.lists(st.just(b"") | st.binary(max_size=100).map(lambda inner: b"\x0a" + varint(len(inner)) + inner))


@given(bodies.filter(bool))
def test_length_delimited_requests_come_back_as_they_were_written(bodies: list[bytes]) -> None:
    """Whatever is in them, also nothing; the signal is in the file's name."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "traces.pb", b"".join(varint(len(body)) + body for body in bodies))
        assert requests(path) == [("traces", body) for body in bodies]


@given(bodies.filter(bool), st.data())
def test_a_file_that_is_cut_short_is_told(bodies: list[bytes], data: st.DataObject) -> None:
    """Wherever the cut falls inside the last request, what stood before it is read and the rest is refused."""
    import tempfile

    whole = varint(200) + b"\x0a" + varint(197) + bytes(197)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "logs.pb", b"".join(varint(len(body)) + body for body in bodies) + whole[:cut])
        with files.opened(path) as source:
            items = files.read(source)
            for body in bodies:
                item = next(items)
                assert isinstance(item, Item)
                assert item.body == body
            with pytest.raises(Invalid):
                next(items)


def test_a_protobuf_file_that_begins_with_a_brace_is_not_taken_for_json(tmp_path: Path) -> None:
    """A first request of 123 bytes has the length byte of an opening brace."""
    body = b"\x0a\x79" + bytes(121)
    assert requests(write(tmp_path, "spans", bytes([123]) + body)) == [("traces", body)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", "[1]", "of no known format"),
        ("x.json", '{"resourceSpans', "of no known format"),
        ("x.txt", "a\nb", "of no known format"),
        ("data.pb", b"\x02\x0a\x00", "its name tells no signal"),
        ("logs-and-traces.pb", b"\x02\x0a\x00", "its name tells no signal"),
        ("traces.pb", b"\x02\x0a\x00" + b"\xff" * 12, "no length of at most"),
        ("traces.pb", b"\x02\x0a\x00" + varint(1 << 30), "no length of at most"),
        ("x.json", '[{"resourceSpans":[]},{"resourceSpans":[]', "the JSON ends before it is whole"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, name: str, content: bytes | str, message: str) -> None:
    """File, line or offset, and what was expected."""
    with pytest.raises(Invalid, match=message):
        read(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"a":1}', "0 of resourceSpans, resourceLogs and resourceMetrics, expected one, or signal and request"),
        (
            '{"resourceSpans":[],"resourceLogs":[]}',
            "2 of resourceSpans, resourceLogs and resourceMetrics, expected one, or signal and request",
        ),
        ("[1]", "not a JSON object of OTLP: Expected `object`, got `array`"),
        ('{"resourceSpans":', "not a JSON object of OTLP: Input data was truncated"),
        (
            '{"signal":"profiles","request":{}}',
            "not a JSON object of OTLP: Invalid enum value 'profiles' - at `$.signal`",
        ),
    ],
)
def test_a_broken_line_is_named_and_nothing_else_is_lost(tmp_path: Path, line: str, why: str) -> None:
    """Whatever stands after it is read."""
    path = write(tmp_path, "x.jsonl", f"{SPANS}\n{line}\n{LOGS}\n")
    assert read(path) == [
        Item("traces", "json", SPANS.encode(), f"{path}:1"),
        Refused(f"{path}:2", why),
        Item("logs", "json", LOGS.encode(), f"{path}:3"),
    ]


def test_a_signal_that_is_given_wins_over_the_name(tmp_path: Path) -> None:
    """For files named otherwise."""
    assert requests(write(tmp_path, "data.pb", b"\x00"), "logs") == [("logs", b"")]
