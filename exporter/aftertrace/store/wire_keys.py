"""Wire keys: the ids in a row by which its run, and whatever belongs to it, is found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aftertrace.store.run_names import POINTER, pointer

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

KEYED: Final = ("spans", "events")
"""Tables whose rows have wire keys; a row of `evidence` is found by the receiver and seq of one of theirs."""
KINDS: Final = {
    "trace": "the trace id of the row",
    "link": "a trace id that the span links to",
    "conversation": "the session, conversation or thread",
    "run": "the explicit run id",
    "call": "the id of the tool call",
    "request": "the id of a request for approval: one answer may be given in another trace than it was asked in",
    "mcp": "session and number of an MCP request: a gateway between its two ends may know nothing else of the run",
    "record": "`receiver/seq/index` of a row that has neither trace, conversation nor run",
}
"""Every kind of wire key. Ids stand as the sender wrote them: which sender is for the reader to compare."""
_COLUMNS: Final = {"trace": "trace_id", "conversation": "conversation_id", "run": "run_key", "call": "call_id"}


def wire_keys(rows: pl.DataFrame, kinds: Collection[str] = KINDS) -> pl.DataFrame:
    """The wire keys of rows of `spans` or `events`, or those of some kinds.

    Returns:
        `row` (position in `rows`), `kind`, `key`; one row for each key that a row has, in no order.
    """
    import polars as pl

    numbered, columns = rows.lazy().with_row_index("row"), set(rows.columns)
    is_alone = pl.all_horizontal(pl.col(name).is_null() for name in ("trace_id", "conversation_id", "run_key"))
    keys = {kind: pl.col(column) for kind, column in _COLUMNS.items()} | {"record": pl.when(is_alone).then(pointer())}
    if "group" in columns:
        named = pl.when(pl.col("attributes").str.contains('"request":', literal=True)).then("attributes")
        keys["request"] = pl.when(pl.col("event").str.starts_with("approval.")).then("group")
        keys["mcp"] = named.str.json_path_match("$.request")
    told: list[pl.LazyFrame] = []
    if asked := {kind: key for kind, key in keys.items() if kind in kinds}:
        told.append(numbered.select("row", **asked).unpivot(index="row", variable_name="kind", value_name="key"))
    # A query of each list of links takes long, and most rows have none.
    if "link" in kinds and "links" in columns and rows["links"].null_count() < rows.height:
        linked = numbered.filter(pl.col("links").is_not_null()).select(
            "row", pair=pl.col("links").str.json_decode(pl.List(pl.List(pl.String)))
        )
        to = pl.col("pair").list.get(0, null_on_oob=True)
        told.append(
            linked.explode("pair", empty_as_null=True, keep_nulls=True).select("row", kind=pl.lit("link"), key=to)
        )
    if not (told and rows.height):
        return pl.DataFrame(schema={"row": pl.get_index_type(), "kind": pl.String, "key": pl.String})
    return pl.concat(told).drop_nulls("key").collect()


def columns_of(table: str) -> tuple[str, ...]:
    """The columns that `wire_keys` reads of a table."""
    own = ("links",) if table == "spans" else ("event", "group", "attributes")
    return (*POINTER, *_COLUMNS.values(), *own)
