"""What is told of runs, run by run, from their records: every table in which a row is of one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from aftertrace.analyzer.calls import joins
from aftertrace.analyzer.calls.approvals import approvals
from aftertrace.analyzer.calls.decisions import decisions
from aftertrace.analyzer.calls.table import calls
from aftertrace.analyzer.configurations.sightings import sightings
from aftertrace.analyzer.effects.table import effects
from aftertrace.analyzer.identity.identity import Identified, identify
from aftertrace.analyzer.identity.run_states import run_states
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.analyzer.runs.agents import agents
from aftertrace.analyzer.runs.table import runs
from aftertrace.analyzer.schemas.order import ORDERS, ordered
from aftertrace.store.snapshot import streamed


@dataclass(frozen=True)
class Derivation:
    """Tables of some records, each made when it is first asked for."""

    tables: Tables
    now_ns: int
    """The time it is judged at: what is still open then may end later."""
    known: Identified | None = None
    """Spans and events with their runs, where that is known already."""

    @cached_property
    def identified(self) -> Identified:
        """Spans and events with their runs."""
        return identify(self.tables) if self.known is None else self.known

    @cached_property
    def run_states(self) -> pl.DataFrame:
        """Which runs are over (`run_states.run_states`)."""
        return run_states(self.identified, self.now_ns)

    @cached_property
    def call_events(self) -> pl.DataFrame:
        """The events that speak of a call, each with its `call_key`."""
        return joins.call_events(self.identified.events, self.identified.spans)

    @cached_property
    def calls(self) -> pl.DataFrame:
        """`calls`, columns as in `schemas.CALLS`."""
        return calls(self.identified, self.call_events, self.run_states)

    @cached_property
    def runs(self) -> pl.DataFrame:
        """`runs`, columns as in `schemas.RUNS`."""
        return runs(self.identified, self.calls, self.run_states)

    @cached_property
    def approvals(self) -> pl.DataFrame:
        """`approvals`, columns as in `schemas.APPROVALS`."""
        return approvals(self.calls, self.call_events, self.decisions)

    @cached_property
    def decisions(self) -> pl.DataFrame:
        """`decisions`, columns as in `schemas.DECISIONS`."""
        return decisions(self.calls, self.call_events)

    @cached_property
    def agents(self) -> pl.DataFrame:
        """`agents`, columns as in `schemas.AGENTS`."""
        return agents(self.identified, self.calls, self.call_events, self.runs)

    @cached_property
    def effects(self) -> pl.DataFrame:
        """`effects`, columns as in `schemas.EFFECTS`."""
        return effects(self.identified, self.call_events, self.calls)

    @cached_property
    def sightings(self) -> pl.DataFrame:
        """What each run tells of its agents' configurations, columns as in `sightings.SCHEMA`."""
        return sightings(self.identified, self.agents, self.runs)

    @cached_property
    def keys(self) -> pl.DataFrame:
        """Every key of every run of an agent: `run_id`, `key`."""
        return ordered(self.identified.keys.join(self.runs, on="run_id", how="semi"), "keys")

    def table(self, name: str) -> pl.DataFrame:
        """A table of `order.ORDERS`."""
        if name not in ORDERS:
            raise KeyError(name)
        found: pl.DataFrame = getattr(self, name)
        return found

    def scan(self, name: str) -> pl.LazyFrame:
        """The rows of such a table, in no order."""
        return self.table(name).lazy()

    def collected(self, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
        """The rows of frames that are made of `scan`."""
        return streamed(*frames)

    def some(self, name: str, only: pl.Expr, columns: Iterable[str] | None = None) -> pl.DataFrame:
        """Rows of such a table of which something holds, in no order: all columns, or some."""
        return self.table(name).filter(only).select(pl.all() if columns is None else pl.col(*columns))

    def shares(self) -> Iterator[Derivation]:
        """All runs at once, as `Parted.shares`: this."""
        yield self

    def of(self, run_ids: Iterable[str]) -> Derivation:  # noqa: ARG002  # as `Parted.of`
        """What is told of some runs, with the records from which it is told: this."""
        return self

    def having(self, *, spans: pl.Expr | None = None, events: pl.Expr | None = None) -> Derivation:  # noqa: ARG002  # as `Parted.having`
        """What is told of the runs with a span or event of which something holds: this."""
        return self
