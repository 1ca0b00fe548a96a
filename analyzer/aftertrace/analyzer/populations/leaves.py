"""The single values in the arguments of a call, each with where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from aftertrace.store.schema import CUT

Scalar: TypeAlias = str | int | float | bool | None
_MOST_DEPTH: Final = 16
"""What lies deeper is not looked at."""


def leaves(arguments: str | None) -> Iterator[tuple[str, Scalar]]:
    """Path and value of each, in the order of the text; `[]` in a path is any place of a list.

    A text that is no JSON has none, and neither have arguments that were too long to be stored: what stands for them
    is no argument.
    """
    try:
        told: Any = json.loads(arguments or "null")
    except (ValueError, RecursionError):
        return
    if isinstance(told, list) or (isinstance(told, dict) and told.keys() != {CUT}):
        yield from _below(told, "", 0)


def _below(value: Any, path: str, depth: int) -> Iterator[tuple[str, Scalar]]:
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _below(below, f"{path}.{_text(name)}" if path else _text(name), depth + 1)
    elif isinstance(value, list):
        for below in value:
            yield from _below(below, f"{path}[]", depth + 1)
    else:
        yield path, _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """Half a surrogate pair, which JSON can write, stands in no column."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
