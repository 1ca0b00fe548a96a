"""Undoing gzip, never past a limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.receiver import inflate as inflate_module
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


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50), st.integers(1, 50))
def test_where_a_piece_ends_changes_nothing(parts: list[bytes], stretch_bytes: int, part_bytes: int) -> None:
    """Neither of what is given to the library nor of what it makes."""
    body, whole = b"".join(gzip.compress(part, mtime=0) for part in parts), b"".join(parts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inflate_module, "_STRETCH_BYTES", stretch_bytes)
        patched.setattr(inflate_module, "_PART_BYTES", part_bytes)
        assert inflate(body, "gzip", len(whole)) == whole
        with pytest.raises(Invalid, match="cut off"):
            inflate(body[:-1], "gzip", len(whole))
        if whole:
            with pytest.raises(TooLarge):
                inflate(body, "gzip", len(whole) - 1)


class Watched:
    """A member of a gzip body, and the most that was ever made of it in one call: meanwhile nothing else runs."""

    most_bytes = 0

    def __init__(self, member: Any) -> None:
        """Look at what this one makes."""
        self._member = member

    def __getattr__(self, name: str) -> Any:
        """What is left over, and whether it is at its end."""
        return getattr(self._member, name)

    def decompress(self, stretch: bytes, max_bytes: int) -> bytes:
        """Make some."""
        part: bytes = self._member.decompress(stretch, max_bytes)
        Watched.most_bytes = max(Watched.most_bytes, len(part))
        return part


@pytest.mark.parametrize(("part_bytes", "is_little"), [(None, True), (2**32, False)], ids=["as it is", "control"])
def test_little_of_a_bomb_is_made_at_a_time(
    part_bytes: int | None, is_little: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: 16 MiB at a time."""
    if part_bytes is not None:
        monkeypatch.setattr(inflate_module, "_PART_BYTES", part_bytes)
    Watched.most_bytes, made = 0, zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", lambda bits: Watched(made(bits)))
    with pytest.raises(TooLarge):
        inflate(gzip.compress(bytes(40_000_000)), "gzip", 16_000_000)
    assert (0 < Watched.most_bytes <= 300_000) == is_little


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
