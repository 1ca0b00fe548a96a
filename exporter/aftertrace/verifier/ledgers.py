"""The ledgers of a packet: what was signed, and the entries that are proven to be under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.note import MAX_BYTES, Note
from aftertrace.tlog.proof_file import ProofFile
from aftertrace.tlog.proofs import verify_consistency, verify_inclusion
from aftertrace.tlog.texts import base64, from_base64
from aftertrace.verifier import layout
from aftertrace.verifier.entries import Batch, parse_batch, parse_export, parse_rotation
from aftertrace.verifier.members import Members, content
from aftertrace.verifier.rotations import Chain, Retired, Rotated
from aftertrace.verifier.verdicts import Findings

_MOST_HASHES: Final = 128


@dataclass(slots=True)
class Ledger:
    """A ledger as it was found."""

    number: int
    checkpoint: Checkpoint | None = None
    keys: tuple[VerifierKey, ...] = ()
    """From the one that is known on to the one that has signed the checkpoint."""
    chain: Chain = field(default_factory=Chain)
    """All keys that its entries name, as far as the packet has them."""
    key_is_own: bool = True
    compared: int = 0
    """Checkpoints from elsewhere that it goes on from."""
    note: bytes = b""
    batches: dict[int, Batch | None] = field(default_factory=dict)
    """By index, the entries that were looked at; None for one that is not proven, or is of another kind."""


def open_ledger(members: Members, number: int, keys: Sequence[VerifierKey], findings: Findings) -> Ledger:
    """Read the checkpoint of a ledger, and look for a key that has signed it.

    Args:
        members: of the packet.
        number: of the ledger.
        keys: those that may have signed, known from elsewhere; without any, the packet's own.
        findings: what speaks against it.
    """
    found = Ledger(number, key_is_own=not keys)
    where = layout.ledger(number, "checkpoint")
    own = _own_key(members, number, findings)
    try:
        found.note = content(members, where, MAX_BYTES)
        note = Note.parse(found.note)
        checkpoint = Checkpoint.parse(note.text)
    except Invalid as refusal:
        findings.add("not_signed", where, str(refusal))
        return found
    known = list(keys) or ([own] if own is not None else [])
    chain = _chain(members, found, findings)
    try:
        led = chain.verified(note, checkpoint.size, known)
    except Retired as refusal:
        findings.add("key_retired", where, str(refusal))
        return found
    except Invalid:
        led = ()
    if led and checkpoint.origin == led[-1].name:
        found.checkpoint, found.keys, found.chain = checkpoint, led, chain
        for entry, code, message in chain.told():
            findings.add(code, layout.rotation(number, entry), message)
        return found
    expected = ", ".join(map(str, keys)) or "the key beside it"
    message = f"of the log {checkpoint.origin}, not signed as expected: by {expected}{chain.hint}"
    findings.add("not_signed", where, message)
    return found


def batch(members: Members, ledger: Ledger, index: int, findings: Findings) -> Batch | None:
    """The requests that an entry tells of, once it is proven; None, and told of, where it is not."""
    if index not in ledger.batches:
        ledger.batches[index] = None
        where = layout.proof(ledger.number, index)
        try:
            entry = _entry(members, ledger, index, where)
            ledger.batches[index] = parse_batch(entry)
        except Invalid as refusal:
            findings.add("ledger_missing" if where not in members.sizes else "ledger_altered", where, str(refusal))
    return ledger.batches[index]


def compare(members: Members, ledgers: Sequence[Ledger], kept: Sequence[tuple[str, Note]], findings: Findings) -> None:
    """Check that ledgers go on from checkpoints that somebody kept elsewhere."""
    for where, note in kept:
        try:
            older = Checkpoint.parse(note.text)
            of = [ledger for ledger in ledgers if ledger.checkpoint and ledger.checkpoint.origin == older.origin]
            for ledger in of:
                ledger.chain.verified(note, older.size, (*ledger.keys, *ledger.chain.keys))
            if not of:
                note.verified(*[key for ledger in ledgers for key in ledger.keys])
        except Retired as refusal:
            findings.add("key_retired", where, str(refusal))
            continue
        except Invalid as refusal:
            findings.add("checkpoint_foreign", where, str(refusal))
            continue
        if not of:
            findings.add("checkpoint_foreign", where, f"of the log {older.origin}, expected one of this packet's")
        for ledger in of:
            _compare(members, ledger, older, where, findings)


def check_receipt(
    members: Members, ledgers: Sequence[Ledger], keys: Sequence[VerifierKey], findings: Findings
) -> int | None:
    """Look for the entry of the packet's own export: pages, answers and counts are signed by it alone.

    Args:
        members: of the packet.
        ledgers: of it, as they were found.
        keys: as for `open_ledger`.
        findings: what speaks against it.

    Returns:
        The index of the entry; None where there is none.
    """
    where = layout.RECEIPT
    if where not in members.sizes:
        message = "none: what was made of the rows (pages, answers, counts) is not signed, and may have been changed"
        findings.add("no_receipt", where, message)
        return None
    try:
        receipt = ProofFile.parse(content(members, where, MAX_BYTES))
        _check_signed(members, receipt, ledgers, keys, findings)
        exported = parse_export(_proven(receipt))
        if exported != sha256(content(members, layout.TAG_MANIFEST, MAX_BYTES)).digest():
            raise Invalid(f"tells of another packet than this, expected the digest of {layout.TAG_MANIFEST}")
    except Retired as refusal:
        findings.add("key_retired", where, str(refusal))
        return None
    except Invalid as refusal:
        findings.add("receipt_differs", where, str(refusal))
        return None
    return receipt.index


def _check_signed(
    members: Members, receipt: ProofFile, ledgers: Sequence[Ledger], keys: Sequence[VerifierKey], findings: Findings
) -> None:
    """Check that a receipt is signed by the key in force at its size, to which that of its ledger leads.

    Raises:
        Retired: by one that had gone by then.
        Invalid: by another one, or it is of another log, or of before the packet was made.
    """
    signed = Checkpoint.parse(receipt.checkpoint.text)
    ledger = next((each for each in ledgers if each.checkpoint and each.checkpoint.origin == signed.origin), None)
    if ledger is None or ledger.checkpoint is None:
        raise Invalid(f"of the log {signed.origin}, expected that of the packet")
    if receipt.index < ledger.checkpoint.size:
        raise Invalid(f"proves entry {receipt.index}, expected one behind the {ledger.checkpoint.size} of the packet")
    known = list(ledger.chain.rotated)
    for name in sorted(members.sizes):
        index = layout.receipt_rotation_of(name)
        if index is not None:
            proof = ProofFile.parse(content(members, name, MAX_BYTES))
            if proof.index != index or bytes(proof.checkpoint) != bytes(receipt.checkpoint):
                raise Invalid(
                    f"{name} proves entry {proof.index}, expected {index} under the checkpoint of the receipt"
                )
            known.append(Rotated(index, parse_rotation(_proven(proof))))
    chain = Chain(known)
    chain.verified(receipt.checkpoint, signed.size, (*keys, *ledger.keys))
    for entry, code, message in chain.told():
        if entry >= ledger.checkpoint.size:
            findings.add(code, layout.receipt_rotation(entry), message)


def consistency_file(hashes: Sequence[bytes]) -> bytes:
    """The file of a consistency proof: a hash in base64 a line."""
    return "".join(f"{base64(hashed)}\n" for hashed in hashes).encode()


def _parse_consistency(told: bytes) -> list[bytes]:
    *lines, rest = told.decode("ascii", "replace").split("\n")
    if rest or len(lines) > _MOST_HASHES:
        raise Invalid("read proof: not lines of base64, or too many")
    return [from_base64(line, "hash of a proof") for line in lines]


def _compare(members: Members, ledger: Ledger, older: Checkpoint, where: str, findings: Findings) -> None:
    newer, place = ledger.checkpoint, layout.consistency(ledger.number, older.size)
    if newer is None:
        return
    if older.size > newer.size or (older.size < newer.size and place not in members.sizes):
        message = (
            f"covers {older.size} entries, and the packet {newer.size} with no proof that one goes on from the other; "
            "ask for a packet made with this checkpoint, or compare the packet's with the store"
        )
        findings.add("unchecked", where, message)
        return
    try:
        proof = _parse_consistency(content(members, place, MAX_BYTES)) if older.size < newer.size else []
        verify_consistency(older.size, older.root, newer.size, newer.root, proof)
        ledger.compared += 1
    except Invalid:
        message = f"its first {older.size} entries are others than those of {where}"
        findings.add("history_differs", layout.ledger(ledger.number, "checkpoint"), message)


def _entry(members: Members, ledger: Ledger, index: int, where: str) -> bytes:
    proof = ProofFile.parse(content(members, where, MAX_BYTES))
    if proof.index != index:
        raise Invalid(f"proves entry {proof.index}, expected {index}")
    if bytes(proof.checkpoint) != ledger.note:
        raise Invalid("leads to another checkpoint than that of its ledger")
    return _proven(proof)


def _proven(proof: ProofFile) -> bytes:
    """The entry in a proof of which the checkpoint was verified."""
    if proof.extra is None:
        raise Invalid("has no entry in it")
    checkpoint = Checkpoint.parse(proof.checkpoint.text)
    verify_inclusion(leaf_hash(proof.extra), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return proof.extra


def _chain(members: Members, ledger: Ledger, findings: Findings) -> Chain:
    """The keys that entries of a packet name, each proven to be under the checkpoint, whoever signed that."""
    found: list[Rotated] = []
    places = [place for name in members.sizes if (place := layout.rotation_of(name)) is not None]
    for number, index in sorted(places):
        if number == ledger.number:
            where = layout.rotation(number, index)
            try:
                found.append(Rotated(index, parse_rotation(_entry(members, ledger, index, where))))
            except Invalid as refusal:
                findings.add("key_forged", where, str(refusal))
    try:
        return Chain(found)
    except Invalid as refusal:
        findings.add("key_forged", layout.ledger(ledger.number, "checkpoint"), str(refusal))
        return Chain()


def _own_key(members: Members, number: int, findings: Findings) -> VerifierKey | None:
    where = layout.ledger(number, "key")
    try:
        return VerifierKey.parse(content(members, where, MAX_BYTES).decode().removesuffix("\n"))
    except (Invalid, UnicodeDecodeError):
        findings.add("key_damaged", where, "no key that signs notes, expected one")
        return None
