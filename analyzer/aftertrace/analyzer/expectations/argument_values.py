"""Arguments of calls by path: the value that stands there as one text, and whether it is one that a rule names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from aftertrace.analyzer.expectations.patterns import fits, fits_beginning
from aftertrace.analyzer.expectations.rules import Argument
from aftertrace.store.schema import CUT

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
    if whole is _ABSENT:
        # What stands at a path is not told, and no pattern is ruled out by what is missing.
        begins = _beginning(arguments)
        return all(not each.path and fits_beginning(begins, each.patterns) for each in wanted) or None
    return all(fits(_value(_at(whole, each.path, arguments)), each.patterns) for each in wanted)


def values(arguments: str | None) -> Iterator[tuple[str, Any]]:
    """The values in arguments that hold no others, with the JSON Pointer (RFC 6901) of each; the first fifty."""
    whole = _ABSENT if arguments is None else _loaded(arguments)
    for nth, found in enumerate(_leaves(whole, "", _DEPTH)):
        if nth == _MOST_VALUES:
            return
        yield found


def texts_at(arguments: str, paths: Sequence[str]) -> list[str | None]:
    """What stands at each path, as rules name it; None: nothing, or nothing that is told."""
    whole = _loaded(arguments)
    return [_value(_at(whole, path, arguments)) for path in paths]


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
    """The value that a text tells whole: not where it is no JSON, the beginning of it, or stands for a longer one."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _ABSENT
    is_begun = isinstance(value, str) and value.lstrip().startswith(("{", "["))
    return _ABSENT if is_begun or (isinstance(value, dict) and value.keys() == {CUT}) else value


def _beginning(text: str) -> str:
    """How arguments begin that are not told whole."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    begins = value.get(CUT) if isinstance(value, dict) else value
    begins = begins.get("begins") if isinstance(begins, dict) else begins
    return begins if isinstance(begins, str) else ""


def _at(whole: Any, path: str, arguments: str) -> Any:
    if not path:
        return whole if isinstance(whole, str) else arguments
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
