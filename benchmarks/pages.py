"""How long pages of the dashboard take over a store, in a headless Chromium, with what their own questions took.

`python -m benchmarks.pages DATA [--page NAME] [--json FILE]` serves the pages of a store on loopback,
opens each of them, and does on each what a reader does: another view, another tab. Figures are of the second time, when
what this version of the store says is known; the first time is told beside them. A page is drawn when it stands still.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError

from tests.dashboards.browser import Browser, browser

from aftertrace.dashboards import launch

STILL_S: Final = 0.6
"""How long a page has to look the same."""
PATIENCE_S: Final = 180.0
PAINT_S: Final = 2.0
"""What the first paint of a page may take."""
INTERACTION_S: Final = 0.5
_WIDTH, _HEIGHT = 1280, 1000
_START_S: Final = 60.0
_LOOK_S: Final = 0.02
_BUSY: Final = (
    "document.querySelector('[data-test-script-state=running], [data-testid=stSpinner], [data-testid=stAppSkeleton], "
    ".stBidiComponent:not(:has(.at-root))') !== null"
)
_LOOK: Final = (
    "(text => text.trim() && text + document.querySelectorAll('canvas, svg').length)"
    "(document.querySelector('[data-testid=stMain]')?.innerText ?? '')"
)
"""What a page shows; empty until it shows anything."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what a reader does on it: text of the element that is clicked, and what kind of element that is."""

    name: str
    address: str
    clicks: tuple[tuple[str, str], ...] = ()


_SEGMENT: Final = "[data-testid=stButtonGroup] button"
PAGES: Final = (
    Page("Now", "", ((_SEGMENT, "control failures"),)),
    Page("Near misses", "near_misses", ((_SEGMENT, "agent"), (_SEGMENT, "one by one"), (_SEGMENT, "targets"))),
    Page("Runs", "runs", ((_SEGMENT, "Fingerprints"),)),
    Page("Run", "run?run=last", (("[role=tab]", "Timeline"), ("[role=tab]", "Configuration"))),
    Page("Approvals", "approvals", ((_SEGMENT, "odd"),)),
    Page("Changes", "changes"),
    Page("Agents", "agents", ((_SEGMENT, "tools"), (_SEGMENT, "six questions"))),
    Page("Compare", "compare?two=populations&where=outcome%3Ddenied"),
    Page("Evidence", "evidence"),
    Page("SQL", "sql", ((_SEGMENT, "runs"),)),
)


@dataclass(frozen=True, slots=True)
class Took:
    """What something took, the first and the second time; what is clicked is clicked once."""

    page: str
    what: str
    first_s: float
    again_s: float | None
    asked_s: float
    """Of that, in questions and in making the page, on the server."""


@contextmanager
def served(data: Path) -> Iterator[str]:
    """The dashboard over a store, as its own process; gives its address."""
    with socket.socket() as probe:
        probe.bind((launch.LOOPBACK, 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        launch.command(data, port=port), env={**os.environ, **launch.environment()}, stdout=subprocess.DEVNULL
    )
    try:
        address = f"http://{launch.LOOPBACK}:{port}"
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):  # noqa: S310  # our own page
                    break
            except (URLError, OSError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the dashboard did not start") from None
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


def until_still(tab: Browser, began_s: float) -> tuple[float, float]:
    """Seconds until a page last changed, and for how long of them the server was at it."""
    before, changed_s, busy_s, looked_s = None, began_s, 0.0, began_s
    while time.monotonic() - began_s < PATIENCE_S:
        time.sleep(_LOOK_S)
        now_s = time.monotonic()
        is_busy, look = tab.evaluate(_BUSY), tab.evaluate(_LOOK)
        if is_busy:
            busy_s += now_s - looked_s
        if is_busy or look != before or not look:
            before, changed_s = look, now_s
        elif now_s - changed_s >= STILL_S:
            break
        looked_s = now_s
    return changed_s - began_s, busy_s


def measured(tab: Browser, address: str, page: Page) -> Iterator[Took]:
    """What a page takes, and each click on it."""
    tab.call("Emulation.setDeviceMetricsOverride", width=_WIDTH, height=_HEIGHT, deviceScaleFactor=1, mobile=False)
    times: list[tuple[float, float]] = []
    for _ in range(2):
        tab.call("Page.navigate", url="about:blank")
        began_s = time.monotonic()
        tab.call("Page.navigate", url=f"{address}/{page.address}")
        times.append(until_still(tab, began_s))
    yield Took(page.name, "opened", times[0][0], times[1][0], times[1][1])
    for elements, text in page.clicks:
        found = f"[...document.querySelectorAll({elements!r})].find(each => each.innerText.trim() === {text!r})"
        if not tab.evaluate(f"{found} !== undefined"):
            continue
        began_s = time.monotonic()
        tab.evaluate(f"{found}.click()")
        took_s, busy_s = until_still(tab, began_s)
        yield Took(page.name, text, took_s, None, busy_s)


def main(arguments: list[str]) -> None:
    """Measure, and print a row for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--page", action="append", help="only this one, such as Runs")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    given = parser.parse_args(arguments)
    rows: list[Took] = []
    with served(given.data) as address, tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as tab:
        print("| page | | first time | again | of that the server | |\n|---|---|--:|--:|--:|---|")
        for page in PAGES:
            if given.page and page.name not in given.page:
                continue
            for took in measured(tab, address, page):
                rows.append(took)
                counted = took.first_s if took.again_s is None else took.again_s
                wanted = PAINT_S if took.what == "opened" else INTERACTION_S
                again = "" if took.again_s is None else f"{took.again_s:.2f} s"
                verdict = "met" if counted <= wanted else f"missed ({wanted:g} s)"
                told = f"{took.first_s:.2f} s | {again} | {took.asked_s:.2f} s | {verdict}"
                print(f"| {took.page} | {took.what} | {told} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in rows], indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
