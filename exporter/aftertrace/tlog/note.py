"""Signed notes, as C2SP signed-note defines them: a text with signatures below.

::

    a text of any lines that ends with a line end

    — <key name> <base64 of key id and signature>

What a note says counts only once `verified` has found a signature by a key that is trusted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import ID_BYTES, SignerKey, Verifier
from aftertrace.tlog.texts import base64, checked_name, from_base64, is_text

MAX_BYTES: Final = 1_000_000
"""Length of the longest note that is read."""

MAX_SIGNATURES: Final = 100
"""Most signatures on a note that is read."""

_DASH: Final = "— "


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line. It is of whatever type its key is of: nobody can tell without the key."""

    name: str
    """Name of the key."""
    key_id: bytes
    """Id of the key: four bytes."""
    signature: bytes
    """What the key's type says: for plain Ed25519 the 64 bytes of the signature."""

    def __post_init__(self) -> None:
        """Refuse what no signature line can hold.

        Raises:
            Invalid: the name is not one, the id has another length, or there is no signature.
        """
        checked_name(self.name)
        if len(self.key_id) != ID_BYTES or not self.signature:
            raise Invalid(f"read signature of {self.name}: not a key id of {ID_BYTES} bytes and a signature")

    def __str__(self) -> str:
        """The line, with its end."""
        return f"{_DASH}{self.name} {base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """The inverse of `str()`.

        Raises:
            Invalid: it is not such a line.
        """
        name, _, coded = line.removeprefix(_DASH).removesuffix("\n").partition(" ")
        content = from_base64(coded, "signature")
        signature = cls(name, content[:ID_BYTES], content[ID_BYTES:])
        if str(signature) != line:
            raise Invalid("read signature: not a line of its own, expected '— <key name> <base64>'")
        return signature


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures below it, of which nothing is known yet."""

    text: str
    """The text with its last line end."""
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a text that a note cannot hold.

        Raises:
            Invalid: it does not end with a line end, or has control characters in it.
        """
        if not self.text.endswith("\n") or not is_text(self.text):
            raise Invalid("read note: control characters, or no line end; expected lines of UTF-8")

    @classmethod
    def parse(cls, content: bytes) -> Note:
        """The inverse of `bytes()`.

        Raises:
            Invalid: it is not a signed note, or over a limit.
        """
        if len(content) > MAX_BYTES:
            raise Invalid(f"read note: {len(content)} bytes, expected {MAX_BYTES} at most")
        try:
            whole = content.decode()
        except UnicodeDecodeError:
            raise Invalid("read note: not UTF-8, expected text") from None
        # What is signed may have empty lines: the last one ends it.
        text, found, below = whole.rpartition("\n\n")
        if not found or not below.endswith("\n"):
            raise Invalid("read note: no text, empty line and lines of signatures; expected a signed note")
        lines = below.removesuffix("\n").split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise Invalid(f"read note: {len(lines)} signatures, expected {MAX_SIGNATURES} at most")
        return cls(text + "\n", tuple(Signature.parse(line + "\n") for line in lines))

    def __bytes__(self) -> bytes:
        """The note as it is kept and sent.

        Raises:
            Invalid: nobody has signed it yet.
        """
        if not self.signatures:
            raise Invalid("write note: no signature, expected one at least")
        return (self.text + "\n" + "".join(map(str, self.signatures))).encode()

    def signed(self, *keys: SignerKey) -> Note:
        """The note with signatures by some keys below those that it has."""
        return self.with_signatures(
            Signature(key.name, key.verifier.key_id, key.sign(self.text.encode())) for key in keys
        )

    def with_signatures(self, signatures: Iterable[Signature]) -> Note:
        """The note with more signatures; one by a key that has signed already takes the place of the older one."""
        added = {(signature.name, signature.key_id): signature for signature in signatures}
        kept = [signature for signature in self.signatures if (signature.name, signature.key_id) not in added]
        return replace(self, signatures=(*kept, *added.values()))

    def verified(self, *keys: Verifier) -> tuple[Signature, ...]:
        """The signatures by some keys, one for each that signed; those by other keys are left out.

        Raises:
            Invalid: none of the keys has signed, or a signature that names one of them is not by it.
        """
        known = {(key.name, key.key_id): key for key in keys}
        found: dict[tuple[str, bytes], Signature] = {}
        for signature in self.signatures:
            identity = (signature.name, signature.key_id)
            if identity in known:
                known[identity].verify(self.text, signature.signature)
                found.setdefault(identity, signature)
        if not found:
            names = ", ".join(sorted({key.name for key in keys})) or "no key"
            raise Invalid(f"verify note: no signature by a key that is trusted, expected one by {names}")
        return tuple(found.values())
