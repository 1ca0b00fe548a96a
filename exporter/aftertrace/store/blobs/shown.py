"""What people are shown where a record refers to a large content: how it begins, or why it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aftertrace.store.blobs import blobs, reference
from aftertrace.store.blobs.reference import BEGINS, Reference
from aftertrace.store.errors import Corrupt
from aftertrace.store.folder import read_store_key

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout

CHARACTERS: Final = 2048
"""As much of a content is shown as rows hold of shorter ones."""


class Shown:
    """Reads what texts refer to."""

    def __init__(self, layout: Layout) -> None:
        """Of a store."""
        self._layout = layout
        self._key: bytes | None = None

    def __call__(self, text: str) -> str:
        """A text with how each content begins that it refers to."""
        if BEGINS not in text:
            return text
        if self._key is None:
            try:
                self._key = read_store_key(self._layout)
            except (Corrupt, OSError):
                return text
        for written, of in dict(reference.found(text, self._key)).items():
            text = text.replace(written, self._told(of, self._key))
        return text[:CHARACTERS]

    def _told(self, of: Reference, key: bytes) -> str:
        try:
            return blobs.get(self._layout, of, key)[:CHARACTERS]
        except blobs.Gone:
            why = self._why_gone(of)
        except Corrupt:
            why = "damaged: run aftertrace verify"
        except OSError:
            why = "it cannot be read by this account"
        return f"[content of {of.size_bytes:,} bytes: {why}]"

    def _why_gone(self, of: Reference) -> str:
        destroyed = blobs.destroyed_on(self._layout, of.day)
        if destroyed is not None:
            return f"destroyed on {destroyed.isoformat()} by its term"
        return "its blob is not here: erased, kept elsewhere or lost; aftertrace verify tells"
