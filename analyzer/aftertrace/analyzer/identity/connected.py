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
from dataclasses import dataclass, field
from typing import Final

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
_POINTER: Final = ("receiver", "seq", "index")
_RECORD: Final = {"spans": _POINTER, "events": (*_POINTER, "ordinal")}
_LEADING: Final = ("trace", "link", "conversation", "run", "record")
"""Kinds of keys that lead to more records of a run."""
_OF_LINKS: Final = ("trace", "link")
"""Kinds of keys by which a trace is found, and what links to it."""
_OF_ONE_SENDER: Final = ("conversation", "run")
"""Kinds of keys that two sources may both use."""


@dataclass(slots=True)
class _Gathered:
    """Rows that were found so far, and what was looked for."""

    found: Found
    rows: dict[str, pl.DataFrame] = field(
        default_factory=lambda: {"spans": pl.DataFrame(schema=SPANS), "events": pl.DataFrame(schema=EVENTS)}
    )
    asked: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SOUGHT))

    @property
    def height(self) -> int:
        """How many rows there are; none is ever taken away."""
        return sum(rows.height for rows in self.rows.values())

    def ask(self, keys: pl.DataFrame) -> None:
        """Find the rows with keys (columns as in `SOUGHT`) that were not asked for yet."""
        new = _unlike(keys, self.asked)
        if not new.height:
            return
        self.asked = pl.concat([self.asked, new])
        wanted = new.select("kind", "key").unique()
        for table in self.rows:
            rows = self.found.by(table, wanted, None)
            owners = rows.with_row_index("row").select("row", of="source")
            hits = (
                wire_keys(rows, set(new["kind"]))
                .join(new, on=["kind", "key"], how="inner")
                .join(owners, on="row", how="inner")
                .filter(pl.col("source").is_null() | (pl.col("source") == pl.col("of")).fill_null(value=False))
            )
            self.add(table, rows[hits["row"].unique().sort()])

    def ask_traces(self, rows: pl.DataFrame) -> None:
        """Find the whole traces of some rows."""
        self.ask(rows.select(kind=pl.lit("trace"), key="trace_id", source=pl.lit(None, pl.String)))

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Rows, each once."""
        before = self.rows[table]
        new = rows.select(before.columns).join(before, on=_RECORD[table], how="anti", maintain_order="left")
        once = new.select(_RECORD[table]).with_row_index("row").unique(_RECORD[table], keep="first")["row"]
        self.rows[table] = pl.concat([before, new if once.len() == new.height else new[once.sort()]])

    def tables(self) -> Tables:
        """What the analyzer reads."""
        return Tables(self.rows["spans"].lazy(), self.rows["events"].lazy())


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
    """Every run with a record that has any of these (columns as in `found.KEYS`)."""
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
    core = pl.concat([wanted.keys, wanted.leads]).select("kind", "key", source=pl.lit(None, pl.String)).unique()
    gathered = _Gathered(found)
    gathered.ask(core)
    core = pl.concat([core, _unlike(_certain(gathered.rows), core)])
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
        told = Connected(identified, meant["run_id"], gathered.tables())
        more = _unlike(
            keys_of(
                identified.spans.join(meant, on="run_id", how="semi"),
                identified.events.join(meant, on="run_id", how="semi"),
            ),
            core,
        )
        if not more.height:
            return told
        core = pl.concat([core, more])
        if rounds == LINKS_AFTER:
            core = pl.concat([core, _unlike(_linked(found, core), core)])
    everything = Tables(found.all("spans"), found.all("events"))
    identified = identify(everything)
    return Connected(identified, _meant(identified, wanted)["run_id"], everything)


def _linked(found: Found, core: pl.DataFrame) -> pl.DataFrame:
    """The keys of the traces that links join with those of the core; columns as in `SOUGHT`."""
    traces = sorted(linked(found, core.filter(pl.col("kind") == "trace")["key"]))
    keys = {kind: pl.DataFrame({"kind": kind, "key": traces, "source": None}, schema=SOUGHT) for kind in _OF_LINKS}
    return pl.concat(keys.values())


def _certain(rows: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The keys of the rows that the seeds led to, where all of one conversation at most: those are of the runs that
    are meant, before anything is known of runs.
    """
    conversations = pl.concat([frame.select("conversation_id") for frame in rows.values()]).drop_nulls().unique()
    return keys_of(rows["spans"], rows["events"]) if conversations.height <= 1 else pl.DataFrame(schema=SOUGHT)


