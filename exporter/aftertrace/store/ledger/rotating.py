"""Putting another key in the place of the one that signs: an act, signed by both.

In this order, each step durable before the next; after a crash whoever asks again, or the next sealer, goes on::

    sealer/next        the new key, which nobody knows yet
    acts/<id>.json     the note that names both keys, signed by both
    an entry           the drain enters it
    a checkpoint       that ends with the entry, signed by both: the last one of the old key
    ledger/key         the new key
    sealer/key         the new key takes the place of the old one, which is nowhere any more

Of a key that was lost there is no `sealer/key` before, and the new key signs alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aftertrace.store import durable, signer_key
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, files
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.entries import Entry, Rotation
from aftertrace.tlog import errors
from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.note import Note
from aftertrace.tlog.proofs import prove_consistency, verify_consistency
from aftertrace.tlog.tiled import TiledTree
from aftertrace.verifier import rotations


@dataclass(frozen=True, slots=True)
class Asked:
    """A rotation that was asked for."""

    after: VerifierKey
    """The key that will sign."""
    act: str | None
    """Id of the act that waits; None where it is in the ledger already."""


def ask(layout: Layout, *, is_lost: bool = False) -> Asked:
    """Make the next key, and ask for the entry that names it, as far as that was not done before.

    Args:
        layout: of the store.
        is_lost: whether the key that signs is gone, so that it cannot sign this.

    Raises:
        Invalid: there is no key to put away, or it is said to be lost and is there.
        Corrupt: a key is damaged, or the ledger.
        OSError: the disk does not take it.
    """
    key, known = _read(layout.sealer_key), acts.recorded(layout)
    if is_lost and key is not None:
        raise Invalid(
            f"lost key: {layout.sealer_key} is there, expected none; put it away with `aftertrace seal --rotate`, or "
            "if it is not the one that signed last, move it elsewhere first"
        )
    if key is None and not layout.ledger_key.exists():
        raise Invalid(
            f"rotate key: no {layout.ledger_key}, expected a ledger that is signed; run `aftertrace seal` first"
        )
    if not is_lost and key is None:
        raise Invalid(
            f"rotate key: no {layout.sealer_key}, expected the key that signs; put it back from a backup, or if it is "
            "gone, begin with another one: `aftertrace seal --lost-key`"
        )
    before = in_force(layout, known) if key is None else key.verifier
    if before is None:
        raise Invalid(f"lost key: {layout.ledger_key} is no key, expected that of what was signed; put it back")
    durable.make_folder(layout.sealer, mode=0o700)
    if not layout.sealer_next.exists():
        signer_key.write(layout.sealer_next, signer_key.after(before))
    after = signer_key.read(layout.sealer_next)
    waiting = [entry for each in acts.waiting(layout) for entry in each.entries]
    for entry in [*(each.act for each in known), *waiting]:
        if isinstance(entry, Rotation) and _told(entry) == rotations.Rotation(before, after.verifier, is_lost):
            return Asked(after.verifier, entry.id if acts.is_waiting(layout, entry.id) else None)
    rotation = rotations.Rotation(before, after.verifier, is_lost)
    note = rotation.note(*([] if key is None else [key]), after)
    return Asked(after.verifier, acts.ask_rotation(layout, bytes(note).decode()))


def fault(layout: Layout, entry: Rotation, known: Iterable[Recorded]) -> str | None:
    """Why a rotation must not be entered, if so: the sealer would sign nothing behind one that it did not ask for."""
    told = _told(entry)
    if told is None:
        return "not a note that both keys have signed"
    if told.before != in_force(layout, known):
        return f"{told.before} is not the key that signs; ask for it again"
    with suppress(PermissionError):
        if told.is_break and layout.sealer_key.exists():
            return "the key that is said to be lost is there"
    return None


def in_force(layout: Layout, known: Iterable[Recorded]) -> VerifierKey | None:
    """The key that signs once all that was entered is signed; None where none can be read."""
    after = [told.after for each in known if isinstance(each.act, Rotation) and (told := _told(each.act)) is not None]
    if after:
        return after[-1]
    with suppress(OSError, errors.Invalid, UnicodeDecodeError):
        return VerifierKey.parse(layout.ledger_key.read_text("utf-8").removesuffix("\n"))
    return None


def check(layout: Layout, key: SignerKey) -> None:
    """Refuse to sign with a key that has itself signed that another one takes its place, where that one is not here.

    Raises:
        Corrupt: it has: `sealer/` was put back from before that.
    """
    following, known = next_key(layout), tuple[Recorded, ...]()
    with suppress(Corrupt, OSError):
        # Damage is for whoever verifies: what is signed is compared anyway.
        known = acts.recorded(layout)
    told = [_told(each.act) for each in known if isinstance(each.act, Rotation)]
    gone = [each.after for each in told if each is not None and each.before == key.verifier and not each.is_break]
    if gone and (following is None or following.verifier not in gone):
        raise Corrupt(
            f"seal ledger: the key in {layout.sealer_key} signs no more, since {gone[-1]} took its place: put sealer/ "
            "back from a later backup, or if that key is gone, move sealer/key away, and run "
            "`aftertrace seal --lost-key`"
        )


def lost(layout: Layout) -> tuple[SignerKey, VerifierKey] | None:
    """The next key, where the ledger says that the one before it was lost; and that one's public half.

    Raises:
        Corrupt: the ledger or the key is damaged.
        OSError: it cannot be read.
    """
    following = next_key(layout)
    if following is None or layout.sealer_key.exists():
        return None
    for each in acts.recorded(layout):
        told = _told(each.act) if isinstance(each.act, Rotation) else None
        if told is not None and told.is_break and told.after == following.verifier:
            _adopt(layout, following.verifier, told.before)
            return following, told.before
    return None


def signers(layout: Layout, key: SignerKey, entry: Entry) -> tuple[SignerKey, ...]:
    """The keys that sign a checkpoint which ends with an entry; behind it the last of them signs alone.

    Raises:
        Corrupt: the entry names another key than the next one.
    """
    if not isinstance(entry, Rotation):
        return (key,)
    told, following = _told(entry), next_key(layout)
    if told is not None and following is not None and told.after == following.verifier:
        if not told.is_break and told.before == key.verifier:
            return key, following
        if told.is_break and key == following and not layout.sealer_key.exists():
            return (key,)
    raise Corrupt(
        "seal ledger: an entry names a key that is to sign, expected the one in sealer/next, which asked for it; "
        "nothing more is signed: run `aftertrace verify`, and put ledger/ and sealer/ back from a backup"
    )


def finish(layout: Layout, key: SignerKey, entry: Entry | None) -> SignerKey:
    """Behind the last entry that is signed: put the next key in its place, if it is in force now; the key that is."""
    told = _told(entry) if isinstance(entry, Rotation) else None
    following = next_key(layout) if told is not None else None
    if following is None or told is None or told.after != following.verifier:
        return key
    put_in_place(layout, following)
    return following


def put_in_place(layout: Layout, key: SignerKey) -> None:
    """Put the next key in the place of the one that signed before. Raises `OSError` where the disk does not take it."""
    durable.write_file(layout.ledger_key, f"{key.verifier}\n".encode())
    durable.move(layout.sealer_next, layout.sealer_key)


def next_key(layout: Layout) -> SignerKey | None:
    """The key that will sign, or does by now where `sealer/` was put back; None where none was made."""
    return _read(layout.sealer_next)


def _adopt(layout: Layout, *keys: VerifierKey) -> None:
    """Where the sealer has no note of what these keys have signed, go on from what is shown: if that goes on from what
    the sealer knew.
    """
    with suppress(FileNotFoundError, errors.Invalid):
        opened(Note.parse(layout.sealer_signed.read_bytes()), keys[0].name, *keys)
        return
    try:
        content = layout.checkpoint.read_bytes()
        shown = opened(Note.parse(content), keys[0].name, *keys)
        if layout.sealer_signed.exists():
            noted = Checkpoint.parse(Note.parse(layout.sealer_signed.read_bytes()).text)
            tree = TiledTree(shown.size, shown.root, lambda tile: files.read_tile(layout.ledger, tile))
            proof = prove_consistency(noted.size, shown.size, tree.node)
            verify_consistency(noted.size, noted.root, shown.size, shown.root, proof)
    except (FileNotFoundError, errors.Invalid) as refusal:
        raise Corrupt(
            f"seal ledger: {refusal}: {layout.checkpoint} is not what the lost key signed, going on from "
            f"{layout.sealer_signed}; put ledger/ back from a backup, or begin a new one"
        ) from None
    durable.write_file(layout.sealer_signed, content)


def _read(path: Path) -> SignerKey | None:
    """A key, if there is one. Raises as `signer_key.read`."""
    with suppress(FileNotFoundError):
        return signer_key.read(path)
    return None


def _told(entry: Rotation) -> rotations.Rotation | None:
    """What a rotation says; None where it is not signed as it must be."""
    try:
        return rotations.Rotation.parse(entry.note)
    except errors.Invalid:
        return None
