"""What is told of all runs of a store beside one that is read alone, where that does not take long."""

from __future__ import annotations

from typing import Final

from aftertrace.analyzer.derived import kept
from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.derived.fresh import counted
from aftertrace.analyzer.derived.parted import Parted
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.store.derived import State
from aftertrace.store.snapshot import Snapshot

RECORDS_AT_MOST: Final = 20_000
"""So many records are told anew to show one run: a second's work."""
_OPEN_AT_MOST: Final = 2_000
"""And so many runs that are not over, whose records are told anew each time."""


def around(
    pinned: Snapshot, state: State | None, tables: Tables, now_ns: int, as_of_ns: int | None
) -> Derivation | Parted | None:
    """What tells of all runs: what is kept, or all records of a small store; None where neither will do.

    Args:
        pinned: the version of the store that is read.
        state: what is kept of it, if it is (`kept.current`).
        tables: all that was received by the time that is asked about.
        now_ns: the time it is judged at.
        as_of_ns: only what had been received before then is told; None: all.
    """
    # What came later does not decide what is told of an earlier time.
    new, every = counted(pinned, {} if state is None else state.upto, as_of_ns)
    if every <= RECORDS_AT_MOST:
        return Derivation(tables, now_ns)
    if state is None or new > RECORDS_AT_MOST:
        return None
    if kept.opened(pinned.layout, state)["run_id"].n_unique() > _OPEN_AT_MOST:
        return None
    return Parted(pinned, state, now_ns, as_of_ns)
