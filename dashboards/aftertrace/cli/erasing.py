"""`erase`: single records out of the store before their term, while all other proofs hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aftertrace.cli import settings
from aftertrace.cli.held import held_by, records_of
from aftertrace.cli.holding import told, who
from aftertrace.cli.retaining import carry_out
from aftertrace.store.errors import Invalid
from aftertrace.store.layout import Layout

if TYPE_CHECKING:
    import polars as pl


@click.command(short_help="Erase a run, a span, or what a user said, before its term.")
@click.option("--run", metavar="RUN", help="All records of the run with this id, or its beginning.")
@click.option("--span", metavar="TRACE/SPAN", help="All records of a span, by the two ids in hexadecimal.")
@click.option("--user", metavar="ID", help="All records of runs of this user (`user.id`), and all others that name it.")
@told
@click.option("--dry-run", is_flag=True, help="Say how many records would go, and change nothing.")
@settings.data_option
def erase(
    data: Path, run: str | None, span: str | None, user: str | None, why: str, by: str | None, dry_run: bool
) -> None:
    """Erase records: their evidence, and all rows that were read from it, with duplicates.

    The order becomes an entry of the ledger, with a hash of each row that goes, so that what came with it stays proven.
    Then it is as with `retention apply`. What is held is not erased: the hold has to be released first.
    """
    from aftertrace.store.ledger import acts
    from aftertrace.store.retention.erasing import erased
    from aftertrace.store.snapshot import Snapshot

    # An empty one, as of a variable that a script did not set, names nothing: not what has no user.
    if [bool(given) for given in (run, span, user) if given is not None] != [True]:
        raise Invalid("erase: expected one of --run, --span and --user, and not an empty one")
    layout = Layout(settings.existing(data))
    stored = settings.readable(data)
    recorded = acts.recorded(layout)
    held = held_by(stored, acts.holds(recorded))
    places = _of_run(stored, run) if run else _of_span(stored, span) if span else _of_user(stored, user or "")
    parts = erased(Snapshot.of(stored), places, held)
    records = len({(part.receiver, row.seq, row.index) for part in parts for row in part.rows.get("evidence", ())})
    if not parts:
        raise Invalid("erase: no such records, expected some; see `aftertrace runs` or `aftertrace records`")
    if dry_run:
        click.echo(f"{records:,} records would be erased")
        return
    asked = acts.Erasing(after=acts.last_hold(recorded), by=who(by), why=why, parts=parts)
    carry_out(layout, asked, f"{records:,} records")


def _of_run(data: Path, run: str) -> pl.DataFrame:
    analysis = settings.analysis(data)
    return records_of(analysis, [analysis.resolve_run(run)])


def _of_span(data: Path, span: str) -> pl.DataFrame:
    import polars as pl

    found = re.fullmatch(r"([0-9a-f]{32})/([0-9a-f]{16})", span.lower())
    if found is None:
        raise Invalid(f"erase --span {span!r}: no span, expected its trace id and its own, as 32/16 hexadecimal digits")
    return _rows(data, (pl.col("trace_id") == found[1]) & (pl.col("span_id") == found[2]))


def _of_user(data: Path, user: str) -> pl.DataFrame:
    import polars as pl

    analysis = settings.analysis(data)
    runs = analysis.runs.filter(pl.col("user_id") == user)["run_id"]
    named = _rows(data, pl.col("user_id") == user)
    return pl.concat([named, records_of(analysis, runs)], how="vertical_relaxed").unique()


def _rows(data: Path, only: pl.Expr) -> pl.DataFrame:
    """`receiver`, `seq`, `index` of rows of which something holds."""
    import polars as pl

    from aftertrace.store.snapshot import Snapshot, collected

    snapshot = Snapshot.of(data)
    rows = [snapshot.scan(table).filter(only).select("receiver", "seq", "index") for table in ("spans", "events")]
    (found,) = collected(pl.concat(rows).unique())
    return found
