"""`demo`: the whole way in one command, on one machine, with nothing to set up."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from aftertrace.cli import one_run, recording, serve, serving, settings
from aftertrace.cli.addresses import Address, Places
from aftertrace.cli.serving import Serving
from aftertrace.dashboards.plain import plain_lines
from aftertrace.store.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from aftertrace.analyzer import Analysis

DEFAULT_FOLDER: Final = "aftertrace-demo"
_MARKER: Final = "AFTERTRACE-DEMO"
_MARKER_TEXT: Final = "Made by `aftertrace demo`, which removes this folder's `store` when it starts again.\n"
_START_S: Final = 90.0
_STOP_S: Final = 70.0
_STORE_S: Final = 60.0
_POLL_S: Final = 0.1
_PATHS: Final = {"traces": "/v1/traces", "logs": "/v1/logs"}
_ANY: Final = Address("127.0.0.1", 0)


@click.command(short_help="See it work, with recorded agents.")
@click.option(
    "--once", is_flag=True, help="Without a terminal and without pages: a scripted reviewer answers; then end."
)
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(DEFAULT_FOLDER),
    show_default=True,
    help="Where the demo keeps its store; it is made anew each time.",
)
def demo(once: bool, folder: Path) -> None:
    """See it work: recorded agents replayed, a live one that asks for your approval, a report and the pages.

    Everything stays on this machine. Ctrl-C ends everything.
    """
    config = settings.current()
    data = clean(folder.absolute())
    places = Places(_ANY, _ANY, None) if once else serve.settled(config, None, None, None, shown=True)
    try:
        with served(data, places) as now:
            _show(data, now, once=once)
            if not once:
                click.echo(
                    f"\nLook around: {now.dashboard}\nor ask: aftertrace runs --data {data}\nCtrl-C ends the demo."
                )
                # With a pause that ends: a library's handler restarts a wait without one, and Ctrl-C would go unheard.
                while True:
                    time.sleep(_POLL_S)
    except KeyboardInterrupt:
        if once:
            raise
        click.echo("\nThe demo has ended.")


def clean(folder: Path) -> Path:
    """Make the demo's folder and its data folder, without what an earlier demo left there.

    Raises:
        Invalid: the folder holds something that no demo made: nothing is removed.
        Unavailable: another demo runs in it.
    """
    marker, data = folder / _MARKER, folder / "store"
    if folder.is_dir() and any(folder.iterdir()) and not marker.is_file():
        raise Invalid(f"clean {folder}: it is not the demo's, expected {_MARKER} in it; choose another: --folder DIR")
    if serving.find(data) is not None:
        raise Unavailable(
            f"clean {folder}: a demo runs there, expected none; end it first, or choose another: --folder DIR"
        )
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(_MARKER_TEXT, encoding="utf-8")
    if data.is_symlink():
        raise Invalid(f"clean {data}: a symbolic link, expected a folder; remove it")
    if data.exists():
        shutil.rmtree(data)
    return data


@contextmanager
def served(data: Path, places: Places) -> Iterator[Serving]:
    """Serve a store for the length of a `with` block.

    Raises:
        AftertraceError: it did not start, or it ended before the block did.
    """
    stopping, ready = threading.Event(), threading.Event()
    found: list[Serving] = []
    failures: list[BaseException] = []

    def tell(now: Serving) -> None:
        found.append(now)
        ready.set()

    def work() -> None:
        try:
            serve.run(data, places, stopping, tell)
        except BaseException as error:  # noqa: BLE001  # raised again below, in the thread that waits
            failures.append(error)
        finally:
            ready.set()

    context = click.get_current_context()

    def work_in_context() -> None:
        with context.scope(cleanup=False):
            work()

    thread = threading.Thread(target=work_in_context, name="serve")
    thread.start()
    try:
        if not ready.wait(_START_S):
            raise Unavailable(f"start demo: not ready after {_START_S:.0f} s; try again")
        if found:
            yield found[0]
    finally:
        stopping.set()
        thread.join(_STOP_S)
    if failures:
        raise failures[0]


def _show(data: Path, now: Serving, *, once: bool) -> None:
    click.echo(f"aftertrace listens on {now.http} and {now.grpc}; its data is in {data}")
    recordings = recording.names()
    click.echo(f"\n1. {len(recordings)} recorded runs of real agents, replayed over OTLP")
    sent = send(now.http)
    analysis = _when(data, lambda: _holds(data, sent))
    click.echo(f"   {sent} requests: {analysis.runs.height} runs, {analysis.calls.height} tool calls")
    click.echo("\n2. A live agent, instrumented with aftertrace.semconv.instrument")
    _run_agent(now.http, once=once)
    analysis = _when(data, lambda: _agent_is_done(data))
    click.echo("\n3. What happened: aftertrace run last\n")
    click.echo("\n".join(one_run.page(analysis, analysis.resolve_run("last"))))
    click.echo("\n4. What nearly happened: aftertrace report near-misses\n")
    from aftertrace.analyzer.documents import markdown
    from aftertrace.analyzer.documents.periods import Period
    from aftertrace.analyzer.reports.near_miss_report import first_page, near_misses

    document = first_page(near_misses(analysis, Period.of(None, None, now_ns=analysis.now_ns)))
    click.echo(plain_lines(markdown.written(document)).rstrip("\n"))


def send(http_url: str) -> int:
    """Post every recording to a receiver, each request as the official HTTP exporter posts it.

    Returns:
        How many requests were sent and accepted.

    Raises:
        Unavailable: the receiver refused one.
    """
    at = urlsplit(http_url)
    connection = http.client.HTTPConnection(at.hostname or "127.0.0.1", at.port, timeout=30)
    sent = 0
    for export in recording.replay(time.time_ns()):
        headers = {"Content-Type": "application/x-protobuf", "User-Agent": "aftertrace-demo"}
        connection.request("POST", _PATHS[export.signal], export.body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise Unavailable(f"replay: the receiver answered {answer.status}, expected 200; see its log above")
        sent += 1
    connection.close()
    return sent


def _run_agent(http_url: str, *, once: bool) -> None:
    arguments = [sys.executable, "-P", "-m", "aftertrace.cli.demo_agent", http_url, *(["scripted"] if once else [])]
    sys.stdout.flush()
    code = subprocess.run(arguments, check=False, stdin=subprocess.DEVNULL if once else None).returncode
    if code == 130:  # interrupted by the user
        raise KeyboardInterrupt
    if code != 0:
        raise Unavailable(f"run the live agent: it ended with exit code {code}; see above")


def _when(data: Path, holds: Callable[[], bool]) -> Analysis:
    """An analysis of the store once something holds of it."""
    deadline = time.monotonic() + _STORE_S
    while time.monotonic() < deadline:
        # Opened after it: an analysis is of one moment, and what is looked for may come just after that.
        if holds():
            return settings.analysis(data)
        time.sleep(_POLL_S)
    raise Unavailable(f"demo: not stored after {_STORE_S:.0f} s; see the log above")


def _holds(data: Path, requests: int) -> bool:
    from aftertrace.store.snapshot import Snapshot

    return min(dict(Snapshot.of(data).watermarks).values(), default=0) >= requests


def _agent_is_done(data: Path) -> bool:
    import polars as pl

    from aftertrace.cli.demo_agent import AGENT

    ended = pl.col("state").is_in(("completed", "failed"))
    return not settings.analysis(data).runs.filter((pl.col("agent_name") == AGENT) & ended).is_empty()
