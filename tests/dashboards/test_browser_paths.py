"""The main paths in a real browser: from what needs eyes to its rows, from a near miss to a control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from analyzer.weeks import MONDAY, telemetry
from dashboards import stores
from dashboards.browser import Browser, browser, chromium, until
from dashboards.test_browser import serve

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.documents.severity import weighed
from aftertrace.dashboards.examples import EXAMPLES
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import Sealer
from aftertrace.store.request import Request

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: pages are not looked at"),
]
_ROW_PIXELS = 30
_HEAD_PIXELS = 32


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the pages over the same two weeks, which came at their end, and are signed."""
    came = (
        Request(signal, encoding, body, "anonymous", stores.WEEKS_NS)
        for signal, encoding, body in telemetry(stores.two_weeks(MONDAY))
    )
    signed = stores.received(tmp_path_factory.mktemp("signed") / "data", came)
    with Sealer(Layout(signed)) as sealer:
        sealer.seal()
    yield from serve(signed)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that was never used before."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def query(tab: Browser) -> dict[str, list[str]]:
    """What stands behind the page in the address."""
    return parse_qs(urlsplit(str(tab.evaluate("location.href"))).query)


def click(tab: Browser, selector: str, text: str) -> None:
    """Click what a selector finds, with a text in it, as soon as it is there."""
    found = f"[...document.querySelectorAll('{selector}')].find(each => each.innerText.includes('{text}'))"
    assert until(tab, lambda: tab.evaluate(f"{found} !== undefined")), text
    tab.evaluate(f"{found}.click()")
    tab.settle()


def press(tab: Browser, kind: str, x: float, y: float, buttons: int = 1) -> None:
    """Move the mouse, or press or let go its left button."""
    tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)


