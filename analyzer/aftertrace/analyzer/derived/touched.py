"""Which runs new records may change: what is told of all others stays as it is.

It is the way of `connected` in the other direction. There, a run leads to the records that its analysis looks at; here,
records lead to the runs whose analysis looks at them. Too many are no harm, as they are told again as they were.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.identity import neighbours
from aftertrace.analyzer.identity.connected import SOUGHT, keys_of
from aftertrace.analyzer.identity.found import Found
from aftertrace.analyzer.identity.gateways import IS_GATEWAY
from aftertrace.analyzer.identity.places import NARROW
from aftertrace.analyzer.schemas.order import ORDERS
from aftertrace.store.run_names import POINTER
from aftertrace.store.wire_keys import columns_of

_EVENT: Final = (*POINTER, "ordinal")
LEADS: Final = pl.Schema([("run_id", pl.String()), *SOUGHT.items()])
"""A run, and a key by which records of it are found, or of a run that it names."""

COLUMNS: Final = {
    "spans": tuple(dict.fromkeys((*columns_of("spans"), "source", "flags"))),
    "events": tuple(dict.fromkeys((*NARROW, "ordinal", "end_ns", "flags"))),
}
"""What is read of the rows of each table."""


def touched(found: Found, fresh: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Keys of the runs that some rows may change, columns as in `SOUGHT`.

    Args:
        found: where rows are looked for, these among them.
        fresh: by table, the rows, with `COLUMNS` at least.
    """
    rows = _with_traces(found, {table: frame.select(COLUMNS[table]) for table, frame in fresh.items()})
    events, no_spans = rows["events"], rows["spans"].clear()
    # Whether that is a copy makes a difference to every run that its call is told of in.
    enclosed = _with_traces(found, {"spans": no_spans, "events": neighbours.enclosed(found, events)})
    beside = [
        neighbours.by_ids(found, events, events),
        neighbours.enclosing(found, events),
        neighbours.by_ids(found, enclosed["events"], enclosed["events"]),
    ]
    retold = neighbours.retelling(found, rows)
    return pl.concat(
        [
            keys_of(rows["spans"], events),
            keys_of(enclosed["spans"], enclosed["events"]),
            *(keys_of(no_spans, each) for each in beside),
            *([keys_of(retold["spans"], retold["events"])] if retold else []),
        ]
    ).unique()


def _with_traces(found: Found, rows: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Rows, and all others of their traces."""
    traces = pl.concat([frame.select(kind=pl.lit("trace"), key="trace_id") for frame in rows.values()])
    traces = traces.drop_nulls().unique()
    if not traces.height:
        return rows
    return {
        table: pl.concat([frame, found.by(table, traces, COLUMNS[table])]).unique() for table, frame in rows.items()
    }


def leads_of(told: Derivation, meant: pl.Series) -> pl.DataFrame:
    """The keys of some runs, columns as in `LEADS`; of those alone of which any table tells."""
    runs = pl.concat([told.table(name).select("run_id") for name in ORDERS]).unique()
    runs = runs.filter(pl.col("run_id").is_in(meant.implode()))
    identified = told.identified
    spans, events = (frame.join(runs, on="run_id", how="semi") for frame in (identified.spans, identified.events))
    # A gateway's verdict is in the conversation of its call, and in its own where nothing tells of that call yet.
    verdicts = events.filter(IS_GATEWAY).select(*_EVENT, "run_id")
    as_sent = told.tables.events.collect().join(verdicts, on=_EVENT, how="inner") if verdicts.height else events.clear()
    leads = pl.concat([keys_of(spans, events, "run_id"), keys_of(spans.clear(), as_sent, "run_id")]).unique()
    # That a span links to a trace is told by the key of that trace.
    return leads.filter(pl.col("kind") != "link").select(LEADS.names()).sort(LEADS.names())
