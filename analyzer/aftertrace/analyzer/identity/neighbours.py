"""Records beside a run's own that the joins look at: they tell of the same calls or requests in another place.

A call is resumed, or repeated, in another trace (`identity`, `replays`); an answer names a request that was asked about
elsewhere (`requests`); a gateway names a call or an MCP request (`gateways`); one end of a connection tells of what an
agent's tool encloses (`copies`); a record tells another whole (`retold`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from aftertrace.analyzer.identity.copies import ENCLOSED_WITHIN_NS, PROTOCOL
from aftertrace.analyzer.identity.found import Found
from aftertrace.analyzer.identity.gateways import is_drawn
from aftertrace.analyzer.identity.identity import RESUME_WITHIN_NS
from aftertrace.analyzer.identity.places import KINDS, NARROW, OF, PLACE, TRACE, joinable, places
from aftertrace.store.snapshot import collected
from aftertrace.store.wire_keys import wire_keys

_POINTER: Final = ("receiver", "seq", "index")
_RAN: Final = (pl.col("event") == "tool.called") & pl.col("state").is_in(("started", "completed", "failed"))
_TAIL: Final = pl.col("tool_name").str.split("__").list.last()
_RUN: Final = ["source", "tail", "time_ns"]
_BEGUN: Final = ["source", "tail", "began_ns"]
IS_COPY: Final = pl.col("dialect").is_in(PROTOCOL).fill_null(value=False) & (pl.col("event") == "tool.called")
"""Whether an end of a connection tells of a call, maybe of one that an agent tells of as well."""
_ENCLOSES: Final = _RAN & ~IS_COPY & (pl.col("end_ns") > pl.col("time_ns"))


def by_ids(found: Found, events: pl.DataFrame, read: pl.DataFrame) -> pl.DataFrame:
    """Events in other places with the id of a call, or request, of some events; columns as in `events`.

    Of a trace, which is to be read whole, there is one row that names it, and nothing else.

    Args:
        found: where they are looked for.
        events: those that matter.
        read: all that are read so far.
    """
    ours = places(events.select(NARROW))
    keys = ours.select("kind", "key").unique()
    if not keys.height:
        return events.clear()
    theirs = places(found.by("events", keys, NARROW)).join(ours.select(OF).unique(), on=OF, how="semi")
    theirs = theirs.join(ours, on=[*OF, "place"], how="anti")
    if not theirs.height:
        return events.clear()
    # A call goes on, or is told again, within a day, unless nothing else can have its id.
    ends = ours.group_by(OF).agg(of_from_ns=pl.col("from_ns").min(), of_to_ns=pl.col("to_ns").max())
    gap_ns = pl.max_horizontal(pl.col("from_ns") - pl.col("of_to_ns"), pl.col("of_from_ns") - pl.col("to_ns"))
    lasting = (pl.col("kind") != "call") | is_drawn(pl.col("key"))
    theirs = theirs.join(ends, on=OF, how="inner").filter(lasting | (gap_ns <= RESUME_WITHIN_NS).fill_null(value=True))
    chosen = joinable(found, theirs, ours, read["trace_id"].unique())
    if not chosen.height:
        return events.clear()
    is_traced = pl.col("place").str.starts_with(TRACE)
    traces = chosen.filter(is_traced).select(trace_id=pl.col("place").str.strip_prefix(TRACE)).unique()
    told = pl.concat([events.clear(), traces], how="diagonal")
    loose = chosen.filter(~is_traced)
    if not loose.height:
        return told
    rows = found.by("events", loose.select("kind", "key").unique(), events.columns)
    at = wire_keys(rows, KINDS).join(rows.with_row_index("row").select("row", place=PLACE), on="row", how="inner")
    return pl.concat([told, rows[at.join(loose, on=["kind", "key", "place"], how="semi")["row"].unique().sort()]])


def enclosing(found: Found, events: pl.DataFrame) -> pl.DataFrame:
    """The run of a tool that may enclose in time what one end of a connection tells of it in a trace of its own.

    Nothing but source, tool and time leads there: the runs of a day are read.
    """
    told = events.filter(IS_COPY & pl.col("tool_name").is_not_null()).with_columns(tail=_TAIL)
    if not told.height:
        return events.clear()
    known = events.filter(_RAN & ~IS_COPY).with_columns(tail=_TAIL)
    told = told.join(known, on=["trace_id", "tail"], how="anti").drop_nulls("time_ns")
    if not told.height:
        return events.clear()
    ran = _of_tools(found, told, _ENCLOSES, events.columns, -ENCLOSED_WITHIN_NS, 0)
    met = _last_before(told, ran)
    return ran.join(met.select(_BEGUN), left_on=_RUN, right_on=_BEGUN, how="semi").select(events.columns)


def enclosed(found: Found, events: pl.DataFrame) -> pl.DataFrame:
    """The other way: what ends of connections tell in traces of their own, where some of the events are the last run of
    its tool that began before it. Whether that encloses it, or had kept another from doing so, makes a difference.
    """
    ours = events.filter(_ENCLOSES & pl.col("tool_name").is_not_null()).with_columns(tail=_TAIL)
    if not ours.height:
        return events.clear()
    told = _of_tools(found, ours, IS_COPY, events.columns, 0, ENCLOSED_WITHIN_NS)
    # Most senders have no end of a connection that tells, and all that ran is much.
    if not told.height:
        return events.clear()
    met = _last_before(told, _of_tools(found, ours, _ENCLOSES, (), 0, ENCLOSED_WITHIN_NS))
    return met.join(ours.select(_RUN), left_on=_BEGUN, right_on=_RUN, how="semi").select(events.columns)


def _of_tools(
    found: Found, of: pl.DataFrame, which: pl.Expr, columns: Sequence[str], before_ns: int, after_ns: int
) -> pl.DataFrame:
    """Events that hold what is asked, of the sources and tools of some, between the first and the last of these and
    that much before or after: some columns, and those of `_RUN` with `tail`, the tool as both ends of a connection name
    it.
    """
    from_ns, to_ns = of.select(pl.col("time_ns").min() + before_ns, to=pl.col("time_ns").max() + after_ns).row(0)
    (rows,) = collected(
        found.all("events")
        .filter(pl.col("time_ns").is_between(from_ns, to_ns) & pl.col("source").is_in(of["source"].unique().implode()))
        .filter(which)
        .with_columns(tail=_TAIL)
        .filter(pl.col("tail").is_in(of["tail"].unique().implode()))
        .select(list(dict.fromkeys((*columns, *_RUN))))
    )
    return rows


def _last_before(told: pl.DataFrame, ran: pl.DataFrame) -> pl.DataFrame:
    """What is told, with `began_ns` of the last run of its tool that began before it, as `copies` asks for it."""
    return told.sort("time_ns").join_asof(
        ran.select(*_RUN, began_ns="time_ns").sort("time_ns"),
        on="time_ns",
        by=["source", "tail"],
        tolerance=ENCLOSED_WITHIN_NS,
        check_sortedness=False,
    )


def retelling(found: Found, rows: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Rows of records that the flags of some rows name, and that are not among them."""
    if all(frame["flags"].null_count() == frame.height for frame in rows.values()):
        return {}
    place = pl.concat_str(_POINTER, separator="/")
    here = pl.concat([frame.select(place=place) for frame in rows.values()])
    named = pl.concat(
        [
            frame.drop_nulls("flags").select(place=pl.col("flags").str.extract(f'"{name}:([^"]+)"'))
            for frame in rows.values()
            for name in ("continues", "continued_by")
        ]
    )
    wanting = named.drop_nulls().unique().join(here, on="place", how="anti")["place"]
    if not wanting.len():
        return {}
    seqs = wanting.str.split("/").list.get(1).cast(pl.Int64)
    within = pl.col("seq").is_between(seqs.min(), seqs.max()) & pl.col("seq").is_in(seqs.implode())
    named_rows = [
        found.all(table).filter(within).filter(place.is_in(wanting.implode())).select(frame.columns)
        for table, frame in rows.items()
    ]
    return dict(zip(rows, collected(*named_rows), strict=True))
