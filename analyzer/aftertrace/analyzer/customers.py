"""Runs by the customer that they were for: no standard attribute names one, so any that is called so does.

It is looked for in the attributes of spans and events, and in those of the resources that sent them: a process that
works for one customer names it there, once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.tables import Tables

_CUSTOMER: Final = (
    r'\\?"(?:[^"\\]*[._])?(?i:customer)(?:[._]?(?i:id|name|key))?\\?": ?\\?"?([^",}\\]+)'
)  # fmt: skip
"""An attribute whose last part is `customer`, `customer.id`, `customerId` or the like, also in JSON within JSON."""
_POINTER: Final = pl.concat_str("receiver", "seq", "index", separator="/")
_MAY_NAME: Final = (b"ustomer", b"USTOMER")


def runs_for(analysis: Analysis, name: str) -> pl.Series:
    """The ids of the runs of which a record, or the resource of one, names a customer."""
    is_told, sent = pl.col("attributes").str.contains(r"(?i)customer"), _sent_for(analysis.tables, name)
    may_be = is_told
    if sent.height:
        # By the request first: to put a place together takes longer.
        seqs, places = sent["seq"].unique().implode(), sent["pointer"].implode()
        may_be = is_told | (pl.col("seq").is_in(seqs) & _POINTER.is_in(places))
    identified = analysis.told.having(spans=may_be, events=may_be).identified
    is_meant = (is_told & _names(name)).fill_null(value=False) | pl.col("pointer").is_in(sent["pointer"].implode())
    told = [frame.filter(is_meant).select("run_id") for frame in (identified.spans, identified.events)]
    return pl.concat(told)["run_id"].unique()


def _names(name: str) -> pl.Expr:
    """Whether attributes, as JSON, name the customer."""
    found = pl.col("attributes").str.extract_all(_CUSTOMER)
    return found.list.eval(pl.element().str.extract(_CUSTOMER, 1) == name).list.any()


def _sent_for(tables: Tables, name: str) -> pl.DataFrame:
    """Records whose resource names the customer: `seq`, `pointer`."""
    resources = (
        tables.resources.filter(pl.any_horizontal(pl.col("bytes").bin.contains(part) for part in _MAY_NAME))
        .select("digest", "bytes")
        .collect()
        .unique("digest")
    )
    texts = pl.Series("attributes", [_attributes(each) for each in resources["bytes"]], dtype=pl.String)
    meant = resources.with_columns(texts).filter(_names(name))["digest"]
    if not meant.len():
        return pl.DataFrame(schema={"seq": pl.Int64, "pointer": pl.String})
    return tables.evidence.filter(pl.col("resource_digest").is_in(meant.implode())).select(
        "seq", pointer=_POINTER
    ).collect()  # fmt: skip


def _attributes(resource: bytes) -> str:
    """The attributes of a stored Resource message as JSON."""
    told = resource_pb2.Resource.FromString(resource).attributes
    return json.dumps({each.key: _value(each.value) for each in told}, separators=(",", ":"), ensure_ascii=False)


def _value(value: common_pb2.AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "kvlist_value":
            return {each.key: _value(each.value) for each in value.kvlist_value.values}
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case _:
            return None
