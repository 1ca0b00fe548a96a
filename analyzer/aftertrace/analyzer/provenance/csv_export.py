"""A CSV export of any system of record, read as actions: the columns are named by whoever knows the export."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from aftertrace.analyzer.provenance.actions import Action, instant_ns, title_of
from aftertrace.analyzer.provenance.commits import co_authors
from aftertrace.semconv.propagate import is_run_id, named_conversations, named_runs
from aftertrace.store.errors import Invalid

_EPOCH_UNITS: Final = ((1e17, 1), (1e14, 10**3), (1e11, 10**6), (0.0, 10**9))
"""From which number on an epoch time is in nanoseconds, microseconds, milliseconds, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column holds what; None where none does."""

    id: str
    """The id of the row's object."""
    run: str | None = None
    """The run that did it."""
    receipt: tuple[str, ...] = ()
    """What else a receipt names it by: request ids, addresses."""
    time: str | None = None
    """When: ISO 8601, or seconds, milliseconds, microseconds or nanoseconds since the Unix epoch."""
    author: tuple[str, ...] = ()
    """Who did it."""
    text: tuple[str, ...] = ()
    """Texts in which a run may be named on a line of its own; the title is the first line."""
    reviewer: tuple[str, ...] = ()
    """Who approved it there."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        single = tuple(name for name in (self.run, self.time) if name is not None)
        return (self.id, *single, *self.receipt, *self.author, *self.text, *self.reviewer)


def actions(lines: Iterable[str], columns: Columns, system: str, name: str) -> Iterator[Action]:
    """One action per row that has an id, read one after the other.

    Raises:
        Invalid: a column is missing, or a line is no CSV.
    """
    reader = csv.DictReader(lines)
    try:
        header = reader.fieldnames or []
        if missing := [column for column in columns.names if column not in header]:
            told = ", ".join(header[:20]) or "no header"
            raise Invalid(f"read {name}: no column {missing[0]!r}, expected one of: {told}")
        for row in reader:
            if ident := (row[columns.id] or "").strip():
                yield _action(row, ident, columns, system)
    except (csv.Error, UnicodeDecodeError) as error:
        raise Invalid(f"read {name}: {error} at line {reader.line_num}, expected CSV in UTF-8 with a header") from error


def _action(row: dict[str, str | None], ident: str, columns: Columns, system: str) -> Action:
    def told(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(value for name in names if (value := (row[name] or "").strip()))

    text = "\n".join(told(columns.text))
    run_id = (row[columns.run] or "").strip() if columns.run is not None else ""
    keys = told(columns.receipt)
    return Action(
        system=system,
        kind="row",
        id=ident,
        keys=keys,
        url=next((key for key in keys if key.startswith(("https://", "http://"))), None),
        at_ns=_instant_ns((row[columns.time] or "").strip()) if columns.time is not None else None,
        title=title_of(text),
        people=(*told(columns.author), *co_authors(text)),
        text=text,
        run_ids=tuple(dict.fromkeys((*((run_id,) if is_run_id(run_id) else ()), *named_runs(text)))),
        conversations=named_conversations(text),
        reviewers=told(columns.reviewer),
    )


def _instant_ns(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return instant_ns(text)
    if not math.isfinite(number):
        return None
    time_ns = int(number * next(unit for least, unit in _EPOCH_UNITS if abs(number) >= least))
    return time_ns if abs(time_ns) < 2**63 else None
