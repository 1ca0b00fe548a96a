"""One analysis of a store: everything the commands and the pages ask, over one pinned version of the tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import polars as pl

from aftertrace.analyzer.calls import near_misses
from aftertrace.analyzer.comparison.compared import compared
from aftertrace.analyzer.comparison.run_comparison import RunComparison
from aftertrace.analyzer.configurations.changes import ChangeHistory, history, with_moved
from aftertrace.analyzer.configurations.in_force import changes_before
from aftertrace.analyzer.configurations.measures import change_measures
from aftertrace.analyzer.configurations.settled import settled
from aftertrace.analyzer.configurations.table import configurations, versioned
from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.derived.parted import Parted, Share
from aftertrace.analyzer.effects.findings import effect_findings
from aftertrace.analyzer.finding.finds import finds
from aftertrace.analyzer.finding.narrowing import Meant, meant
from aftertrace.analyzer.finding.related import related
from aftertrace.analyzer.identity.connected import PREFIX_CHARACTERS
from aftertrace.analyzer.inventory.declared import NOTHING, Inventory
from aftertrace.analyzer.inventory.declared_risk import classes
from aftertrace.analyzer.populations.comparison import Choice, PopulationComparison, compare_populations
from aftertrace.analyzer.reading import sql
from aftertrace.analyzer.reading.select import ALL, Filter
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.analyzer.records import answers as answering
from aftertrace.analyzer.records.contents import with_contents
from aftertrace.analyzer.records.recorded import record
from aftertrace.analyzer.records.run_record import RunRecord
from aftertrace.analyzer.runs.losses import losses
from aftertrace.analyzer.scans import narrowing, scan
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import BY_RUN, columns_of, ordered
from aftertrace.analyzer.timelines.timeline import Timeline, Wanted
from aftertrace.analyzer.timelines.timeline import timeline as in_time
from aftertrace.store.errors import Invalid
from aftertrace.store.run_names import ID_CHARACTERS, name_of
from aftertrace.store.snapshot import collected


@dataclass(frozen=True)
class Analysis:
    """The derived tables of one version of a store, made when they are first asked for."""

    tables: Tables
    version: str
    """Changes whenever the stored tables do: a cache key."""
    told: Derivation | Parted | Share
    """The tables of runs, told from all records, or kept in part."""
    inventory: Inventory = NOTHING
    """What people declared; its risk classes of tools count in `calls`, and in all that is made of them."""
    beside: Callable[[], Derivation | Parted | None] | None = None
    """Where `told` tells of one run: what gives the tables of all runs, or None if that takes too long."""
    whole: Analysis | None = None
    """Where `told` tells of a share of the runs: the analysis of all, which tells what is compared over all."""

    @property
    def now_ns(self) -> int:
        """The time it is judged at: what is still open then may end later."""
        return self.told.now_ns

    @cached_property
    def calls(self) -> pl.DataFrame:
        """`calls`, columns as in `schemas.CALLS`."""
        return self._whole("calls")

    @cached_property
    def runs(self) -> pl.DataFrame:
        """`runs`, columns as in `schemas.RUNS`."""
        return self._whole("runs")

    @cached_property
    def approvals(self) -> pl.DataFrame:
        """`approvals`, columns as in `schemas.APPROVALS`."""
        return self._whole("approvals")

    @cached_property
    def decisions(self) -> pl.DataFrame:
        """`decisions`, columns as in `schemas.DECISIONS`."""
        return self.told.table("decisions")

    @cached_property
    def agents(self) -> pl.DataFrame:
        """`agents`, columns as in `schemas.AGENTS`."""
        return self.told.table("agents")

    @cached_property
    def effects(self) -> pl.DataFrame:
        """`effects`, columns as in `schemas.EFFECTS`."""
        return self.told.table("effects")

    @cached_property
    def classes(self) -> dict[str, str]:
        """The declared risk class of each tool that calls name, where one is declared."""
        if self.whole is not None:
            return self.whole.classes
        if not self.inventory.tools:
            return {}
        (names,) = self.told.collected(self.told.scan("calls").select("tool_name").unique())
        return classes(names["tool_name"].drop_nulls().to_list(), self.inventory.tools)

    @cached_property
    def of_all(self) -> Derivation | Parted | None:
        """The tables of all runs; None where `told` tells of one run, and to tell of all would take too long."""
        if self.beside is not None:
            return self.beside()
        return self.told.whole if isinstance(self.told, Share) else self.told

    @cached_property
    def effect_findings(self) -> pl.DataFrame:
        """`effect_findings`, columns as in `schemas.EFFECT_FINDINGS`, over all runs of this analysis."""
        return effect_findings(self)

    def of(self, *run_ids: str) -> Derivation:
        """What is told of some runs, with the records that it is told from; of others it may tell a part."""
        return self.told.of(run_ids)

    @cached_property
    def configurations(self) -> pl.DataFrame:
        """`configurations`, columns as in `configuration_schemas.CONFIGURATIONS`."""
        return configurations(self.versioned)

    @cached_property
    def versioned(self) -> pl.DataFrame:
        """What each run told of its agents' configurations, with their versions (`configurations.versioned`)."""
        if self.whole is not None:
            return self.whole.versioned
        return versioned(settled(self.told.table("sightings")))

    @cached_property
    def history(self) -> ChangeHistory:
        """The changes of configurations, and the runs that can be compared (`configuration_changes.history`)."""
        return history(self.versioned)

    @cached_property
    def configuration_changes(self) -> pl.DataFrame:
        """`configuration_changes`, columns as in `configuration_schemas.CONFIGURATION_CHANGES`."""
        return with_moved(self.history.changes, self.change_measures)

    @cached_property
    def change_measures(self) -> pl.DataFrame:
        """`change_measures`, columns as in `configuration_schemas.CHANGE_MEASURES`."""
        return change_measures(self)

    @cached_property
    def losses(self) -> pl.DataFrame:
        """`losses`, columns as in `loss_kinds.LOSSES`."""
        return losses(self.tables, self.tables.noted(), self.now_ns)

    def changes_before(self, in_force: pl.DataFrame) -> pl.DataFrame:
        """The latest changes before the runs of `in_force.of_run` or `in_force.at_time` (`in_force.changes_before`)."""
        return changes_before(self.versioned, self.configuration_changes, in_force)

    def select(
        self,
        table: str,
        filter: Filter | None = None,  # noqa: A002  # the word users know
        *,
        only: pl.Expr = ALL,
    ) -> pl.DataFrame:
        """Rows of a derived table that a filter lets through, and of which something holds. Raises `Invalid` for a
        table that is not.
        """
        wanted = filter or Filter()
        if table in BY_RUN:
            if wanted == Filter() and only is ALL:
                whole: pl.DataFrame = getattr(self, table)
                return whole
            (rows,) = self.collected(self.scan(table, filter=wanted, only=only))
            return rows if table in self.__dict__ else ordered(rows, table)
        match table:
            case "effect_findings":
                frame, wanted = self._findings_with(wanted), replace(wanted, run_id=None)
            case "configurations":
                frame = self.configurations
            case "configuration_changes":
                frame = self.configuration_changes
            case "change_measures":
                frame = self.change_measures
            case "losses":
                frame = self.losses
            case "near_misses":
                return self.near_misses(wanted).filter(only)
            case _:
                raise Invalid(f"select {table!r}: no such table, expected {', '.join(DERIVED)}")
        let_through = [each.lets_through(frame.columns) for each in self.meant(wanted)]
        return frame.filter(wanted.lets_through(frame.columns), only, *let_through)

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        filter: Filter | None = None,  # noqa: A002
        *,
        only: pl.Expr = ALL,
    ) -> pl.LazyFrame:
        """The same rows of a table that is told run by run, in no order, with some of its columns: no others are read
        when what is made of them is `collected`. What `only` says is of the columns as they are told, before risk
        classes that are declared count.
        """
        return scan(self, table, columns, filter or Filter(), only)

    def columns(
        self,
        table: str,
        names: Sequence[str],
        filter: Filter | None = None,  # noqa: A002
        *,
        only: pl.Expr = ALL,
    ) -> pl.DataFrame:
        """Some columns of the rows that `select` gives of a table that is told run by run, in the same order: no others
        are read.
        """
        read = dict.fromkeys((*names, *columns_of(table)))
        (rows,) = self.collected(self.scan(table, tuple(read), filter, only=only))
        return (rows if table in self.__dict__ else ordered(rows, table)).select(names)

    def collected(self, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
        """The rows of frames that are made of `scan`, in the streaming engine.

        Raises:
            Corrupt: a file of what is kept is damaged or missing.
        """
        return self.told.collected(*frames)

    def shares(self) -> Iterator[Analysis]:
        """Analyses of some runs each, and of all together: of what is summed up over runs, one is in memory at a time.
        What is compared over all runs is told by each as of all.
        """
        for told in self.told.shares():
            yield self if told is self.told else replace(self, told=told, whole=self)

    def meant(self, wanted: Filter) -> tuple[Meant, ...]:
        """What the fields of a filter that no column answers let through (`narrowing.meant`)."""
        if self.whole is not None:
            return self.whole.meant(wanted)
        fields = narrowing(wanted)
        if fields not in self._meant:
            self._meant[fields] = meant(self, fields)
        return self._meant[fields]

    @cached_property
    def _meant(self) -> dict[Filter, tuple[Meant, ...]]:
        return {}

    def _whole(self, table: str) -> pl.DataFrame:
        """A table that is told run by run, with what is declared."""
        return ordered(self.collected(self.scan(table))[0], table) if self.classes else self.told.table(table)

    def _findings_with(self, wanted: Filter) -> pl.DataFrame:
        """Findings about calls that the fields of calls let through: of a run, those of others too that rest on it."""
        rows = self.effect_findings
        if wanted.outcome is not None or wanted.reviewer is not None:
            of_calls = Filter(outcome=wanted.outcome, reviewer=wanted.reviewer)
            is_of_them = pl.col("call_key").is_in(rows["call_key"].implode())
            (calls,) = self.collected(self.scan("calls", ("call_key",), of_calls, only=is_of_them))
            rows = rows.join(calls, on="call_key", how="semi", maintain_order="left")
        if wanted.run_id is not None:
            about = pl.col("other_runs").list.contains(wanted.run_id).fill_null(value=False)
            rows = rows.filter((pl.col("run_id") == wanted.run_id).fill_null(value=False) | about)
        return rows

    def near_misses(self, filter: Filter | None = None) -> pl.DataFrame:  # noqa: A002
        """The near misses that a filter lets through: consequential ones first."""
        return near_misses.near_misses(self.select("calls", filter, only=pl.col("near_miss")).lazy()).collect()

    def rates(self, by: list[str], filter: Filter | None = None) -> pl.DataFrame:  # noqa: A002
        """Near misses per call by columns of `calls`, with intervals (`near_misses.rates`)."""
        calls = self.scan("calls", tuple(dict.fromkeys((*by, *near_misses.OF_RATES))), filter)
        return self.collected(near_misses.rates(calls, by))[0]

    def answers(self, run_id: str) -> answering.Answers:
        """The six answers about a run. Raises `Invalid` when there is no such run."""
        (found,) = self.answers_of([run_id]) or (None,)
        if found is None:
            raise Invalid(f"run {run_id!r}: not found; `aftertrace runs` lists them")
        return found

    def answers_of(self, run_ids: Sequence[str]) -> tuple[answering.Answers, ...]:
        """The answers about each of these runs that is there, in the order of `runs`."""
        mine = pl.col("run_id").is_in(pl.Series(run_ids, dtype=pl.String).implode())
        runs, calls, effects = (self.select(table, only=mine) for table in ("runs", "calls", "effects"))
        return answering.answers(runs, calls, effects, self.of(*run_ids).identified)

    def timeline(self, run_id: str) -> pl.DataFrame:
        """The timeline of a run, columns as in `schemas.TIMELINE`."""
        return self.timeline_of(Wanted(run_id=run_id)).rows

    def timeline_of(self, wanted: Wanted) -> Timeline:
        """The timeline of a run, agent, tenant, object or reviewer. Raises `Invalid` where a text is too short."""
        told, shown = in_time(self, wanted), self.tables.shown
        if shown is None:
            return told
        return replace(told, rows=told.rows.with_columns(pl.col("detail").map_elements(shown, return_dtype=pl.String)))

    def record(self, run_id: str) -> RunRecord:
        """Everything that is known of a run, as one document. Raises `Invalid` when there is no such run."""
        told = record(self, run_id)
        return told if self.tables.shown is None else with_contents(told, self.tables.shown)

    def compare_runs(self, first: str, second: str) -> RunComparison:
        """What differs between two runs. Raises `Invalid` where one of them is not there."""
        return compared(self.record(first), self.record(second))

    def compare(self, choice: Choice) -> PopulationComparison:
        """What is different about some calls or runs. Raises `Invalid` where a side is empty."""
        return compare_populations(self, choice)

    def finds(self, texts: Sequence[str], filter: Filter | None = None) -> pl.DataFrame:  # noqa: A002
        """Where texts stand: in receipts, calls, approvals, inputs and runs, columns as in `finds.FINDS`."""
        return finds(self, texts, filter)

    def related(self, run_id: str, filter: Filter | None = None) -> pl.DataFrame:  # noqa: A002
        """Other runs that share something with one, columns as in `related.RELATED`."""
        return related(self, run_id, filter)

    def resolve_run(self, text: str) -> str:
        """The run that `text` names: `last`, an id or its beginning, the id that its sender gave it, a trace id, or a
        conversation with one run.

        A run that turned out to be part of another is found by the whole id that it had.

        Raises:
            Invalid: none or several runs answer to it.
        """
        listed = self.columns("runs", ("run_id", "traces", "run_keys", "conversation_id"))
        if text == "last":
            if not listed.height:
                raise Invalid("run 'last': the store holds no run yet; `aftertrace connect` tells how to send one")
            return str(listed["run_id"][0])
        starts = pl.col("run_id").str.starts_with(text) if len(text) >= PREFIX_CHARACTERS else pl.lit(value=False)
        told = pl.any_horizontal(
            pl.col(name).list.contains(text).fill_null(value=False) for name in ("traces", "run_keys")
        )
        found = listed.filter(starts | told | (pl.col("conversation_id") == text))
        if not found.height:
            found = self._once_called(text)
        if not found.height:
            raise Invalid(
                f"run {text!r}: not found; give an id, its first {PREFIX_CHARACTERS} characters, a trace id, or `last`"
            )
        if found.height == 1:
            return str(found["run_id"][0])
        some = ", ".join(found["run_id"].head(5).to_list()) + (" …" if found.height > 5 else "")
        raise Invalid(f"run {text!r}: {found.height} runs answer to it ({some}), expected one; give more of the id")

    def _once_called(self, text: str) -> pl.DataFrame:
        """The runs with a key that a run of this id would be called by."""
        if len(text) != ID_CHARACTERS:
            return pl.DataFrame(schema={"run_id": pl.String})
        keys = self.told.table("keys")
        of_key = keys.filter(pl.Series([name_of(key) == text for key in keys["key"]], dtype=pl.Boolean))
        return self.columns("runs", ("run_id",)).join(of_key, on="run_id", how="semi")

    def sql(self, text: str) -> pl.DataFrame:
        """Run a reading SQL statement over the stored and derived tables.

        Raises:
            Invalid: it is none, or names what is not there.
            Corrupt: a stored table that it names is damaged.
        """
        named = sql.words(text)
        if "near_misses" in named:
            named |= {"calls"}
        # Tables that it names are made before: a damaged one would else look like a fault of the statement.
        derived = {
            name: getattr(self, name).lazy() if name in named else pl.defer(partial(getattr, self, name), schema=schema)
            for name, schema in ((each.name, each.schema) for each in DERIVED.values() if each.name != "near_misses")
        }
        misses = near_misses.near_misses(derived["calls"])
        stored = {"spans": self.tables.spans, "events": self.tables.events}
        try:
            return sql.query({**stored, **derived, "near_misses": misses}, text)
        except (Invalid, OSError, pl.exceptions.PanicException):
            # So would a damaged stored one: it is read once more, to tell.
            collected(*(frame.select(pl.all().null_count()) for name, frame in stored.items() if name in named))
            raise


def analyse(tables: Tables, *, version: str = "", now_ns: int | None = None) -> Analysis:
    """An analysis of two frames: for tests, and for those who bring their own tables."""
    return Analysis(tables, version, Derivation(tables, time.time_ns() if now_ns is None else now_ns))
