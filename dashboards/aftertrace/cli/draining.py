"""`drain`: from the write-ahead log into the tables, once, or for as long as `serve` runs."""

from __future__ import annotations

import fcntl
import logging
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import logs, settings
from aftertrace.cli.children import when_parent_ends
from aftertrace.cli.held import telling
from aftertrace.store.errors import Corrupt, Held, Invalid, Unavailable

if TYPE_CHECKING:
    from aftertrace.ingest.drain import Drain, DrainOptions
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger.entries import AnyAct

_LOCK_PATIENCE_S: Final = 30.0
"""A process that was killed lets go of its locks at once; one that ends in order may need this long."""
_LOCK_POLL_S: Final = 0.1
_RETRY_S: Final = 1.0
"""Between two attempts to open the tables on a disk that takes nothing."""

_log = logging.getLogger("aftertrace.drain")


@click.command()
@click.option("--follow", is_flag=True, help="Go on until the process is ended; `serve` runs it so.")
@settings.data_option
def drain(data: Path, follow: bool) -> None:
    """Store what was received.

    `serve` and `import` do this by themselves; after a crash it can be done by hand. Running it again is harmless.
    """
    config = settings.current()
    logs.start(config)
    stopping = threading.Event()
    if follow:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        when_parent_ends(stopping.set)
    run(settings.existing(data), follow=follow, stopping=stopping, processes=config.drain.processes)


def run(data: Path, *, follow: bool, stopping: threading.Event, processes: int) -> None:
    """Drain a store: what is there now, or until `stopping` is set and then what is left.

    `processes` is what the configuration says of them.

    Raises:
        Unavailable: another drain runs and does not end.
        Corrupt: the log of a table or the store's key is damaged.
    """
    from aftertrace.ingest.drain import DrainOptions
    from aftertrace.store import memory
    from aftertrace.store.folder import open_folder
    from aftertrace.store.ledger.sealer import seal
    from aftertrace.store.processes import spare_cores

    layout = open_folder(data)
    wait_for_lock(layout.drain_lock)
    if follow:
        memory.arrange()
    options = DrainOptions(readers=processes - 1 if processes else spare_cores(), telling=telling(data))
    with _opened(layout, options, stopping if follow else None) as draining:
        done = draining.follow(stopping) if follow else draining.once()
    if not follow:
        seal(layout)
    for finding in done.findings:
        _log.error("%s %s: %s", finding.code, finding.where, finding.message)
    _log.info("stored %d requests with %d records; %d duplicates", done.frames, done.records, done.duplicates)


def _opened(layout: Layout, options: DrainOptions, stopping: threading.Event | None) -> Drain:
    """The drain of a store. One that follows waits for a disk that takes nothing, until it is to stop: `serve` would
    take a child that ends again and again for a broken one, and end too.
    """
    from aftertrace.ingest.drain import Drain

    while True:
        try:
            return Drain(layout, options)
        except Held:
            raise
        except Unavailable as refusal:
            if stopping is None or stopping.wait(refusal.retry_after_s or _RETRY_S):
                raise
            _log.warning("%s", refusal)


def until_stored(layout: Layout, receiver: str, seq: int, waiting: Callable[[], object]) -> None:
    """Return when every table holds a receiver's requests up to a seq, whoever drains: a running `serve`, or this call.

    `waiting` is called again and again in the meantime.

    Raises:
        Unavailable: the disk takes nothing; what was accepted waits in the log.
        Corrupt: a table is damaged.
    """
    from aftertrace.ingest.drain import Drain, DrainOptions
    from aftertrace.store.ledger.sealer import seal
    from aftertrace.store.snapshot import Snapshot

    while dict(Snapshot.of(layout.data).watermarks).get(receiver, 0) < seq:
        waiting()
        try:
            with Drain(layout, DrainOptions(telling=telling(layout.data))) as draining:
                draining.once()
            seal(layout)
        except Held:
            # Somebody else drains, and will come to it.
            time.sleep(_LOCK_POLL_S)


def until_entered(layout: Layout, ident: str, *kinds: type[AnyAct]) -> None:
    """Return when an act that somebody asked for is in the ledger, and signed unless a running `serve` does that.

    Args:
        layout: of the store.
        ident: its id.
        kinds: what it becomes: another entry with this id is not what was asked for.

    Raises:
        Invalid: it was refused.
        Unavailable: the disk takes nothing; the act waits.
        Corrupt: the ledger or a table is damaged, or the act went without an entry.
    """
    from aftertrace.store.ledger import acts

    turn_while(layout, lambda: acts.is_waiting(layout, ident))
    if why := acts.refusal(layout, ident):
        raise Invalid(f"enter in the ledger: refused: {why}")
    if not acts.entered(acts.recorded(layout), ident, kinds):
        raise Corrupt(
            f"enter in the ledger: {layout.acts / ident}.json is gone and not entered, expected its entry; "
            "see what `aftertrace verify` tells, and ask for it again"
        )


def turn_while(layout: Layout, is_waiting: Callable[[], bool]) -> None:
    """Return when something does not wait any more for the drain, whoever drains: a running `serve`, or this call.

    Raises:
        Unavailable: the disk takes nothing.
        Corrupt: the ledger or a table is damaged.
    """
    while is_waiting():
        if not turn(layout):
            # Somebody else drains, and will come to it.
            time.sleep(_LOCK_POLL_S)


def turn(layout: Layout) -> bool:
    """Store what waits, carry out what was ordered and sign it; whether that could be: not where somebody else drains.

    Raises:
        Unavailable: the disk takes nothing.
        Corrupt: the ledger or a table is damaged.
    """
    from aftertrace.ingest.drain import Drain, DrainOptions
    from aftertrace.store.ledger.sealer import seal

    try:
        # Without `serve` nobody but other commands could be reading what goes.
        with Drain(layout, DrainOptions(grace_s=0, telling=telling(layout.data))) as draining:
            draining.once()
        seal(layout)
    except Held:
        return False
    return True


def wait_for_lock(lock: Path) -> None:
    """Return when nobody holds a lock, or after a patience that whoever takes it then turns into an error.

    A process that was just killed or is just ending may hold it for another moment.
    """
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while lock.exists() and time.monotonic() < deadline:
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_POLL_S)
                continue
        return
