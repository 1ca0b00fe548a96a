"""What a log and a witness say to each other, as C2SP tlog-witness v1 defines it: pure, whoever calls it sends.

The log shows a checkpoint, and a proof that it goes on from the last one that the witness has seen. The witness answers
with a cosignature, or with the size that it has seen::

    old 20852014                                    — witness.example/w1 jWbPPwAAAABkGF…
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=

    example.com/origin
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/origin Az3grlgt…
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aftertrace.tlog.cosignature import WitnessKey
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.note import Note, Signature
from aftertrace.tlog.texts import base64, from_decimal

PATH: Final = "add-checkpoint"
"""Behind the URL of a witness."""
_HASHES: Final = 63
"""In a proof at most."""


def shown(old_size: int, proof: Sequence[bytes], checkpoint: Note) -> bytes:
    """The body of a request.

    Args:
        old_size: of the checkpoint that the witness has seen last; 0: none.
        proof: that the checkpoint goes on from there.
        checkpoint: with the signature of its log.

    Raises:
        Invalid: nobody has signed it, or the proof is longer than any.
    """
    if len(proof) > _HASHES:
        raise Invalid(f"show checkpoint: {len(proof)} hashes, expected {_HASHES} at most")
    lines = [f"old {old_size}", *map(base64, proof)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + bytes(checkpoint)


def with_answer(checkpoint: Note, answer: bytes, key: WitnessKey) -> Note:
    """The checkpoint with the cosignature that a witness answered with, which is checked; others are left out.

    Raises:
        Invalid: the answer is none, or has no cosignature by the witness.
    """
    try:
        lines = answer.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        raise Invalid("read answer of a witness: not UTF-8, expected cosignatures") from None
    found = [signature for line in lines if (signature := Signature.parse(line)).key_id == key.key_id]
    cosigned = Note(checkpoint.text, tuple(each for each in found if each.name == key.name))
    cosigned.verified(key)
    return checkpoint.with_signatures(cosigned.signatures)


def seen_size(answer: bytes) -> int:
    """The size that a witness has seen last, as it says when it was told another one.

    Raises:
        Invalid: the answer is not one.
    """
    try:
        return from_decimal(answer.decode().removesuffix("\n"), "answer of a witness")
    except UnicodeDecodeError:
        raise Invalid("read answer of a witness: not UTF-8, expected the size that it has seen") from None
