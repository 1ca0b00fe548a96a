"""Stored evidence as lines of OTLP/JSON, which `aftertrace import` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aftertrace.store.errors import Corrupt

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.ingest.wire import Slice
    from aftertrace.store.request import Signal
    from aftertrace.store.snapshot import Snapshot

POINTER: Final = ("receiver", "seq", "index")
"""What names a record of the evidence."""


def evidence_lines(snapshot: Snapshot, places: pl.DataFrame) -> list[str]:
    """The evidence at some places (column `record`: `receiver/seq/index`), a line each. Raises `Corrupt`."""
    from aftertrace.ingest import otlp_lines

    return [otlp_lines.line(signal, part) + "\n" for signal, part in evidence_parts(snapshot, places)]


def evidence_parts(snapshot: Snapshot, places: pl.DataFrame) -> list[tuple[Signal, Slice]]:
    """The same as it came: the signal, and the record with what it belongs to. Raises `Corrupt`."""
    import polars as pl

    from aftertrace.ingest.wire import Slice
    from aftertrace.store.snapshot import collected

    wanted = places.with_columns(seq=pl.col("record").str.split("/").list.get(1).cast(pl.Int64))
    within = pl.col("seq").is_between(wanted["seq"].min(), wanted["seq"].max())
    evidence, resources, scopes = collected(
        snapshot.scan("evidence").filter(within, pl.col("seq").is_in(wanted["seq"].unique().implode())),
        snapshot.scan("resources", columns=("digest", "bytes", "schema_url")),
        snapshot.scan("scopes", columns=("digest", "bytes", "schema_url")),
    )
    rows = (
        places.join(
            evidence.with_columns(of=pl.concat_str(POINTER, separator="/")),
            left_on="record",
            right_on="of",
            how="left",
            maintain_order="left",
        )
        .join(resources.unique("digest"), left_on="resource_digest", right_on="digest", how="left")
        .join(scopes.unique("digest"), left_on="scope_digest", right_on="digest", how="left", suffix="_of_scope")
    )
    parts = []
    for row in rows.iter_rows(named=True):
        if row["record_right"] is None or row["bytes"] is None or row["bytes_of_scope"] is None:
            raise Corrupt(f"records: the evidence {row['record']} is not whole; run `aftertrace fsck`")
        part = Slice(
            row["bytes"], row["schema_url"], row["bytes_of_scope"], row["schema_url_of_scope"], row["record_right"]
        )
        parts.append((row["signal"], part))
    return parts
