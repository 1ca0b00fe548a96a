"""Records by a tag: an attribute that whoever sends them chose to tell some from others by.

A tag of a record is one of its run, so that a run is not torn: all records of the run have it. A tag of a resource is
one of all that the resource sent, and of nothing else: a run may pass through several programs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.reading.tables import Tables

_PLACE: Final = ("receiver", "seq", "index")
TAGGED: Final = pl.Schema({"receiver": pl.String(), "seq": pl.Int64(), "index": pl.Int32(), "value": pl.String()})


def tagged(analysis: Analysis, key: str) -> pl.DataFrame:
    """Records that have an attribute: `receiver`, `seq`, `index`, and its `value`, of which a record may have several.

    Of attributes of spans and events those are seen that their tables have: short ones. A value that is no text stands
    as in JSON.
    """
    may_tell = pl.col("attributes").str.contains(json.dumps(key, ensure_ascii=False) + ":", literal=True)
    identified = analysis.told.having(spans=may_tell, events=may_tell).identified
    rows = pl.concat([frame.select(*_PLACE, "run_id", "attributes") for frame in (identified.spans, identified.events)])
    telling = rows.filter(may_tell.fill_null(value=False)).select("run_id", "attributes").unique()
    values = pl.Series("value", [_told(each, key) for each in telling["attributes"]], dtype=pl.String)
    of_runs = telling.select("run_id").with_columns(values).drop_nulls().unique()
    of_records = rows.join(of_runs, on="run_id").select(TAGGED.names())
    return pl.concat([of_records, _of_resources(analysis.tables, key)], how="vertical_relaxed").unique()


def _of_resources(tables: Tables, key: str) -> pl.DataFrame:
    """The same of what resources sent that have it."""
    may_tell = pl.col("bytes").bin.contains(key.encode("utf-8", "replace"))
    resources = tables.resources.filter(may_tell).select("digest", "bytes").collect().unique("digest")
    values = pl.Series("value", [_stated(each, key) for each in resources["bytes"]], dtype=pl.String)
    of = resources.select(resource_digest="digest").with_columns(values).drop_nulls()
    if of.is_empty():
        return TAGGED.to_frame()
    wanted = tables.evidence.filter(pl.col("resource_digest").is_in(of["resource_digest"].implode()))
    return wanted.select(*_PLACE, "resource_digest").collect().join(of, on="resource_digest").select(TAGGED.names())


def _told(attributes: str, key: str) -> str | None:
    return _text(json.loads(attributes).get(key))


def _stated(resource: bytes, key: str) -> str | None:
    of = {each.key: each.value for each in resource_pb2.Resource.FromString(resource).attributes}
    return None if key not in of else _text(_value(of[key]))


def _value(value: common_pb2.AnyValue) -> object:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in ("string_value", "bool_value", "int_value", "double_value") else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None