def corner(tab: Browser, selector: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of what a selector finds first."""
    assert until(tab, lambda: tab.evaluate(f"document.querySelector('{selector}') !== null")), selector
    found = f"document.querySelector('{selector}').getBoundingClientRect()"
    left, top, width, height = (tab.evaluate(f"{found}.{side}") for side in ("x", "y", "width", "height"))
    return left, top, width, height


def test_what_needs_eyes_leads_to_its_rows_with_the_filter_in_force(address: str, weeks: Path, tab: Browser) -> None:
    """The near misses of a severity, of one agent alone; the first page comes back with the back button."""
    tab.open(f"{address}/?agent=sweeper", width=1280, height=1100)
    click(tab, "[data-testid=stPageLink] a", "Open")
    assert until(tab, lambda: query(tab) == {"agent": ["sweeper"], "severity": ["high"]})
    analysis = open_analysis(weeks)
    near = weighed(analysis.near_misses().lazy(), analysis.decisions.lazy()).collect()
    high = near.filter(agent_name="sweeper", severity=2).height
    assert until(tab, lambda: f"{high} near misses of this kind in {high} runs" in tab.text())
    tab.evaluate("history.back()")
    tab.settle()
    assert until(tab, lambda: "What needs eyes" in tab.text())


def test_a_chosen_row_and_a_dragged_time_stand_in_the_address(address: str, tab: Browser) -> None:
    """So the same is seen by whoever is sent it."""
    tab.open(f"{address}/near_misses", width=1280, height=1200)
    left, top, _, _ = corner(tab, "[data-testid=stDataFrame] canvas")
    for kind in ("mousePressed", "mouseReleased"):
        press(tab, kind, left + 16, top + _HEAD_PIXELS + 1.5 * _ROW_PIXELS)
    tab.settle()
    assert until(tab, lambda: "kind" in query(tab))
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
    assert until(tab, lambda: {"view", "between"} <= query(tab).keys())
    chosen = query(tab)
    assert chosen["view"] == ["what is different"]
    assert chosen["between"][0].startswith("2026-11-0")
    assert until(tab, lambda: "with since=2026-11-0" in tab.text())


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
        assert until(tab, lambda: "1 change in agents, 1 since your last visit" in tab.text())


def test_a_next_step_leads_to_where_it_is_taken(address: str, tab: Browser) -> None:
    """The near misses of the tool and agent that it names."""
    tab.open(f"{address}/", width=1280, height=1100)
    assert until(tab, lambda: "What to do next" in tab.text())
    steps = "[...document.querySelectorAll('[data-testid=stPageLink] a')].map(each => each.search)"
    assert "?agent=clerk&tool=pay" in tab.evaluate(steps)


def test_a_change_leads_to_the_runs_after_it_and_back(address: str, weeks: Path, tab: Browser) -> None:
    """As many as were held against those before; a run that is opened from there knows its neighbours."""
    (moment,) = open_analysis(weeks).history.moments
    (change_id,) = moment.change_ids
    tab.open(f"{address}/changes", width=1280, height=1100)
    click(tab, "[data-testid=stPageLink] a", f"{len(moment.after)} runs after it")
    assert until(tab, lambda: query(tab) == {"after": [change_id]})
    assert until(tab, lambda: f"{len(moment.after)} runs" in tab.text())
    click(tab, ".at-run-id", "")
    assert until(tab, lambda: query(tab).get("from") == [f"after={change_id}"])
    assert until(tab, lambda: f"1 of {len(moment.after)}" in tab.text())
    tab.open(f"{address}/runs?after={change_id}", width=1280, height=1100)
    click(tab, "[data-testid=stPageLink] a", "The change")
    assert until(tab, lambda: query(tab) == {"change": [change_id]})
    tab.open(f"{address}/runs?after={change_id}", width=1280, height=1100)
    click(tab, "button", "All runs")
    assert until(tab, lambda: query(tab) == {})
    assert until(tab, lambda: "86 runs" in tab.text())


def test_an_approval_leads_to_all_that_its_reviewer_answered(address: str, weeks: Path, tab: Browser) -> None:
    """As the filter of the reviewer, whichever queue it was opened from."""
    tab.open(f"{address}/approvals?queue=edited", width=1280, height=1100)
    click(tab, "button", "All this reviewer answered")
    assert until(tab, lambda: query(tab) == {"reviewer": ["ann"]})
    told = open_analysis(weeks).approvals.filter(reviewer="ann").height
    assert until(tab, lambda: f"{told} requests" in tab.text())


def test_a_near_miss_leads_to_its_call_to_its_evidence_and_to_a_packet(address: str, tab: Browser) -> None:
    """The call is open and chosen on the page of its run; the packet is made there, and can be taken away."""
    tab.open(f"{address}/near_misses?severity=critical", width=1280, height=1200)
    click(tab, "[data-testid=stPageLink] a", "Open the run")
    assert until(tab, lambda: "call_id" in query(tab))
    (call_id,) = query(tab)["call_id"]
    chosen = "document.querySelector('.at-call.at-chosen')"
    assert tab.evaluate(f"{chosen}.open") is True
    said = str(tab.evaluate(f"{chosen}.innerText"))
    assert f"id {call_id}" in said
    assert "evidence:" in said
    click(tab, "[role=tab]", "Record")
    assert until(tab, lambda: "Whether what is stored is what was written" in tab.text())
    click(tab, "button", "Share or export")
    assert until(tab, lambda: f"{address}/run?" in tab.text())
    click(tab, "button", "Make the packet")
    made = "[...document.querySelectorAll('button')].some(each => each.innerText.trim().endsWith('Packet'))"
    assert until(tab, lambda: tab.evaluate(made))


def test_what_is_different_about_some_leads_to_the_rows_behind_it(address: str, tab: Browser) -> None:
    """A population is chosen, a value in the table of what it has more often, and its calls are listed."""
    tab.open(f"{address}/near_misses?view=what+is+different", width=1280, height=1400)
    assert until(tab, lambda: "More frequent among them" in tab.text())
    left, top, _, _ = corner(tab, "[data-testid=stDataFrame] canvas")
    for kind in ("mousePressed", "mouseReleased"):
        press(tab, kind, left + 16, top + _HEAD_PIXELS + 0.5 * _ROW_PIXELS)
    assert until(tab, lambda: "finding" in query(tab))
    assert until(tab, lambda: "calls behind it" in tab.text())


def test_a_statement_that_was_asked_is_answered_again_by_the_back_button(address: str, tab: Browser) -> None:
    """Nobody has to ask it twice, and the page does not say that it was not asked."""
    tab.open(f"{address}/sql", width=1280, height=1100)
    first, second = EXAMPLES[0], EXAMPLES[1]
    for each in (first, second):
        click(tab, "button", each.words)
        assert until(tab, lambda text=each.text: query(tab).get("sql") == [text])
    tab.evaluate("history.back()")
    tab.settle()
    assert until(tab, lambda: query(tab).get("sql") == [first.text])
    assert tab.evaluate("document.querySelector('textarea').value") == first.text
    assert "not asked yet" not in tab.text()
    assert until(tab, lambda: " rows" in tab.text())
