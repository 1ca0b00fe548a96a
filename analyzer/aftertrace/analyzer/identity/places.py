"""In which other places a call, or request, is told of that a run's own may be joined with.

A place is a trace, or a conversation without one. Where an id has few places, all of them are meant. Where it has many
(`call_1`), each join looks at some of them alone, so the nearest of those are taken, by what it tells ids apart by:

- a call goes on in a trace of no conversation (`identity`): those of the same service;
- one that a conversation left open goes on in a trace that names none: the conversations that left it open;
- a later trace repeats it (`replays`): the conversations, and traces, that tell of it from its proposal to its end;
- an answer names its request alone (`requests`): where that was asked, and where it was answered;
- a gateway names it (`gateways`): what gateways tell, and what others tell at first hand, of any service.

Of each conversation whose places are taken, those are that tell whether it left the call open. A run's own conversation
is read whole anyhow, so that it is none of these.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.found import Found
from aftertrace.analyzer.identity.gateways import AT_FIRST_HAND, IS_GATEWAY, is_drawn
from aftertrace.analyzer.identity.identity import RESOLVED
from aftertrace.store.run_names import OWNER
from aftertrace.store.wire_keys import columns_of, wire_keys

PLACES_AT_MOST: Final = 32
"""An id in more places is no name of a call, such as `call_1`: for each place that matters, and each join, as many are
taken that began last before it, and first after it. So what a join tells by more of them than that, all of a kind, may
be told otherwise than by the whole store."""

TRACE: Final = "trace "
"""What the name of a place begins with that is a trace."""
KINDS: Final = ("call", "request", "mcp")
OF: Final = ["kind", "key", "source"]
"""What places of one id have alike, at least."""
_OWNED: Final = [*OF, "service_name"]
_UNIT: Final = [*_OWNED, "unit"]
_POINTER: Final = ("receiver", "seq", "index")
PLACE: Final = pl.coalesce(
    pl.concat_str(pl.lit(TRACE), "trace_id"),
    pl.concat_str(pl.lit("conversation"), "conversation_id", separator=" "),
    pl.concat_str(_POINTER, separator="/"),
)
NARROW: Final = ("source", "service_name", "time_ns", "state", "tool_name", "dialect", *columns_of("events"))
"""The columns of events that `places` reads."""

_IS_OF_MODEL: Final = (pl.col("state") == "proposed").fill_null(value=False)
_ENDS: Final = ((pl.col("event") == "tool.called") & pl.col("state").is_in(RESOLVED)).fill_null(value=False)
_ECHOED: Final = (pl.col("state") == "echoed").fill_null(value=False)
_ASKS: Final = pl.col("event") == "approval.requested"
_IS_CALL: Final = pl.col("kind") == "call"
_IS_REQUEST: Final = pl.col("kind") == "request"
_LASTING: Final = ~_IS_CALL | is_drawn(pl.col("key"))


def places(events: pl.DataFrame) -> pl.DataFrame:
    """Per id, sender and place, between when it is told of and what; the rows of one place are read together.

    Args:
        events: rows with the columns of `NARROW`.
    """
    of = events.with_row_index("row").select(
        "row", *OWNER, "time_ns", "tool_name", "trace_id", "conversation_id",
        place=PLACE, proposes=_IS_OF_MODEL, ends=_ENDS, asks=_ASKS, echoed=_ECHOED, by_gateway=IS_GATEWAY,
        at_first_hand=~IS_GATEWAY & AT_FIRST_HAND.fill_null(value=False),
        answers=pl.col("event").str.starts_with("approval.") & ~_ASKS,
    )  # fmt: skip
    return (
        wire_keys(events, KINDS)
        .join(of, on="row", how="inner")
        .with_columns(pl.col("service_name").fill_null(""))
        .group_by(*_OWNED, "place")
        .agg(
            pl.col("trace_id").first(),
            pl.col("conversation_id").min(),
            pl.col("proposes", "ends", "asks", "answers", "by_gateway", "at_first_hand").any(),
            from_ns=pl.col("time_ns").min(),
            to_ns=pl.col("time_ns").max(),
            goes_on_ns=pl.col("time_ns").filter(~pl.col("echoed")).min(),
            goes_on=(~pl.col("echoed")).any(),
            tool=pl.col("tool_name").drop_nulls().first().fill_null(""),
        )
    )


def joinable(found: Found, theirs: pl.DataFrame, ours: pl.DataFrame, read: pl.Series) -> pl.DataFrame:
    """`kind`, `key` and `place` of the places that the joins may look at.

    Args:
        found: where it is looked up which conversations the traces of many places name.
        theirs: other places with the ids of ours, as `places` tells them.
        ours: the run's own.
        read: trace ids that are read already.
    """
    is_few = pl.len().over(OF) <= PLACES_AT_MOST
    chosen = ["kind", "key", "place"]
    few, many = theirs.filter(is_few).select(chosen), theirs.filter(~is_few)
    if not many.height:
        return few.unique()
    many = _with_units(found, many)
    units = many.group_by(_UNIT).agg(
        pl.col("tool").filter(pl.col("tool") != "").first().fill_null(""),
        pl.col("from_ns").min(),
        pl.col("proposes", "ends", "asks").any(),
    )
    going_on = [frame.filter("goes_on").with_columns(from_ns="goes_on_ns") for frame in (many, ours)]
    whole = units.filter(_IS_CALL & pl.col("proposes") & pl.col("ends"))
    of_units = [
        _nearest(units.filter(_IS_CALL & pl.col("proposes") & ~pl.col("ends")), ours, _OWNED, "unit"),
        _nearest(whole, ours, [*_OWNED, "tool"], "unit"),
        _nearest(whole, ours, _OWNED, "unit"),
        _nearest(units.filter(_IS_REQUEST & pl.col("asks")), ours, _OWNED, "unit"),
    ]
    of_places = [
        _nearest(many.filter(_IS_CALL & pl.col("is_silent")), ours, _OWNED, "place"),
        _nearest(going_on[0].filter(_IS_CALL & pl.col("is_silent")), going_on[1], _OWNED, "place"),
        _nearest(many.filter(_IS_REQUEST & pl.col("asks")), ours, _OWNED, "place"),
        _nearest(many.filter(_IS_REQUEST & pl.col("answers")), ours, _OWNED, "place"),
        _nearest(many.filter(_LASTING & pl.col("by_gateway")), ours, OF, "place"),
        _nearest(many.filter(_LASTING & pl.col("at_first_hand")), ours, OF, "place"),
    ]
    near = pl.concat([frame.select(chosen) for frame in of_places]).unique()
    is_met = many.join(near, on=chosen, how="semi"), many.filter(pl.col("trace_id").is_in(read.implode()))
    met = pl.concat([*(frame.select(_UNIT) for frame in (*is_met, *of_units))]).unique()
    return pl.concat([few, near, _telling(many.join(met, on=_UNIT, how="semi")).select(chosen)]).unique()


def _with_units(found: Found, many: pl.DataFrame) -> pl.DataFrame:
    """Places with `unit`, the conversation that `identity` gives their trace, else the place; and with `is_silent`:
    whether what they tell may be of no conversation.
    """
    columns = (*OWNER, "trace_id", "conversation_id", "dialect")
    keys = many.select(kind=pl.lit("trace"), key="trace_id").drop_nulls().unique()
    named = (
        pl.concat([found.by(table, keys, columns).select(columns) for table in ("spans", "events")])
        .drop_nulls("conversation_id")
        .with_columns(pl.col("service_name").fill_null(""), by_gateway=IS_GATEWAY)
        .group_by(*OWNER, "trace_id")
        .agg(
            conversations=pl.col("conversation_id").n_unique(),
            only=pl.col("conversation_id").min(),
            is_strange=pl.col("by_gateway").all(),
        )
    )
    is_one = (pl.col("conversations") == 1).fill_null(value=False)
    told = pl.when(pl.col("trace_id").is_null()).then("conversation_id").when(is_one).then("only")
    is_named = pl.col("trace_id").is_null() | pl.col("conversation_id").is_not_null() | (is_one & ~pl.col("is_strange"))
    return many.join(named, on=[*OWNER, "trace_id"], how="left").with_columns(
        unit=pl.coalesce(pl.concat_str(pl.lit("conversation "), told), "place"), is_silent=~is_named
    )


def _telling(of_units: pl.DataFrame) -> pl.DataFrame:
    """The places of some units that tell what the whole unit does: the first that proposes, ends or asks; the last."""
    by_time = of_units.sort("from_ns", "place")
    firsts = [by_time.filter(name).unique(_UNIT, keep="first", maintain_order=True) for name in ("proposes", "ends")]
    firsts.append(by_time.filter("asks").unique(_UNIT, keep="first", maintain_order=True))
    last = of_units.sort("to_ns", "place").unique(_UNIT, keep="last", maintain_order=True)
    return pl.concat([*firsts, last])


def _nearest(theirs: pl.DataFrame, ours: pl.DataFrame, by: list[str], name: str) -> pl.DataFrame:
    """Of what is alike in `by`, those that began nearest to each of ours: all where they are few.

    Args:
        theirs: with `by`, `from_ns` and `name`.
        ours: with `by` and `from_ns`.
        by: columns.
        name: the column that tells one from another.
    """
    theirs = theirs.join(ours.select(by).unique(), on=by, how="semi")
    many = theirs.sort(*by, "from_ns", name).with_row_index("number").with_columns(pl.col("number").cast(pl.Int64))
    if not many.height:
        return theirs
    first = many.group_by(by).agg(first=pl.col("number").min())
    numbered = many.drop_nulls("from_ns").select(*by, "from_ns", "number").sort("from_ns", "number")
    near = (
        ours.select(*by, "from_ns")
        .unique()
        .sort("from_ns")
        .join_asof(numbered, on="from_ns", by=by, strategy="backward", check_sortedness=False)
        .join(first, on=by, how="inner")
        .select(*by, at=pl.coalesce("number", pl.col("first") - 1))
        .with_columns(number=pl.int_ranges(pl.col("at") - PLACES_AT_MOST + 1, pl.col("at") + PLACES_AT_MOST + 1))
        .explode("number", empty_as_null=True, keep_nulls=True)
    )
    return many.join(near, on=[*by, "number"], how="semi").select(theirs.columns)
