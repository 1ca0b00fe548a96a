"""Vendors' texts in what agents export, and what stands for them in a recording. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

MAX_CHARS: Final = 400
"""A longer text is a vendor's, or no use in a recording."""
_REMOVED: Final = re.compile(r"\[vendor text removed: \d+ chars sha256:[0-9a-f]{16}\]")
_TOLD_IN: Final = re.compile(r"(^|\.)(tool|agent)\.description$")
"""Attributes that are such a text as a whole."""
_DECLARED_IN: Final = re.compile(r"\.tool\.definitions$")
"""Attributes that are tool declarations as a whole, in whatever shape."""
_KEPT: Final = ("exception.message",)
"""Attributes whose texts are kept whole: an interrupt's holds what was asked, as Python writes it."""
_IN_PYTHON: Final = re.compile(
    r"""(?<='description': )('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=, '(?:properties|type)')"""
)
"""A schema's description as Python writes it."""


def removed(text: str) -> str:
    """What stands for a text; of what stands for one already, itself."""
    if _REMOVED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"[vendor text removed: {len(text)} chars sha256:{digest}]"


def trimmed(text: str) -> str:
    """A text, or what stands for one that is too long; inside JSON its strings one by one."""
    if text[:1] in ("[", "{"):
        try:
            told = json.loads(text)
        except ValueError:
            pass
        else:
            kept = without(told)
            return text if kept == told else json.dumps(kept, ensure_ascii=False)
    return text if len(text) <= MAX_CHARS else removed(text)


def without(value: Any, *, declared: bool = False) -> Any:
    """A value of JSON, OTLP's too, without its long texts and without what tool declarations say of tools.

    Args:
        value: of any shape.
        declared: whether it is a tool declaration, or lies in one.
    """
    if isinstance(value, list):
        return [without(item, declared=declared) for item in value]
    if isinstance(value, dict):
        key = value.get("key")
        return _attribute(key, value, declared=declared) if isinstance(key, str) else _object(value, declared=declared)
    return trimmed(value) if isinstance(value, str) else value


def _attribute(key: str, item: dict[str, Any], *, declared: bool) -> dict[str, Any]:
    """OTLP's pair of a key and a value."""
    told = item.get("value")
    text = told.get("stringValue") if isinstance(told, dict) else None
    if isinstance(text, str) and key in _KEPT:
        return {**item, "value": {"stringValue": _IN_PYTHON.sub(lambda found: repr(removed(found[0][1:-1])), text)}}
    if isinstance(text, str) and (_TOLD_IN.search(key) or (declared and key == "description")):
        return {**item, "value": {"stringValue": removed(text)}}
    return _object(item, declared=declared or _DECLARED_IN.search(key) is not None)


def _object(told: dict[str, Any], *, declared: bool) -> dict[str, Any]:
    here = declared or _is_schema(told)
    described = here or told.get("type") == "function" or any(_is_schema(item) for item in told.values())
    return {
        key: removed(item)
        if described and key == "description" and isinstance(item, str)
        else without(item, declared=here or _is_schema(item))
        for key, item in told.items()
    }


def _is_schema(value: Any) -> bool:
    """Whether it is a JSON schema of an object, as declarations hold of a tool's arguments."""
    return isinstance(value, dict) and ("$schema" in value or str(value.get("type")).lower() == "object")
