"""The log of comments: lines that are only ever added, and a signed checkpoint of the tree over them.

Adding one, in this order::

    the line, fsync         a crash leaves a line that is not signed: it was never there, and is set aside
    the checkpoint, fsync   from here on it cannot be changed, taken away or moved unseen

The key is one of its own, and lies beside the log: whoever may comment signs. It vouches for no evidence.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from aftertrace.store import durable, signer_key
from aftertrace.store.commentary.comments import Comment, checked, decoded, encoded
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.lock import held
from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import leaf_hash, root_of
from aftertrace.tlog.note import Note


@dataclass(frozen=True, slots=True)
class Commentary:
    """All comments of a store that are signed."""

    comments: tuple[Comment, ...] = ()
    """In the order in which they were written: the first has the number 1."""
    key: VerifierKey | None = None
    """The key that signed them, as it lies beside them; None where nobody has ever commented."""
    unsigned: bytes = b""
    """Lines behind those that are signed: a crash left them, or somebody who is not aftertrace."""

    def root(self, size: int) -> bytes:
        """Root of the tree over the first of them."""
        return _root([encoded(comment) for comment in self.comments[:size]])


def read(layout: Layout) -> Commentary:
    """All comments.

    Raises:
        Corrupt: they are not as they were signed.
        Unavailable: they cannot be read.
    """
    try:
        # Lines are added before they are signed, so that none can seem to be missing that was only not there yet.
        signed = _bytes(layout, "checkpoint")
        key, lines = _bytes(layout, "key"), _bytes(layout, "comments")
    except OSError as error:
        raise Unavailable(f"read {layout.commentary}: {error.strerror}; see to its permissions") from error
    if signed is None and lines is None:
        return Commentary()
    try:
        verifier = VerifierKey.parse((key or b"").decode("utf-8").removesuffix("\n"))
        checkpoint = opened(Note.parse(signed or b""), verifier.name, verifier)
    except (Invalid, UnicodeDecodeError) as refusal:
        raise _damaged(f"no checkpoint by its key ({refusal})") from None
    found = (lines or b"").split(b"\n")[:-1]
    if len(found) < checkpoint.size:
        raise _damaged(f"{len(found)} comments, expected the {checkpoint.size} that are signed")
    told = found[: checkpoint.size]
    if _root(told) != checkpoint.root:
        raise _damaged(f"other comments than the {checkpoint.size} that are signed")
    length = sum(len(line) + 1 for line in told)
    return Commentary(tuple(decoded(line) for line in told), verifier, (lines or b"")[length:])


def add(layout: Layout, comment: Comment) -> int:
    """Add a comment, durably.

    Returns:
        Its number.

    Raises:
        Invalid: it is not one that can follow those that there are.
        Corrupt: those are not as they were signed. Nothing is added.
        Held: somebody else is adding one.
        Unavailable: the disk does not take it.
    """
    try:
        durable.make_folder(layout.commentary, mode=0o750)
        with held(layout.commentary / "lock", "adds a comment"):
            return _added(layout, comment)
    except OSError as error:
        raise Unavailable(f"add comment: {error}; free disk space, or see to its permissions", 1.0) from error


def _added(layout: Layout, comment: Comment) -> int:
    key = _signer(layout)
    before = read(layout)
    line = encoded(checked(comment, before.comments))
    path = layout.commentary / "comments"
    lines = [encoded(each) for each in before.comments]
    if before.unsigned:
        aside = layout.commentary / f"unsigned.{sha256(before.unsigned).hexdigest()[:16]}"
        durable.write_file(aside, before.unsigned)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    try:
        length = sum(len(each) + 1 for each in lines)
        os.ftruncate(fd, length)
        durable.write_all(fd, line + b"\n", length)
        os.fsync(fd)
    finally:
        os.close(fd)
    durable.sync_folder(layout.commentary)
    lines.append(line)
    _sign(layout, key, lines)
    return len(lines)


def _signer(layout: Layout) -> SignerKey:
    """The key. It is made with the first comment; where its public half is, it was there."""
    path, public = layout.commentary / "signer", _bytes(layout, "key")
    if not path.exists():
        if public is not None:
            raise _damaged("no key to sign with, expected commentary/signer")
        signer_key.write(path, signer_key.new("aftertrace-commentary"))
    key = signer_key.read(path)
    told = f"{key.verifier}\n".encode()
    if public is None:
        durable.write_file(layout.commentary / "key", told)
    elif public != told:
        raise _damaged("commentary/signer and commentary/key are not of one key, expected both")
    if _bytes(layout, "checkpoint") is None and _bytes(layout, "comments") is None:
        # A checkpoint of nothing: from here on comments without one were not written by this.
        _sign(layout, key, [])
    return key


def _sign(layout: Layout, key: SignerKey, lines: Sequence[bytes]) -> None:
    signed = Checkpoint(key.name, len(lines), _root(lines)).signed(key)
    durable.write_file(layout.commentary / "checkpoint", bytes(signed))


def _root(lines: Sequence[bytes]) -> bytes:
    return root_of([leaf_hash(line) for line in lines])


def _bytes(layout: Layout, name: str) -> bytes | None:
    try:
        return (layout.commentary / name).read_bytes()
    except FileNotFoundError:
        return None


def _damaged(what: str) -> Corrupt:
    return Corrupt(f"read commentary: {what}; put commentary/ back from a backup")
