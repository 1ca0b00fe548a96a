"""Runs by the customer that they were for: no standard attribute names one, so any that is called so does.

It is looked for in the attributes of spans and events, and in those of the resources that sent them: a process that
works for one customer names it there, once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.reading.tables import Tables

_KEY: Final = r'(?:[^"\\]*[._])?(?i:customer)(?:[._]?(?i:id|name|key))?'
"""An attribute whose last part is `customer`, `customer.id`, `customerId` or the like."""
_NUMBER: Final = re.compile(r"-?\d[\d.eE+-]*")
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
    """Whether attributes, as JSON, name the customer, also in JSON within JSON."""
    # No attribute holds half a surrogate pair, and no pattern may.
    name = name.encode(errors="backslashreplace").decode()
    once = {_written(name, is_ascii) for is_ascii in (False, True)}
    twice = {_written(each, is_ascii) for each in once for is_ascii in (False, True)}
    wanted = [rf'"{_KEY}": ?"(?:{_any_of(once)})"', rf'\\"{_KEY}\\": ?\\"(?:{_any_of(twice)})\\"']
    if _NUMBER.fullmatch(name):
        wanted.append(rf'\\?"{_KEY}\\?": ?{_any_of({name})}[,}}\s\\]')
    return pl.col("attributes").str.contains("|".join(wanted))


def _written(text: str, is_ascii: bool) -> str:
    """A text as it stands in JSON."""
    return json.dumps(text, ensure_ascii=is_ascii)[1:-1]


def _any_of(texts: Collection[str]) -> str:
    return "|".join(pl.escape_regex(each) for each in sorted(texts))


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
