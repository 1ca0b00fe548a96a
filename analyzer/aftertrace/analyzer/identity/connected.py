"""The records that the analysis of some runs needs, found by wire keys: analysed alone, they tell of those runs what
the analysis of the whole store tells.

A run is told by its own records and by those beside them that the joins look at: its traces whole, its conversations
whole (calls are counted in them, modes and grants stand in them) with every trace that they pass through, the runs that
set it to work, and other traces and conversations that tell of the same calls, requests for approval or MCP requests
(`neighbours`). Which records are a run's is known when they are analysed, so that is done again for as long as it shows
keys that were not looked for. What lies beside is not followed any further: other conversations of a trace that one of
its conversations passes through are not read.

Nor is it done for ever, as an agent may write traces that each lead to one more: after some rounds the links of all
traces are followed at once, and after some more the whole store is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import polars as pl

from aftertrace.analyzer.identity import neighbours
from aftertrace.analyzer.identity.found import KEYS, Found
from aftertrace.analyzer.identity.identity import Identified, identify
from aftertrace.analyzer.identity.linked import linked
from aftertrace.analyzer.reading.tables import EVENTS, SPANS, Tables
from aftertrace.store.wire_keys import wire_keys

SOUGHT: Final = pl.Schema({"kind": pl.String, "key": pl.String, "source": pl.String})
"""Wire keys that are looked for: of one source, or of any where that is null."""

PREFIX_CHARACTERS: Final = 4
"""A run may be named by the first characters of its id, from this many on."""

LINKS_AFTER: Final = 3
"""When the records of a run were analysed so often, and more keys were found each time, all links are followed."""

ROUNDS_AT_MOST: Final = 8
"""When they were analysed so often, and more keys were found each time, all records of the store are read."""

_HEXADECIMAL: Final = re.compile("[0-9a-f]{1,16}")
_NO_ROWS: Final = {"spans": pl.DataFrame(schema=SPANS), "events": pl.DataFrame(schema=EVENTS)}
_POINTER: Final = ("receiver", "seq", "index")
_RECORD: Final = {"spans": _POINTER, "events": (*_POINTER, "ordinal")}
_LEADING: Final = ("trace", "link", "conversation", "run", "record")
"""Kinds of keys that lead to more records of a run."""
_OF_LINKS: Final = ("trace", "link")
"""Kinds of keys by which a trace is found, and what links to it."""
_TURNED: Final = dict(zip(_OF_LINKS, reversed(_OF_LINKS), strict=True))
_OF_ONE_SENDER: Final = ("conversation", "run")
"""Kinds of keys that two sources may both use."""

_Key: TypeAlias = tuple[str, str, str | None]
"""A kind of wire key, the key, and the source that it is of; None: of any. Most questions are about a few, for which a
set is quicker than a query."""


@dataclass(slots=True)
class _Gathered:
    """Rows that were found so far, and what was looked for."""

    found: Found
    rows: dict[str, pl.DataFrame] = field(default_factory=_NO_ROWS.copy)
    _asked: set[_Key] = field(default_factory=set)
    _keyed: dict[str, tuple[int, _Keyed]] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """How many rows there are; none is ever taken away."""
        return sum(rows.height for rows in self.rows.values())

    def ask(self, keys: set[_Key]) -> None:
        """Find the rows with keys that were not asked for yet."""
        new = _unlike(keys, self._asked)
        if not new:
            return
        self._asked |= new
        wanted = pl.DataFrame(sorted({each[:2] for each in new}), schema=KEYS, orient="row")
        for table in self.rows:
            rows = self.found.by(table, wanted, None)
            is_of_any = all(source is None for _, _, source in new)
            self.add(table, rows if is_of_any else rows[_keyed(rows).rows_with(new)])

    def ask_traces(self, trace_ids: pl.Series) -> None:
        """Find whole traces."""
        self.ask({("trace", trace_id, None) for trace_id in trace_ids.unique().drop_nulls()})

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Rows, each once."""
        if not rows.height:
            return
        before = self.rows[table]
        new = rows.select(before.columns).join(before, on=_RECORD[table], how="anti", maintain_order="left")
        if not new.height:
            return
        once = new.select(_RECORD[table]).with_row_index("row").unique(_RECORD[table], keep="first")["row"]
        self.rows[table] = pl.concat([before, new if once.len() == new.height else new[once.sort()]])

    def near(self, table: str, core: set[_Key]) -> list[int]:
        """Which rows of a table have a key of the core."""
        rows = self.rows[table]
        height, keyed = self._keyed.get(table, (-1, None))
        if keyed is None or height != rows.height:
            keyed = _keyed(rows)
            self._keyed[table] = rows.height, keyed
        return keyed.rows_with(core)

    def tables(self) -> Tables:
        """What the analyzer reads."""
        return Tables(self.rows["spans"].lazy(), self.rows["events"].lazy())


