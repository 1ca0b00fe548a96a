"""What is told of all runs, from what is kept of most of them and the records of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from aftertrace.analyzer.derived import kept
from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.derived.fresh import Fresh, fresh
from aftertrace.analyzer.derived.leads import Leads
from aftertrace.analyzer.derived.touched import COLUMNS, LEADS, leads_of, touched
from aftertrace.analyzer.identity.connected import SOUGHT, Sought, connected, keys_of
from aftertrace.analyzer.identity.found import Found, in_store
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.store.derived import Part, State
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot, collected

RUNS_OF_A_SHARE: Final = 16_384
"""About so many are looked at together where all are looked at, some after others."""


@dataclass(frozen=True)
class Parted:
    """Tables of all runs of a store at a time."""

    pinned: Snapshot
    state: State
    now_ns: int
    as_of_ns: int | None
    """Only what had been received before then is told; None: all."""

    def table(self, name: str) -> pl.DataFrame:
        """A table of `order.ORDERS`, as `Derivation.table` tells it of all records."""
        return ordered(self.collected(self.scan(name))[0], name)

    def scan(self, name: str) -> pl.LazyFrame:
        """The rows of such a table, in no order: of files the columns and rows that are asked for are read alone."""
        rows = self.kept(name, self.state.parts)
        return pl.concat([rows, self.live(name).lazy()]) if self._meant.len() else rows

    def kept(self, name: str, parts: tuple[Part, ...]) -> pl.LazyFrame:
        """What is kept of such a table in some of the parts, and counts."""
        rows = kept.scan(self._layout, parts, name)
        if self.pinned.tenants is not None:
            rows = rows.filter(pl.col("run_id").is_in(self._by_tenant[0].implode()))
        return rows.filter(~pl.col("run_id").is_in(self.withdrawn.implode())) if self.withdrawn.len() else rows

    def live(self, name: str) -> pl.DataFrame:
        """The rows of such a table that are told from records."""
        return self._live.table(name).filter(pl.col("run_id").is_in(self._meant.implode()))

    def shares(self) -> Iterator[Share]:
        """All runs, some after others: of each all that is told."""
        parts, runs = list[Part](), 0
        for part in self.state.parts:
            if parts and runs + part.runs > RUNS_OF_A_SHARE:
                yield Share(self, tuple(parts), is_live=False)
                parts, runs = [], 0
            parts.append(part)
            runs += part.runs
        if parts:
            yield Share(self, tuple(parts), is_live=False)
        yield Share(self, (), is_live=True)

    def collected(self, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
        """The rows of frames that are made of `scan`.

        Raises:
            Corrupt: a file of what is kept is damaged or missing.
        """
        return kept.collected(self._layout, *frames)

    def some(self, name: str, only: pl.Expr, columns: Iterable[str] | None = None) -> pl.DataFrame:
        """Rows of such a table of which something holds, in no order: all columns, or some."""
        wanted = pl.all() if columns is None else pl.col(*columns)
        return self.collected(self.scan(name).filter(only).select(wanted))[0]

    def of(self, run_ids: Iterable[str]) -> Derivation:
        """What is told of some runs, with the records from which it is told."""
        wanted = pl.Series("run_id", list(run_ids), dtype=pl.String)
        if wanted.is_in(self._meant.implode()).all():
            return self._live
        live = self._live_leads.filter(pl.col("run_id").is_in(wanted.implode()))
        return self._told(pl.concat([self._leads.of(wanted), live]).select("kind", "key").unique())[0]

    def having(self, *, spans: pl.Expr | None = None, events: pl.Expr | None = None) -> Derivation:
        """What is told of the runs with a span or event of which something holds; perhaps of others.

        Args:
            spans: over the columns of the stored table; None: it holds of none.
            events: the same.
        """
        nothing = pl.lit(value=False)
        of_spans, of_events = collected(
            *(
                self.pinned.scan(table).filter(nothing if holds is None else holds).select(COLUMNS[table])
                for table, holds in (("spans", spans), ("events", events))
            )
        )
        return self._told(keys_of(of_spans, of_events).select("kind", "key").unique())[0]

    @property
    def _layout(self) -> Layout:
        return self.pinned.layout

    @cached_property
    def _found(self) -> Found:
        found = in_store(self.pinned, self.state.indexes)
        return found if self.as_of_ns is None else found.received_before(self.as_of_ns)

    @cached_property
    def _leads(self) -> Leads:
        """The keys of runs that are kept, and of open ones."""
        return Leads(self._layout, self.state, kept.opened(self._layout, self.state).select(LEADS.names()))

    @cached_property
    def _live_leads(self) -> pl.DataFrame:
        """The keys of runs that are told from records."""
        return leads_of(self._live, self._meant)

    @cached_property
    def _untold(self) -> pl.DataFrame:
        """The runs that are kept, and were not told so yet at the time; columns as in `kept.FINAL`."""
        final = kept.scan(self._layout, self.state.parts, "final").filter(pl.col("final_ns") > self.now_ns)
        return kept.collected(self._layout, final)[0]

    @cached_property
    def _by_tenant(self) -> tuple[pl.Series, pl.Series]:
        """Of the runs that are kept, those that rest on records of whom is read alone; and those that rest on records
        of others too, of which what is kept may tell.
        """
        theirs = pl.element().is_in(sorted(self.pinned.tenants or ()))
        told = kept.scan(self._layout, self.state.parts, "final").select(
            "run_id",
            are_all=pl.col("tenants").list.eval(theirs).list.all(),
            is_any=pl.col("tenants").list.eval(theirs).list.any(),
        )
        (runs,) = kept.collected(self._layout, told)
        return runs.filter("are_all")["run_id"], runs.filter("is_any", ~pl.col("are_all"))["run_id"]

    @cached_property
    def _reached(self) -> tuple[pl.DataFrame, pl.Series]:
        """The keys of what has to be told from records, and which runs that are kept these lead to."""
        new = self._fresh()
        begun = self._untold if self.as_of_ns is None else self._untold.filter(pl.col("from_ns") < self.as_of_ns)
        anew = begun["run_id"]
        if self.pinned.tenants is not None:
            anew = pl.concat([anew, self._by_tenant[1]]).unique()
        keys = pl.concat(
            [
                self._leads.opened.select(SOUGHT.names()),
                touched(self._found, new.rows) if any(frame.height for frame in new.rows.values()) else _NO_KEYS,
                self._leads.of(anew).select(SOUGHT.names()) if anew.len() else _NO_KEYS,
            ]
        ).unique()
        return self._leads.reached(keys) if keys.height else (keys, pl.Series("run_id", [], pl.String))

    def _fresh(self) -> Fresh:
        new = fresh(self.pinned, self.state.upto)
        if self.as_of_ns is None:
            return new
        had_come = pl.col("received_ns") < self.as_of_ns
        return Fresh({table: frame.filter(had_come) for table, frame in new.rows.items()}, new.upto, new.is_all)

    @cached_property
    def _told_now(self) -> tuple[Derivation, pl.Series]:
        return self._told(self._reached[0].select("kind", "key").unique())

    def _told(self, keys: pl.DataFrame) -> tuple[Derivation, pl.Series]:
        """What is told of the runs with some keys, from their records; and which they are."""
        if not keys.height:
            return Derivation(Tables.empty(), self.now_ns), pl.Series("run_id", [], pl.String)
        need = connected(self._found, Sought(keys))
        return Derivation(need.tables, self.now_ns, need.identified), need.meant

    @property
    def _live(self) -> Derivation:
        return self._told_now[0]

    @property
    def _meant(self) -> pl.Series:
        return self._told_now[1]

    @cached_property
    def withdrawn(self) -> pl.Series:
        """The runs that are told from records, or not at all: what is kept of them does not count."""
        return pl.concat([self._reached[1], self._meant, self._untold["run_id"]]).unique()


@dataclass(frozen=True)
class Share:
    """Tables of some of these runs."""

    whole: Parted
    parts: tuple[Part, ...]
    """Those that are kept in these."""
    is_live: bool
    """Those that are told from records, and no others."""

    @property
    def now_ns(self) -> int:
        """The time it is judged at."""
        return self.whole.now_ns

    def scan(self, name: str) -> pl.LazyFrame:
        """The rows of a table, in no order, as `Parted.scan`."""
        return self.whole.live(name).lazy() if self.is_live else self.whole.kept(name, self.parts)

    def table(self, name: str) -> pl.DataFrame:
        """A table, as `Parted.table`."""
        return ordered(self.collected(self.scan(name))[0], name)

    def collected(self, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
        """The rows of frames that are made of `scan`, as `Parted.collected`."""
        return self.whole.collected(*frames)

    def some(self, name: str, only: pl.Expr, columns: Iterable[str] | None = None) -> pl.DataFrame:
        """Rows of a table of which something holds, as `Parted.some`."""
        return self.collected(self.scan(name).filter(only).select(pl.all() if columns is None else pl.col(*columns)))[0]

    def of(self, run_ids: Iterable[str]) -> Derivation:
        """What is told of some runs, as `Parted.of`."""
        return self.whole.of(run_ids)

    def having(self, *, spans: pl.Expr | None = None, events: pl.Expr | None = None) -> Derivation:
        """What is told of runs with a record, as `Parted.having`: of others than these too."""
        return self.whole.having(spans=spans, events=events)

    def shares(self) -> Iterator[Share]:
        """This."""
        yield self


_NO_KEYS: Final = pl.DataFrame(schema=SOUGHT)
