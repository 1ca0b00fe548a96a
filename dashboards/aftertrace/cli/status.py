"""`status`: does it receive, does it keep up, and what was lost on the way?"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from aftertrace.cli import formats, readers, serving, settings
from aftertrace.cli.exposure import Exposure, exposures
from aftertrace.cli.output import form_option
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import size

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer.ledger.redactions import Redactions
    from aftertrace.cli.arrivals import Arrivals
    from aftertrace.cli.serving import Serving
    from aftertrace.store.refusals import Refusals
    from aftertrace.store.retention.runs import Run
    from aftertrace.store.standing import LogStanding, Standing

_LABEL_CELLS = 13


@dataclass(frozen=True, slots=True)
class Loss:
    """What was lost in one way, of one source, since the store was made."""

    source: str
    kind: str
    """One of `analyzer.loss_kinds.KINDS`."""
    count: int
    unit: str
    certainty: str
    """Of the count: `exact`, `at_least`, `at_most` or `estimate`."""
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a store and what serves it stand."""

    serving: Serving | None
    """None: nobody serves it now."""
    store: Standing
    sources: Sequence[Arrivals]
    refused: Sequence[Refusals]
    losses: Sequence[Loss]
    redacted: Redactions
    """By rule, what redaction replaced lately."""
    retention: Retaining
    readers: str | None
    """The group whose members may read the store and write nothing of it; None: there is none."""
    exposures: Sequence[Exposure]
    """What of the store is open to those who should not have it."""


@dataclass(frozen=True, slots=True)
class Retaining:
    """What retention does by itself, and what is ordered."""

    last: Run | None
    """When it ran last, and what came of it; None: it did not."""
    waiting: int
    """Orders that are not carried out yet, or whose files are to go."""


@click.command(short_help="Say whether it receives, keeps up, and what was lost.")
@form_option(("text", "json"), "How to write it.")
@settings.data_option
def status(data: Path, form: Literal["text", "json"]) -> None:
    """Say whether it receives and keeps up, who sends, what was lost on the way, and who may touch the store.

    Lost is what was refused, what lies in the quarantine, what senders dropped by their own limits or sampled away, and
    spans that others name and that never came; `aftertrace losses` tells it by day. What was accepted and waits in the
    log is not lost.

    Redacted is what redaction replaced in the newest requests, by rule: those of thirty days, and ten thousand records
    of them at most.
    """
    found = look(settings.existing(data))
    if form == "json":
        click.echo(json.dumps(asdict(found)))
        return
    click.echo("\n".join(_lines(found)))
    if found.sources:
        sys.stdout.write("\n")
        formats.write(_table(found.sources), "table")
    if found.losses:
        sys.stdout.write("\nlost\n")
        formats.write(_lost(found.losses), "table")


def look(data: Path) -> Status:
    """How a store stands now.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    from aftertrace.analyzer import open_analysis
    from aftertrace.analyzer.ledger.redactions import redactions
    from aftertrace.cli.arrivals import arrivals
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger import acts
    from aftertrace.store.refusals import refusals
    from aftertrace.store.retention.destroying import pending
    from aftertrace.store.retention.runs import last
    from aftertrace.store.snapshot import Snapshot
    from aftertrace.store.standing import standing

    layout = Layout(data)
    opened = exposures(layout, settings.current().store.agents_user)
    # First: what is refused meanwhile must not be told and then not counted as lost.
    refused = refusals(layout)
    # What people declared is not asked: where that cannot be read, the state of the store can.
    lost = _summed(open_analysis(data).losses)
    retaining = Retaining(last(layout), len(pending(acts.recorded(layout))))
    sources, redacted = arrivals(Snapshot.of(data)), redactions(data)
    group, now = readers.named(layout), serving.find(data)
    return Status(now, standing(layout), sources, refused, lost, redacted, retaining, group, opened)


def _summed(losses: pl.DataFrame) -> list[Loss]:
    """Losses of all days, in the order in which their kinds are declared."""
    import polars as pl

    from aftertrace.analyzer.schemas.losses import KINDS

    day = pl.col("day").cast(pl.String)
    found = losses.group_by("source", "kind", "unit", "certainty").agg(
        pl.col("count").sum(), first_day=day.min(), last_day=day.max()
    )
    rank = {kind.name: number for number, kind in enumerate(KINDS)}
    return sorted((Loss(**row) for row in found.iter_rows(named=True)), key=lambda each: (rank[each.kind], each.source))


def _lines(found: Status) -> Iterator[str]:
    from aftertrace.analyzer.ledger import words

    now = found.serving
    if now is None:
        yield _line("serving", "nobody; `aftertrace serve` receives")
    else:
        yield _line("serving", " ".join(filter(None, (now.http, now.grpc, now.dashboard))))
    for log in found.store.logs:
        yield _line("log", f"{log.receiver}: {_kept_up(log)}; {size(log.log_bytes)} on disk")
    yield _line("disk", f"{size(found.store.free_bytes)} free")
    kept = found.store.quarantined
    yield _line("quarantine", f"{kept} findings; see `aftertrace fsck`" if kept else "empty")
    refused: Counter[tuple[int, str]] = Counter()
    for each in found.refused:
        refused[each.http_status, each.source] += each.requests
    told = ", ".join(
        f"{requests:,} of {plain(source)} with {http_status}"
        for (http_status, source), requests in sorted(refused.items())
    )
    yield _line("refused", f"{told}, since {found.refused[0].day}" if told else "nothing")
    yield _line("redacted", plain(words.redacted(found.redacted)))
    yield _line("retention", _retained(found.retention))
    if found.readers is not None:
        yield _line("readers", f"members of {plain(found.readers)} may read it")
    for open_to in found.exposures:
        who = "the account that agents run under" if open_to.who == "agents" else open_to.who
        yield _line("exposed", f"{plain(open_to.path)}: {who} may {open_to.may} it; see to its owner and mode")


def _kept_up(log: LogStanding) -> str:
    if log.accepted_seq is None:
        return f"{log.stored_seq:,} in the tables; what waits this account may not read"
    state = f"{log.waiting:,} requests wait" if log.waiting else "all in the tables"
    return f"{log.accepted_seq:,} accepted, {state}"


def _retained(found: Retaining) -> str:
    last, waiting = found.last, f"; {found.waiting} orders wait" if found.waiting else ""
    if last is None:
        return f"not run by itself; see `retention.every_hours`{waiting}"
    came = f"{last.requests:,} requests and {last.contents:,} contents ordered" if last.orders else "nothing was over"
    came = plain(last.problem or came)
    return f"last run at {datetime.fromtimestamp(last.at_ns / 1e9, UTC):%Y-%m-%d %H:%M}: {came}{waiting}"


def _line(label: str, text: str) -> str:
    return label.ljust(_LABEL_CELLS) + text


def _lost(losses: Sequence[Loss]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame([asdict(loss) for loss in losses])


def _table(sources: Sequence[Arrivals]) -> pl.DataFrame:
    import polars as pl

    kinds = {"source": pl.String, "tenant": pl.String}
    rows = pl.DataFrame([asdict(source) for source in sources], schema_overrides=kinds, infer_schema_length=None)
    moments = (pl.from_epoch(f"{at}_ns", "ns").dt.strftime("%Y-%m-%d %H:%M:%S").alias(at) for at in ("first", "last"))
    return rows.with_columns(moments).drop("first_ns", "last_ns")
