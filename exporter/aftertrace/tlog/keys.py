"""Keys that sign notes, as C2SP signed-note writes them.

::

    <name>+<key id>+<base64 of type and public key>                 a verifier key, to be given to everybody
    PRIVATE+KEY+<name>+<key id>+<base64 of type and secret key>     a signer key

The key id is the first four bytes of a digest of name, type and public key. It tells keys apart and proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Self

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.texts import base64, checked_name, from_base64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519: Final = 0x01
"""Type of plain Ed25519 signatures over the text of a note."""

COSIGNATURE: Final = 0x04
"""Type of Ed25519 signatures over a checkpoint and the time at which a witness saw it."""

ID_BYTES: Final = 4
_KEY_BYTES: Final = 32
_SIGNER: Final = "PRIVATE+KEY+"


class Verifier(Protocol):
    """What can check signatures of one key."""

    @property
    def name(self) -> str:
        """Name of the key."""
        ...

    @property
    def key_id(self) -> bytes:
        """Its id."""
        ...

    def verify(self, text: str, signature: bytes) -> None:
        """Check a signature of a text.

        Raises:
            Invalid: it is not one by this key.
        """
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key with a name; its type says what it signs."""

    signature_type: ClassVar[int]

    name: str
    public: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot be a key.

        Raises:
            Invalid: the name is not one, or the key has another length.
        """
        _check_parts(self.name, self.public)

    @property
    def key_id(self) -> bytes:
        """The id of the key: four bytes."""
        return sha256(f"{self.name}\n".encode() + bytes([self.signature_type]) + self.public).digest()[:ID_BYTES]

    def __str__(self) -> str:
        """The key as people hand it on."""
        return f"{self.name}+{self.key_id.hex()}+{base64(bytes([self.signature_type]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str()`.

        Raises:
            Invalid: it is not a key of this type, or its id is not that of the key.
        """
        name, _, rest = text.partition("+")
        key = cls(checked_name(name), _key_in(name, rest, cls.signature_type))
        if str(key) != text:
            raise Invalid(f"read key {name}: its id is not that of the key, expected {key.key_id.hex()}")
        return key

    def _check(self, message: bytes, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            # A public key that is no point of the curve is refused here too.
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise Invalid(f"verify signature of {self.name}: not one by key {self.key_id.hex()}") from None


@dataclass(frozen=True, slots=True)
class VerifierKey(PublicKey):
    """The public half of a key that signs the text of notes."""

    signature_type: ClassVar[int] = ED25519

    def verify(self, text: str, signature: bytes) -> None:
        """Check a signature of a text.

        Raises:
            Invalid: it is not one by this key.
        """
        self._check(text.encode(), signature)


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A key that signs. Its secret is in no `repr`; `secret_text` is for the file that holds it."""

    name: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be a key.

        Raises:
            Invalid: the name is not one, or the key has another length.
        """
        _check_parts(self.name, self.secret)

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self._public())

    def secret_text(self) -> str:
        """The key as it is kept."""
        return f"{_SIGNER}{self.name}+{self.verifier.key_id.hex()}+{base64(bytes([ED25519]) + self.secret)}"

    @classmethod
    def parse(cls, text: str) -> SignerKey:
        """The inverse of `secret_text`.

        Raises:
            Invalid: it is not a key that signs notes, or its id is not that of the key.
        """
        if not text.startswith(_SIGNER):
            raise Invalid(f"read signer key: {len(text)} characters, expected {_SIGNER}<name>+<id>+<key>")
        name, _, rest = text.removeprefix(_SIGNER).partition("+")
        key = cls(checked_name(name), _key_in(name, rest, ED25519))
        if key.secret_text() != text:
            raise Invalid(f"read signer key {name}: its id is not that of the key")
        return key

    def sign(self, message: bytes) -> bytes:
        """Signature of some bytes."""
        return self._private().sign(message)

    def _public(self) -> bytes:
        return self._private().public_key().public_bytes_raw()

    def _private(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.secret)


def _check_parts(name: str, key: bytes) -> None:
    checked_name(name)
    if len(key) != _KEY_BYTES:
        raise Invalid(f"read key {name}: {len(key)} bytes, expected {_KEY_BYTES}")


def _key_in(name: str, rest: str, kind: int) -> bytes:
    """The key in the part of its text that follows the name; the id before it is checked by writing it again."""
    _, _, coded = rest.partition("+")
    content = from_base64(coded, f"key {name}")
    if content[0] != kind:
        raise Invalid(f"read key {name}: of type {content[0]:#04x}, expected {kind:#04x}")
    return content[1:]
