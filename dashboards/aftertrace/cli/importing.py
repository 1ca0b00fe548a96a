"""`import`: recorded telemetry, through the same gate and the same log as everything else."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from aftertrace.cli import draining, gate, otlp_files, session_files, settings
from aftertrace.cli.progress import Progress, size
from aftertrace.dashboards.plain import plain
from aftertrace.store.backlog import LOOK_EVERY_S, Full
from aftertrace.store.errors import Invalid
from aftertrace.store.request import Request, Signal

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout
    from aftertrace.store.request import Prepare, Prepared
    from aftertrace.store.wal import WalWriter

RECEIVER: Final = "import"
"""Name of the WAL that imports go through, and their source."""

_WAITING: Final = 64
"""How many requests may wait for stable storage at a time: enough to share a sync, few enough to hold in memory."""


@dataclass(slots=True)
class Tally:
    """What an import did."""

    requests: int = 0
    records: int = 0
    refused: int = 0
    last_seq: int = 0
    stopped: Invalid | None = None
    """Why it ended before the last file did."""
    pending: deque[Future[int]] = field(default_factory=deque)

    def settle(self, *, upto: int) -> None:
        """Wait until no more than so many requests wait for stable storage. Raises what their append raised."""
        while len(self.pending) > upto:
            self.last_seq = max(self.last_seq, self.pending.popleft().result())


@dataclass(frozen=True, slots=True)
class Log:
    """Where an import goes."""

    layout: Layout
    writer: WalWriter
    prepare: Prepare


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--signal", type=click.Choice(get_args(Signal)), help="Signal of protobuf files whose name does not tell it."
)
@settings.data_option
def import_files(files: tuple[Path, ...], signal: Signal | None, data: Path) -> None:
    """Import recorded telemetry.

    A FILE holds OTLP JSON lines, lines of {"signal": ..., "request": ...}, or length-delimited protobuf; or it is a
    session of Claude Code (~/.claude/projects/*/*.jsonl), for agents whose telemetry was never switched on. It is
    redacted and stored like what arrives over the network, and can be asked about when the command ends. Importing a
    file twice adds nothing: duplicates are found.
    """
    from aftertrace.store.folder import open_folder

    layout = open_folder(data.absolute())
    config = settings.current()
    with gate.open_log(layout, RECEIVER, config) as writer:
        log = Log(layout, writer, gate.prepare_for(layout, config))
        tally = take(files, signal, log)
    _store(layout, tally.last_seq)
    sys.stderr.write(f"imported {tally.requests} requests with {tally.records} records\n")
    if tally.stopped is not None:
        raise tally.stopped
    if tally.refused:
        raise Invalid(f"import: {tally.refused} requests refused, see above; the others are stored")


def take(files: Sequence[Path], signal: Signal | None, log: Log) -> Tally:
    """Bring the requests of files to stable storage, in order. One that cannot be decoded is told and passed over.

    A file that is not what it should be from some point on ends it there, and the tally says why.

    Raises:
        Unavailable: the disk does not take more.
    """
    tally = Tally()
    total_bytes, before_bytes = sum(file.stat().st_size for file in files), 0
    with Progress() as progress:
        try:
            for file in files:
                items = session_files.read(file) if session_files.is_session(file) else otlp_files.read(file, signal)
                for item in items:
                    _take(item, log, tally)
                    progress.show(
                        f"importing {plain(file.name)}: {size(before_bytes + item.end_bytes)} of "
                        f"{size(total_bytes)}, {tally.requests} requests, {tally.records} records"
                    )
                before_bytes += file.stat().st_size
        except Invalid as error:
            tally.stopped = error
        tally.settle(upto=0)
    return tally


def _take(item: otlp_files.Item, log: Log, tally: Tally) -> None:
    request = Request(item.signal, item.encoding, item.body, RECEIVER, time.time_ns())
    try:
        prepared = log.prepare(request)
    except Invalid as error:
        sys.stderr.write(f"refused {plain(item.where)}: {plain(str(error))}\n")
        tally.refused += 1
        return
    tally.requests += 1
    tally.records += prepared.records
    if prepared.store and prepared.records:
        tally.pending.append(_append(request, prepared, log, tally))
        tally.settle(upto=_WAITING)


def _append(request: Request, prepared: Prepared, log: Log, tally: Tally) -> Future[int]:
    """Hand a request over; where the log may not grow, what it holds goes into the tables first."""
    appended = log.writer.append(request, prepared)
    if appended.done() and isinstance(appended.exception(), Full):
        tally.settle(upto=0)
        _store(log.layout, tally.last_seq)
        time.sleep(LOOK_EVERY_S)
        appended = log.writer.append(request, prepared)
    return appended


def _store(layout: Layout, seq: int) -> None:
    """Return when everything up to a seq can be asked about, whoever drains."""
    with Progress() as progress:
        draining.until_stored(layout, RECEIVER, seq, lambda: progress.show("storing ..."))
