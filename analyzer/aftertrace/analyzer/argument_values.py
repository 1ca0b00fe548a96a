"""Arguments of calls by path: the value that stands there as one text, and whether it is one that a rule names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from aftertrace.analyzer.expectations import Argument
from aftertrace.analyzer.patterns import fits

_ABSENT: Final = object()
_DEPTH: Final = 4
_MOST_VALUES: Final = 50


def are_meant(arguments: str | None, wanted: Sequence[Argument]) -> bool | None:
    """Whether arguments are those that a rule names, each at its path; None: they are not told, or not whole.

    Args:
        arguments: canonical JSON of them, or the text that the sender gave; None: not told.
        wanted: paths and patterns, of which all must hold.
    """
    if arguments is None:
        return None
    whole = _loaded(arguments)
    found = [_value(arguments if each.path == "" else _at(whole, each.path)) for each in wanted]
    if whole is _ABSENT and any(each.path for each in wanted):
        # No JSON, or the beginning of it: what stands at a path is not told.
        return None
    return all(fits(value, each.patterns) for value, each in zip(found, wanted, strict=True))


def values(arguments: str | None) -> Iterator[tuple[str, Any]]:
    """The values in arguments that hold no others, with the JSON Pointer (RFC 6901) of each; the first fifty."""
    whole = _ABSENT if arguments is None else _loaded(arguments)
    for nth, found in enumerate(_leaves(whole, "", _DEPTH)):
        if nth == _MOST_VALUES:
            return
        yield found


def text_of(value: Any) -> str:
    """A value as rules name it: a text as it is, anything else as canonical JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        if depth:
            for name in sorted(value):
                yield from _leaves(value[name], f"{path}/{name.replace('~', '~0').replace('/', '~1')}", depth - 1)
    elif value is not _ABSENT and not isinstance(value, list) and path:
        yield path, value


def _loaded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _ABSENT


def _at(whole: Any, path: str) -> Any:
    value = whole
    for part in path.removeprefix("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name, _ABSENT)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return _ABSENT
    return value


def _value(value: Any) -> str | None:
    return None if value is _ABSENT else text_of(value)
