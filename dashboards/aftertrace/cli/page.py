"""The dashboard as a process of its own: Streamlit, for as long as `serve` runs.

python -m aftertrace.cli.page run app.py --server.port=8501 ... -- --data DIR
"""

from __future__ import annotations

import os
import ssl
import sys
import time
import urllib.request
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.error import URLError

from aftertrace.cli import config
from aftertrace.cli.access import provider
from aftertrace.cli.addresses import Address
from aftertrace.cli.children import Child, when_parent_ends
from aftertrace.dashboards import launch
from aftertrace.store.errors import Unavailable
from aftertrace.store.folder import store_key
from aftertrace.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from aftertrace.dashboards.access import Access

_POLL_S: Final = 0.1


def child(
    data: Path,
    at: Address,
    *,
    http: str,
    grpc: str,
    inventory: Path | None,
    anchor: Path | None,
    configured: Path | None,
    reads: str,
    access: Access | None,
    tls: launch.Tls | None,
) -> Child:
    """The process that shows the pages of a store.

    Args:
        data: folder of the store.
        at: where it listens.
        http: where the receiver takes OTLP/HTTP.
        grpc: where it takes OTLP/gRPC.
        inventory: the file that is declared.
        anchor: the folder where copies of what is signed are kept.
        configured: the file of the configuration, for itself and the commands that it runs; None where it is in its
            usual place.
        reads: which reads are recorded.
        access: who may look; None: whoever reaches it.
        tls: what it shows; None: it speaks in the clear.

    Raises:
        ModuleNotFoundError: what it needs is not installed; said here, in one line, instead of by a child that ends.
    """
    for name in ("streamlit", *(("authlib", "httpx2") if access is not None else ())):
        if find_spec(name) is None:
            raise ModuleNotFoundError(name, name=name)
    told = launch.arguments(
        data,
        at.host,
        at.port,
        http=http,
        grpc=grpc,
        inventory=inventory,
        anchor=anchor,
        reads=reads,
        access=access,
        tls=tls,
    )
    environment = launch.environment(access) | ({} if configured is None else {"AFTERTRACE_CONFIG": str(configured)})
    return Child("dashboard", ["-P", "-m", "aftertrace.cli.page", *told], environment)


def wait_until_shown(page: Child, url: str, *, patience_s: float) -> None:
    """Return when the page answers at its URL.

    Raises:
        Unavailable: it ended, or did not answer in time.
    """
    deadline = time.monotonic() + patience_s
    # Whether it is there is asked, not whose its certificate is, which has another name than its address.
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    while time.monotonic() < deadline:
        if page.process is not None and page.process.poll() is not None:
            raise Unavailable(f"open dashboard: it ended with exit code {page.process.returncode}; use --no-dashboard")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1, context=unchecked):  # noqa: S310  # our own page
                return
        except (URLError, OSError):
            time.sleep(_POLL_S)
    raise Unavailable(f"open dashboard: no answer at {url} in {patience_s:.0f} s; use --no-dashboard")


def run(arguments: list[str]) -> None:
    """Serve the pages until this process or its parent ends. The arguments are those of `streamlit`."""
    when_parent_ends(lambda: os._exit(0))
    from streamlit.runtime.secrets import secrets_singleton
    from streamlit.web import cli

    told = launch.settings(arguments[arguments.index("--") + 1 :])
    if told.access is not None:
        section = config.load(None, os.environ).access
        # In memory alone: no file holds the secrets a second time.
        secrets_singleton.merge_programmatic_secrets(
            {"auth": provider(told.access, section, store_key(Layout(told.data)))}
        )
    sys.argv = ["streamlit", *arguments]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    run(sys.argv[1:])