@dataclass(frozen=True, slots=True)
class _Keyed:
    """By kind and key, the rows that have it, of each source."""

    rows: dict[tuple[str, str], list[tuple[str | None, list[int]]]]

    def rows_with(self, keys: set[_Key]) -> list[int]:
        """The rows that have any of some keys, in order."""
        found: set[int] = set()
        for kind, key, source in keys:
            for of, rows in self.rows.get((kind, key), ()):
                if source is None or source == of:
                    found.update(rows)
        return sorted(found)


def _keyed(rows: pl.DataFrame) -> _Keyed:
    keys = wire_keys(rows, _LEADING)
    of_keys = keys.with_columns(source=rows["source"].gather(keys["row"])).group_by("kind", "key", "source").agg("row")
    found: dict[tuple[str, str], list[tuple[str | None, list[int]]]] = {}
    for kind, key, source, having in of_keys.iter_rows():
        found.setdefault((kind, key), []).append((source, having))
    return _Keyed(found)


@dataclass(frozen=True, slots=True)
class Connected:
    """The records that the analysis of some runs needs."""

    identified: Identified
    """With their runs; of other runs there may be a part."""
    meant: pl.Series
    """`run_id` of the runs that were asked for, and of those that set them to work, up to the first."""
    tables: Tables
    """The rows as they are stored."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which runs are meant."""

    keys: pl.DataFrame
    """Every run with a record that has any of these (columns as in `found.KEYS`): traces, links, conversations, run
    ids that were sent, and records, but not the ids of calls or requests."""
    beginning: str | None = None
    """Every run whose id begins so."""
    leads: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=KEYS))
    """Keys that lead to those runs; where none of them is called so any more, to what they are part of now."""


def sought(found: Found, text: str) -> Sought:
    """The runs that may answer to a text: a trace id, a conversation, the sender's id of it, an id or its beginning."""
    keys = pl.DataFrame({"kind": ["trace", "conversation", "run"], "key": [text] * 3}, schema=KEYS)
    if len(text) < PREFIX_CHARACTERS or not _HEXADECIMAL.fullmatch(text):
        return Sought(keys)
    return Sought(keys, text, found.of_runs(text))


