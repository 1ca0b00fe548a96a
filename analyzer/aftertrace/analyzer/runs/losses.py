"""The loss ledger: what was sent and is not here, or not whole, by source and day.

Nothing of it is kept apart: the stored rows say what their senders dropped and sampled away, and which parents they
miss; the receiver's own notes hold what it refused, and the quarantine what was damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from aftertrace.analyzer.identity.gaps import is_called
from aftertrace.analyzer.identity.retold import retold, without
from aftertrace.analyzer.identity.run_states import QUIET_NS
from aftertrace.analyzer.reading.tables import Noted, Tables
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.losses import KINDS
from aftertrace.store.snapshot import collected

SCHEMA: Final = DERIVED["losses"].schema

_DEFERRED: Final = (429, 502, 503, 504)
"""HTTP statuses after which a sender tries again."""
_UNREAD: Final = "record_unreadable"
_UNKNOWN: Final = "unknown"
_DIGITS: Final = 14
_ALL: Final = 1 << 56
"""Of so many equally likely random numbers a sampler rejects those below its threshold."""
_MOST: Final = 1 << 62
"""What senders state may sum up to more than a column holds."""
_DAY_NS: Final = 86_400 * 10**9
_BY: Final = ("day", "source", "kind", "signal", "detail")
_PART: Final = pl.Schema(
    {
        "day": pl.Date,
        "source": pl.String,
        "kind": pl.String,
        "signal": pl.String,
        "detail": pl.String,
        "count": pl.Float64,
    }
)
_SPANS: Final = (
    "received_date", "receiver", "seq", "index", "received_ns", "source", "trace_id", "span_id", "parent_span_id",
    "kind", "end_ns", "flags",
)  # fmt: skip
_EVIDENCE: Final = ("received_date", "source", "signal", "resource_digest", "scope_digest", "flags")
_COUNTED: Final = r'"(?:dropped_[a-z_]+|cut_events|left_out):\d+"'
"""Flags that say how much of a record is not here."""
_ORIGINS: Final = (("dropped_resource_attributes", "resource_digest"), ("dropped_scope_attributes", "scope_digest"))


def losses(tables: Tables, noted: Noted, now_ns: int) -> pl.DataFrame:
    """What was lost, columns as in `schemas.DERIVED["losses"]`, the latest day first.

    Args:
        tables: what is stored.
        noted: what the receivers refused, and what is in the quarantine.
        now_ns: when it is judged which traces are over.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    spans = without(tables.spans.select(_SPANS), retold(tables.spans))
    evidence = tables.evidence.filter(pl.col("flags").is_not_null()).select(_EVIDENCE)
    logs = evidence.filter(pl.col("signal") == "logs")
    parts = [
        _refused(noted),
        _put_aside(noted, tables),
        _missing(spans, now_ns),
        *collected(
            *(
                part.select(pl.col(name).cast(kind) for name, kind in _PART.items())
                for part in (
                    _dropped(spans.with_columns(signal=pl.lit("traces"))),
                    _dropped(logs),
                    *(_dropped_origins(evidence, kind, digest) for kind, digest in _ORIGINS),
                    _sampled_traces(spans),
                    _sampled_records(logs),
                )
            ),
            streaming=True,
        ),
    ]
    known = pl.DataFrame(
        [(kind.name, kind.unit, kind.certainty) for kind in KINDS], ["kind", "unit", "certainty"], orient="row"
    )
    told = pl.concat([part.select(pl.col(name).cast(kind) for name, kind in _PART.items()) for part in parts])
    return (
        told.group_by(_BY)
        .agg(pl.col("count").sum().round().clip(upper_bound=_MOST).cast(pl.Int64))
        .filter(pl.col("count") > 0)
        .join(known, on="kind", how="left")
        .with_columns(
            tenant=pl.when(pl.col("source").str.contains("/", literal=True)).then(
                pl.col("source").str.split("/").list.first()
            ),
            first_ns=pl.col("day").cast(pl.Int32).cast(pl.Int64) * _DAY_NS,
        )
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("day", *_BY[1:], descending=[True, False, False, False, False], nulls_last=True)
    )


def _refused(noted: Noted) -> pl.DataFrame:
    rows = [
        (
            each.day,
            each.source,
            "deferred" if each.http_status in _DEFERRED else "refused",
            each.signal,
            str(each.http_status),
            each.requests,
        )
        for each in noted.refused
    ]
    return pl.DataFrame(rows, {**_PART, "day": pl.String}, orient="row").with_columns(pl.col("day").str.to_date())


def _put_aside(noted: Noted, tables: Tables) -> pl.DataFrame:
    """Findings by the day they were made, and records that no dialect could read by their receipt."""
    rows = list(_findings(noted))
    found = pl.DataFrame(
        rows,
        {"day": pl.Date, "detail": pl.String, "receiver": pl.String, "seq": pl.Int64, "count": pl.Float64},
        orient="row",
    )
    named = found["seq"].drop_nulls().to_list()
    if not named:
        return found.select(
            "day", "detail", "count", source=pl.lit(_UNKNOWN), kind=pl.lit("quarantined"), signal=pl.lit(None)
        )
    frames = tables.evidence.filter(pl.col("seq").is_in(named)).select(
        "receiver", "seq", "received_date", "source", "signal"
    )
    (known,) = collected(frames.unique())
    is_unread = pl.col("detail") == _UNREAD
    return found.join(known, on=["receiver", "seq"], how="left").select(
        "signal",
        "count",
        day=pl.when(is_unread).then(pl.coalesce("received_date", "day")).otherwise("day"),
        source=pl.col("source").fill_null(_UNKNOWN),
        kind=pl.when(is_unread).then(pl.lit("unread")).otherwise(pl.lit("quarantined")),
        detail=pl.when(~is_unread).then("detail"),
    )


