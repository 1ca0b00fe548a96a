"""Keeping the derived tables up to date: what new records cost is in proportion to the runs that they touch.

A step takes some of the records that came since the last, finds the runs whose telling they may change (`touched`), and
tells these anew, from all of their records. Runs whose telling is final are kept; others are open, and told again when
more of them comes, or when time may have made them final. Whatever was kept of a run that is told anew counts no more.

A step writes files, and then one state that names those that count: a crash leaves the state before or the one after.
To begin from nothing is the same steps from the first record on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.analyzer.derived import kept, leads
from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.derived.finality import finality
from aftertrace.analyzer.derived.fresh import fresh
from aftertrace.analyzer.derived.kept_columns import SHARED
from aftertrace.analyzer.derived.touched import LEADS, leads_of, touched
from aftertrace.analyzer.identity.connected import SOUGHT, Connected, Sought, connected
from aftertrace.analyzer.identity.found import Found, in_store
from aftertrace.analyzer.schemas.order import ORDERS
from aftertrace.store import derived, durable, lock, lookup
from aftertrace.store.derived import Part, State
from aftertrace.store.folder import check_format
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wire_keys import KEYED

RECORDS_AT_MOST: Final = 50_000
"""A step takes about so many records, new ones and those of runs that time may have made final: what it needs in memory
is a few thousand bytes for each, and for some two seconds it takes from the drain what the threads of one core share.
Smaller ones add up to more: a third of a second goes into each, however few they are.
"""
SMALL_RUNS: Final = 4096
"""A part of fewer runs is put together with others."""
SMALL_PARTS: Final = 16
"""When there are more small parts than this."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did."""

    records: int
    """New ones that were looked at."""
    kept: int
    """Runs that are kept now, in all."""
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
        records_at_most: about so many records are looked at, new ones and those of runs that time made final.

    Raises:
        Held: another process does so.
        Corrupt: a file is damaged or missing.
        OSError: the disk does not take it.
    """
    with _alone(Layout(data)):
        return _whole_step(_pinned(data), now_ns, records_at_most, anew=anew)


def derive_all(data: Path, *, now_ns: int | None = None, anew: bool = False) -> Iterator[Step]:
    """Every step that there is, one after another, nobody else's in between. Parameters and errors as of `derive`."""
    with _alone(Layout(data)):
        pinned = _pinned(data)
        step = _whole_step(pinned, now_ns, RECORDS_AT_MOST, anew=anew)
        yield step
        while not step.is_last:
            pinned = _pinned(data, pinned)
            step = _whole_step(pinned, now_ns, RECORDS_AT_MOST, anew=False)
            yield step


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    check_format(layout)
    durable.make_folder(layout.derived)
    with lock.held(layout.derived_lock, "derives the tables of this store"):
        yield


def _pinned(data: Path, before: Snapshot | None = None) -> Snapshot:
    """The newest version: the one before if it still is, as its tables are open."""
    pinned = Snapshot.of(data)
    return before if before == pinned else pinned


def _whole_step(pinned: Snapshot, now_ns: int | None, records_at_most: int, *, anew: bool) -> Step:
    layout, began_s = pinned.layout, time.time()
    derived.sweep(layout)
    before = None if anew else derived.read(layout)
    with ExitStack() as unfinished:
        # On a full disk what it wrote would keep out what is received.
        unfinished.callback(derived.discard, layout, began_s)
        # A step that was killed may have left them behind.
        kept.follow(layout, before)
        step = _step(before, pinned, time.time_ns() if now_ns is None else now_ns, records_at_most)
        kept.follow(layout, derived.read(layout), is_last=step.is_last)
        unfinished.pop_all()
    return step


