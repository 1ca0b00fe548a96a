"""`source`: who may send, and their tokens."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from aftertrace.cli import formats, gate, settings
from aftertrace.cli.output import form_option
from aftertrace.store.errors import Invalid


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
    from aftertrace.store.sources import add_token

    token = add_token(gate.open_store(data, settings.current()), name, time.time_ns())
    sys.stdout.write(token + "\n")
    sys.stderr.write(
        f"{name} may send with it: OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20<token>', or the header "
        "authorization: Bearer <token>\n"
    )


@source.command("list", short_help="List sources and their tokens.")
@form_option(("table", "json"), "How to write them.")
@settings.data_option
def list_sources(data: Path, form: formats.Format) -> None:
    """List sources, their tokens and their quotas, where 0 is no limit.

    A token itself is not kept; its id tells it from others of the source.
    """
    import polars as pl

    from aftertrace.store.layout import Layout
    from aftertrace.store.quotas import quotas
    from aftertrace.store.sources import tenant_of, tokens

    layout = Layout(settings.existing(data))
    own, default = quotas(layout), gate.quota_for(settings.current())
    rows = [
        (token.source, tenant_of(token.source), token.id, token.added_ns, quota.requests_per_s, quota.bytes_per_s)
        for token in tokens(layout)
        for quota in [own.get(token.source, default)]
    ]
    numbers = {"added_ns": pl.Int64, "requests_per_s": pl.Int64, "bytes_per_s": pl.Int64}
    frame = pl.DataFrame(
        rows, schema={"source": pl.String, "tenant": pl.String, "token": pl.String, **numbers}, orient="row"
    ).with_columns(added_at=pl.from_epoch("added_ns", time_unit="ns").dt.replace_time_zone("UTC"))
    formats.write(frame, form, shown=("source", "tenant", "token", "added_at", "requests_per_s", "bytes_per_s"))


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


@source.command(short_help="Say how much a source may send.")
@click.argument("name")
@click.option("--requests-per-s", metavar="N", type=click.IntRange(min=0), help="Requests; 0: any number.")
@click.option("--bytes-per-s", metavar="N", type=click.IntRange(min=0), help="Bytes of OTLP, inflated; 0: any number.")
@click.option("--default", is_flag=True, help="As the configuration says for every source.")
@settings.data_option
def limit(data: Path, name: str, requests_per_s: int | None, bytes_per_s: int | None, default: bool) -> None:
    """Say how much the source NAME may send per second; `anonymous` is whoever shows no token.

    What is not given stays as it is. After a silence, ten seconds' worth may come at once. Over it, a sender is told to
    try again, and when. A running `serve` goes by it at once.
    """
    from dataclasses import replace

    from aftertrace.store.layout import Layout
    from aftertrace.store.quotas import quotas, set_quota
    from aftertrace.store.sources import ANONYMOUS, tokens

    layout = Layout(settings.existing(data))
    given = {"requests_per_s": requests_per_s, "bytes_per_s": bytes_per_s}
    asked = {key: number for key, number in given.items() if number is not None}
    if default == bool(asked):
        raise Invalid("limit source: expected --requests-per-s, --bytes-per-s or both, or --default alone")
    if name not in {ANONYMOUS, *(token.source for token in tokens(layout))}:
        raise Invalid(f"limit source {name!r}: no such source; see `aftertrace source list`")
    quota = gate.quota_for(settings.current())
    if default:
        set_quota(layout, name, None)
    else:
        quota = replace(quotas(layout).get(name, quota), **asked)
        set_quota(layout, name, quota)
    told = ((quota.requests_per_s, "requests"), (quota.bytes_per_s, "bytes"))
    parts = [f"{number or 'any number of'} {what}" for number, what in told]
    sys.stderr.write(f"{name} may send {' and '.join(parts)} per second\n")
