"""`hold`: what must not be destroyed, whatever its term. Each hold and each release is an entry of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.account import account
from aftertrace.cli.held import unmatched
from aftertrace.cli.output import form_option
from aftertrace.store.errors import Invalid
from aftertrace.store.layout import Layout

if TYPE_CHECKING:
    from aftertrace.store.ledger.entries import HeldBy

_Function = TypeVar("_Function", bound=Callable[..., Any])
_SHOWN: Final = ("hold", "of", "name", "by", "why", "at")


@click.group(short_help="Keep records from being destroyed.")
def hold() -> None:
    """Keep records from being destroyed.

    What is held stays, whatever its term, until the hold is released. Holds and releases are entries of the ledger:
    signed, and there for ever.
    """


def told(command: _Function) -> _Function:
    """Add ``--why`` and ``--by``: an act says who ordered it and for what."""
    why = click.option("--why", metavar="TEXT", required=True, help="For what; a case or ticket.")
    by = click.option("--by", metavar="WHO", help="Who orders it.  [default: the account that this runs under]")
    return by(why(command))


def who(by: str | None) -> str:
    """Who orders an act."""
    return by or account()


@hold.command("add", short_help="Hold a run, an agent, a tenant, a source, or days.")
@click.option("--run", metavar="RUN", help="The run with this id, or its beginning.")
@click.option("--agent", metavar="NAME", help="All runs in which an agent of this name takes part, later ones too.")
@click.option("--tenant", metavar="NAME", help="All that sources of this tenant send.")
@click.option("--source", metavar="NAME", help="All that this source sends.")
@click.option("--days", metavar="DATE[/DATE]", help="All that was received on this day, or on these days, in UTC.")
@told
@settings.data_option
def add(
    data: Path,
    run: str | None,
    agent: str | None,
    tenant: str | None,
    source: str | None,
    days: str | None,
    why: str,
    by: str | None,
) -> None:
    """Hold something, and print the id of the hold.

    Requests are held whole: what came in one request with it stays too. It holds when this returns. A name that nothing
    stored has is warned of, and held all the same: it may come.
    """
    from aftertrace.cli.draining import until_entered
    from aftertrace.store.ledger import acts
    from aftertrace.store.ledger.entries import Hold

    named: dict[HeldBy, str | None] = {"run": run, "agent": agent, "tenant": tenant, "source": source, "days": days}
    given = [(of, name) for of, name in named.items() if name]
    if len(given) != 1:
        raise Invalid("hold add: expected one of --run, --agent, --tenant, --source and --days")
    ((of, name),) = given
    layout = _layout(data)
    if of == "run":
        _, name = settings.analysis_of_run(settings.readable(data), name)
    elif of == "days":
        name = _days(name)
    ident = acts.ask_hold(layout, of, name, who(by), why)
    until_entered(layout, ident, Hold)
    if layout.is_shared:
        click.echo("it holds what other receivers of the lake stored, too: they look before anything goes", err=True)
    if nothing := unmatched(settings.readable(data), of, name):
        click.echo(f"{nothing} The hold stays, for what comes: aftertrace hold release {ident[:8]}", err=True)
    click.echo(ident)


@hold.command("list", short_help="List what is held.")
@form_option(("table", "json"), "How to write them.")
@settings.data_option
def list_holds(data: Path, form: formats.Format) -> None:
    """List what is held: since when, by whom and for what."""
    import polars as pl

    from aftertrace.store.ledger import acts

    rows = [
        (each.id, each.of, each.name, each.by, each.why, each.uid, datetime.fromtimestamp(int(each.time_ns) / 1e9, UTC))
        for each in acts.holds(acts.recorded(_layout(data)))
    ]
    texts = {name: pl.String() for name in ("hold", "of", "name", "by", "why")}
    schema = {**texts, "uid": pl.Int64(), "at": pl.Datetime("us", "UTC")}
    formats.write(pl.DataFrame(rows, schema=schema, orient="row"), form, shown=_SHOWN)


@hold.command(short_help="Let go of what is held.")
@click.argument("ident", metavar="HOLD")
@told
@settings.data_option
def release(data: Path, ident: str, why: str, by: str | None) -> None:
    """Let the hold with the id HOLD, or with an id that begins so, hold no more."""
    from aftertrace.cli.draining import until_entered
    from aftertrace.store.ledger import acts
    from aftertrace.store.ledger.entries import Release

    layout = _layout(data)
    found = [each.id for each in acts.holds(acts.recorded(layout)) if ident and each.id.startswith(ident)]
    if len(found) != 1:
        raise Invalid(f"hold release {ident!r}: {len(found)} holds, expected one; see `aftertrace hold list`")
    until_entered(layout, acts.ask_release(layout, found[0], who(by), why), Release)


def _layout(data: Path) -> Layout:
    return Layout(settings.existing(data))


def _days(text: str) -> str:
    first, _, last = text.partition("/")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise Invalid(f"hold add --days {text!r}: no days, expected YYYY-MM-DD or YYYY-MM-DD/YYYY-MM-DD") from None
    if days[1] < days[0]:
        raise Invalid(f"hold add --days {text!r}: ends before it begins, expected the first day first")
    return "/".join(day.isoformat() for day in days)
