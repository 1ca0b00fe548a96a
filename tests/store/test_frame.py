"""The frame: what goes in comes out, and nothing else does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.store import frame
from aftertrace.store.digest import KEY_BYTES, origin_digest, record_key
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.frame import HEADER_BYTES, Frame
from aftertrace.store.request import Prepared, Request
from aftertrace.store.segment import SegmentHeader

FORMAT = Path(__file__).parents[2] / "exporter/FORMAT.md"


def decode(content: bytes) -> Frame:
    """Read a frame as a segment does."""
    header = frame.parse_header(content[:HEADER_BYTES])
    return frame.decode(header, content[HEADER_BYTES : HEADER_BYTES + header.body_bytes])


@st.composite
def requests(draw: st.DrawFn) -> tuple[Request, Prepared]:
    """Anything that a receiver may hand over."""
    records = draw(st.integers(0, 5))
    prepared = Prepared(
        payload=draw(st.binary(max_size=300)),
        records=records,
        keys=draw(st.sampled_from([b"", bytes(range(KEY_BYTES)) * records])),
        redactions=tuple(draw(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 1_000)), max_size=3))),
        policy=draw(st.text(max_size=80)),
    )
    signal = draw(st.sampled_from(["traces", "logs", "metrics"]))
    received_ns = draw(st.integers(-(2**63), 2**63 - 1))
    credential = draw(st.text(max_size=40))
    return Request(signal, "protobuf", b"", draw(st.text(max_size=40)), received_ns, credential), prepared


SALT = bytes(range(16))


@given(requests(), st.integers(1, 2**63), st.binary(min_size=32, max_size=32))
def test_a_frame_gives_back_what_was_sealed(pair: tuple[Request, Prepared], seq: int, previous: bytes) -> None:
    """`decode` is the inverse of `seal`, and the length is known before."""
    request, prepared = pair
    frame.check(request, prepared)
    sealed = frame.seal("east-1", seq, previous, request, prepared, SALT)
    found = decode(sealed.content)
    assert found == Frame(
        receiver="east-1",
        seq=seq,
        previous=previous,
        digest=sealed.digest,
        received_ns=request.received_ns,
        signal=request.signal,
        source=request.source,
        records=prepared.records,
        keys=prepared.keys,
        redactions=sum(count for _, count in prepared.redactions),
        policy=prepared.policy,
        payload=prepared.payload,
        credential=request.credential,
        salt=SALT,
    )
    assert found.length_bytes == len(sealed.content)


def test_each_frame_has_a_salt_of_its_own() -> None:
    """Random, where none is given."""
    request, prepared = Request("traces", "protobuf", b"", "agent", 1), Prepared(b"p", 1, b"", (), "p")
    salts = {decode(frame.seal("main", 1, bytes(32), request, prepared).content).salt for _ in range(9)}
    assert ({len(salt) for salt in salts}, len(salts)) == ({16}, 9)


SAMPLE = frame.seal(
    "main",
    1,
    frame.genesis("main"),
    Request("traces", "protobuf", b"", "agent", 1_764_000_000_000_000_000),
    Prepared(b"payload", 1, bytes(range(16)), (("bearer", 2),), "sha256:00"),
    bytes(range(16, 32)),
)


def test_a_frame_that_is_cut_anywhere_is_refused() -> None:
    """Every proper prefix."""
    for length in range(len(SAMPLE.content)):
        with pytest.raises(Corrupt):
            decode(SAMPLE.content[:length])


def test_a_frame_with_any_bit_changed_is_refused() -> None:
    """Every bit of every byte."""
    for bit in range(len(SAMPLE.content) * 8):
        content = bytearray(SAMPLE.content)
        content[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(Corrupt):
            decode(bytes(content))


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_bytes_that_nobody_sealed_are_refused(content: bytes) -> None:
    """Noise, with and without a header in front."""
    for noise in (content, frame.MAGIC + content):
        with pytest.raises(Corrupt):
            decode(noise)


def documented(name: str) -> bytes:
    """The bytes of an example in FORMAT.md."""
    block = re.search(rf"<!-- {name} -->\n```\n(.*?)```", FORMAT.read_text("utf-8"), re.DOTALL)
    assert block, name
    return bytes.fromhex(block[1])


def test_the_documented_bytes_are_what_is_written() -> None:
    """The hex in FORMAT.md is what this version writes, so that it cannot change unnoticed."""
    assert documented("frame") == SAMPLE.content
    assert documented("segment") == SegmentHeader(1, frame.genesis("main")).encode()
    assert documented("origin") == bytes.fromhex(origin_digest(b"resource", "https://example.org/1").partition(":")[2])
    assert documented("key") == record_key(bytes(32), b"resource", b"scope", b"record")


def test_a_frame_of_version_1_is_read_as_one_without_a_name() -> None:
    """As the version before wrote it, byte for byte: what was acknowledged then is not lost by an upgrade."""
    older, sample = documented("frame 1"), decode(SAMPLE.content)
    assert decode(older) == replace(sample, receiver="", digest=older[56:88], salt=b"")
    assert decode(older).length_bytes == len(older)


def test_a_frame_of_this_version_has_a_name() -> None:
    """Without one it could stand in any WAL."""
    request = Request("traces", "protobuf", b"", "agent", 1)
    nameless = frame.seal("", 1, frame.genesis("main"), request, Prepared(b"", 0, b"", (), "p"))
    with pytest.raises(Corrupt, match="fields that no writer writes"):
        decode(nameless.content)


@pytest.mark.parametrize(
    ("source", "received_ns", "records", "keys"),
    [
        ("a" * 65_536, 0, 1, b""),
        ("\ud800", 0, 1, b""),
        ("agent", 2**63, 1, b""),
        ("agent", 0, 2, bytes(16)),
    ],
)
def test_what_a_frame_cannot_hold_is_refused(source: str, received_ns: int, records: int, keys: bytes) -> None:
    """Before it reaches the writer's thread, where it would take others with it."""
    with pytest.raises(Invalid):
        frame.check(Request("logs", "json", b"", source, received_ns), Prepared(b"", records, keys, (), "p"))
