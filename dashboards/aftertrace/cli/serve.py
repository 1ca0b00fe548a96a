"""`serve`: where receiver, drain and dashboard are wired together, and nowhere else."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import access, gate, logs, page, readers, rlimits, scheduling, serving, settings, terms
from aftertrace.cli.addresses import Address, Places, settle
from aftertrace.cli.children import Child
from aftertrace.cli.config import Config
from aftertrace.cli.gauges import gauges
from aftertrace.cli.reloading import InForce
from aftertrace.cli.serving import Serving
from aftertrace.store.errors import Corrupt

if TYPE_CHECKING:
    from aftertrace.receiver.server import Receiver
    from aftertrace.store.refusals import RefusalLog

_WATCH_S: Final = 0.5
"""How often the children are looked at."""
_KEEP_EVERY_S: Final = 10.0
"""How often counts of refused requests are written: whoever is refused must not keep the disk busy."""
_DRAIN_PATIENCE_S: Final = 60.0
"""How long the drain may take at the end to store what was accepted; the rest waits in the WAL for the next start."""
_PAGE_PATIENCE_S: Final = 5.0
_SEAL_PATIENCE_S: Final = 10.0
_DERIVE_AFTER_S: Final = 30.0
"""When deriving begins: whoever serves for a moment needs none of it."""
_DERIVE_PATIENCE_S: Final = 2.0
"""It may be ended at any time: what it had not finished it begins again."""
_PAGE_START_S: Final = 60.0
_TURN_S: Final = 0.0005
"""For how long one thread runs Python while others wait to: a request needs its turn several times, and whatever is
counted for a hostile sender would else keep it waiting for 5 ms each time."""

_log = logging.getLogger("aftertrace.serve")


class Where(click.ParamType[Address]):
    """``HOST:PORT``; port 0 takes any free one."""

    name = "address"

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:  # noqa: ARG002  # click's signature
        """The address. `Invalid` ends the command with its message."""
        return value if isinstance(value, Address) else Address.parse(value)


@click.command(short_help="Receive telemetry, store it, show it.")
@click.option("--http", metavar="HOST:PORT", type=Where(), help="OTLP/HTTP.  [default: 127.0.0.1:4318]")
@click.option("--grpc", metavar="HOST:PORT", type=Where(), help="OTLP/gRPC.  [default: 127.0.0.1:4317]")
@click.option("--dashboard", metavar="HOST:PORT", type=Where(), help="The pages.  [default: 127.0.0.1:8501]")
@click.option("--no-dashboard", is_flag=True, help="Serve no pages.")
@settings.data_option
def serve(
    data: Path, http: Address | None, grpc: Address | None, dashboard: Address | None, no_dashboard: bool
) -> None:
    """Receive telemetry, store it, and show it.

    Takes OTLP over gRPC and HTTP, and says in one line on standard output when it is ready. It listens on loopback;
    elsewhere only with TLS and tokens (receiver.tls_certificate, tls_key, require_token), and the pages with TLS and
    people who sign in (dashboard.tls_certificate, tls_key, access.issuer). Port 0 takes any free port; a
    default port that is busy gives way to the next free one. Ctrl-C or SIGTERM ends it: what was accepted is stored
    first. SIGHUP, where it does not come from a terminal, reads certificates, quotas, cors_origins and the
    rules of redaction anew.
    """
    config = settings.current()
    logs.start(config)
    rlimits.settle()
    sys.setswitchinterval(_TURN_S)
    gate.open_store(data, config)
    shown = config.dashboard.enabled and not no_dashboard
    places = settled(config, http, grpc, dashboard, shown=shown)
    stopping, reloading = threading.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    # Of a terminal that is closed, it means the end.
    signal.signal(signal.SIGHUP, lambda *_: (stopping if sys.stderr.isatty() else reloading).set())

    def ready(now: Serving) -> None:
        sys.stdout.write(ready_line(now, data.absolute()) + "\n")
        sys.stdout.flush()

    run(data, places, stopping, ready, reloading)


def run(
    data: Path,
    places: Places,
    stopping: threading.Event,
    ready: Callable[[Serving], object],
    reloading: threading.Event | None = None,
) -> None:
    """Serve until `stopping` is set; `ready` is told once everything answers. Configuration and certificates are read
    anew whenever `reloading` is set.

    Things end in the reverse order of their start: the receiver takes no more and lets requests finish, the WAL closes,
    the drain stores what it holds, the page goes.

    Raises:
        Unavailable: a port or the store is taken, or a child ends again and again.
    """
    from aftertrace.analyzer.ledger.reading import is_recorded
    from aftertrace.receiver.server import Receiver
    from aftertrace.store.folder import open_folder
    from aftertrace.store.quotas import Meter
    from aftertrace.store.refusals import RefusalLog
    from aftertrace.store.sources import credentials

    config = settings.current()
    if config.retention.every_hours:
        terms.configured()
    in_force = InForce(config, gate.quota_for(config))
    # What it cannot be is told now, and not by every page.
    is_recorded(config.reads.record, "")
    receiver_config = gate.receiver_for(config, places.http, places.grpc)
    looking = None if places.dashboard is None else access.access_for(config, places.dashboard)
    data = data.absolute()
    layout = open_folder(data)
    readers.settle(layout, config.store.readers)
    if config.receiver.require_token and not credentials(layout):
        _log.warning("every request needs a token and there is none yet: aftertrace source add NAME")
    children: list[Child] = []
    with ExitStack() as open_things:
        arguments = ["-P", "-m", "aftertrace.cli", "drain", "--follow", "--data", str(data)]
        # Senders are not refused for a damaged table: what they send waits in the WAL.
        environment = {
            "AFTERTRACE_LOG_FORMAT": config.log.format,
            "AFTERTRACE_DRAIN_PROCESSES": str(config.drain.processes),
        }
        # Before the drain, so that it ends after it and signs what that stored last.
        children.append(_started(_sealing(data, config), open_things, _SEAL_PATIENCE_S))
        if config.ledger.witnesses:
            children.append(_started(_witnessing(data, config), open_things, _DERIVE_PATIENCE_S))
        drain = Child("drain", arguments, environment, helpless_code=Corrupt.exit_code)
        children.append(_started(drain, open_things, _DRAIN_PATIENCE_S))
        writer = open_things.enter_context(gate.open_log(layout, config.receiver.name, config))
        receiver = Receiver(
            receiver_config,
            gate.identify_for(layout, config),
            gate.prepare_for(layout, config),
            writer.append,
            Meter(layout, lambda: in_force.quota),
            lambda: gauges(layout, config.receiver.name, writer.seq),
        )
        refused = RefusalLog(layout, config.receiver.name)
        open_things.callback(_keep_refusals, refused, receiver)
        open_things.enter_context(receiver)
        open_things.enter_context(gate.telemetry_for(config, receiver))
        pages = places.dashboard.free() if places.dashboard is not None else None
        scheme = "http" if receiver_config.tls is None else "https"
        now = Serving(
            process_id=os.getpid(),
            http=f"{scheme}://{replace(places.http, port=receiver.http_port)}",
            grpc=f"{scheme}://{replace(places.grpc, port=receiver.grpc_port)}",
            dashboard=None if pages is None else f"{'https' if config.dashboard.tls_key else 'http'}://{pages}",
        )
        if pages is not None and now.dashboard is not None:
            declared = Path(config.inventory.file).absolute() if config.inventory.file else None
            anchor = Path(config.ledger.anchor).absolute() if config.ledger.anchor else None
            http, grpc = _host_and_port(now.http), _host_and_port(now.grpc)
            shown = page.child(
                data,
                pages,
                http=http,
                grpc=grpc,
                inventory=declared,
                anchor=anchor,
                configured=settings.told_file(),
                reads=config.reads.record,
                access=looking,
                tls=access.tls_for(config.dashboard),
            )
            children.append(_started(shown, open_things, _PAGE_PATIENCE_S))
            page.wait_until_shown(shown, now.dashboard, patience_s=_PAGE_START_S)
        serving.announce(data, now)
        open_things.callback(serving.withdraw, data)
        ready(now)
        kept_s = ready_s = time.monotonic()
        if config.retention.every_hours:
            children.append(_started(scheduling.child(data, config), open_things, _DERIVE_PATIENCE_S))
        derives = config.derive.enabled
        while not stopping.wait(_WATCH_S):
            for child in children:
                if told := child.revive():
                    _log.warning(told)
            if derives and time.monotonic() - ready_s >= _DERIVE_AFTER_S:
                derives = False
                children.append(_started(_deriving(data, config), open_things, _DERIVE_PATIENCE_S))
            if reloading is not None and reloading.is_set():
                reloading.clear()
                in_force.reload(receiver, places, layout)
            if time.monotonic() - kept_s >= _KEEP_EVERY_S:
                kept_s = time.monotonic()
                _keep_refusals(refused, receiver)
        _log.info("stopping: storing what was accepted")


def _sealing(data: Path, config: Config) -> Child:
    arguments = ["-P", "-m", "aftertrace.cli", "seal", "--follow", "--data", str(data)]
    # Where what was signed is not there any more, nothing is signed; what is sent is stored all the same.
    environment = {"AFTERTRACE_LOG_FORMAT": config.log.format, "AFTERTRACE_LEDGER_ANCHOR": config.ledger.anchor}
    return Child("seal", arguments, environment, helpless_code=Corrupt.exit_code)


def _witnessing(data: Path, config: Config) -> Child:
    arguments = ["-P", "-m", "aftertrace.cli", "witness", "--follow", "--data", str(data)]
    environment = {
        "AFTERTRACE_LOG_FORMAT": config.log.format,
        "AFTERTRACE_LEDGER_ANCHOR": config.ledger.anchor,
        "AFTERTRACE_LEDGER_WITNESSES": config.ledger.witnesses,
    }
    return Child("witness", arguments, environment, is_spare=True)


def _deriving(data: Path, config: Config) -> Child:
    arguments = ["-P", "-m", "aftertrace.cli", "derive", "--follow", "--data", str(data)]
    # Neither a damaged table nor memory that does not suffice is a reason to stop receiving.
    return Child("derive", arguments, {"AFTERTRACE_LOG_FORMAT": config.log.format}, is_spare=True)


def ready_line(now: Serving, data: Path) -> str:
    """The one line on standard output: ``ready`` and pairs of what and where, for people and for programs."""
    pairs = {"http": now.http, "grpc": now.grpc, "dashboard": now.dashboard, "data": str(data)}
    return "ready " + " ".join(f"{what}={where}" for what, where in pairs.items() if where is not None)


def settled(
    config: Config, http: Address | None, grpc: Address | None, dashboard: Address | None, *, shown: bool
) -> Places:
    """Where to listen: what was asked for, else the configuration's, else the next free port; no port twice.

    Raises:
        Invalid: an address of the configuration is not one.
        Unavailable: a port that was asked for is busy.
    """
    found: list[Address] = []
    for what, default, asked_for in (
        ("OTLP/gRPC", config.receiver.grpc, grpc),
        ("OTLP/HTTP", config.receiver.http, http),
        *((("dashboard", config.dashboard.address, dashboard),) if shown else ()),
    ):
        first = Address.parse(default)
        found.append(settle(first, asked_for, [address.port for address in found]))
        if asked_for is None and found[-1] != first:
            _log.warning("%s: %s is busy, taking %s", what, first, found[-1])
    return Places(found[1], found[0], found[2] if shown else None)


def _keep_refusals(refused: RefusalLog, receiver: Receiver) -> None:
    since_start = [(each.source, each.signal, each.http_status, each.requests) for each in receiver.tally.refused()]
    try:
        refused.update(datetime.now(UTC).date().isoformat(), since_start)
    except OSError as error:
        # Counts must not end what they count; they are written once the disk takes them.
        _log.warning("keep counts of refused requests: %s; tried again", error.strerror)


def _started(child: Child, open_things: ExitStack, patience_s: float) -> Child:
    open_things.callback(child.stop, patience_s)
    child.start()
    return child


def _host_and_port(url: str) -> str:
    return url.partition("://")[2]
