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
    """Say who may send, with a token or a certificate each, and for which agents.

    A source is an agent, a team or a Collector, named NAME or TENANT/NAME. What it sends is stored under this name and
    tenant, apart from what the telemetry claims. Set receiver.require_token to take nothing from anybody else.
    """


@source.command(short_help="Make a token for a source.")
@click.argument("name")
@click.option(
    "--agent",
    "agents",
    metavar="NAME",
    multiple=True,
    help="Take only records of this agent; `*` is any text. May be given more than once.  [default: of any]",
)
@click.option(
    "--certificate",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Make no token: whoever shows this certificate (PEM) is the source. Needs receiver.tls_client_ca.",
)
@settings.data_option
def add(data: Path, name: str, agents: tuple[str, ...], certificate: Path | None) -> None:
    """Make a token for the source NAME, or for a new one, and print it: it is shown this once.

    A source may have several, so that a new one can be given out before the old one is removed. A running `serve` takes
    it at once. With --agent, a request is refused as a whole where a record in it names another agent, or no agent and
    another service; give what shares a token each of their names.
    """
    from aftertrace.store.sources import add_certificate, add_token

    layout = gate.open_store(data, settings.current())
    if certificate is not None:
        pem = certificate.read_text("utf-8", "replace")
        added = add_certificate(layout, name, pem, time.time_ns(), agents)
        sys.stderr.write(f"{name} may send with the certificate whose SHA-256 begins {added.id}\n")
        return
    token = add_token(layout, name, time.time_ns(), agents)
    sys.stdout.write(token + "\n")
    sys.stderr.write(
        f"{name} may send with it: OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20<token>', or the header "
        "authorization: Bearer <token>\n"
    )


@source.command("list", short_help="List sources and what they show.")
@form_option(("table", "json"), "How to write them.")
@settings.data_option
def list_sources(data: Path, form: formats.Format) -> None:
    """List sources, their tokens and certificates, and their quotas, where 0 is no limit.

    A token itself is not kept; its id, the first digits of its SHA-256, tells it from the others.
    """
    import polars as pl

    from aftertrace.store.layout import Layout
    from aftertrace.store.quotas import quotas
    from aftertrace.store.sources import credentials, tenant_of

    layout = Layout(settings.existing(data))
    own, default = quotas(layout), gate.quota_for(settings.current())
    rows = [
        (
            each.source,
            tenant_of(each.source),
            each.kind,
            each.id,
            list(each.agents),
            each.added_ns,
            quota.requests_per_s,
            quota.bytes_per_s,
        )
        for each in credentials(layout)
        for quota in [own.get(each.source, default)]
    ]
    texts = dict.fromkeys(("source", "tenant", "kind", "id"), pl.String)
    numbers = dict.fromkeys(("added_ns", "requests_per_s", "bytes_per_s"), pl.Int64)
    frame = pl.DataFrame(rows, schema={**texts, "agents": pl.List(pl.String), **numbers}, orient="row").with_columns(
        added_at=pl.from_epoch("added_ns", time_unit="ns").dt.replace_time_zone("UTC")
    )
    shown = ("source", "tenant", "kind", "id", "agents", "added_at", "requests_per_s", "bytes_per_s")
    formats.write(frame, form, shown=shown)


@source.command(short_help="Take back what a source shows.")
@click.argument("name")
@click.option("--id", "ident", metavar="ID", help="Only this one.  [default: all of them]")
@settings.data_option
def remove(data: Path, name: str, ident: str | None) -> None:
    """Take tokens and certificates of the source NAME back.

    What was sent with them stays; the next request is refused.
    """
    from aftertrace.store.layout import Layout
    from aftertrace.store.sources import remove_credentials

    gone = remove_credentials(Layout(settings.existing(data)), name, ident)
    sys.stderr.write(f"{name}: removed {', '.join(each.id for each in gone)}\n")


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
    from aftertrace.store.sources import ANONYMOUS, credentials

    layout = Layout(settings.existing(data))
    given = {"requests_per_s": requests_per_s, "bytes_per_s": bytes_per_s}
    asked = {key: number for key, number in given.items() if number is not None}
    if default == bool(asked):
        raise Invalid("limit source: expected --requests-per-s, --bytes-per-s or both, or --default alone")
    if name not in {ANONYMOUS, *(each.source for each in credentials(layout))}:
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
