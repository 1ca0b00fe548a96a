"""What is kept of runs against what their records tell: whoever may write to its files can make them say anything.

The records are gone through as they were derived, some at a time, and the runs that they lead to are told anew. What is
kept plays no part in which runs these are: one that was left out shows too. Of runs that are open nothing is compared,
since what is asked of them is told from their records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.analyzer.derived import kept, kept_columns, leads
from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.derived.deriving import RECORDS_AT_MOST
from aftertrace.analyzer.derived.finality import NO_TENANT
from aftertrace.analyzer.derived.fresh import fresh
from aftertrace.analyzer.derived.kept import Kind
from aftertrace.analyzer.derived.parted import Parted
from aftertrace.analyzer.derived.touched import COLUMNS, leads_of, touched
from aftertrace.analyzer.identity.connected import Sought, connected, sought
from aftertrace.analyzer.identity.found import in_store
from aftertrace.analyzer.schemas.order import ORDERS, ordered
from aftertrace.store import derived, derived_logs, lookup
from aftertrace.store.derived import Part
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot, collected
from aftertrace.store.wire_keys import KEYED

_TABLES: Final = (*ORDERS, "leads")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is kept, and that no record tells so."""

    table: str
    run_id: str | None
    """None: it is of no run."""
    day: date | None
    """On which the first record of the run was received, in UTC; None where it has none."""
    found: str
    """What it is."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which runs are compared: all, where nothing is said."""

    run_id: str | None = None
    """Only this one."""
    since: date | None = None
    """Only those of which records were received from that day on, in UTC."""
    until: date | None = None
    """Only those of which records were received up to that day, in UTC."""

    def has(self, received_ns: str) -> pl.Expr:
        """Whether a time of receipt in a column is of one of the days."""
        at = pl.col(received_ns)
        since = pl.lit(value=True) if self.since is None else at >= _begins_ns(self.since)
        return since if self.until is None else since & (at < _begins_ns(self.until + timedelta(days=1)))


