"""Pages in a real browser: colours, addresses, and attacks that must not run. Skipped where there is no Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.error import URLError

import pytest
from dashboards.browser import Browser, browser, chromium, until

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


def serve(data: Path, inventory: Path | None = None) -> Iterator[str]:
    """The dashboard as its own process; gives its address."""
    port = free_port()
    process = subprocess.Popen(
        launch.command(data, port=port, inventory=inventory),
        env={**os.environ, **launch.environment()},
        stdout=subprocess.DEVNULL,
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


_OTHERS = (
    *("approvals", "changes", "agents", "agents?about=six+questions"),
    *("compare?a=last&b=last", "compare?two=populations&where=outcome%3Ddenied"),
)


def test_an_attack_opens_no_dialog_and_asks_no_other_host(hostile_address: str, tab: Browser) -> None:
    """The whole corpus on every page."""
    of_run = [f"run?run=last&tab={name}" for name in ("Calls", "Timeline", "Agents", "Configuration", "Related")]
    for page in (
        "",
        "near_misses",
        "runs",
        "runs?shape=Fingerprints",
        *of_run,
        "approvals",
        "changes",
        "agents",
        "agents?about=six+questions",
    ):
        tab.requests.clear()
        tab.open(f"{hostile_address}/{page}", width=1280, height=2400)
        assert tab.evaluate("document.querySelectorAll('canvas, [data-testid=stText], .at-root').length") > 0, page
        assert tab.evaluate("document.querySelectorAll('.at-root :is(script, img, iframe, object, form)').length") == 0
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        elsewhere = [each for each in tab.requests if not each.startswith((hostile_address, "data:", "blob:"))]
        assert (tab.dialogs, elsewhere) == (0, [])
        assert tab.evaluate("document.querySelectorAll('iframe, [src*=attacker], [href*=attacker]').length") == 0


def test_what_an_attack_wrote_stands_in_a_drawing_as_it_was_written(hostile_address: str, tab: Browser) -> None:
    """As text, for whoever reads the page."""
    tab.open(f"{hostile_address}/runs", width=1280, height=900)
    words = tab.evaluate("[...document.querySelectorAll('.at-list td')].map(cell => cell.innerText)")
    assert "<script>alert(1)</script>" in words
    assert "![x](http://attacker.example/pixel.png)" in words


def clicked(tab: Browser, elements: str, holding: str = "") -> str:
    """Click the first of some elements that holds a text; gives the address that the page has then."""
    found = f"[...document.querySelectorAll({elements!r})].find(each => each.innerText.includes({holding!r}))"
    tab.evaluate(f"{found}.click()")
    tab.settle()
    return str(tab.evaluate("location.pathname + location.search"))


def test_a_run_that_is_opened_from_a_list_keeps_the_list(recorded_address: str, tab: Browser) -> None:
    """The next run is the next of that list, and the way back leads to it."""
    tab.open(f"{recorded_address}/runs?agent=dbbot", width=1280, height=900)
    ids = tab.evaluate("[...document.querySelectorAll('.at-run-id')].map(each => each.title)")
    assert clicked(tab, ".at-run-id") == f"/run?run={ids[0]}&from=agent%3Ddbbot"
    assert clicked(tab, "button", "Next").split("&")[0] == f"/run?run={ids[1]}"
    assert clicked(tab, "a", f" of {len(ids)}") == "/runs?agent=dbbot"


def test_what_is_chosen_is_in_the_address_and_comes_back_with_it(recorded_address: str, tab: Browser) -> None:
    """A tab, an event on the clock, and the call that the event tells of."""
    tab.open(f"{recorded_address}/runs?order=most+calls", width=1280, height=900)
    clicked(tab, ".at-run-id")
    assert "tab=Timeline" in clicked(tab, "[role=tab]", "Timeline")
    tab.evaluate("[...document.querySelectorAll('.at-lane-tool .at-event')].at(-1).focus()")
    tab.evaluate("document.activeElement.click()")
    tab.settle()
    told, address = tab.evaluate("document.querySelector('.at-detail').innerText"), tab.evaluate("location.href")
    assert "event=" in address
    tab.open("about:blank", width=1280, height=900)
    tab.open(address, width=1280, height=900)
    assert until(tab, lambda: tab.evaluate("document.querySelector('.at-detail')?.innerText") == told)
    assert tab.evaluate("document.querySelectorAll('.at-event.at-chosen[aria-current=true]').length") == 1
    opened = clicked(tab, ".at-detail button", "Open call")
    number = opened.split("call=")[1].split("&")[0]
    assert tab.evaluate(f"document.querySelector('.at-chosen[data-number=\"{number}\"]').open")


def test_the_clock_can_be_zoomed_and_walked_by_keyboard(recorded_address: str, tab: Browser) -> None:
    """Wider, and then as wide as before; arrows go from one event to the next."""
    tab.open(f"{recorded_address}/run?run=last&tab=Timeline", width=1280, height=900)
    wide = "document.querySelector('.at-inner').clientWidth"
    before = tab.evaluate(wide)
    tab.evaluate("document.querySelector('[aria-label=\"Zoom in\"]').click()")
    assert tab.evaluate(wide) == 2 * before
    tab.evaluate("[...document.querySelectorAll('.at-button')].find(each => each.innerText === 'Fit').click()")
    assert tab.evaluate(wide) == before
    tab.evaluate("document.querySelector('.at-event').focus()")
    first = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))"
    tab.evaluate(press)
    assert tab.evaluate("document.activeElement.className").startswith("at-event")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") != first


def test_times_are_in_the_zone_of_the_browser_and_in_utc_for_whoever_hovers(
    recorded_address: str, tab: Browser
) -> None:
    """Until the switch is turned; it is in the address then, and goes along to other pages."""
    tab.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kathmandu")
    try:
        tab.open(f"{recorded_address}/run?run=last&tab=Timeline", width=1280, height=900)
        told = (
            "(() => { const at = document.querySelector('.at-tools time'); return at && [at.innerText, at.title] })()"
        )
        assert until(tab, lambda: tab.evaluate(told))
        here, utc = tab.evaluate(told)
        assert here.endswith(" +05:45")
        assert datetime.fromisoformat(here.replace(" +", "+")) == datetime.fromisoformat(utc.replace(" UTC", "Z"))
        assert tab.evaluate("document.querySelector('.at-tools time').dateTime").startswith(utc[:10])
        clicked(tab, "[data-testid=stCheckbox] input")
        assert until(tab, lambda: tab.evaluate(told) == [utc, ""])
        assert "utc=true" in tab.evaluate("location.search")
        clicked(tab, "a", "Runs")
        heads = "[...document.querySelectorAll('.at-list th')].map(each => each.innerText)"
        assert until(tab, lambda: "began (UTC)" in tab.evaluate(heads))
    finally:
        tab.call("Emulation.setTimezoneOverride", timezoneId="")


def test_the_check_sees_a_dialog_and_a_request_to_another_host(tab: Browser) -> None:
    """A negative control: a page that does run an attack is found out."""
    tab.requests.clear()
    before = tab.dialogs
    tab.evaluate("new Image().src = 'http://attacker.invalid/x.png'; alert(1)")
    tab.settle()
    assert tab.dialogs == before + 1
    assert "http://attacker.invalid/x.png" in tab.requests