def connected(found: Found, wanted: Sought) -> Connected:
    """The records that the analysis of some runs needs, or all there are, where that takes too many rounds to tell.

    Args:
        found: where they are looked for.
        wanted: the runs.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    core: set[_Key] = {(kind, key, None) for keys in (wanted.keys, wanted.leads) for kind, key in keys.iter_rows()}
    gathered = _Gathered(found)
    gathered.ask(core)
    core |= _unlike(_certain(gathered.rows), core)
    told: Connected | None = None
    height = 0
    for rounds in range(1, ROUNDS_AT_MOST + 1):
        gathered.ask(core)
        _gather_beside(gathered, core)
        if told is not None and gathered.height == height:
            # All keys of its runs were asked for, and led to no other row.
            return told
        height = gathered.height
        identified = identify(gathered.tables())
        meant = _meant(identified, wanted)
        told = Connected(identified, meant, gathered.tables())
        is_meant = pl.col("run_id").is_in(meant.implode())
        own = keys_of(identified.spans.filter(is_meant), identified.events.filter(is_meant))
        more = _unlike(set(own.iter_rows()), core)
        if not more:
            return told
        core |= more
        if rounds == LINKS_AFTER:
            core |= _unlike(_linked(found, core), core)
    everything = Tables(found.all("spans"), found.all("events"))
    identified = identify(everything)
    return Connected(identified, _meant(identified, wanted), everything)


def _linked(found: Found, core: set[_Key]) -> set[_Key]:
    """The keys of the traces that links join with those of the core."""
    traces = linked(found, (key for kind, key, _ in core if kind == "trace"))
    return {(kind, trace, None) for kind in _OF_LINKS for trace in traces}


def _certain(rows: dict[str, pl.DataFrame]) -> set[_Key]:
    """The keys of the rows that the seeds led to, where all of one conversation at most: those are of the runs that
    are meant, before anything is known of runs.
    """
    conversations = pl.concat([frame["conversation_id"] for frame in rows.values()]).drop_nulls()
    return set(keys_of(rows["spans"], rows["events"]).iter_rows()) if conversations.n_unique() <= 1 else set()


def _gather_beside(gathered: _Gathered, core: set[_Key]) -> None:
    """Make the traces whole that the core passes through, and add what tells of the same calls and requests."""
    gathered.ask_traces(_traces_near(gathered, core))
    traces = _traces_near(gathered, core)
    events = gathered.rows["events"]
    is_untold = events["trace_id"].is_in(traces.implode()) & events["conversation_id"].is_null()
    near = gathered.near("events", core)
    mattering = events[list(dict.fromkeys([*near, *is_untold.arg_true()]))]
    elsewhere = neighbours.by_ids(gathered.found, mattering, events)
    _gather_places(gathered, elsewhere)
    # What another sender tells there of the same calls may be a copy of a run that lies in yet another place.
    events, passed = gathered.rows["events"], pl.concat([traces, elsewhere["trace_id"].drop_nulls()])
    beside = events.filter(neighbours.IS_COPY & pl.col("trace_id").is_in(passed.implode()))
    if beside.height:
        loose = elsewhere.filter(pl.col("trace_id").is_null())
        mattering = pl.concat([mattering, beside, loose]).unique(_RECORD["events"], maintain_order=True)
    _gather_places(gathered, neighbours.enclosing(gathered.found, mattering))
    for table, retelling in neighbours.retelling(gathered.found, gathered.rows).items():
        gathered.add(table, retelling)


def _traces_near(gathered: _Gathered, core: set[_Key]) -> pl.Series:
    """The traces of the rows that have a key of the core."""
    of_tables = (rows["trace_id"].gather(gathered.near(table, core)) for table, rows in gathered.rows.items())
    return pl.concat(list(of_tables)).drop_nulls().unique()


def _gather_places(gathered: _Gathered, beside: pl.DataFrame) -> None:
    """Add events, and the whole traces of those that lie in one."""
    gathered.ask_traces(beside["trace_id"])
    gathered.add("events", beside.filter(pl.col("trace_id").is_null()))


def _meant(identified: Identified, wanted: Sought) -> pl.Series:
    """`run_id` of the runs that were asked for, and of those that set them to work, up to the first."""
    of_keys, of_leads = _with_any(identified, wanted.keys, wanted.leads)
    beginning = wanted.beginning or ""
    runs = of_keys | {run_id for run_id in of_leads if run_id.startswith(beginning)} or of_leads
    above: dict[str, set[str]] = {}
    for run_id, by in _set_to_work(identified).iter_rows():
        above.setdefault(run_id, set()).add(by)
    more = runs
    while more:
        more = {by for run_id in more for by in above.get(run_id, ())} - runs
        runs |= more
    return pl.Series("run_id", sorted(runs), dtype=pl.String)


def _with_any(identified: Identified, *of: pl.DataFrame) -> list[set[str]]:
    """`run_id` of the runs with a record that has any of some keys, for each of several frames of keys."""
    kinds = {kind for keys in of for kind in keys["kind"].unique()}
    having = pl.concat(
        [
            keys.with_columns(run_id=frame["run_id"].gather(keys["row"]))
            for frame in (identified.spans, identified.events)
            for keys in (wire_keys(frame, kinds),)
        ]
    )
    return [set(having.join(keys, on=["kind", "key"], how="semi")["run_id"].unique()) for keys in of]


def _set_to_work(identified: Identified) -> pl.DataFrame:
    """`run_id`, `by`: runs, and those that their records lie in or that they say have started them."""
    found = [*_nested(identified), *_named(identified)]
    both = pl.concat([pl.DataFrame(schema={"run_id": pl.String, "by": pl.String}), *found])
    return both.filter(pl.col("run_id") != pl.col("by")).unique()


def _nested(identified: Identified) -> Iterator[pl.DataFrame]:
    spans = identified.spans.select("trace_id", "span_id", "parent_span_id", "run_id")
    events = identified.events.select("trace_id", "span_id", "run_id")
    # Within a run nothing is set to work.
    of_runs = pl.concat([frame.select("trace_id", "run_id") for frame in (spans, events)]).drop_nulls().unique()
    if of_runs["trace_id"].n_unique() == of_runs.height:
        return
    several = of_runs.group_by("trace_id").len().filter(pl.col("len") > 1)
    spans, events = (frame.join(several, on="trace_id", how="semi") for frame in (spans, events))
    above = spans.select("trace_id", "span_id", by="run_id").drop_nulls().unique()
    under = spans.select("trace_id", "run_id", span_id="parent_span_id")
    nested = pl.concat([under, events.select(under.columns)]).join(above, on=["trace_id", "span_id"], how="inner")
    yield nested.select("run_id", "by")


def _named(identified: Identified) -> Iterator[pl.DataFrame]:
    naming = identified.events.filter(_NAMES_PARENT)
    if not naming.height:
        return
    named = naming.select("run_id", "source", run_key=_PARENT_RUN).drop_nulls("run_key").unique()
    of_key = identified.events.select("source", "run_key", by="run_id").drop_nulls().unique()
    yield named.join(of_key, on=["source", "run_key"], how="inner").select("run_id", "by")


_NAMES_PARENT: Final = pl.col("attributes").str.contains('"run_parent_id":', literal=True)
_PARENT_RUN: Final = pl.col("attributes").str.json_path_match("$.run_parent_id")


def keys_of(spans: pl.DataFrame, events: pl.DataFrame, *of: str) -> pl.DataFrame:
    """The keys by which all records of some rows' runs are found, and those of runs that they name.

    Args:
        spans: with the columns of `store.wire_keys.columns_of`, and `source`.
        events: the same.
        of: columns of both, of which each value is to have its own keys.

    Returns:
        `of`, and columns as in `SOUGHT`; each row once.
    """
    names = [*of, *SOUGHT]
    nobody = pl.lit(None, pl.String)
    keys = []
    for rows in (spans, events):
        told = _telling(rows, of)
        at = wire_keys(told, _LEADING)
        of_rows = at.with_columns(told[name].gather(at["row"]) for name in (*of, "source"))
        of_sender = of_rows.filter(pl.col("kind").is_in(_OF_ONE_SENDER))
        of_any = of_rows.filter(~pl.col("kind").is_in(_OF_ONE_SENDER)).with_columns(source=nobody)
        # What links to its traces, and what they link to.
        linking = of_any.filter(pl.col("kind") != "record").with_columns(kind=pl.col("kind").replace(_TURNED))
        keys += [frame.select(names) for frame in (of_sender, of_any.filter(pl.col("kind") != "link"), linking)]
    if (naming := events.filter(_NAMES_PARENT)).height:
        keys.append(naming.select(*of, kind=pl.lit("run"), key=_PARENT_RUN, source="source").drop_nulls("key"))
    return pl.concat(keys).unique()


def _telling(rows: pl.DataFrame, of: tuple[str, ...]) -> pl.DataFrame:
    """What of rows tells their keys, each once: most of a trace are alike."""
    ids = [name for name in ("trace_id", "conversation_id", "run_key", "links") if name in rows.columns]
    is_alone = pl.all_horizontal(pl.col(name).is_null() for name in ("trace_id", "conversation_id", "run_key"))
    pointer = (pl.when(is_alone).then(name).alias(name) for name in _POINTER)
    return rows.select("source", *of, *ids, *pointer).unique()


def _unlike(keys: set[_Key], known: set[_Key]) -> set[_Key]:
    """Keys that are not among the known; a key of any source stands for that of each."""
    return {each for each in keys if each not in known and (*each[:2], None) not in known}
