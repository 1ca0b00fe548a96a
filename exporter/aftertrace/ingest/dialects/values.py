"""Attribute values as emitters write them: numbers and booleans as text (`"66"`, `"true"`), empty values."""

from __future__ import annotations

from typing import Any, Final

NS_PER_MS: Final = 1_000_000
_MAX_INT64: Final = 2**63 - 1
_MAX_MS: Final = 2**63 // NS_PER_MS - 1
_ASSOCIATED: Final = "traceloop.association.properties."
_CONVERSATIONS: Final = (f"{_ASSOCIATED}thread_id", f"{_ASSOCIATED}session_id", f"{_ASSOCIATED}conversation_id")


def text(value: Any) -> str | None:
    """A text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None


def has_prefix(attributes: dict[str, Any], prefixes: tuple[str, ...]) -> bool:
    """Whether any key begins with one of the prefixes."""
    # Nearly every record is somebody else's: one search in all keys costs less than to look at each of them.
    keys = "".join(attributes)
    for prefix in prefixes:
        if prefix in keys:
            return any(key.startswith(prefixes) for key in attributes)
    return False


def mapping(value: Any) -> dict[str, Any]:
    """A mapping; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def associated(attributes: dict[str, Any], name: str) -> Any:
    """What a program associates with its traces through Traceloop's SDK, on spans of whichever instrumentation."""
    return attributes.get(_ASSOCIATED + name)


def associated_conversation(attributes: dict[str, Any]) -> str | None:
    """The thread, session or conversation among it."""
    return next((attributes[key] for key in _CONVERSATIONS if text(attributes.get(key))), None)


def flag(value: Any) -> bool | None:
    """A boolean, also where it came as text; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def duration_ns(milliseconds: Any) -> int | None:
    """A duration in nanoseconds from milliseconds, as number or text; None when it is none or negative."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float | str):
        return None
    try:
        given = float(milliseconds)
    except (ValueError, OverflowError):
        return None
    return round(given * NS_PER_MS) if 0 <= given <= _MAX_MS else None


def elapsed_ns(start_ns: int, end_ns: int) -> int | None:
    """How long a span took; None while it is open or when it ends before it starts."""
    return end_ns - start_ns if end_ns >= start_ns else None


def whole(value: Any) -> int | None:
    """A whole number, also where the sender wrote it as text (`"66"`); None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and abs(value) <= _MAX_INT64 else None


def number(value: Any) -> float | None:
    """A number, also where the sender wrote it as text; None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
