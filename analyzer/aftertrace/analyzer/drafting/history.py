"""What rules are tried over: the calls and runs on record, some after others, so that no more need be held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from aftertrace.analyzer.expectations import checks
from aftertrace.analyzer.reading.select import ALL

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

OF_CALLS: Final = (*checks.OF_CALLS, "signals")
"""The columns of calls that history is looked at by."""
OF_RUNS: Final = (*checks.OF_RUNS, "signals")
"""Those of runs."""
Share: TypeAlias = tuple[pl.DataFrame, pl.DataFrame]
"""Some runs' calls with `OF_CALLS`, and these runs with `OF_RUNS`."""


@dataclass(frozen=True, slots=True)
class History:
    """Calls and runs, as often as they are asked for."""

    read: Callable[[pl.Expr, pl.Expr], Iterator[Share]]
    """Gives the calls and the runs of which something holds, over the columns as they are told."""

    def shares(self) -> Iterator[Share]:
        """All calls and runs."""
        return self.read(ALL, ALL)

    def calls(self, only: pl.Expr) -> Iterator[pl.DataFrame]:
        """The calls of which something holds."""
        return (calls for calls, _ in self.read(only, _NONE))

    def runs(self, only: pl.Expr) -> Iterator[pl.DataFrame]:
        """The runs of which something holds."""
        return (runs for _, runs in self.read(_NONE, only))


_NONE: Final = pl.lit(value=False)


def history(analysis: Analysis) -> History:
    """All that is on record."""

    def read(of_calls: pl.Expr, of_runs: pl.Expr) -> Iterator[Share]:
        for share in analysis.shares():
            calls, runs = share.collected(
                share.scan("calls", OF_CALLS, only=of_calls), share.scan("runs", OF_RUNS, only=of_runs)
            )
            yield calls, runs

    return History(read)
