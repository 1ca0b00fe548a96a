"""`retention run`: what is over goes without a person, once or again and again."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aftertrace.cli import logs, settings
from aftertrace.cli.children import Child, when_parent_ends
from aftertrace.cli.config import Config
from aftertrace.cli.holding import who
from aftertrace.cli.retaining import carry_out, orders, planned_now, retention
from aftertrace.store import priority
from aftertrace.store.errors import AftertraceError, Invalid

if TYPE_CHECKING:
    from aftertrace.store.retention.runs import Run

_HOUR_S: Final = 3600
_POLL_S: Final = 1.0
_WHY: Final = "its term is over: retention.every_hours"

_log = logging.getLogger("aftertrace.retention")


@retention.command("run", short_help="Destroy what is over, without a person.")
@click.option("--follow", is_flag=True, help="Go on every retention.every_hours; `serve` runs it so.")
@settings.data_option
def run(data: Path, follow: bool) -> None:
    """Plan, and destroy what the plan says: `retention plan` and `apply` in one, for a timer.

    What is held stays, and where the clock cannot be believed nothing goes, as with `apply`. `aftertrace status` says
    when it ran last, and what came of it.
    """
    from aftertrace.store.layout import Layout

    config = settings.current()
    logs.start(config)
    layout = Layout(settings.existing(data))
    if not follow:
        found, contents, _ = planned_now(data)
        if not found.going and not contents.going:
            click.echo("nothing is over: nothing was destroyed")
        for asked, what in orders(found, contents, who(None), _WHY):
            carry_out(layout, asked, what)
        return
    every_s, stopping = config.retention.every_hours * _HOUR_S, threading.Event()
    if not every_s:
        raise Invalid("retention run --follow: retention.every_hours is 0, expected hours; set it")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    when_parent_ends(stopping.set)
    os.nice(priority.NICENESS)
    while not stopping.wait(_POLL_S):
        if is_due(data, every_s, time.time_ns()):
            tell(data, once(data, stopping))


def is_due(data: Path, every_s: int, now_ns: int) -> bool:
    """Whether the last run is so long ago; also where it is to come, by a clock that was ahead."""
    from aftertrace.store.layout import Layout
    from aftertrace.store.retention.runs import last

    before = last(Layout(data))
    return before is None or not 0 <= now_ns - before.at_ns < every_s * 10**9


def once(data: Path, stopping: threading.Event) -> Run:
    """Order what is over, of whoever drains the store. Nothing of it stops the next run."""
    from aftertrace.store.ledger import acts
    from aftertrace.store.retention.runs import Run

    ordered: list[str] = []
    try:
        found, contents, layout = planned_now(data)
        for asked, _ in orders(found, contents, who(None), _WHY):
            ident = acts.ask_to_destroy(layout, asked)
            while acts.is_waiting(layout, ident) and not stopping.wait(_POLL_S):
                pass
            if why := acts.refusal(layout, ident):
                return Run(time.time_ns(), orders=tuple(ordered), problem=why)
            ordered.append(ident)
    except (AftertraceError, OSError) as error:
        return Run(time.time_ns(), orders=tuple(ordered), problem=str(error))
    requests = sum(each.requests for each in found.going)
    blobs = sum(len(each.blobs) for each in contents.going)
    return Run(time.time_ns(), requests, blobs, tuple(ordered))


def tell(data: Path, done: Run) -> None:
    """Write down what came of a run."""
    from aftertrace.store.layout import Layout
    from aftertrace.store.retention.runs import write

    if done.problem:
        _log.warning("what is over stays: %s", done.problem)
    elif done.orders:
        _log.info("ordered %s: %d requests, %d contents", ", ".join(done.orders), done.requests, done.contents)
    write(Layout(data), done)


def child(data: Path, config: Config) -> Child:
    """The process that `serve` starts where `retention.every_hours` says so."""
    arguments = ["-P", "-m", "aftertrace.cli", "retention", "run", "--follow", "--data", str(data)]
    section = config.retention
    told = {f"AFTERTRACE_RETENTION_{each.name.upper()}": _text(getattr(section, each.name)) for each in fields(section)}
    return Child("retention", arguments, {"AFTERTRACE_LOG_FORMAT": config.log.format, **told}, is_spare=True)


def _text(value: Any) -> str:
    """A setting as a variable of the environment has it: a table of texts as TOML in one line."""
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{json.dumps(name)} = {json.dumps(text)}" for name, text in value) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
