"""Keeping the derived tables up to date: what new records cost is in proportion to the runs that they touch.

A step takes some of the records that came since the last, finds the runs whose telling they may change (`touched`), and
tells these anew, from all of their records. Runs whose telling is final are kept; others are open, and told again when
more of them comes, or when time may have made them final. Whatever was kept of a run that is told anew counts no more.

A step writes files, and then one state that names those that count: a crash leaves the state before or the one after.
To begin from nothing is the same steps from the first record on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.analyzer import kept
from aftertrace.analyzer.connected import SOUGHT, Sought, connected
from aftertrace.analyzer.derivation import Derivation
from aftertrace.analyzer.finality import finality
from aftertrace.analyzer.found import in_store
from aftertrace.analyzer.fresh import fresh
from aftertrace.analyzer.order import ORDERS
from aftertrace.analyzer.touched import LEADS, leads_of, reached, touched
from aftertrace.store import derived, durable, lock
from aftertrace.store.derived import Part, State
from aftertrace.store.folder import check_format
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot

RECORDS_AT_MOST: Final = 50_000
"""A step takes about so many new records: what it needs in memory is a few thousand bytes for each."""
SMALL_RUNS: Final = 8192
"""A part of fewer runs is put together with others."""
SMALL_PARTS: Final = 16
"""When there are more small parts than this."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did."""

    records: int
    """New ones that were looked at."""
    kept: int
    """Runs whose telling became final."""
    open: int
    """Runs that are open now."""
    is_last: bool
    """Whether there is nothing more to do for now."""


def derive(
    data: Path, *, now_ns: int | None = None, anew: bool = False, records_at_most: int = RECORDS_AT_MOST
) -> Step:
    """Bring the derived tables of a store forward by one step.

    Args:
        data: folder of the store.
        now_ns: the time at which runs are judged.
        anew: forget what was derived before.
        records_at_most: about so many new records are looked at.

    Raises:
        Held: another process does so.
        Corrupt: a file is damaged or missing.
        OSError: the disk does not take it.
    """
    layout = Layout(data)
    check_format(layout)
    durable.make_folder(layout.derived, mode=0o700)
    with lock.held(layout.derived_lock, "derives the tables of this store"):
        before = None if anew else derived.read(layout)
        return _step(before, Snapshot.of(data), time.time_ns() if now_ns is None else now_ns, records_at_most)


def _step(before: State | None, pinned: Snapshot, now_ns: int, records_at_most: int) -> Step:
    layout = pinned.layout
    state = kept.current(before, pinned) or State(kept.rules())
    found = in_store(pinned)
    new = fresh(pinned, state.upto, records_at_most)
    opened = kept.opened(layout, state)
    due = opened.filter(pl.col("due_ns") <= now_ns)
    records = sum(frame.height for frame in new.rows.values())
    if not records and not due.height:
        if new.upto != state.upto:
            derived.write(layout, replace(state, upto=new.upto), before)
        return Step(0, 0, opened["run_id"].n_unique(), new.is_all)
    keys = pl.concat([due.select(SOUGHT.names()), touched(found, new.rows)]).unique()
    kept_leads = kept.collected(layout, kept.scan(layout, state, "leads"))[0]
    keys, touched_runs = reached(keys, pl.concat([kept_leads, opened.select(LEADS.names())]))
    need = connected(found, Sought(keys.select("kind", "key").unique()))
    told = Derivation(need.tables, now_ns, need.identified)
    leads = leads_of(told, need.meant)
    states = finality(told, need.meant, leads, now_ns)
    final = states.filter(pl.col("final_ns").is_not_null())
    gone = pl.concat([touched_runs, need.meant]).unique()
    still_open = leads.join(
        states.filter(pl.col("final_ns").is_null()).select("run_id", "due_ns"), on="run_id", how="inner"
    )
    open_now = pl.concat([opened.filter(~pl.col("run_id").is_in(gone.implode())), still_open])
    part = kept.part(layout, _tables(told, leads, final))
    was_kept = touched_runs.len() or need.meant.is_in(kept_leads["run_id"].implode()).any()
    others = _without(layout, state, gone) if was_kept else state.parts
    parts = [*others, *([part] if part.runs else [])]
    new_state = State(state.rules, new.upto, tuple(_folded(layout, parts)), kept.open_runs(layout, open_now))
    derived.write(layout, new_state, before)
    derived.sweep(layout, new_state)
    return Step(records, part.runs, open_now["run_id"].n_unique(), new.is_all)


def _tables(told: Derivation, leads: pl.DataFrame, final: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """What is kept of runs whose telling is final."""
    final = final.join(leads.select("run_id").unique(), on="run_id", how="semi")
    of_runs = {name: told.table(name).join(final, on="run_id", how="semi", maintain_order="left") for name in ORDERS}
    return {
        **of_runs,
        "leads": leads.join(final, on="run_id", how="semi"),
        "final": final.select(kept.FINAL.names()),
    }


def _without(layout: Layout, state: State, gone: pl.Series) -> list[Part]:
    """The parts without some runs: those that hold any are written anew."""
    parts = []
    for part in state.parts:
        one = replace(state, parts=(part,))
        held = kept.collected(layout, kept.scan(layout, one, "final").select("run_id"))[0]["run_id"]
        if not held.is_in(gone.implode()).any():
            parts.append(part)
        elif not held.is_in(gone.implode()).all():
            parts.append(_written(layout, one, ~pl.col("run_id").is_in(gone.implode())))
    return parts


def _folded(layout: Layout, parts: list[Part]) -> list[Part]:
    """The parts, small ones as one where there are many."""
    small = [part for part in parts if part.runs < SMALL_RUNS]
    if len(small) <= SMALL_PARTS:
        return parts
    return [part for part in parts if part.runs >= SMALL_RUNS] + [
        _written(layout, State("", parts=tuple(small)), pl.lit(value=True))
    ]


def _written(layout: Layout, state: State, rows: pl.Expr) -> Part:
    frames = kept.collected(layout, *(kept.scan(layout, state, table).filter(rows) for table in kept.SCHEMAS))
    return kept.part(layout, dict(zip(kept.SCHEMAS, frames, strict=True)))
