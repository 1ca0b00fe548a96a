"""How the dashboard is started: as a process of its own, on loopback, or where people sign in; telling nobody.

Nothing here imports Streamlit, so that a program that only starts the pages stays light.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aftertrace.dashboards.access import Access

LOOPBACK: Final = "127.0.0.1"
ACCESS: Final = "AFTERTRACE_PAGES_ACCESS"
"""Variable of the environment that tells who may look: every account of the machine may read a command line."""
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Settings:
    """What a page is told by whoever started it."""

    data: Path
    """Folder of the store."""
    http: str
    """Address where the receiver takes OTLP/HTTP, for the instructions of an empty store."""
    grpc: str
    """The same for OTLP/gRPC."""
    inventory: Path | None = None
    """The declared inventory, where there is one."""
    anchor: Path | None = None
    """Where copies of what is signed are kept, if anywhere."""
    reads: str = "nothing"
    """Which reads are recorded, as `reads.record` says."""
    access: Access | None = None
    """Who may look; None: whoever reaches the pages on loopback."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What the pages show to browsers."""

    certificate: Path
    """PEM file of the certificate and its chain."""
    key: Path
    """PEM file of its key."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings(arguments: Sequence[str]) -> Settings:
    """Read what stands after ``--`` on the command line of `streamlit run`; and `ACCESS`, where that says so."""
    parser = ArgumentParser(prog="aftertrace dashboard", description="Pages over the store of aftertrace.")
    parser.add_argument("--data", type=Path, default=Path("aftertrace-data"), help="folder of the store")
    parser.add_argument("--http", default="127.0.0.1:4318", help="where the receiver takes OTLP/HTTP")
    parser.add_argument("--grpc", default="127.0.0.1:4317", help="where the receiver takes OTLP/gRPC")
    parser.add_argument("--inventory", type=Path, help="file of the declared inventory")
    parser.add_argument("--anchor", type=Path, help="folder where copies of the ledger's checkpoint are kept")
    parser.add_argument("--reads", default="nothing", help="which reads are recorded")
    parser.add_argument("--access", action="store_true", help=f"people sign in, of whom {ACCESS} tells who may look")
    parsed = parser.parse_args(arguments)
    if parsed.access and ACCESS not in os.environ:
        parser.error(f"--access needs {ACCESS} in the environment: start the pages by `aftertrace serve`")
    access = Access.read(os.environ[ACCESS]) if parsed.access else None
    return Settings(parsed.data, parsed.http, parsed.grpc, parsed.inventory, parsed.anchor, parsed.reads, access)


def arguments(
    data: Path,
    host: str = LOOPBACK,
    port: int = 8501,
    *,
    http: str | None = None,
    grpc: str | None = None,
    inventory: Path | None = None,
    anchor: Path | None = None,
    reads: str | None = None,
    access: Access | None = None,
    tls: Tls | None = None,
) -> list[str]:
    """Arguments of `streamlit` that serve the pages of one store.

    Args:
        data: folder of the store.
        host: address to listen on.
        port: port to listen on.
        http: address of the receiver's OTLP/HTTP, if it is not the usual one.
        grpc: address of the receiver's OTLP/gRPC, if it is not the usual one.
        inventory: file of the declared inventory, if there is one.
        anchor: folder where copies of the ledger's checkpoint are kept, if there is one.
        reads: which reads are recorded, as `reads.record` says; None: none.
        access: who may look, which `environment` hands over; None: whoever reaches them.
        tls: what they show; None: they speak in the clear.
    """
    given = (("--http", http), ("--grpc", grpc), ("--inventory", inventory), ("--anchor", anchor), ("--reads", reads))
    told = [text for name, value in given if value for text in (name, str(value))]
    told += [] if access is None else ["--access"]
    options = [] if tls is None else [f"--server.sslCertFile={tls.certificate}", f"--server.sslKeyFile={tls.key}"]
    if access is not None:
        # A proxy in front of the pages has another name than they.
        options.append(f"--browser.serverAddress={urlsplit(access.url).hostname}")
    return [
        "run",
        str(_FOLDER / "app.py"),
        f"--server.address={host}",
        f"--server.port={port}",
        "--server.headless=true",
        # Pages do not change while they are served; a watcher would walk every imported module.
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
        "--client.toolbarMode=minimal",
        # A link within a page sets what a control of it has chosen, beside the default.
        "--global.disableWidgetStateDuplicationWarning=true",
        # A traceback can quote telemetry, and tells a reader nothing.
        "--client.showErrorDetails=none",
        # Nor does a page lead to other hosts.
        "--client.showErrorLinks=false",
        # Programs ask the analyzer; what drives pages for them knows no sign-in.
        "--server.enableAgentApi=false",
        # Nothing is uploaded to the pages; what were, nobody who sends it had to sign in for.
        "--server.maxUploadSize=0",
        # A file of the working directory turns off no check, and lets no header say who looks.
        "--server.enableXsrfProtection=true",
        "--server.trustedUserHeaders={}",
        *options,
        f"--theme.base={_FOLDER / 'theme.toml'}",
        "--",
        "--data",
        str(data),
        *told,
    ]


def command(
    data: Path,
    host: str = LOOPBACK,
    port: int = 8501,
    *,
    http: str | None = None,
    grpc: str | None = None,
    inventory: Path | None = None,
    anchor: Path | None = None,
    reads: str | None = None,
) -> list[str]:
    """The whole command, for `subprocess`. Parameters as for `arguments`."""
    told = arguments(data, host, port, http=http, grpc=grpc, inventory=inventory, anchor=anchor, reads=reads)
    return [sys.executable, "-P", "-m", "streamlit", *told]


def environment(access: Access | None = None) -> dict[str, str]:
    """What the process needs in its environment besides what it inherits; `access` as for `arguments`."""
    told = {} if access is None else {ACCESS: access.written()}
    return {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false", "PYTHONUNBUFFERED": "1", **told}
