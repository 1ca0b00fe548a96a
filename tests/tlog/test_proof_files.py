"""Proofs in files: read as they were written, and in no other form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog.reference import LEAVES, leaves

from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey
from aftertrace.tlog.merkle import root_of
from aftertrace.tlog.proof_file import ProofFile
from aftertrace.tlog.proofs import nodes_of, prove_inclusion

KEY = SignerKey("aftertrace.example/log", bytes(range(32)))


def made(index: int, size: int, extra: bytes | None = b"an entry") -> ProofFile:
    """A proof of a log of ours."""
    hashes = leaves(size)
    checkpoint = Checkpoint(KEY.name, size, root_of(hashes)).signed(KEY)
    return ProofFile(index, tuple(prove_inclusion(index, size, nodes_of(LEAVES))), checkpoint, extra)


@pytest.mark.parametrize("proof", [made(0, 1), made(6, 7), made(200, 301), made(3, 4, None)], ids=str)
def test_a_proof_is_read_as_it_was_written(proof: ProofFile) -> None:
    """With and without extra data, with and without hashes."""
    content = bytes(proof)
    assert content.startswith(b"c2sp.org/tlog-proof@v1\n")
    assert ProofFile.parse(content) == proof


def test_the_form_is_that_of_the_specification() -> None:
    """Line by line."""
    head, checkpoint = bytes(made(1, 2)).split(b"\n\n", 1)
    begin, extra, index, hashed = head.decode().split("\n")
    assert (begin, extra, index, len(hashed)) == ("c2sp.org/tlog-proof@v1", "extra YW4gZW50cnk=", "index 1", 44)
    assert checkpoint.startswith(b"aftertrace.example/log\n2\n")


@given(st.integers(0, len(bytes(made(6, 7))) - 1), st.integers(0, 255))
def test_a_byte_that_is_another_gives_another_proof_or_none(place: int, byte: int) -> None:
    """Nothing in it is ignored, and none of it has two spellings."""
    content = bytes(made(6, 7))
    changed = content[:place] + bytes([byte]) + content[place + 1 :]
    try:
        assert (ProofFile.parse(changed) == made(6, 7)) == (changed == content)
    except Invalid:
        assert changed != content


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_refused_in_the_same_way(content: bytes) -> None:
    """No other error comes out."""
    for each in (content, b"c2sp.org/tlog-proof@v1\n" + content, b"c2sp.org/tlog-proof@v1\nindex 1\n\n" + content):
        with pytest.raises(Invalid):
            ProofFile.parse(each)


def test_what_is_too_long_is_refused() -> None:
    """In bytes, and in hashes."""
    with pytest.raises(Invalid, match="1000000 at most"):
        ProofFile.parse(b"c2sp.org/tlog-proof@v1\n" + bytes(1_000_000))
    many = ProofFile(0, (bytes(32),) * 64, made(0, 1).checkpoint)
    with pytest.raises(Invalid, match="63 at most"):
        ProofFile.parse(bytes(many))
