"""Notes and their keys: published ones verify, changed ones do not, and nothing is read that is written otherwise."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.note import MAX_BYTES, MAX_SIGNATURES, Note, Signature

C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
"""Both from C2SP signed-note."""

GO_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_KEYS = (
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
)
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
"""From the documentation of golang.org/x/mod/sumdb/note: Ed25519 signatures are made of key and text alone."""

KEY = SignerKey("aftertrace.example/log", bytes(range(32)))
OTHER = SignerKey("aftertrace.example/log", bytes(32))


def test_the_published_notes_verify() -> None:
    """And are written as they were read."""
    note = Note.parse(C2SP_NOTE.encode())
    assert note.verified(VerifierKey.parse(C2SP_KEY)) == note.signatures
    assert bytes(note) == C2SP_NOTE.encode()
    signed = Note.parse(GO_NOTE.encode())
    assert [signature.name for signature in signed.verified(*map(VerifierKey.parse, GO_KEYS))] == [
        "PeterNeumann",
        "EnochRoot",
    ]


def test_the_published_signature_is_made_again() -> None:
    """With the published secret."""
    key = SignerKey.parse(GO_SIGNER)
    assert (str(key.verifier), key.secret_text()) == (GO_KEYS[0], GO_SIGNER)
    note = Note.parse(GO_NOTE.encode())
    assert Note(note.text).signed(key).signatures == note.signatures[:1]


@pytest.mark.parametrize(("kind", "text"), [(VerifierKey, C2SP_KEY), (VerifierKey, GO_KEYS[0]), (SignerKey, GO_SIGNER)])
def test_a_key_that_is_not_whole_is_refused(kind: type[VerifierKey | SignerKey], text: str) -> None:
    """Every part of it, every letter changed to the next, and both with another case of the id."""
    assert kind.parse(text)
    parts = {text[:end] for end in range(len(text))} | {text[start:] for start in range(1, len(text))}
    changed = {text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))}
    head, _, tail = text.rpartition("+")
    for wrong in parts | changed | {f"{head.upper()}+{tail}", text + "\n", f" {text}", f"{text}=", ""}:
        with pytest.raises(Invalid):
            kind.parse(wrong)


def test_a_secret_is_in_no_repr() -> None:
    """Nor in an error about the key."""
    assert repr(KEY) == "SignerKey(name='aftertrace.example/log')"
    with pytest.raises(Invalid) as told:
        SignerKey.parse(GO_SIGNER + "x")
    assert "AYEKFALV" not in str(told.value)


def test_signatures_by_others_are_left_out() -> None:
    """Even under the same name, or with the same id; but not one that has both."""
    stranger = Signature("example.com/elsewhere", KEY.verifier.key_id, bytes(64))
    note = Note("text\n").signed(OTHER, KEY).with_signatures([stranger])
    assert [signature.key_id for signature in note.verified(KEY.verifier)] == [KEY.verifier.key_id]
    forged = note.with_signatures([Signature(KEY.name, KEY.verifier.key_id, bytes(64))])
    with pytest.raises(Invalid, match="not one by key"):
        forged.verified(KEY.verifier, OTHER.verifier)
    with pytest.raises(Invalid, match="no signature by a key that is trusted"):
        note.verified(VerifierKey.parse(C2SP_KEY))
    with pytest.raises(Invalid, match="expected one by no key"):
        note.verified()


def test_a_key_signs_a_note_once() -> None:
    """The second signature takes the place of the first; one that is there twice counts as one."""
    assert len(Note("text\n").signed(KEY).signed(KEY).signatures) == 1
    line = bytes(Note("text\n").signed(KEY)).decode().splitlines(keepends=True)[-1]
    assert len(Note.parse(f"text\n\n{line}{line}".encode()).verified(KEY.verifier)) == 1


def texts() -> st.SearchStrategy[str]:
    """Texts that a note can hold, empty lines among them."""
    letters = st.characters(exclude_categories=["Cs"], min_codepoint=32) | st.just("\n")
    return st.text(letters, max_size=60).map(lambda text: text + "\n")


@given(texts(), st.data())
def test_no_change_of_a_note_goes_unseen(text: str, data: st.DataObject) -> None:
    """A bit flipped anywhere, or a part left out: it is refused, or is not signed by the key any more."""
    content = bytes(Note(text).signed(KEY))
    assert Note.parse(content).verified(KEY.verifier)
    at = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    for changed in (bytes(flipped), content[:at], content[at + 1 :], content[:at] + b"\n" + content[at:]):
        if changed != content:
            with pytest.raises(Invalid):
                Note.parse(changed).verified(KEY.verifier)


@given(st.binary(max_size=200) | st.text(st.sampled_from("\n— aAeE+/=é\u2003\x7f"), max_size=60).map(str.encode))
def test_any_bytes_are_a_note_or_refused(content: bytes) -> None:
    """And what is read is written as it was."""
    for candidate in (content, b"text\n\n" + content, content + C2SP_NOTE.encode()):
        with suppress(Invalid):
            assert bytes(Note.parse(candidate)) == candidate


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_key_or_refused(name: str, rest: str) -> None:
    """And what is read is written as it was."""
    for text in (f"{name}+{rest}", f"PRIVATE+KEY+{name}+{rest}", f"{name}+530d903a+{rest}"):
        with suppress(Invalid):
            assert str(VerifierKey.parse(text)) == text
        with suppress(Invalid):
            assert SignerKey.parse(text).secret_text() == text


LINE = C2SP_NOTE.splitlines()[-1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text\n",
        b"text\n\n",
        C2SP_NOTE.encode()[:-1],
        C2SP_NOTE.replace("\n", "\r\n").encode(),
        C2SP_NOTE.replace("example m", "example\tm").encode(),
        C2SP_NOTE.encode().replace(b"This", b"\xff"),
        C2SP_NOTE.encode().replace(b"This", b"\xed\xa0\x80"),
        f"text\n\n{LINE} \n".encode(),
        f"text\n\n{LINE.replace('foo ', 'foo  ')}\n".encode(),
        f"text\n\n{LINE.replace('foo', 'f+o')}\n".encode(),
        f"text\n\n{LINE}\n".replace("foo", "f\u2003o").encode(),
        f"text\n\n{LINE.replace('aQM=', 'aQN=')}\n".encode(),
        f"text\n\n{LINE.replace('aQM=', 'aQM')}\n".encode(),
        "text\n\n— name Uw2QOg==\n".encode(),
        "text\n\n— name Uw==\n".encode(),
        f"text\n\n{LINE}\nmore\n".encode(),
    ],
)
def test_a_note_written_otherwise_is_refused(content: bytes) -> None:
    """Control characters, other line ends, spaces, bits of base64 that say nothing, ids without signatures."""
    with pytest.raises(Invalid):
        Note.parse(content)


def test_a_note_has_limits() -> None:
    """On its length, and on how many signatures are looked at."""
    line = f"{LINE}\n"
    assert len(Note.parse(("text\n\n" + line * MAX_SIGNATURES).encode()).signatures) == MAX_SIGNATURES
    for content in ("text\n\n" + line * (MAX_SIGNATURES + 1), "x" * MAX_BYTES + "\n\n" + line):
        with pytest.raises(Invalid):
            Note.parse(content.encode())


@pytest.mark.parametrize("text", ["", "no line end", "\ttab\n", "\ud800\n"])
def test_a_text_that_no_note_can_hold_is_not_signed(text: str) -> None:
    """Rather than that nobody can read it."""
    with pytest.raises(Invalid):
        Note(text)


def test_a_note_that_nobody_signed_is_not_written() -> None:
    """It would not be read either."""
    with pytest.raises(Invalid):
        bytes(Note("text\n"))