def _step(before: State | None, pinned: Snapshot, now_ns: int, records_at_most: int) -> Step:
    layout, state = pinned.layout, kept.current(before, pinned) or State(kept.rules())
    opened = kept.opened(layout, state)
    are_due = opened.filter(pl.col("due_ns") <= now_ns)
    half = max(records_at_most // 2, 1)
    due = _some_due(are_due, half)
    new = fresh(pinned, state.upto, max(records_at_most - _records_of(due), half))
    is_last = new.is_all and due.height == are_due.height
    records = sum(frame.height for frame in new.rows.values())
    if not records and not due.height:
        if new.upto != state.upto:
            derived.write(layout, replace(state, upto=new.upto, commits=kept.commits(pinned)))
        return Step(0, _runs_of(state.parts), _runs_of(state.opened), new.is_all)
    indexes = {table: lookup.extended(pinned, table, state.indexes.get(table, ())) for table in KEYED}
    known = leads.Leads(layout, state, opened.select(LEADS.names()))
    need, touched_runs = _needed(in_store(pinned, indexes), due, new.rows, known)
    # Telling takes most memory.
    new.rows.clear()
    told = Derivation(need.tables, now_ns, need.identified)
    keys_of_runs = leads_of(told, need.meant)
    states = finality(told, need.meant, keys_of_runs, now_ns, _come_back(touched_runs, opened))
    final = states.filter(pl.col("final_ns").is_not_null())
    gone = pl.concat([touched_runs, need.meant]).unique()
    still_open = keys_of_runs.join(
        states.filter(pl.col("final_ns").is_null()).select("run_id", "due_ns", "records", "has_come_back"),
        on="run_id",
        how="inner",
    )
    holding = opened.filter(pl.col("run_id").is_in(gone.implode()))["part"].unique().sort()
    parts = _with(layout, kept.FINISHED, state.parts, known.parts(gone), gone, _of_final(told, keys_of_runs, final))
    open_parts = _with(
        layout, kept.OPEN, state.opened, [state.opened[number] for number in holding], gone, _of_open(told, still_open)
    )
    indexes[leads.INDEX] = leads.extended(layout, state.indexes.get(leads.INDEX, ()), parts)
    derived.write(layout, State(state.rules, new.upto, tuple(parts), tuple(open_parts), kept.commits(pinned), indexes))
    return Step(records, _runs_of(parts), _runs_of(open_parts), is_last)


def _some_due(are_due: pl.DataFrame, at_most: int) -> pl.DataFrame:
    """Of runs that time may have made final those that wait longest: of about so many records, or one run."""
    runs = are_due.group_by("run_id").agg(pl.col("due_ns", "records").first()).sort("due_ns", "run_id")
    before = pl.col("records").cum_sum() - pl.col("records")
    return are_due.join(runs.filter(before < at_most), on="run_id", how="semi")


def _come_back(touched_runs: pl.Series, opened: pl.DataFrame) -> pl.Series:
    """Of the runs that are told anew those that had told their end before: they are kept, or have come back already."""
    is_open = touched_runs.is_in(opened.filter(~pl.col("has_come_back"))["run_id"].implode())
    return touched_runs.filter(~is_open)


def _records_of(due: pl.DataFrame) -> int:
    return int(due.group_by("run_id").agg(pl.col("records").first())["records"].sum())


def _needed(
    found: Found, due: pl.DataFrame, rows: dict[str, pl.DataFrame], known: leads.Leads
) -> tuple[Connected, pl.Series]:
    """The records that runs are told from which are due or which new rows may change, and which of them are known. What
    `found` keeps of files goes with it.
    """
    keys, touched_runs = known.reached(pl.concat([due.select(SOUGHT.names()), touched(found, rows)]).unique())
    return connected(found, Sought(keys.select("kind", "key").unique())), touched_runs


def _runs_of(parts: Iterable[Part]) -> int:
    return sum(part.runs for part in parts)


def _of_final(told: Derivation, keys: pl.DataFrame, final: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """What is kept of runs whose telling is final, with their keys (`leads_of`)."""
    final = final.join(keys.select("run_id").unique(), on="run_id", how="semi")
    of_runs = {name: told.table(name).join(final, on="run_id", how="semi", maintain_order="left") for name in ORDERS}
    return {
        **of_runs,
        "leads": keys.join(final, on="run_id", how="semi"),
        "final": final.select(kept.FINAL.names()),
    }


def _of_open(told: Derivation, opened: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """What is kept of open runs, columns as in `kept.OPENED`."""
    of_runs = {name: told.table(name).join(opened, on="run_id", how="semi", maintain_order="left") for name in SHARED}
    return {**of_runs, "opened": opened}


def _with(
    layout: Layout,
    kind: kept.Kind,
    parts: Sequence[Part],
    holding: Sequence[Part],
    gone: pl.Series,
    told: dict[str, pl.DataFrame],
) -> list[Part]:
    """Some parts without some runs, and with those that are told.

    The parts that hold any are written anew: large ones each for itself, and what is left of small ones with what is
    told, since a file takes some kilobytes however little is in it.
    """
    left, rest = list(parts), list[Part]()
    is_left = ~pl.col("run_id").is_in(gone.implode())
    runs = told[kind.listing]["run_id"].n_unique()
    for part in holding:
        listed = kept.scan(layout, [part], kind.listing).filter(is_left).select(pl.col("run_id").n_unique())
        staying = int(kept.collected(layout, listed)[0].item())
        at = left.index(part)
        is_large = staying >= SMALL_RUNS
        left[at : at + 1] = [_copied(layout, kind, [part], staying, is_left)] if is_large else []
        if staying and not is_large:
            rest.append(part)
            runs += staying
    if runs:
        tables = {
            name: pl.concat([kept.scan(layout, rest, name).filter(is_left), rows.lazy()]) for name, rows in told.items()
        }
        left.append(kept.part(layout, kind, runs, tables))
    return _folded(layout, kind, left)


def _folded(layout: Layout, kind: kept.Kind, parts: Sequence[Part]) -> list[Part]:
    """The parts, small ones put together where there are many, until they are small no more."""
    small = [part for part in parts if part.runs < SMALL_RUNS]
    if len(small) <= SMALL_PARTS:
        return list(parts)
    groups: list[list[Part]] = [[]]
    for part in small:
        if _runs_of(groups[-1]) >= SMALL_RUNS:
            groups.append([])
        groups[-1].append(part)
    return [
        *(part for part in parts if part.runs >= SMALL_RUNS),
        *(
            _copied(layout, kind, group, _runs_of(group), pl.lit(value=True)) if len(group) > 1 else group[0]
            for group in groups
        ),
    ]


def _copied(layout: Layout, kind: kept.Kind, parts: Sequence[Part], runs: int, only: pl.Expr) -> Part:
    """A part of so many runs, with the rows of others of which something holds."""
    return kept.part(
        layout, kind, runs, {table: kept.scan(layout, parts, table).filter(only) for table in kind.schemas}
    )