def _gather_beside(gathered: _Gathered, core: pl.DataFrame) -> None:
    """Make the traces whole that the core passes through, and add what tells of the same calls and requests."""
    for rows in gathered.rows.values():
        gathered.ask_traces(rows[_near(rows, core)])
    near = {table: _near(rows, core) for table, rows in gathered.rows.items()}
    traces = pl.concat([rows[near[table]].select("trace_id") for table, rows in gathered.rows.items()])
    traces = traces.drop_nulls().unique()
    events = gathered.rows["events"]
    untold = _of_traces(events, traces, pl.col("conversation_id").is_null())
    mattering = events[pl.concat([near["events"], untold]).unique(maintain_order=True)]
    elsewhere = neighbours.by_ids(gathered.found, mattering, events)
    _gather_places(gathered, elsewhere)
    # What another sender tells there of the same calls may be a copy of a run that lies in yet another place.
    events, passed = gathered.rows["events"], pl.concat([traces, elsewhere.select("trace_id")]).unique()
    beside = events[_of_traces(events, passed, neighbours.IS_COPY)]
    if beside.height:
        loose = elsewhere.filter(pl.col("trace_id").is_null())
        mattering = pl.concat([mattering, beside, loose]).unique(_RECORD["events"], maintain_order=True)
    _gather_places(gathered, neighbours.enclosing(gathered.found, mattering))
    for table, retelling in neighbours.retelling(gathered.found, gathered.rows).items():
        gathered.add(table, retelling)


def _of_traces(rows: pl.DataFrame, traces: pl.DataFrame, which: pl.Expr) -> pl.Series:
    """Which rows of some traces are such ones."""
    of = rows.lazy().with_row_index("row").filter(which).select("row", "trace_id")
    return of.join(traces.lazy(), on="trace_id", how="semi", maintain_order="left").collect()["row"]


def _gather_places(gathered: _Gathered, beside: pl.DataFrame) -> None:
    """Add events, and the whole traces of those that lie in one."""
    gathered.ask_traces(beside)
    gathered.add("events", beside.filter(pl.col("trace_id").is_null()))


def _near(rows: pl.DataFrame, core: pl.DataFrame) -> pl.Series:
    """Which rows have a key of the core."""
    keys = wire_keys(rows, set(core["kind"])).join(core, on=["kind", "key"], how="inner")
    owners = rows.with_row_index("row").select("row", of="source")
    is_own = pl.col("source").is_null() | (pl.col("source") == pl.col("of")).fill_null(value=False)
    return keys.join(owners, on="row", how="inner").filter(is_own)["row"].unique().sort()


def _meant(identified: Identified, wanted: Sought) -> pl.DataFrame:
    """`run_id` of the runs that were asked for, and of those that set them to work, up to the first."""
    runs, led = _with_any(identified, wanted.keys), _with_any(identified, wanted.leads)
    called = led.filter(pl.col("run_id").str.starts_with(wanted.beginning or ""))
    runs = pl.concat([runs, called]).unique() if runs.height or called.height else led
    above = _set_to_work(identified)
    while True:
        more = (
            above.join(runs, on="run_id", how="semi").select(run_id="by").unique().join(runs, on="run_id", how="anti")
        )
        if not more.height:
            return runs
        runs = pl.concat([runs, more])


