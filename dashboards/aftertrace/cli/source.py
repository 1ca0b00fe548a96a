"""`source`: who may send, and their tokens."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from aftertrace.cli import formats, settings


@click.group(short_help="Say who may send.")
def source() -> None:
    """Say who may send, with a token each.

    A source is an agent, a team or a Collector, named NAME or TENANT/NAME. What it sends is stored under this name and
    tenant, apart from what the telemetry claims. Set receiver.require_token to take nothing without a token.
    """


@source.command(short_help="Make a token for a source.")
@click.argument("name")
@settings.data_option
def add(data: Path, name: str) -> None:
    """Make a token for the source NAME, or for a new one, and print it: it is shown this once.

    A source may have several, so that a new one can be given out before the old one is removed. A running `serve` takes
    it at once.
    """
    from aftertrace.store.folder import open_folder
    from aftertrace.store.sources import add_token

    token = add_token(open_folder(data.absolute()), name, time.time_ns())
    sys.stdout.write(token + "\n")
    sys.stderr.write(
        f"{name} may send with it: OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20<token>', or the header "
        "authorization: Bearer <token>\n"
    )


@source.command("list", short_help="List sources and their tokens.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="How to write them.",
)
@settings.data_option
def list_sources(data: Path, form: formats.Format) -> None:
    """List sources and their tokens. A token itself is not kept; its id tells it from others of the source."""
    import polars as pl

    from aftertrace.store.layout import Layout
    from aftertrace.store.sources import tenant_of, tokens

    found = tokens(Layout(settings.existing(data)))
    frame = pl.DataFrame(
        [(token.source, tenant_of(token.source), token.id, token.added_ns) for token in found],
        schema={"source": pl.String, "tenant": pl.String, "token": pl.String, "added_ns": pl.Int64},
        orient="row",
    ).with_columns(added_at=pl.from_epoch("added_ns", time_unit="ns").dt.replace_time_zone("UTC"))
    formats.write(frame, form, shown=("source", "tenant", "token", "added_at"))


@source.command(short_help="Take a source's tokens back.")
@click.argument("name")
@click.option("--token", "token_id", metavar="ID", help="Only this one.  [default: all of them]")
@settings.data_option
def remove(data: Path, name: str, token_id: str | None) -> None:
    """Take the tokens of the source NAME back. What was sent with them stays; the next request is refused."""
    from aftertrace.store.layout import Layout
    from aftertrace.store.sources import remove_tokens

    gone = remove_tokens(Layout(settings.existing(data)), name, token_id)
    sys.stderr.write(f"{name}: removed {', '.join(token.id for token in gone)}\n")
