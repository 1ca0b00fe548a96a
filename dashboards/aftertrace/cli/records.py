"""`records`: what is stored under an id, found without reading the tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.evidence_lines import POINTER, evidence_lines
from aftertrace.cli.output import output_options
from aftertrace.cli.reads import record
from aftertrace.store.errors import Invalid
from aftertrace.store.wire_keys import KINDS

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.store.snapshot import Snapshot

_SHARED: Final = (
    "service_name",
    "dialect",
    "agent_name",
    "tool_name",
    "call_id",
    "conversation_id",
    "trace_id",
    "span_id",
)
_SHOWN: Final = ("time_ns", "kind", "what", "state", "tool_name", "call_id", "service_name", "record")


@click.command(short_help="Show what is stored under an id.")
@click.argument("ident", metavar="ID")
@click.option("--kind", type=click.Choice(tuple(KINDS)), help="What the ID is of; any of them if not given.")
@click.option("--otlp", is_flag=True, help="Write the records as they were received, in OTLP/JSON, one line each.")
@output_options
@settings.data_option
def records(
    ident: str, kind: str | None, otlp: bool, data: Path, form: formats.Format, out: Path | None, limit: int | None
) -> None:
    """Show the spans and events with an id: of a trace, a conversation, a tool call, a run, or a request for approval.

    ID is written as the sender wrote it. Oldest first, each with the record of the evidence that it was read from. The
    lines of `--otlp` are that evidence, after redaction: `aftertrace import` reads them.
    """
    import polars as pl

    from aftertrace.ingest.rows import fitted
    from aftertrace.store.snapshot import Snapshot

    snapshot = Snapshot.of(settings.readable(data))
    keys = pl.DataFrame({"kind": list(KINDS) if kind is None else [kind]}).with_columns(key=pl.lit(fitted(ident)))
    found = _found(snapshot, keys)
    if not found.height:
        known = ", ".join(KINDS) if kind is None else kind
        raise Invalid(f"records {ident!r}: nothing is stored under this id ({known}); it is written as the sender does")
    record(data, "records", ident)
    if not otlp:
        formats.write(found if limit is None else found.head(limit), form, shown=_SHOWN, out=out)
        return
    places = found.select("record").unique(maintain_order=True)
    lines = evidence_lines(snapshot, places if limit is None else places.head(limit))
    if out is None:
        sys.stdout.writelines(lines)
    else:
        out.write_text("".join(lines), encoding="utf-8")


def _found(snapshot: Snapshot, keys: pl.DataFrame) -> pl.DataFrame:
    """Rows of spans and events alike, oldest first."""
    import polars as pl

    from aftertrace.store.lookup import rows_with

    def alike(table: str, time: str, what: str, state: str) -> pl.DataFrame:
        return rows_with(snapshot, table, keys).select(
            pl.col(time).alias("time_ns"),
            pl.lit(table.removesuffix("s")).alias("kind"),
            pl.col(what).alias("what"),
            pl.col(state).alias("state"),
            *_SHARED,
            pl.concat_str(POINTER, separator="/").alias("record"),
        )

    spans = alike("spans", "start_ns", "name", "status")
    events = alike("events", "time_ns", "event", "state")
    return pl.concat([spans, events]).sort("time_ns", "record", "kind", "what", maintain_order=True)
