"""Marks in stored rows: what stands for content that is left out, or for a secret. `ingest.redact_tokens` makes them.

Nothing may be judged from them but what they are for: equal digests of content are of equal content, and a token that
was drawn anew tells nothing of what it stands for.
"""

from __future__ import annotations

import re
from typing import Final

LEFT_OUT: Final = "[[left-out:"
"""How every mark of content begins."""
LEFT_OUT_DIGEST: Final = "[[left-out:digest-only:"
"""How one begins that is a keyed digest of the content."""
LEFT_OUT_MODE: Final = r"\[\[left-out:(digest-only|metadata-only)[^\]]*\]\]"
"""A pattern of it, for RE2, Rust and Python; the group is the mode."""
LEFT_OUT_WHOLE: Final = (
    r'^(?:\{"aftertrace\.cut":\{"begins":"","digest":")?\[\[left-out:digest-only:[a-z2-7]{10}\]\](?:"\}\})?$'
)
"""A pattern of arguments, or of a digest of them, that are left out whole, and known by a keyed digest."""
DRAWN: Final = r"(\[\[redacted:[a-z0-9-]+:random)-[a-z2-7]{10}"
"""A pattern of what was drawn for a secret, without its end; all but the group differs each time."""
REDACTION_NOTE: Final = "aftertrace.redaction.rules"
"""Attribute of a record, resource or scope that was changed, behind those that were sent: names of rules in order, each
with how often it fired, as in `github 1, password-field 2`. Where `evidence.redactions` is 0, its sender says so.
"""

_WHOLE: Final = re.compile(LEFT_OUT_WHOLE)
_DRAWN: Final = re.compile(DRAWN)


def is_left_out(arguments: str) -> bool:
    """Whether arguments are left out whole. One that only quotes a mark is what its sender says."""
    return _WHOLE.match(arguments) is not None


def without_drawn(text: str) -> str:
    """A text without what was drawn for secrets in it: two tellings of one thing have other ones."""
    return _DRAWN.sub(r"\1", text) if ":random-" in text else text