def _findings(noted: Noted) -> Iterator[tuple[object, ...]]:
    """Day, code, receiver and seq where it is about one frame, and how much it is."""
    for each in noted.put_aside:
        finding = each.finding
        if finding.severity == "info":
            # What is normal after a crash is made again.
            continue
        receiver, seq, indexes = (*finding.where.removeprefix("evidence ").split("/"), "", "")[:3]
        is_frame = finding.where.startswith("evidence ") and seq.isdecimal()
        count = len(indexes.split(",")) if finding.code == _UNREAD else 1
        yield each.day, finding.code, receiver if is_frame else None, int(seq) if is_frame else None, count


def _dropped(rows: pl.LazyFrame) -> pl.LazyFrame:
    """What the flags of records say was dropped of them, or has no rows; their origins are shared with others."""
    flags = (
        rows.filter(pl.col("flags").str.contains(_COUNTED).fill_null(value=False))
        .select("received_date", "source", "signal", flag=pl.col("flags").str.extract_all(_COUNTED))
        .explode("flag")
    )
    told = flags.select(
        "source",
        "signal",
        day="received_date",
        kind=pl.col("flag").str.extract('"([a-z_]+):'),
        count=pl.col("flag").str.extract(r":(\d+)").cast(pl.Float64),
        detail=pl.lit(None),
    )
    return told.filter(~pl.col("kind").is_in([kind for kind, _ in _ORIGINS]))


def _dropped_origins(evidence: pl.LazyFrame, kind: str, digest: str) -> pl.LazyFrame:
    """Once a day for each resource, or scope, of a source."""
    return (
        evidence.select(
            "source", "signal", digest,
            day="received_date",
            kind=pl.lit(kind),
            count=pl.col("flags").str.extract(rf'"{kind}:(\d+)"').cast(pl.Float64),
            detail=pl.lit(None),
        )
        .drop_nulls("count")
        .unique(["day", "source", digest])
    )  # fmt: skip


def _missing(spans: pl.LazyFrame, now_ns: int) -> pl.DataFrame:
    """Parents that never came, by the first day on which a span named them."""
    of = ["trace_id", "span_id"]
    (named,) = collected(
        spans.filter(pl.col("parent_span_id").is_not_null() & ~is_called())
        .group_by("source", "trace_id", span_id="parent_span_id")
        .agg(day=pl.col("received_date").min()),
        streaming=True,
    )
    # Of all spans those alone are held that are looked for.
    (known,) = collected(spans.select(of).join(named.select(of).lazy(), on=of, how="semi").unique(), streaming=True)
    never_came = named.join(known, on=of, how="anti")
    is_root = pl.col("parent_span_id").is_null() & (pl.col("end_ns") > 0)
    (over,) = collected(
        spans.join(never_came.select("trace_id").unique().lazy(), on="trace_id", how="semi")
        .group_by("trace_id")
        .agg(is_over=is_root.any() | (pl.col("received_ns").max() <= now_ns - QUIET_NS)),
        streaming=True,
    )
    return never_came.join(over.filter("is_over"), on="trace_id", how="semi").select(
        "day",
        "source",
        kind=pl.lit("missing_parents"),
        signal=pl.lit("traces"),
        detail=pl.lit(None),
        count=pl.lit(1.0),
    )


def _sampled_traces(spans: pl.LazyFrame) -> pl.LazyFrame:
    """For each trace that came, how many did not: by the sampler that let most through, for the others thin it out."""
    return (
        spans.with_columns(lost=_rejected_for_each())
        .drop_nulls(["lost", "trace_id"])
        .group_by("source", "trace_id")
        .agg(day=pl.col("received_date").min(), count=pl.col("lost").min())
        .select("day", "source", "count", kind=pl.lit("sampled_traces"), signal=pl.lit("traces"), detail=pl.lit(None))
    )


def _sampled_records(logs: pl.LazyFrame) -> pl.LazyFrame:
    return logs.select(
        "source",
        day="received_date",
        kind=pl.lit("sampled_records"),
        signal=pl.lit("logs"),
        detail=pl.lit(None),
        count=_rejected_for_each(),
    ).drop_nulls("count")


def _rejected_for_each() -> pl.Expr:
    """How many a sampler rejected for each that it kept: T of T + kept, with the threshold T of all random numbers."""
    digits = pl.col("flags").str.extract('"sampling_threshold:([0-9a-f]+)"').str.pad_end(_DIGITS, "0")
    rejected = digits.str.to_integer(base=16, dtype=pl.Int64)
    return rejected / (_ALL - rejected)
