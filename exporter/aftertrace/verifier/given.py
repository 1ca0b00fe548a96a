"""Keys and checkpoints that somebody kept elsewhere, as they are given to a verifier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.note import MAX_BYTES, Note


def keys_of(text: str, name: str = "--key") -> Iterator[VerifierKey]:
    """The keys in a text, one a line; `name` is what errors call it.

    Raises:
        Invalid: one is none.
    """
    for line in text.split("\n"):
        if line.strip():
            try:
                yield VerifierKey.parse(line.strip())
            except Invalid as refusal:
                raise Invalid(f"read {name}: {refusal}; give what ledger/key holds, or a file with it") from None


def keys_in(told: str) -> Iterator[VerifierKey]:
    """The keys in a text, or in the file of that name.

    Raises:
        Invalid: one is none.
    """
    path = Path(told)
    try:
        text = path.read_text("utf-8") if path.is_file() else told
    except (OSError, UnicodeDecodeError) as refusal:
        raise Invalid(f"read --key: {refusal}; give what ledger/key holds, or a file with it") from None
    yield from keys_of(text)


def notes_in(path: Path) -> Iterator[tuple[str, Note]]:
    """The signed notes of a file, or of each file of a folder, with where it is.

    Raises:
        Invalid: one is none.
    """
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.name.startswith("."):
            continue
        try:
            with file.open("rb") as opened:
                yield str(file), Note.parse(opened.read(MAX_BYTES + 1))
        except (Invalid, OSError) as refusal:
            raise Invalid(f"read checkpoint {file}: {refusal}; give a copy of a checkpoint") from None
