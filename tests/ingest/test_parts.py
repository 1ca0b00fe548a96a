"""How much a request may hold: counted before it is decoded, and the same in both encodings."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import parts as parts_module
from aftertrace.ingest.parts import too_many, too_many_values
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.store.errors import AftertraceError
from aftertrace.store.memory import give_back
from aftertrace.store.request import Encoding, Prepare, Request, Signal

from .otlp_messages import REQUESTS, requests
from .otlp_text import otlp_json

MIB = 2**20
TIGHT = Limits(max_records=2, max_attributes=2, max_events=1)


def preparing(limits: Limits) -> Prepare:
    """`prepare` under these limits."""
    return make_prepare(RedactionPolicy(), limits=limits, key=b"k" * 32)


def verdict(prepare: Prepare, signal: Signal, body: bytes, encoding: Encoding) -> str:
    """What becomes of a request: `kept`, or the name of the error."""
    try:
        prepare(Request(signal, encoding, body, "anonymous", 1))
    except AftertraceError as error:
        return type(error).__name__
    return "kept"


def both(prepare: Prepare, signal: Signal, message: Any) -> tuple[str, str]:
    """The verdict on a message as protobuf and as JSON."""
    return (
        verdict(prepare, signal, message.SerializeToString(), "protobuf"),
        verdict(prepare, signal, otlp_json(message), "json"),
    )


@given(requests)
def test_the_encoding_does_not_change_the_verdict(pair: tuple[Signal, Any]) -> None:
    """Under limits so tight that most requests are over one."""
    protobuf, as_json = both(preparing(TIGHT), *pair)
    assert protobuf == as_json


def test_the_test_above_sees_both_verdicts() -> None:
    """Control: among its requests there are some of each."""
    seen = set()

    @given(requests)
    def look(pair: tuple[Signal, Any]) -> None:
        seen.add(both(preparing(TIGHT), *pair)[0])

    look()
    assert {"kept", "TooLarge"} <= seen


def nested(depth: int, *, lists: bool) -> tuple[bytes, bytes]:
    """A log body of so many arrays or maps inside one another, as protobuf and as JSON."""
    tags = (b"\x0a", b"\x2a") if lists else (b"\x12", b"\x0a", b"\x32")
    wire = b""
    for tag in (*tags * depth, b"\x2a", b"\x12", b"\x12", b"\x0a"):
        wire = tag + varint(len(wire)) + wire
    before, after = (
        ('{"arrayValue":{"values":[', "]}}") if lists else ('{"kvlistValue":{"values":[{"key":"","value":', "}]}}")
    )
    body = before * depth + "{}" + after * depth
    return wire, f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{body}}}]}}]}}]}}'.encode()


def varint(value: int) -> bytes:
    """Base-128."""
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


@pytest.mark.parametrize("lists", [True, False])
def test_nesting_ends_at_the_same_depth_in_both_encodings(*, lists: bool) -> None:
    """At 48 lists or 32 maps, which is what the protobuf library reads; and 20,000 do no harm."""
    prepare = preparing(Limits())
    deepest = 0
    for depth in (1, 15, 16, 17, *range(30, 52), 1_000, 20_000):
        wire, text = nested(depth, lists=lists)
        verdicts = verdict(prepare, "logs", wire, "protobuf"), verdict(prepare, "logs", text, "json")
        assert verdicts in (("kept", "kept"), ("Invalid", "Invalid")), depth
        deepest = depth if verdicts[0] == "kept" else deepest
    assert deepest == (48 if lists else 32)


def inside(tags: bytes, wire: bytes) -> bytes:
    """Messages in one another, by the tags of their fields from the outside in."""
    heads, size_bytes = [wire], len(wire)
    for tag in reversed(tags):
        heads.append(bytes([tag]) + varint(size_bytes))
        size_bytes += len(heads[-1])
    return b"".join(reversed(heads))


FLOODS: dict[str, tuple[bytes, bytes]] = {
    "resources": (b"", b"\x0a\x00"),
    "scopes": (b"\x0a", b"\x12\x00"),
    "spans": (b"\x0a\x12", b"\x12\x00"),
    "attributes": (b"\x0a\x12\x12", b"\x4a\x00"),
    "attributes with a value": (b"\x0a\x12\x12", b"\x4a\x02\x12\x00"),
    "attributes with a long tag": (b"\x0a\x12\x12", b"\xca\x00\x00"),
    "attributes with a long length": (b"\x0a\x12\x12", b"\x4a\x80\x00"),
    "events": (b"\x0a\x12\x12", b"\x5a\x00"),
    "links": (b"\x0a\x12\x12", b"\x6a\x00"),
    "values of a list": (b"\x0a\x12\x12\x4a\x12\x2a", b"\x0a\x00"),
    "entries of a map": (b"\x0a\x12\x12\x4a\x12\x32", b"\x0a\x00"),
    "lists of lists": (b"\x0a\x12\x12\x4a\x12\x2a", inside(b"\x0a\x2a" * 20, b"")),
}
"""Where nothing is repeated without end: the tags above it, and it."""


def peak_bytes(*, anew: bool = False) -> int:
    """The most memory that this process had since this was last asked anew: which gives back what tests before have
    freed, as what is taken from that would not be seen.
    """
    if anew:
        give_back()
        Path("/proc/self/clear_refs").write_text("5")
    (told,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(told.split()[1]) * 1024


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_nothing_is_refused_before_it_is_decoded(flood: str) -> None:
    """16 MiB that would become up to 1.4 GB."""
    tags, unit = FLOODS[flood]
    body = inside(tags, unit * (15 * MIB // len(unit)))
    before = peak_bytes(anew=True)
    assert verdict(preparing(Limits()), "traces", body, "protobuf") == "TooLarge"
    assert peak_bytes() - before < 64 * MIB


def diluted(wire: bytes) -> bytes:
    """With a long text behind it, in a field that nobody knows."""
    return wire + b"\x7a" + varint(8 * len(wire)) + b"a" * 8 * len(wire)


def field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no level read at once, as of large messages."""
    monkeypatch.setattr(parts_module, "_LEVEL_BYTES", 0)


