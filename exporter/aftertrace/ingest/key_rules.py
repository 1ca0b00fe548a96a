"""What a policy does to attributes by their keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from aftertrace.ingest.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aftertrace.ingest.redaction_policy import Keys

Act: TypeAlias = Literal["drop", "redact", "replace"]
"""Remove it; put a token for the value since its key is denied; or since it is not among those that are kept."""

DROPPED: Final = "dropped-key"
"""Rule name for attributes that were removed by their key."""
REDACTED: Final = "redacted-key"
"""Rule name for values that were replaced by their key."""
NOT_KEPT: Final = "unlisted-key"
"""Rule name for values whose key is not among those that are kept."""

_UNWRITTEN: Final = ("body", "status", "message", "severity_text")
"""Keys that we give to what has none (`body`, `status.message`, `severity_text`): they stand in no message."""


class KeyRules:
    """Patterns over keys, compiled."""

    def __init__(self, keys: Keys) -> None:
        """Compile them."""
        self._drop, self._redact, self._keep = (_any_of(patterns) for patterns in (keys.drop, keys.redact, keys.keep))
        self.is_allow_list = self._keep is not None
        """Whether only what is named keeps its value."""
        signs = [_sign(pattern) for pattern in (*keys.drop, *keys.redact)]
        self.look_at_all = self.is_allow_list or None in signs
        """Whether every attribute is looked at: there is an allow-list, or a key that stands in no message."""
        self.signs = tuple(filter(None, signs))
        """RE2 patterns of which one is found in the bytes of every message that has such a key."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.signs) or self.look_at_all

    def act(self, key: str, path: str) -> Act | None:
        """What is done to an attribute; None: nothing.

        Args:
            key: its own.
            path: the keys of the maps it is in, and its own, with dots between them.
        """
        names = {key.encode(), path.encode()}
        if _matches(self._drop, names):
            return "drop"
        if _matches(self._redact, names):
            return "redact"
        return "replace" if self._keep is not None and not _matches(self._keep, names) else None


def _any_of(patterns: Iterable[str]) -> Any:
    """One pattern for all of some globs; None where there are none."""
    each = [re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns]
    return compile_pattern(f"(?is:{'|'.join(each)})", capture=False) if each else None


def _matches(pattern: Any, names: Iterable[bytes]) -> bool:
    return pattern is not None and any(pattern.fullmatch(name) for name in names)


def _sign(pattern: str) -> str | None:
    """The longest part of a glob that stands in one key as it is; None where its key may stand in no message."""
    parts = [part for part in re.split(r"[*?.]+", pattern) if not any(part.lower() in name for name in _UNWRITTEN)]
    return f"(?i:{re.escape(max(parts, key=len))})" if parts else None
