"""Texts that a record of a run refers to, put in place: results that are kept apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

_Told = TypeVar("_Told")


def with_contents(told: _Told, shown: Callable[[str], str]) -> _Told:
    """The same with all texts as they are shown.

    Args:
        told: a dataclass, in which others stand.
        shown: `Tables.shown`.
    """
    changed: dict[str, Any] = {}
    for field in fields(told):  # type: ignore[arg-type]  # a dataclass
        value = getattr(told, field.name)
        new = _shown(value, shown)
        if new is not value:
            changed[field.name] = new
    return replace(told, **changed) if changed else told  # type: ignore[type-var]  # a dataclass


def _shown(value: Any, shown: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, tuple):
        new = tuple(_shown(item, shown) for item in value)
        return value if all(one is other for one, other in zip(new, value, strict=True)) else new
    return with_contents(value, shown) if is_dataclass(value) and not isinstance(value, type) else value