@pytest.mark.parametrize("is_walked", [False, True])
@pytest.mark.parametrize("flood", FLOODS)
def test_not_one_part_is_missed_wherever_it_stands(
    flood: str, is_walked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted level by level, and from field to field."""
    if is_walked:
        field_by_field(monkeypatch)
    tags, unit = FLOODS[flood]
    wire, kind = inside(tags, unit * 1_000), REQUESTS["traces"].DESCRIPTOR
    parts = parts_of(REQUESTS["traces"].FromString(wire))
    for body in (wire, diluted(wire)):
        assert [too_many(body, kind, most) for most in (parts, parts - 1, parts // 2)] == [False, True, True]


@pytest.mark.parametrize("flood", FLOODS)
def test_reading_the_levels_of_a_flood_takes_bounded_memory(flood: str) -> None:
    """Of a large message, a loop goes from field to field."""
    tags, unit = FLOODS[flood]
    body = diluted(inside(tags, unit * (2_900_000 // sum(byte & 7 == 2 for byte in unit))))
    prepare = preparing(Limits())
    before = peak_bytes(anew=True)
    assert verdict(prepare, "traces", body, "protobuf") == "TooLarge"
    assert peak_bytes() - before < 64 * MIB


def test_the_test_above_would_see_a_level_that_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: forty bytes for each of three million tags."""
    monkeypatch.setattr(parts_module, "_LEVEL_BYTES", 2**32)
    body = diluted(inside(FLOODS["links"][0], b"\x6a\x00" * 2_900_000))
    prepare = preparing(Limits())
    before = peak_bytes(anew=True)
    assert verdict(prepare, "traces", body, "protobuf") == "TooLarge"
    assert peak_bytes() - before > 64 * MIB


def test_what_is_deeper_than_a_decoder_goes_is_not_followed() -> None:
    """Each level would be read, and copied, for itself."""
    body = inside(b"\x0a\x12\x12\x4a\x12" + b"\x2a\x0a" * 20_000 + b"\x0a", b"b" * 2 * MIB)
    began_s = time.process_time()
    assert verdict(preparing(Limits()), "traces", body, "protobuf") == "Invalid"
    assert time.process_time() - began_s < 2


def test_the_test_above_would_see_a_decoder_at_work() -> None:
    """Control: without the count, a fifth of one of them costs more than that."""
    tags, unit = FLOODS["links"]
    before = peak_bytes(anew=True)
    decoded = REQUESTS["traces"].FromString(inside(tags, unit * (3 * MIB // len(unit))))
    assert peak_bytes() - before > 64 * MIB
    del decoded


@pytest.mark.parametrize("unit", ["{}", "[]", "{},[]", '{"key":""}', "null", "1", '"":0'])
def test_a_flood_of_json_values_is_refused_before_it_is_parsed(unit: str) -> None:
    """In a field that is ours, or in one that would be ignored: both are parsed."""
    many = ",".join([unit] * (12 * MIB // (len(unit) + 1)))
    body = f'{{"resourceSpans":[],"x":{{{many}}}}}' if ":0" in unit else f'{{"resourceSpans":[{many}]}}'
    before = peak_bytes(anew=True)
    assert verdict(preparing(Limits()), "traces", body.encode(), "json") == "TooLarge"
    assert peak_bytes() - before < 128 * MIB


def test_text_that_looks_like_values_is_none() -> None:
    """A vector, or JSON, that an agent wrote into an attribute: in both encodings it is one value."""
    text = json.dumps([[0.5, {"a": 'b"}\\'}]] * 200_000)
    message = REQUESTS["logs"]()
    message.resource_logs.add().scope_logs.add().log_records.add().body.string_value = text
    assert too_many_values(otlp_json(message), 2_000_000) is False
    assert both(preparing(Limits(max_parts=50_000)), "logs", message) == ("kept", "kept")


def parts_of(message: Any) -> int:
    """How many messages a message holds, told from the decoded one."""
    inner = [
        item
        for field, value in message.ListFields()
        if field.message_type is not None
        for item in (value if field.is_repeated else [value])
    ]
    return len(inner) + sum(map(parts_of, inner))


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_values_are_counted_as_they_stand_outside_of_strings(value: object) -> None:
    """Whatever the strings hold: quotes, backslashes, brackets."""

    def begun(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(len(inner) - 1, 0) + sum(map(begun, inner))

    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        body = text.encode("utf-8", "surrogatepass")
        assert not too_many_values(body, begun(value))
        assert begun(value) == 0 or too_many_values(body, begun(value) - 1)


def test_members_that_nobody_knows_may_be_some() -> None:
    """A later version has more of them, and a sender some of its own; a hundred thousand in one object are a bomb."""
    prepare = preparing(Limits())
    few = json.dumps({"x": {f"key {number}:{{": ":" for number in range(900)}})
    many = json.dumps({"x": {f"key {number}": 0 for number in range(100_000)}})
    assert [verdict(prepare, "logs", text.encode(), "json") for text in (few, many)] == ["kept", "TooLarge"]


@given(requests, st.booleans())
def test_parts_are_counted_as_a_decoder_makes_them(pair: tuple[Signal, Any], is_walked: bool) -> None:
    """One by one where the bounds that cost nothing do not let a request through; a message merged is one."""
    signal, message = pair
    wire, kind, parts = message.SerializeToString(), REQUESTS[signal].DESCRIPTOR, parts_of(message)
    with pytest.MonkeyPatch.context() as patched:
        if is_walked:
            field_by_field(patched)
        assert not too_many(wire, kind, max(parts, len(wire) // 4))
        assert parts == 0 or too_many(wire, kind, parts - 1)


@pytest.mark.parametrize(("most", "verdict"), [(4, True), (5, False)])
def test_counting_a_flood_ends_at_the_cap_of_a_kind(most: int, verdict: bool) -> None:
    """Ten thousand empty spans are enough to know: nobody goes on to half a million. Text of `z` looks like tags."""
    message = REQUESTS["traces"]()
    scope = message.resource_spans.add().scope_spans.add()
    for _ in range(5):
        scope.spans.add()
    scope.schema_url = "z" * 200
    wire, kind = message.SerializeToString(), REQUESTS["traces"].DESCRIPTOR
    assert parts_of(message) == 7
    assert too_many(wire, kind, 8, {"Span": most}) == verdict


@given(requests, st.data())
def test_damaged_bytes_are_counted_or_refused_as_a_decoder_refuses_them(pair: tuple[Signal, Any], data: Any) -> None:
    """What counting refuses is nothing that a decoder takes, and what a decoder takes is counted."""
    signal, message = pair
    wire, kind = bytearray(message.SerializeToString()), REQUESTS[signal]
    for _ in range(data.draw(st.integers(0, 2)) if wire else 0):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with pytest.MonkeyPatch.context() as patched:
        if data.draw(st.booleans()):
            field_by_field(patched)
        _agree(bytes(wire), kind, data.draw(st.integers(0, 20)))


@given(st.binary(max_size=200), st.integers(0, 20))
def test_whatever_stands_in_the_bytes_counting_ends(wire: bytes, at_most: int) -> None:
    """Also where it is no protobuf."""
    _agree(wire, REQUESTS["traces"], at_most)


def _agree(wire: bytes, kind: Any, at_most: int) -> None:
    try:
        found = kind.FromString(wire)
    except DecodeError:
        with suppress(DecodeError):
            too_many(wire, kind.DESCRIPTOR, at_most)
        return
    # One that is merged was counted as often as it stands there.
    assert too_many(wire, kind.DESCRIPTOR, at_most) or parts_of(found) <= at_most