def _with_any(identified: Identified, keys: pl.DataFrame) -> pl.DataFrame:
    """`run_id` of the runs with a record that has any of some keys."""
    frames = (identified.spans, identified.events)
    hits = [
        frame[wire_keys(frame, set(keys["kind"])).join(keys, on=["kind", "key"], how="semi")["row"].unique().sort()]
        for frame in frames
    ]
    return pl.concat([frame.select("run_id") for frame in hits]).unique()


def _set_to_work(identified: Identified) -> pl.DataFrame:
    """`run_id`, `by`: runs, and those that their records lie in or that they say have started them."""
    spans = identified.spans.select("trace_id", "span_id", "parent_span_id", "run_id")
    events = identified.events.select("trace_id", "span_id", "run_id")
    # Within a run nothing is set to work.
    of_runs = pl.concat([frame.select("trace_id", "run_id") for frame in (spans, events)]).drop_nulls().unique()
    several = of_runs.group_by("trace_id").len().filter(pl.col("len") > 1)
    spans, events = (frame.join(several, on="trace_id", how="semi") for frame in (spans, events))
    above = spans.select("trace_id", "span_id", by="run_id").drop_nulls().unique()
    under = spans.select("trace_id", "run_id", span_id="parent_span_id")
    nested = pl.concat([under, events.select(under.columns)]).join(above, on=["trace_id", "span_id"], how="inner")
    named = (
        identified.events.filter(_NAMES_PARENT).select("run_id", "source", run_key=_PARENT_RUN).drop_nulls("run_key")
    )
    of_key = identified.events.select("source", "run_key", by="run_id").drop_nulls().unique()
    told = named.unique().join(of_key, on=["source", "run_key"], how="inner").select("run_id", "by")
    return pl.concat([nested.select("run_id", "by"), told]).filter(pl.col("run_id") != pl.col("by")).unique()


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
    nobody, names = pl.lit(None, pl.String).alias("source"), [*of, *SOUGHT]
    keys = []
    for rows in (spans, events):
        told = _telling(rows, of)
        of_rows = wire_keys(told, _LEADING).join(
            told.with_row_index("row").select("row", "source", *of), on="row", how="inner"
        )
        traces = of_rows.filter(pl.col("kind") == "trace")
        keys += [
            of_rows.filter(pl.col("kind").is_in(_OF_ONE_SENDER)).select(names),
            of_rows.filter(pl.col("kind") == "record").with_columns(nobody).select(names),
            traces.with_columns(nobody).select(names),
            # What links to its traces, and what they link to.
            traces.with_columns(nobody, kind=pl.lit("link")).select(names),
            of_rows.filter(pl.col("kind") == "link").with_columns(nobody, kind=pl.lit("trace")).select(names),
        ]
    keys.append(events.filter(_NAMES_PARENT).select(*of, kind=pl.lit("run"), key=_PARENT_RUN, source="source"))
    return pl.concat(keys).drop_nulls(["kind", "key"]).unique()


def _telling(rows: pl.DataFrame, of: tuple[str, ...]) -> pl.DataFrame:
    """What of rows tells their keys, each once: most of a trace are alike."""
    ids = [name for name in ("trace_id", "conversation_id", "run_key", "links") if name in rows.columns]
    is_alone = pl.all_horizontal(pl.col(name).is_null() for name in ("trace_id", "conversation_id", "run_key"))
    pointer = (pl.when(is_alone).then(name).alias(name) for name in _POINTER)
    return rows.select("source", *of, *ids, *pointer).unique()


def _unlike(keys: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Keys that are not among the known, each once; a key of any source stands for that of each."""
    anybody = known.filter(pl.col("source").is_null())
    return (
        keys.drop_nulls(["kind", "key"])
        .unique()
        .join(anybody, on=["kind", "key"], how="anti")
        .join(known, on=SOUGHT.names(), how="anti", nulls_equal=True)
    )
