"""Cosignatures of witnesses, as C2SP tlog-cosignature v1 defines them for Ed25519.

A witness that has seen a log only ever grow signs its checkpoint together with the time. Somebody who asks for the
signatures of witnesses that the log does not own cannot be shown another log than everybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import COSIGNATURE, PublicKey, SignerKey
from aftertrace.tlog.merkle import MAX_SIZE
from aftertrace.tlog.note import Note, Signature

_TIME_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class WitnessKey(PublicKey):
    """The public half of a key that cosigns checkpoints."""

    signature_type: ClassVar[int] = COSIGNATURE

    def verify(self, text: str, signature: bytes) -> None:
        """Check a cosignature of the text of a checkpoint.

        Raises:
            Invalid: it is not one by this key.
        """
        self._check(_message(text, time_s(signature)), signature[_TIME_BYTES:])


def time_s(signature: bytes) -> int:
    """When a cosignature was made, in seconds since 1970. It is true once the cosignature has been verified.

    Raises:
        Invalid: it is not a cosignature.
    """
    seconds = int.from_bytes(signature[:_TIME_BYTES])
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES or seconds > MAX_SIZE:
        raise Invalid(f"read cosignature: {len(signature)} bytes, expected a time and an Ed25519 signature")
    return seconds


def cosigned(note: Note, key: SignerKey, at_s: int) -> Note:
    """A checkpoint with a cosignature by a key, made at a time in seconds since 1970; what a witness does."""
    witness = WitnessKey(key.name, key.verifier.public)
    signature = at_s.to_bytes(_TIME_BYTES) + key.sign(_message(note.text, at_s))
    return note.with_signatures([Signature(key.name, witness.key_id, signature)])


def cosignatures(note: Note, *keys: WitnessKey) -> dict[WitnessKey, int]:
    """Which of some witnesses have cosigned a checkpoint, and when, in seconds since 1970; empty if none has.

    Raises:
        Invalid: a signature that names one of the witnesses is not by it.
    """
    seen: dict[WitnessKey, int] = {}
    for key in keys:
        if any((signature.name, signature.key_id) == (key.name, key.key_id) for signature in note.signatures):
            (signature,) = note.verified(key)
            seen[key] = time_s(signature.signature)
    return seen


def _message(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()
