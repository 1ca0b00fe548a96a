"""`reads`: who read what; and what every command does that is recorded as a read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.output import output_options

_SHOWN: Final = ("at", "account", "by", "how", "what", "entry")


def record(data: Path, how: str, what: str) -> None:
    """Record that a command reads something, where the configuration asks for it.

    Where it cannot be recorded, that is said and the command goes on: whoever may read the files needs no command.

    Raises:
        Invalid: the configuration asks for something that is not.
    """
    from aftertrace.analyzer.ledger import reading

    try:
        reading.record(data, settings.current().reads.record, how, what)
    except OSError as error:
        sys.stderr.write(f"note: this read is not recorded: {error.strerror}; see to {data / 'reads/new'}\n")


@click.command("reads", short_help="Show who read what.")
@output_options
@settings.data_option
def reads(data: Path, form: formats.Format, out: Path | None, limit: int | None) -> None:
    """Show who read what, and when, the latest first.

    Which reads are recorded says `reads.record`; packets always are. `account` is who left it, as the file system has
    it, `entry` the entry of the ledger that covers it: within a minute, while `serve` runs.
    """
    import polars as pl

    from aftertrace.analyzer.ledger.reading import reads as told

    found = told(settings.existing(data)).with_columns(
        at=pl.from_epoch("at_ns", time_unit="ns").dt.replace_time_zone("UTC")
    )
    formats.write(found if limit is None else found.head(limit), form, shown=_SHOWN, out=out)
