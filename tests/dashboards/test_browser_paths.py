"""The main paths in a real browser: from what needs eyes to its rows, from a near miss to a control."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from dashboards.browser import Browser, browser, chromium
from dashboards.test_browser import serve

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.documents.severity import weighed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: pages are not looked at"),
]
_ROW_PIXELS = 30
_HEAD_PIXELS = 32


@pytest.fixture(scope="module")
def address(weeks: Path) -> Iterator[str]:
    """Address of the pages over two weeks."""
    yield from serve(weeks)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that was never used before."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


_ANSWER_S = 30.0


def query(tab: Browser) -> dict[str, list[str]]:
    """What stands behind the page in the address."""
    return parse_qs(urlsplit(str(tab.evaluate("location.href"))).query)


def click(tab: Browser, selector: str, text: str) -> None:
    """Click what a selector finds, with a text in it."""
    tab.evaluate(
        f"[...document.querySelectorAll('{selector}')].find(each => each.innerText.includes('{text}')).click()"
    )
    tab.settle()


def press(tab: Browser, kind: str, x: float, y: float, buttons: int = 1) -> None:
    """Move the mouse, or press or let go its left button."""
    tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)


def corner(tab: Browser, selector: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of what a selector finds first."""
    found = f"document.querySelector('{selector}').getBoundingClientRect()"
    left, top, width, height = (tab.evaluate(f"{found}.{side}") for side in ("x", "y", "width", "height"))
    return left, top, width, height


def test_what_needs_eyes_leads_to_its_rows_with_the_filter_in_force(address: str, weeks: Path, tab: Browser) -> None:
    """The near misses of a severity, of one agent alone; the first page comes back with the back button."""
    tab.open(f"{address}/?agent=sweeper", width=1280, height=1100)
    click(tab, "[data-testid=stPageLink] a", "Open")
    assert query(tab) == {"agent": ["sweeper"], "severity": ["high"]}
    analysis = open_analysis(weeks)
    near = weighed(analysis.near_misses().lazy(), analysis.decisions.lazy()).collect()
    high = near.filter(agent_name="sweeper", severity=2).height
    assert f"{high} near misses of this kind in {high} runs" in tab.text()
    tab.evaluate("history.back()")
    tab.settle()
    assert "What needs eyes" in tab.text()


def test_a_chosen_row_and_a_dragged_time_stand_in_the_address(address: str, tab: Browser) -> None:
    """So the same is seen by whoever is sent it."""
    tab.open(f"{address}/near_misses", width=1280, height=1200)
    left, top, _, _ = corner(tab, "[data-testid=stDataFrame] canvas")
    for kind in ("mousePressed", "mouseReleased"):
        press(tab, kind, left + 16, top + _HEAD_PIXELS + 1.5 * _ROW_PIXELS)
    tab.settle()
    (kind_id,) = query(tab)["kind"]
    told = tab.text()
    tab.open(f"{address}/near_misses?kind={kind_id}", width=1280, height=1200)
    assert [line for line in told.splitlines() if "of this kind" in line] == [
        line for line in tab.text().splitlines() if "of this kind" in line
    ]
    left, top, width, height = corner(tab, "[data-testid=stVegaLiteChart]")
    begin, end, middle = left + 0.3 * width, left + 0.7 * width, top + height / 2
    press(tab, "mouseMoved", begin, middle, 0)
    press(tab, "mousePressed", begin, middle)
    for step in range(1, 9):
        press(tab, "mouseMoved", begin + (end - begin) * step / 8, middle)
    press(tab, "mouseReleased", end, middle)
    # On a busy machine the page stands still for a moment before it answers.
    deadline = time.monotonic() + _ANSWER_S
    while "view" not in query(tab) and time.monotonic() < deadline:
        tab.settle()
    tab.settle()
    chosen = query(tab)
    assert chosen["view"] == ["what is different"]
    assert chosen["between"][0].startswith("2026-11-0")
    assert "with since=2026-11-0" in tab.text()


def test_a_near_miss_leads_to_a_drafted_control(address: str, tab: Browser) -> None:
    """In a dialog: the rule, and the command that keeps it; Escape closes it."""
    tab.open(f"{address}/near_misses?severity=critical", width=1280, height=1200)
    click(tab, "button", "Draft a control")
    dialog = "document.querySelector('[role=dialog]')"
    said = str(tab.evaluate(f"{dialog}.innerText"))
    assert "[[rule]]" in said
    assert "aftertrace control from " in said
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape", windowsVirtualKeyCode=27)
    tab.settle()
    assert tab.evaluate(f"{dialog} === null") is True


def test_a_browser_that_comes_back_is_told_what_was_changed_since(address: str, tab: Browser) -> None:
    """It alone keeps when it was here; a visit lasts as long as its tab, and the first one has none before it."""
    tab.open(f"{address}/", width=1280, height=1100)
    assert "since your last visit" not in tab.text()
    assert float(tab.evaluate("localStorage.getItem('aftertrace-visit')")) > 1e12
    tab.evaluate("localStorage.setItem('aftertrace-visit', '1000'); sessionStorage.clear()")
    for _ in range(2):
        tab.open(f"{address}/", width=1280, height=1100)
        assert "1 change in agents, 1 since your last visit" in tab.text()
