"""The dashboard as a process of its own: Streamlit on loopback, for as long as `serve` runs.

python -m aftertrace.cli.page run app.py --server.port=8501 ... -- --data DIR
"""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.error import URLError

from aftertrace.cli.addresses import Address
from aftertrace.cli.children import Child, when_parent_ends
from aftertrace.dashboards import launch
from aftertrace.store.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

_POLL_S: Final = 0.1


def child(
    data: Path,
    at: Address,
    *,
    http: str,
    grpc: str,
    inventory: Path | None,
    anchor: Path | None,
    config: Path | None,
    reads: str,
) -> Child:
    """The process that shows the pages of a store.

    Args:
        data: folder of the store.
        at: where it listens.
        http: where the receiver takes OTLP/HTTP.
        grpc: where it takes OTLP/gRPC.
        inventory: the file that is declared.
        anchor: the folder where copies of what is signed are kept.
        config: the file of the configuration, for the commands that the pages run; None where it is in its usual place.
        reads: which reads are recorded.

    Raises:
        ModuleNotFoundError: Streamlit is not installed; said here, in one line, instead of by a child that ends.
    """
    if find_spec("streamlit") is None:
        raise ModuleNotFoundError("streamlit", name="streamlit")
    told = launch.arguments(
        data, at.host, at.port, http=http, grpc=grpc, inventory=inventory, anchor=anchor, reads=reads
    )
    environment = launch.environment() | ({} if config is None else {"AFTERTRACE_CONFIG": str(config)})
    return Child("dashboard", ["-P", "-m", "aftertrace.cli.page", *told], environment)


def wait_until_shown(page: Child, at: Address, *, patience_s: float) -> None:
    """Return when the page answers.

    Raises:
        Unavailable: it ended, or did not answer in time.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if page.process is not None and page.process.poll() is not None:
            raise Unavailable(f"open dashboard: it ended with exit code {page.process.returncode}; use --no-dashboard")
        try:
            with urllib.request.urlopen(f"http://{at}/_stcore/health", timeout=1):  # our own loopback page
                return
        except (URLError, OSError):
            time.sleep(_POLL_S)
    raise Unavailable(f"open dashboard: no answer on {at} in {patience_s:.0f} s; use --no-dashboard")


def run(arguments: list[str]) -> None:
    """Serve the pages until this process or its parent ends. The arguments are those of `streamlit`."""
    when_parent_ends(lambda: os._exit(0))
    from streamlit.web import cli

    sys.argv = ["streamlit", *arguments]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    run(sys.argv[1:])