def compare(
    data: Path,
    chosen: Chosen,
    tell: Callable[[Difference], object],
    *,
    now_ns: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> int | None:
    """Compare what is kept of a store's runs with what their records tell.

    Args:
        data: folder of the store.
        chosen: which runs.
        tell: told of each difference.
        now_ns: the time at which runs are judged.
        progress: told how many records were gone through.

    Returns:
        How many runs are kept as their records tell them; None where nothing that is kept counts.

    Raises:
        Corrupt: a file is damaged or missing.
    """
    layout = Layout(data)
    before = derived.read(layout)
    pinned = Snapshot.of(data)
    state = kept.current(before, pinned)
    if state is None:
        return None
    comparing = _Comparing(Parted(pinned, state, time.time_ns() if now_ns is None else now_ns, None), tell)
    if chosen.run_id is not None:
        need = connected(in_store(pinned), sought(in_store(pinned), chosen.run_id))
        comparing.runs(Derivation(need.tables, comparing.of.now_ns, need.identified), need.meant)
        return comparing.alike
    comparing.files()
    done = 0
    found = in_store(pinned)
    for rows in _received(pinned, chosen):
        need = connected(found, Sought(touched(found, rows).select("kind", "key").unique()))
        comparing.runs(Derivation(need.tables, comparing.of.now_ns, need.identified), need.meant)
        done += sum(frame.height for frame in rows.values())
        progress(done)
    comparing.others(chosen)
    return comparing.alike


def _received(pinned: Snapshot, chosen: Chosen) -> Iterator[dict[str, pl.DataFrame]]:
    """The records of those days, some at a time, as they were received."""
    bounds = collected(
        *(
            pinned.scan(table)
            .filter(chosen.has("received_ns"))
            .group_by("receiver")
            .agg(first=pl.col("seq").min(), last=pl.col("seq").max())
            for table in COLUMNS
        )
    )
    by_receiver = pl.concat(bounds).group_by("receiver").agg(pl.col("first").min(), pl.col("last").max())
    last = dict(by_receiver.select("receiver", "last").iter_rows())
    upto = {**dict(pinned.watermarks), **dict(by_receiver.select("receiver", pl.col("first") - 1).iter_rows())}
    while any(upto.get(receiver, 0) < seq for receiver, seq in last.items()):
        new = fresh(pinned, upto, RECORDS_AT_MOST)
        upto = new.upto
        rows = {table: frame.filter(chosen.has("received_ns")) for table, frame in new.rows.items()}
        if any(frame.height for frame in rows.values()):
            yield rows
        if new.is_all:
            return


@dataclass(slots=True)
class _Comparing:
    """What is kept, and which runs were compared with it."""

    of: Parted
    tell: Callable[[Difference], object]
    seen: set[str] = field(default_factory=set)
    """Runs that are kept and were compared."""
    differing: set[str] = field(default_factory=set)
    """Those of them that are kept otherwise than they are told."""
    told: set[str] = field(default_factory=set)
    """Runs that records tell of."""
    kept: pl.DataFrame = field(init=False)
    """The runs that are kept and count: columns as in `kept.FINAL`, and in which `part` they are."""

    def __post_init__(self) -> None:
        """Read which runs are kept where."""
        finals = [
            self._read([part], "final").with_columns(part=pl.lit(number))
            for number, part in enumerate(self.of.state.parts)
        ]
        found = pl.concat(finals) if finals else pl.DataFrame(schema={**kept.FINAL, "part": pl.Int32})
        self.kept = found.filter(~pl.col("run_id").is_in(self.of.withdrawn.implode()))

    @property
    def alike(self) -> int:
        """How many runs were compared and are kept as they are told."""
        return len(self.seen - self.differing)

    def files(self) -> None:
        """Each part has rows of its own runs alone, and of each run it is one that has them."""
        twice = self.kept.filter(pl.col("run_id").is_duplicated())["run_id"].unique(maintain_order=True)
        for run_id in twice:
            self._tell("final", run_id, "kept more than once, expected it once")
        for kind, parts in ((kept.FINISHED, self.of.state.parts), (kept.OPEN, self.of.state.opened)):
            for part in parts:
                self._strange(kind, part)
        self._open_once()
        self._marks()
        self._named()
        self._indexed()

    def _strange(self, kind: Kind, part: Part) -> None:
        """Rows of runs that a part is not about."""
        runs = self._read([part], kind.listing).select("run_id").unique()
        for name in kind.schemas:
            rows = kept.scan(self.of.pinned.layout, [part], name).select("run_id").unique()
            strange = kept.collected(self.of.pinned.layout, rows)[0].join(
                runs, on="run_id", how="anti", nulls_equal=True
            )
            for run_id in strange["run_id"].sort():
                self._tell(name, run_id, f"rows of a run that {part.files[name]} is not about")

    def _open_once(self) -> None:
        """Others read all parts: of an open run too it is one that has its rows."""
        opened = kept.opened(self.of.pinned.layout, self.of.state).select("run_id", "part").unique()["run_id"]
        listed = pl.concat([opened, self._read(self.of.state.parts, "final")["run_id"].unique()])
        for run_id in opened.filter(opened.is_in(listed.filter(listed.is_duplicated()).implode())).unique().sort():
            self._tell("opened", run_id, "open and kept, or open more than once, expected it once")

    def _marks(self) -> None:
        """Files say of their rows whether what is told of them is final."""
        state = self.of.state
        for is_final, parts in ((True, state.parts), (False, state.opened)):
            for name, path in ((name, path) for part in parts for name, path in part.files.items()):
                mark = pl.scan_parquet(self.of.pinned.layout.derived / path, glob=False).select(
                    (pl.col(kept_columns.FINALITY).is_not_null() & (pl.col(kept_columns.FINALITY) == is_final)).all()
                )
                if not kept.collected(self.of.pinned.layout, mark)[0].item():
                    self._tell(name, None, f"{path} has rows with {kept_columns.FINALITY} other than {is_final}")

    def _named(self) -> None:
        """The logs that other engines read name the files that count."""
        layout = self.of.pinned.layout
        if any((layout.derived / each.name).is_dir() for each in kept_columns.shared(self.of.state)):
            logged = derived_logs.named(layout)
            state = derived.read(layout)
            # Whoever derives is about to name them.
            if state == self.of.state:
                for table in kept_columns.shared(state):
                    if {path for path in logged if path.startswith(f"{table.name}/")} != table.files:
                        self._tell(table.name, None, "its log names other files; `aftertrace derive` mends it")

    def _indexed(self) -> None:
        """By the indexes, records that come are led to all that they touch."""
        pinned, state = self.of.pinned, self.of.state
        for part in leads.differing(pinned.layout, state):
            self._tell("leads", None, f"the index leads elsewhere than {part.files['leads']}")
        for table in KEYED:
            for path in lookup.differing(pinned, table, state.indexes.get(table, ())):
                self._tell("leads", None, f"the index of {table} leads elsewhere than rows of {path}")

    def runs(self, told: Derivation, meant: pl.Series) -> None:
        """Compare some runs, as they are told from their records."""
        keys = leads_of(told, meant)
        runs = keys["run_id"].unique()
        self.told.update(runs)
        runs = runs.filter(~runs.is_in(self.of.withdrawn.implode()))
        received = pl.concat(
            [
                frame.select("run_id", "received_ns", "tenant")
                for frame in (told.identified.spans, told.identified.events)
            ]
        )
        times = received.group_by("run_id").agg(
            told_from_ns=pl.col("received_ns").min(),
            told_last_ns=pl.col("received_ns").max(),
            told_tenants=pl.col("tenant").fill_null(NO_TENANT).unique(),
        )
        days = dict(times.select("run_id", pl.from_epoch("told_from_ns", "ns").dt.date()).iter_rows())
        are_kept = self.kept.filter(pl.col("run_id").is_in(runs.implode()))
        for run_id in runs.filter(~runs.is_in(are_kept["run_id"].implode())).sort():
            self._tell("final", run_id, "left out, expected what its records tell", days.get(run_id))
        for run_id in _ill_timed(are_kept, times):
            self._tell("final", run_id, "other times or tenants than those of its records", days.get(run_id))
        parts = [self.of.state.parts[number] for number in are_kept["part"].unique().sort()]
        both = are_kept["run_id"].unique()
        of_both = pl.col("run_id").is_in(both.implode())
        for name in _TABLES:
            expected = (keys if name == "leads" else told.table(name)).filter(of_both)
            rows = self._read(parts, name, of_both)
            for run_id, columns in _differing(_in_order(rows, name), _in_order(expected, name)):
                self._tell(name, run_id, f"{columns}, expected what its records tell", days.get(run_id))
        self.seen.update(both)

    def others(self, chosen: Chosen) -> None:
        """Tell of runs that are kept and that no record tells of, after all records of the days."""
        rest = self.kept.filter(~pl.col("run_id").is_in(list(self.told)))
        if chosen.since is not None or chosen.until is not None:
            rest = rest.filter(chosen.has("from_ns"))
        for run_id in rest["run_id"].unique().sort():
            self._tell("final", run_id, "no record tells of this run")

    def _read(self, parts: Iterable[Part], name: str, only: pl.Expr | None = None) -> pl.DataFrame:
        rows = kept.scan(self.of.pinned.layout, parts, name)
        return kept.collected(self.of.pinned.layout, rows if only is None else rows.filter(only))[0]

    def _tell(self, table: str, run_id: str | None, found: str, day: date | None = None) -> None:
        if run_id is not None:
            self.differing.add(run_id)
        self.tell(Difference(table, run_id, day, found))


def _begins_ns(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9


def _ill_timed(final: pl.DataFrame, times: pl.DataFrame) -> list[str]:
    """Runs that are kept as if they had begun at another time, been final before they could be, or rested on records of
    fewer tenants.
    """
    known = final.join(times, on="run_id", how="left")
    is_begun = pl.col("from_ns") == pl.col("told_from_ns")
    is_later = pl.col("final_ns") > pl.col("told_last_ns")
    is_of_them = pl.col("told_tenants").list.set_difference("tenants").list.len() == 0
    return known.filter(~(is_begun & is_later & is_of_them).fill_null(value=False))["run_id"].unique().sort().to_list()


def _in_order(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """The rows of each run, in the order in which the table has them."""
    if table == "leads":
        return rows.sort(rows.columns, nulls_last=True)
    return ordered(rows, table).sort("run_id", maintain_order=True)


def _differing(found: pl.DataFrame, expected: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Runs whose rows are others, each with what of them is."""
    if found.equals(expected):
        return
    of_found, of_expected = (
        rows.partition_by("run_id", as_dict=True, maintain_order=True) for rows in (found, expected)
    )
    for (run_id,) in sorted({*of_found, *of_expected}, key=str):
        rows = of_found.get((run_id,), found.clear())
        wanted = of_expected.get((run_id,), expected.clear())
        if rows.height != wanted.height:
            yield str(run_id), f"{rows.height} rows instead of {wanted.height}"
        elif columns := [name for name in rows.columns if not rows[name].equals(wanted[name], null_equal=True)]:
            yield str(run_id), f"other values of {', '.join(columns)}"
