"""`import`: recorded telemetry, through the same gate and the same log as everything else."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from aftertrace.cli import draining, gate, settings
from aftertrace.cli.progress import Progress
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import size
from aftertrace.ingest import files as importable
from aftertrace.ingest.files import Item, Opened, Refused
from aftertrace.store.backlog import LOOK_EVERY_S, Full
from aftertrace.store.errors import Invalid
from aftertrace.store.layout import NAME_CHARACTERS
from aftertrace.store.request import Request, Signal

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout
    from aftertrace.store.request import Prepare, Prepared
    from aftertrace.store.wal import WalWriter

RECEIVER: Final = "import"
"""Name of the WAL that imports go through, and their source. In a shared lake the WAL's begins with the receiver's."""
_WHOLE_CHARACTERS: Final = NAME_CHARACTERS - len(f"-{RECEIVER}")
_MARK_CHARACTERS: Final = 8

_WAITING: Final = 64
"""How many requests may wait for stable storage at a time: enough to share a sync, few enough to hold in memory."""


@dataclass(slots=True)
class Tally:
    """What an import did."""

    requests: int = 0
    records: int = 0
    refused: int = 0
    """How many requests and places in files could not be read."""
    last_seq: int = 0
    stopped: Invalid | None = None
    """Why the last of those files could not be read, or not to its end, of which that is so."""
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
    receiver: str = RECEIVER
    """Name of the WAL."""


@click.command(
    "import",
    epilog="Formats beside OTLP: " + "; ".join(f"{known.title} ({known.found})" for known in importable.FORMATS) + ".",
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
)
@click.option(
    "--signal", type=click.Choice(get_args(Signal)), help="Signal of protobuf files whose name does not tell it."
)
@settings.data_option
def import_files(files: tuple[Path, ...], signal: Signal | None, data: Path) -> None:
    """Import recorded telemetry.

    A FILE holds OTLP (JSON lines, lines of {"signal": ..., "request": ...}, length-delimited protobuf), or what an
    agent logged whose telemetry was never switched on: the formats are listed below. Its content tells which; it may
    be gzipped, and - is standard input.

    It is redacted and stored like what arrives over the network, and can be asked about when the command ends.
    Importing a file twice, or once more when it has grown, adds only what is new. A line that cannot be read is named,
    and the others are stored.
    """
    config = settings.current()
    layout = gate.open_store(data, config)
    receiver = wal_of(config.receiver.name) if layout.is_shared else RECEIVER
    with gate.open_log(layout, receiver, config) as writer:
        log = Log(layout, writer, gate.prepare_for(layout, config), receiver)
        tally = take(files, signal, log)
    store(layout, receiver, tally.last_seq)
    sys.stderr.write(f"imported {tally.requests} requests with {tally.records} records\n")
    if tally.stopped is not None:
        raise tally.stopped
    if tally.refused:
        raise Invalid(f"import: {tally.refused} requests refused, see above; the others are stored")


def wal_of(receiver: str) -> str:
    """Name of the WAL of a receiver's imports in a shared lake: `<receiver>-import`.

    Of a receiver with a name that leaves no room for that, as much of it as there is room for, and eight digits of its
    SHA-256, so that no two receivers have one.
    """
    if len(receiver) > _WHOLE_CHARACTERS:
        mark = hashlib.sha256(receiver.encode()).hexdigest()[:_MARK_CHARACTERS]
        receiver = f"{receiver[: _WHOLE_CHARACTERS - _MARK_CHARACTERS - 1]}-{mark}"
    return f"{receiver}-{RECEIVER}"


def take(files: Sequence[Path], signal: Signal | None, log: Log) -> Tally:
    """Bring the requests of files to stable storage, in order. What cannot be read is told and passed over.

    Raises:
        Unavailable: the disk does not take more.
    """
    tally = Tally()
    total_bytes, before_bytes = sum(map(_size_bytes, files)), 0
    with Progress() as progress:
        for file in files:
            for source in _taken(file, signal, log, tally):
                progress.show(
                    f"importing {plain(source.name)}: {size(before_bytes + source.read_bytes())} of "
                    f"{size(total_bytes)}, {tally.requests} requests, {tally.records} records"
                )
            before_bytes += _size_bytes(file)
        tally.settle(upto=0)
    return tally


def _taken(file: Path, signal: Signal | None, log: Log, tally: Tally) -> Iterator[Opened]:
    """Take what a file gives; the file after each of it, for progress."""
    try:
        with importable.opened(file) as source:
            for item in importable.read(source, signal):
                if isinstance(item, Refused):
                    _refuse(f"{item.where}: {item.why}", tally)
                else:
                    _take(item, log, tally)
                yield source
    except Invalid as error:
        if tally.stopped is not None:
            _refuse(str(tally.stopped).removeprefix("read "), tally)
        tally.stopped = error


def _take(item: Item, log: Log, tally: Tally) -> None:
    request = Request(item.signal, item.encoding, item.body, RECEIVER, time.time_ns())
    try:
        prepared = log.prepare(request)
    except Invalid as error:
        _refuse(f"{item.where}: {error}", tally)
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
        store(log.layout, log.receiver, tally.last_seq)
        time.sleep(LOOK_EVERY_S)
        appended = log.writer.append(request, prepared)
    return appended


def _refuse(why: str, tally: Tally) -> None:
    sys.stderr.write(f"refused {plain(why)}\n")
    tally.refused += 1


def _size_bytes(file: Path) -> int:
    return 0 if file == importable.STANDARD_INPUT else file.stat().st_size


def store(layout: Layout, receiver: str, seq: int) -> None:
    """Return when everything up to a seq can be asked about, whoever drains."""
    with Progress() as progress:
        draining.until_stored(layout, receiver, seq, lambda: progress.show("storing ..."))
