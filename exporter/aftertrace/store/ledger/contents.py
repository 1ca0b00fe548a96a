"""The entry that says which large contents are destroyed since their term is over, and how it is asked for."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from aftertrace.store.ledger.days import is_day
from aftertrace.store.ledger.state import Act

BLOBS: Final = 1000
"""Blobs in an entry at most: it has to fit into 65,535 bytes."""
_BLOB: Final = re.compile(r"[a-z2-7]{32}")


class ContentRetention(Act, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="contents"):
    """Blobs of a day are destroyed once this is signed. The records that refer to them stay as they are."""

    by: str
    """Who ordered it, as they said."""
    why: str
    plan: str
    """Digest of the plan that was ordered."""
    term_days: int
    day: str
    """Of receipt, in UTC, `YYYY-MM-DD`."""
    blobs: tuple[str, ...]
    """Digests of their contents, as references have them."""
    compared: int | UnsetType = UNSET
    """Number of the last hold or release then: of what held, none kept any of it. Not there where there was none. Who
    sent what refers to them is told by the records, which stay."""


class ContentsPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Blobs of a day, as `ContentRetention` has them."""

    day: str
    blobs: tuple[str, ...]


class RetainingContents(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="contents"
):
    """What retention is asked to destroy of contents; members as those of `ContentRetention`."""

    after: int | UnsetType = UNSET
    """Number of the last hold or release that was known when it was planned."""
    today: str | UnsetType = UNSET
    """The day that it is, as of `acts.Retaining`."""
    by: str
    why: str
    plan: str
    term_days: int
    parts: Annotated[tuple[ContentsPart, ...], msgspec.Meta(min_length=1)]

    def entries(self, ident: str, uid: int) -> tuple[ContentRetention, ...]:
        """What it becomes in the ledger."""
        said = {"by": self.by, "why": self.why, "plan": self.plan, "term_days": self.term_days}
        return tuple(ContentRetention(id=ident, uid=uid, day=part.day, blobs=part.blobs, **said) for part in self.parts)  # type: ignore[arg-type]


def numbers(entry: ContentRetention) -> list[int]:
    """What of an entry must not be negative; -1 stands for what cannot be."""
    is_sound = 0 < len(entry.blobs) <= BLOBS and all(map(_BLOB.fullmatch, entry.blobs)) and is_day(entry.day)
    return [0 if is_sound else -1, entry.term_days - 1, 0 if entry.compared is UNSET else entry.compared]
