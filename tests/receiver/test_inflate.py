"""Undoing gzip, never past a limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.receiver.inflate import coding, inflate
from aftertrace.receiver.status import Unsupported
from aftertrace.store.errors import Invalid, TooLarge


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_several_members_inflate_to_their_sum(parts: list[bytes]) -> None:
    """A gzip body may be several, one after another."""
    body = b"".join(gzip.compress(part, mtime=0) for part in parts)
    whole = b"".join(parts)
    assert inflate(body, "gzip", len(whole)) == whole
    assert inflate(whole, "identity", len(whole)) == whole
    if whole:
        for name, given_body in (("gzip", body), ("identity", whole)):
            with pytest.raises(TooLarge):
                inflate(given_body, name, len(whole) - 1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"plain", id="plain text"),
        pytest.param(zlib.compress(b"x"), id="zlib"),
        pytest.param(gzip.compress(b"x" * 100)[:-1], id="cut off"),
        pytest.param(gzip.compress(b"x")[:5], id="cut off in its header"),
        pytest.param(gzip.compress(b"x") + b"junk", id="junk behind it"),
        pytest.param(gzip.compress(b"x")[:-8] + bytes(8), id="a wrong checksum"),
    ],
)
def test_what_is_not_whole_gzip_is_refused(body: bytes) -> None:
    """Nothing of it is used."""
    with pytest.raises(Invalid, match="inflate request"):
        inflate(body, "gzip", 1_000)


@pytest.mark.parametrize("members", [1, 50])
def test_a_bomb_costs_no_more_memory_than_the_limit(members: int) -> None:
    """A thousandfold body stops at the limit, in one member or many."""
    limit_bytes = 1_000_000
    bomb = gzip.compress(bytes(100_000_000 // members)) * members
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="limit of 1000000 bytes"):
            inflate(bomb, "gzip", limit_bytes)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * limit_bytes


def test_members_are_some_and_not_any_number() -> None:
    """10 MB of empty ones once took minutes: for each, the library copied all that followed."""
    assert inflate(gzip.compress(b"") * 1_000, "gzip", 10) == b""
    with pytest.raises(Invalid, match="more than 1000 members, expected one; compress it whole"):
        inflate(gzip.compress(b"") * 500_000, "gzip", 10)


@pytest.mark.parametrize(
    ("header", "name"), [("", "identity"), ("gzip", "gzip"), (" GZip ", "gzip"), ("identity",) * 2]
)
def test_gzip_and_identity_are_taken(header: str, name: str) -> None:
    """In any case."""
    assert coding(header) == name


@pytest.mark.parametrize("header", ["deflate", "br", "zstd", "gzip, gzip", "x" * 10_000])
def test_other_codings_are_refused_in_few_words(header: str) -> None:
    """However long the header is."""
    with pytest.raises(Unsupported, match="expected one of identity, gzip") as caught:
        coding(header)
    assert len(str(caught.value)) < 300
