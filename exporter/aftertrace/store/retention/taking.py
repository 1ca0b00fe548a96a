"""What orders name, among the rows of a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from aftertrace.store.commits import Stretches
from aftertrace.store.ledger.entries import Retention
from aftertrace.store.ledger.orders import Order


@dataclass(frozen=True, slots=True)
class Taking:
    """What is to be taken out of the tables on a day."""

    receivers: frozenset[str]
    is_gone: Callable[[pa.Table], pa.Array]
    """Of rows with `receiver`, `seq` and `index`, whether each is of it."""
    told: Mapping[str, Any]
    """As a commit tells it."""


def taking(ordered: Sequence[Order]) -> Taking:
    """What orders of one day name."""
    requests: dict[str, list[tuple[int, int]]] = {}
    records: dict[str, set[tuple[int, int]]] = {}
    for act in ordered:
        if isinstance(act, Retention):
            requests.setdefault(act.receiver, []).extend(act.requests)
        else:
            rows = (row for found in act.rows.values() for row in found)
            records.setdefault(act.receiver, set()).update((row.seq, row.index) for row in rows)
    if records:
        told = {receiver: sorted(found) for receiver, found in records.items()}
        return Taking(frozenset(records), partial(_among, records=told), {"erased": told})
    # Each term has entries of its own, and their stretches lie between each other.
    requests = {receiver: sorted(found) for receiver, found in requests.items()}
    return Taking(frozenset(requests), partial(_within, requests=requests), {"destroyed": requests})


def _within(rows: pa.Table, requests: Stretches) -> pa.Array:
    """Whether each row is of one of some requests."""
    frame = pl.DataFrame(rows)
    told = [(receiver, first, last) for receiver, found in requests.items() for first, last in found]
    bounds = pl.DataFrame(told, schema={"receiver": pl.String, "first": pl.Int64, "last": pl.Int64}, orient="row")
    joined = frame.with_row_index("row").sort("seq")
    joined = joined.join_asof(
        bounds.sort("first"), left_on="seq", right_on="first", by="receiver", check_sortedness=False
    )
    is_within = joined.sort("row").select((pl.col("seq") <= pl.col("last")).fill_null(value=False)).to_series()
    return is_within.to_arrow()


def _among(rows: pa.Table, records: Stretches) -> pa.Array:
    """Whether each row is of one of some records."""
    told = [(receiver, *place) for receiver, found in records.items() for place in found]
    schema = {"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32}
    wanted = pl.DataFrame(told, schema=schema, orient="row").with_columns(is_gone=pl.lit(value=True))
    joined = pl.DataFrame(rows).join(wanted, on=list(schema), how="left", maintain_order="left")
    return joined["is_gone"].fill_null(value=False).to_arrow()
