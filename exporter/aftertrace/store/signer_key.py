"""Keys that sign logs: each in a file of its own, which nobody but its user may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, VerifierKey

_SECRET_BYTES: Final = 32
_NAME_BYTES: Final = 8


def new(log: str) -> SignerKey:
    """A key for a new log of a kind. No other log has its name, since witnesses tell logs apart by it."""
    return SignerKey(f"{log}/{secrets.token_hex(_NAME_BYTES)}", os.urandom(_SECRET_BYTES))


def after(key: VerifierKey) -> SignerKey:
    """A key that takes the place of another one: of its name, and told from it by its id."""
    while (made := SignerKey(key.name, os.urandom(_SECRET_BYTES))).verifier.key_id == key.key_id:
        pass
    return made


def write(path: Path, key: SignerKey) -> None:
    """Keep a key where there is none. Raises `OSError` where the disk does not take it."""
    durable.create_file(path, f"{key.secret_text()}\n".encode(), mode=0o600)


def read(path: Path) -> SignerKey:
    """The key in a file.

    Raises:
        Corrupt: it is none.
        OSError: it cannot be read.
    """
    try:
        return SignerKey.parse(path.read_text("utf-8").removesuffix("\n"))
    except (Invalid, UnicodeDecodeError):
        raise Corrupt(f"read {path}: not a key that signs notes; restore it from a backup") from None
