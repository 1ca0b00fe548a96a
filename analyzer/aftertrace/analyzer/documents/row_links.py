"""The commands that list the rows behind the numbers of a report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from aftertrace.analyzer.documents.document import Rows
from aftertrace.analyzer.documents.periods import Period, instant
from aftertrace.analyzer.reading.select import Filter

_TIMES: Final = ("since_ns", "until_ns", "run_id")
_MOST_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Links:
    """Commands over one period and filter."""

    period: Period
    wanted: Filter

    def rows(self, command: str, **more: Any) -> Rows | None:
        """The command that lists what the filter and `more` of its fields let through.

        None where it cannot be typed: a value is not known, or has characters that nobody sees.
        """
        names = [each.name for each in fields(Filter) if each.name not in _TIMES]
        values = {name: getattr(self.wanted, name) for name in names}
        values = {name: value for name, value in values.items() if value is not None} | more
        if not all(isinstance(value, str) and can_be_typed(value) for value in values.values()):
            return None
        chosen = [f"--{name.replace('_', '-')} {shlex.quote(value)}" for name, value in values.items()]
        return Rows(" ".join((f"aftertrace {command}", *chosen, *self._times())))

    def before(self) -> Links:
        """Commands over the period before."""
        before = self.period
        ended = replace(before, since_ns=before.before_ns, until_ns=before.since_ns or 0, goes_on=False)
        return replace(self, period=ended)

    def between(self, since_ns: int, until_ns: int) -> Links:
        """Commands over a part of the period."""
        return replace(self, period=replace(self.period, since_ns=since_ns, until_ns=until_ns, goes_on=False))

    def _times(self) -> list[str]:
        since = [] if self.period.since_ns is None else [f"--since {instant(self.period.since_ns)}"]
        if self.period.goes_on:
            return since
        return [*since, f"--until {instant(self.period.until_ns)}", f"--as-of {instant(self.period.as_of_ns)}"]


def can_be_typed(value: str) -> bool:
    """Whether a value can be given on a command line as it is shown."""
    return 0 < len(value) <= _MOST_CHARACTERS and value.isascii() and value.isprintable() and not value.startswith("-")
