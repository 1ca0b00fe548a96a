"""Pages in a real browser: colours, addresses, and attacks that must not run. Skipped where there is no Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from dashboards.browser import Browser, browser, chromium

from aftertrace.dashboards import launch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: pages are not looked at"),
]


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((launch.LOOPBACK, 0))
        return int(probe.getsockname()[1])


def serve(data: Path) -> Iterator[str]:
    """The dashboard as its own process; gives its address."""
    port = free_port()
    process = subprocess.Popen(
        launch.command(data, port=port), env={**os.environ, **launch.environment()}, stdout=subprocess.DEVNULL
    )
    try:
        address = f"http://{launch.LOOPBACK}:{port}"
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):  # noqa: S310  # our own page
                    break
            except (URLError, OSError):
                assert process.poll() is None, "the dashboard ended"
                assert time.monotonic() < deadline, "the dashboard did not answer"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def recorded_address(recorded: Path) -> Iterator[str]:
    """Address of the pages over the recordings."""
    yield from serve(recorded)


@pytest.fixture(scope="module")
def hostile_address(hostile: Path) -> Iterator[str]:
    """Address of the pages over the attacks."""
    yield from serve(hostile)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that was never used before."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_first_page_in_its_colours(recorded_address: str, tab: Browser, scheme: str) -> None:
    """The system's choice of light or dark decides."""
    tab.open(recorded_address, width=1280, height=900, scheme=scheme)  # type: ignore[arg-type]
    assert "Consequential near misses" in tab.text()
    colour = tab.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert colour == {"light": "rgb(252, 252, 253)", "dark": "rgb(15, 19, 25)"}[scheme]


def test_a_filter_chosen_in_the_address_is_kept_by_the_navigation(recorded_address: str, tab: Browser) -> None:
    """From page to page, in the browser's own address."""
    tab.open(f"{recorded_address}/near_misses?agent=dbbot", width=1280, height=900)
    tab.evaluate("[...document.querySelectorAll('a')].find(each => each.innerText.endsWith('Runs')).click()")
    tab.settle()
    assert tab.evaluate("location.pathname + location.search") == "/runs?agent=dbbot"


def test_an_attack_opens_no_dialog_and_asks_no_other_host(hostile_address: str, tab: Browser) -> None:
    """The whole corpus on every page."""
    for page in ("", "near_misses", "runs", "run?run=last", "approvals"):
        tab.requests.clear()
        tab.open(f"{hostile_address}/{page}", width=1280, height=2400)
        assert tab.evaluate("document.querySelectorAll('canvas, [data-testid=stText]').length") > 0
        elsewhere = [each for each in tab.requests if not each.startswith((hostile_address, "data:", "blob:"))]
        assert (tab.dialogs, elsewhere) == (0, [])
        assert tab.evaluate("document.querySelectorAll('iframe, [src*=attacker], [href*=attacker]').length") == 0


def test_the_check_sees_a_dialog_and_a_request_to_another_host(tab: Browser) -> None:
    """A negative control: a page that does run an attack is found out."""
    tab.requests.clear()
    before = tab.dialogs
    tab.evaluate("new Image().src = 'http://attacker.invalid/x.png'; alert(1)")
    tab.settle()
    assert tab.dialogs == before + 1
    assert "http://attacker.invalid/x.png" in tab.requests
