"""What `verifier.given` reads, with the errors of a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from aftertrace.store.errors import Invalid
from aftertrace.tlog import errors
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.note import Note
from aftertrace.verifier import given

_Given = TypeVar("_Given")


def keys_of(text: str, name: str) -> tuple[VerifierKey, ...]:
    """The keys in a text, one a line. Raises `Invalid` where one is none."""
    return _read(given.keys_of(text, name))


def keys_in(told: str) -> tuple[VerifierKey, ...]:
    """The keys in a text, or in the file of that name. Raises `Invalid` where one is none."""
    return _read(given.keys_in(told))


def notes_in(path: Path) -> tuple[tuple[str, Note], ...]:
    """The signed notes of a file, or of each file of a folder, with where it is. Raises `Invalid` where one is none."""
    return _read(given.notes_in(path))


def _read(found: Iterator[_Given]) -> tuple[_Given, ...]:
    try:
        return tuple(found)
    except errors.Invalid as refusal:
        raise Invalid(str(refusal)) from None
