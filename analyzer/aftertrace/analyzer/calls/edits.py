"""What an edit changed: the difference of two JSON values, member by member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import polars as pl

from aftertrace.store.marks import DRAWN, LEFT_OUT_WHOLE, is_left_out, without_drawn

ABSENT: Final = object()


def differ(before: str, after: str) -> pl.Expr:
    """Whether two columns of arguments, or of digests of them, differ; null where that is not known.

    Of two keyed digests that stand for arguments that are left out it is: equal arguments of a store have equal ones.
    Between one and arguments that are told it is not, and what was drawn for a secret differs each time.
    """
    one, other = (pl.col(name).str.contains(LEFT_OUT_WHOLE) for name in (before, after))
    told, ran = (pl.col(name).str.replace_all(DRAWN, "$1") for name in (before, after))
    return pl.when(one == other).then(told != ran)


def difference(before: str | None, after: str | None) -> str | None:
    """What changed between two JSON texts, as a JSON list of `{"path", "before", "after"}`; None if one is unknown.

    Objects are compared by member and lists of one length by item; of anything else the whole value is told. `before`
    is missing where something was added, `after` where it was removed. Paths are JSON Pointers (RFC 6901). What is
    unknown is as in `differ`.
    """
    if before is None or after is None or is_left_out(before) != is_left_out(after):
        return None
    before, after = without_drawn(before), without_drawn(after)
    one, other = _loaded(before), _loaded(after)
    try:
        found = list(_changes(one, other, ""))
    except RecursionError:
        # Nested deeper than can be compared: the texts are told whole.
        found = [("", before, after)] if before != after else []
    changes = [
        {"path": path, **{side: value for side, value in (("before", old), ("after", new)) if value is not ABSENT}}
        for path, old, new in found
    ]
    return msgspec.json.encode(changes).decode()


def _loaded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        # The sender gave no JSON: the text itself is the value.
        return text


def _changes(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            below = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from _changes(before.get(name, ABSENT), after.get(name, ABSENT), below)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, f"{path}/{index}")
    elif type(before) is not type(after) or before != after:
        yield path, before, after
