"""`derive`: keep what is told of runs, so that questions about months need not read months of records."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import logs, settings
from aftertrace.cli.children import when_parent_ends
from aftertrace.store.errors import AftertraceError, Corrupt, Unavailable
from aftertrace.store.layout import Layout

if TYPE_CHECKING:
    from aftertrace.analyzer.derived.deriving import Step

BEHIND_S: Final = 3.0
"""The drain is behind where something that was accepted has waited for so long: while it keeps up, nearly all waits
for less than two seconds.
"""
WAIT_AT_MOST_S: Final = 120.0
"""However far the drain is behind, and where nobody drains, a step is made after so long a wait: what is told from
records meanwhile takes longer the more of them there are.
"""
_LOOK_EVERY_S: Final = 2.0
_EVERY_S: Final = 10.0
"""Between two looks at a store to which nothing may have come."""

_log = logging.getLogger("aftertrace.derive")


@click.command()
@click.option("--anew", is_flag=True, help="Forget what was derived before, and derive all of it again.")
@click.option("--follow", is_flag=True, help="Go on until the process is ended; `serve` runs it so.")
@settings.data_option
def derive(data: Path, anew: bool, follow: bool) -> None:
    """Keep what is told of runs that are over.

    Every command that reads gives the same answers without it, and takes longer the more the store holds. `serve` does
    this by itself. Other engines read what is kept as Delta Lake tables, in `derived` below the data folder.

    With --follow, whoever receives and stores goes first: while anything that was accepted has waited for more than
    three seconds to be stored, a step waits too, for two minutes at most.
    """
    config = settings.current()
    logs.start(config)
    stored, stopping = settings.readable(data), threading.Event()
    if follow:
        from aftertrace.store import memory, priority

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        when_parent_ends(stopping.set)
        priority.give_way()
        memory.arrange()
        # A step is no slower so, as most of it is one thing after another, and each thread keeps memory of its own.
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        _follow(stored, stopping, config.receiver.disk_reserve_bytes, anew=anew)
        return
    from aftertrace.analyzer.derived.deriving import derive_all

    records = 0
    for done in derive_all(stored, anew=anew):
        records += done.records
    click.echo(f"looked at {records:,} records: what {done.kept:,} runs tell is kept, {done.open:,} are not over yet")


def _follow(data: Path, stopping: threading.Event, reserve_bytes: int, *, anew: bool) -> None:
    from aftertrace.analyzer.derived.deriving import derive as step
    from aftertrace.store import memory

    while not stopping.is_set():
        try:
            _let_pass(lambda: _is_behind(Layout(data)), stopping.wait)
            if stopping.is_set():
                return
            if shutil.disk_usage(data).free < reserve_bytes:
                raise Unavailable(f"derive {data}: the disk has less left than its reserve, expected more; free space")
            done = step(data, anew=anew)
        except (Unavailable, OSError) as refusal:
            # A full disk, or somebody who derives by hand: both pass.
            _log.warning("%s", refusal)
            stopping.wait(_EVERY_S)
            continue
        except Corrupt as damage:
            if anew:
                raise
            # What was derived holds nothing that is not elsewhere. Where a table is damaged, that shows once more.
            _log.warning("%s; it is made anew", damage)
            anew = True
            continue
        anew = False
        memory.give_back()
        if done.records:
            _tell(done)
        if done.is_last:
            stopping.wait(_EVERY_S)


def _let_pass(
    is_behind: Callable[[], bool], wait: Callable[[float], bool], clock_s: Callable[[], float] = time.monotonic
) -> None:
    """Return when the drain is not behind any more, or after `WAIT_AT_MOST_S`; or where `wait` tells that it is to end.

    A process of the lowest class still takes from the drain what the threads of one core share.
    """
    until_s = clock_s() + WAIT_AT_MOST_S
    while is_behind() and clock_s() < until_s:
        if wait(_LOOK_EVERY_S):
            return


def _is_behind(layout: Layout) -> bool:
    from aftertrace.store.waiting import oldest_ns

    try:
        since_ns = oldest_ns(layout)
    except (AftertraceError, OSError):
        # A log that this account may not read, or damage, of which the step tells.
        return False
    return since_ns is not None and time.time_ns() - since_ns > BEHIND_S * 10**9


def _tell(done: Step) -> None:
    _log.debug("looked at %d records: kept %d runs, %d are open", done.records, done.kept, done.open)
