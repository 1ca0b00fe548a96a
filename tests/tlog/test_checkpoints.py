"""Checkpoints and cosignatures: the published ones verify, and nothing is read that is written otherwise."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog.reference import LEAVES, root

from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.cosignature import WitnessKey, cosignatures, cosigned, time_s
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import EMPTY_ROOT
from aftertrace.tlog.note import Note, Signature

SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
"""The example of C2SP tlog-cosignature. Its keys are not published."""

ORIGIN = "aftertrace.example/log"
KEY = SignerKey(ORIGIN, bytes(range(32)))
WITNESS = SignerKey("witness.example/w1", bytes(32))
WITNESSED = WitnessKey(WITNESS.name, WITNESS.verifier.public)
CHECKPOINT = Checkpoint(ORIGIN, 5, root(0, 5))
NOW_S = 1_679_315_147


def test_the_published_checkpoint_is_read() -> None:
    """With the time of its cosignature, and written as it was."""
    note = Note.parse(SOFA.encode())
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert time_s(note.signatures[1].signature) == NOW_S
    assert bytes(replace(note, text=str(checkpoint))) == SOFA.encode()


def test_a_checkpoint_is_opened_with_the_key_of_its_log() -> None:
    """And not as that of another log, nor with another key."""
    note = Note.parse(bytes(CHECKPOINT.signed(KEY)))
    assert opened(note, ORIGIN, KEY.verifier) == CHECKPOINT
    for origin, key in (("elsewhere.example/log", KEY.verifier), (ORIGIN, WITNESS.verifier)):
        with pytest.raises(Invalid):
            opened(note, origin, key)


def test_a_witness_adds_when_it_saw_the_checkpoint() -> None:
    """Its signature stands beside that of the log, and says nothing to whoever does not know it."""
    note = Note.parse(bytes(cosigned(CHECKPOINT.signed(KEY), WITNESS, NOW_S)))
    assert opened(note, ORIGIN, KEY.verifier) == CHECKPOINT
    assert cosignatures(note, WITNESSED) == {WITNESSED: NOW_S}
    assert cosignatures(note, WitnessKey("another.example", WITNESSED.public)) == {}
    assert WitnessKey.parse(str(WITNESSED)) == WITNESSED


def test_a_cosignature_is_of_its_time_its_text_and_its_type() -> None:
    """Moved to another time, text or kind of key, it is refused."""
    note = cosigned(CHECKPOINT.signed(KEY), WITNESS, NOW_S)
    seen = note.signatures[-1]
    later = (NOW_S + 1).to_bytes(8) + seen.signature[8:]
    longer = replace(CHECKPOINT, size=6, root=root(0, 6)).signed(KEY)
    for changed in (
        note.with_signatures([Signature(seen.name, seen.key_id, later)]),
        note.with_signatures([Signature(seen.name, seen.key_id, seen.signature[8:])]),
        note.with_signatures([Signature(seen.name, seen.key_id, b"\xff" + seen.signature[1:])]),
        note.with_signatures([Signature(seen.name, seen.key_id, KEY.sign(note.text.encode()))]),
        longer.with_signatures([seen]),
    ):
        with pytest.raises(Invalid):
            cosignatures(changed, WITNESSED)
    with pytest.raises(Invalid):
        WitnessKey.parse(str(WITNESS.verifier))
    with pytest.raises(Invalid):
        VerifierKey.parse(str(WITNESSED))


def lines() -> st.SearchStrategy[str]:
    """Lines that a checkpoint can have."""
    return st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), min_size=1, max_size=20)


@given(lines(), st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(lines(), max_size=3))
def test_a_checkpoint_is_read_as_it_is_written(origin: str, size: int, hashed: bytes, extensions: list[str]) -> None:
    """Whatever its lines say, through a signed note too."""
    checkpoint = Checkpoint(origin, size, hashed, tuple(extensions))
    assert Checkpoint.parse(str(checkpoint)) == checkpoint
    assert opened(Note.parse(bytes(checkpoint.signed(KEY))), origin, KEY.verifier) == checkpoint


@given(st.text(st.sampled_from("\na01/+=é— "), max_size=40))
def test_any_text_is_a_checkpoint_or_refused(text: str) -> None:
    """And what is read is written as it was."""
    for candidate in (text, f"{text}\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n{text}", f"a\n{text}"):
        with suppress(Invalid):
            assert str(Checkpoint.parse(candidate)) == candidate


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("20852163", "020852163"),
        ("20852163", "+20852163"),
        ("20852163", "-1"),
        ("20852163", "2e7"),
        ("20852163", "٢"),
        ("20852163", str(2**63)),
        ("20852163", "9" * 5_000),
        ("20852163", "0"),
        ("q2I=\n", "q2J=\n"),
        ("q2I=\n", "q2I\n"),
        ("q2I=\n", "q2I=\n\n"),
        ("q2I=\n", "q2I="),
        ("CsUY", ""),
        ("example.com/behind-the-sofa\n", "\n"),
        ("example.com/behind-the-sofa\n", ""),
    ],
)
def test_a_checkpoint_written_otherwise_is_refused(old: str, new: str) -> None:
    """One tree has one text: what is signed is compared as bytes."""
    text = SOFA.partition("\n\n")[0] + "\n"
    assert Checkpoint.parse(text)
    with pytest.raises(Invalid):
        Checkpoint.parse(text.replace(old, new))


def test_a_log_without_entries_has_one_root() -> None:
    """That of the empty tree."""
    assert str(Checkpoint(ORIGIN, 0, EMPTY_ROOT)).splitlines()[1] == "0"
    with pytest.raises(Invalid):
        Checkpoint(ORIGIN, 0, LEAVES[0])
