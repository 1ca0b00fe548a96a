"""What each page of the dashboard looks like, light and dark, 1280 and 1920 pixels wide: `make pictures`.

`python -m benchmarks.pictures [DATA] [--to DIR] [--page NAME]` serves the pages of a store on loopback, opens each in a
headless Chromium, and writes a PNG of each and `index.html`, which shows them all, into DIR. Without DATA the store is
made from what the tests hold: every recording of a real agent, and two weeks of a clerk whose prompt was changed.
"""

from __future__ import annotations

import argparse
import html
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import polars as pl
from benchmarks.pages import served
from tests.analyzer.weeks import telemetry
from tests.dashboards import stores
from tests.dashboards.browser import Browser, browser, chromium

from aftertrace.analyzer import open_analysis
from aftertrace.cli.recording import moved
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import Sealer
from aftertrace.store.request import Request

FOLDER: Final = Path(".pictures")
"""Where pictures go by themselves: git ignores it."""
WIDTHS: Final = (1280, 1920)
Scheme: TypeAlias = Literal["light", "dark"]
_LEAST_HEIGHT: Final = 900
_MOST_HEIGHT: Final = 4000
_DAYS: Final = 14
_SPACING_NS: Final = 3 * 3600 * 10**9
"""Between the ends of two recordings."""
_QUIET_NS: Final = 60 * 10**9
"""How long before now the last record came."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A page in one of its states."""

    page: str
    state: str
    """What is chosen on it; empty for the page as it opens."""
    address: str
    """With `{run}`, `{a}` and `{b}` for ids of runs, as in `Shown`."""
    clicks: tuple[tuple[str, str], ...] = ()
    """What is clicked then: the kind of element, and a text in it."""

    @property
    def name(self) -> str:
        """The first part of the names of its files."""
        return "-".join(filter(None, (self.page, self.state))).lower().replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Shown:
    """Runs that are shown, where a page is of some."""

    run: str
    """The one with most near misses."""
    a: str
    """The latest two of the agent with most runs."""
    b: str


_TABS: Final = ("Timeline", "Agents", "Effects", "Configuration", "Related", "Record")
PICTURES: Final = (
    Picture("Now", "", ""),
    Picture("Now", "control failures", "?show=control+failures"),
    Picture("Now", "of one agent", "?agent=clerk"),
    Picture("Near misses", "", "near_misses"),
    Picture("Near misses", "one by one", "near_misses?view=one+by+one&severity=high"),
    Picture("Near misses", "targets", "near_misses?view=targets&by=agent"),
    Picture("Near misses", "autonomy", "near_misses?view=autonomy&by=decider"),
    Picture("Near misses", "what is different", "near_misses?view=what+is+different"),
    Picture("Near misses", "draft", "near_misses?agent=clerk", (("button", "Draft a control"),)),
    Picture("Runs", "", "runs"),
    Picture("Runs", "fingerprints", "runs?shape=Fingerprints&order=most+calls"),
    Picture("Runs", "search", "runs?q=delete&saved=Near+misses"),
    Picture("Run", "", "run?run={run}"),
    *(Picture("Run", tab, f"run?run={{run}}&tab={tab}") for tab in _TABS),
    Picture("Approvals", "", "approvals"),
    Picture("Approvals", "odd", "approvals?queue=odd"),
    Picture("Changes", "", "changes"),
    Picture("Agents", "", "agents"),
    Picture("Agents", "tools", "agents?about=tools"),
    Picture("Agents", "six questions", "agents?about=six+questions"),
    Picture("Compare", "", "compare"),
    Picture("Compare", "two runs", "compare?a={a}&b={b}"),
    Picture("Compare", "populations", "compare?two=populations&where=outcome%3Ddenied"),
    Picture("Evidence", "", "evidence"),
    Picture("Evidence", "verified", "evidence", (("button", "Verify"),)),
    Picture("SQL", "", "sql"),
    Picture("SQL", "answered", "sql", (("[data-testid=stMain] button", "Near misses, the latest first"),)),
)


def made(folder: Path, now_ns: int) -> Path:
    """A signed store of what the tests hold, told as if the last of it had just come."""
    stores.received(folder, sorted(_requests(now_ns), key=lambda each: each.received_ns))
    with Sealer(Layout(folder)) as sealer:
        sealer.seal()
    return folder


def _requests(now_ns: int) -> Iterator[Request]:
    last_ns = now_ns - _QUIET_NS
    recordings = sorted(stores.RECORDINGS.glob("*/*.otlp.jsonl"))
    for nth, file in enumerate(reversed(recordings)):
        ends_ns = last_ns - nth * _SPACING_NS
        for export in moved(file, ends_ns):
            yield Request(export.signal, "protobuf", export.body, "anonymous", ends_ns)
    start = datetime.fromtimestamp(last_ns / 1e9, UTC).replace(minute=0, second=0, microsecond=0)
    start -= timedelta(days=_DAYS - 1, hours=8)
    for signal, encoding, body in telemetry(stores.two_weeks(start)):
        yield Request(signal, encoding, body, "anonymous", last_ns)


def shown(data: Path) -> Shown:
    """Which runs are shown of a store; all of them are the same one where there is one alone."""
    runs = open_analysis(data).runs.sort("first_ns", descending=True)
    name = runs["agent_name"].drop_nulls().mode().sort()
    of_one = runs.filter(pl.col("agent_name") == name[0])["run_id"] if name.len() else runs["run_id"]
    most = runs.sort("near_misses", "calls", descending=True)["run_id"][0]
    return Shown(most, of_one[0], of_one[min(1, of_one.len() - 1)])


def taken(tab: Browser, address: str, picture: Picture, of: Shown, folder: Path) -> None:
    """Store what a page looks like from its top to its end, in each width and scheme."""
    at = f"{address}/{picture.address}".format(run=of.run, a=of.a, b=of.b)
    for width in WIDTHS:
        for scheme in get_args(Scheme):
            tab.open(at, width=width, height=_LEAST_HEIGHT, scheme=scheme)
            for elements, text in picture.clicks:
                found = f"[...document.querySelectorAll({elements!r})].find(each => each.innerText.includes({text!r}))"
                tab.evaluate(f"{found}.click()")
                tab.settle()
            long = int(tab.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
            height = max(_LEAST_HEIGHT, min(_MOST_HEIGHT, long))
            tab.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
            )
            tab.settle()
            tab.picture(folder / _file(picture, width, scheme))


def _file(picture: Picture, width: int, scheme: str) -> str:
    return f"{picture.name}-{width}-{scheme}.png"


def gallery(pictures: list[Picture]) -> str:
    """One HTML file that shows pictures beside it; what width and scheme it shows is switched without a script."""
    switches = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" if nth == 0 else ""}> {value}</label>'
        for name, values in (("scheme", get_args(Scheme)), ("width", WIDTHS))
        for nth, value in enumerate(values)
    )
    hidden = "".join(
        f"body:not(:has(input[value='{value}']:checked)) .of-{value} {{ display: none }}\n"
        for value in (*get_args(Scheme), *WIDTHS)
    )
    shown = "".join(_section(each) for each in pictures)
    links = " · ".join(f'<a href="#{each.name}">{html.escape(_title(each))}</a>' for each in pictures)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>aftertrace: the dashboard</title>\n<style>\n'
        "body { font: 15px/1.5 sans-serif; margin: 1rem 2rem; color: #1d2430; background: #e9ecf1 }\n"
        "header { position: sticky; top: 0; padding: .6rem 0; background: #e9ecf1 } label { margin-right: 1rem }\n"
        f"img {{ max-width: 100%; border: 1px solid #b9c0cb; border-radius: 6px }}\n{hidden}</style>\n"
        f"<header>{switches}</header>\n<nav>{links}</nav>\n{shown}</html>\n"
    )


def _section(picture: Picture) -> str:
    title = html.escape(_title(picture))
    images = "".join(
        f'<img loading="lazy" class="of-{scheme}" alt="{title}, {scheme}, {width} pixels wide" '
        f'src="{_file(picture, width, scheme)}">'.join((f'<div class="of-{width}">', "</div>\n"))
        for width in WIDTHS
        for scheme in get_args(Scheme)
    )
    return f'<section id="{picture.name}"><h2>{title}</h2>\n{images}</section>\n'


def _title(picture: Picture) -> str:
    return f"{picture.page}: {picture.state}" if picture.state else picture.page


def main(arguments: list[str]) -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="folder of a store; made from recordings by itself")
    parser.add_argument("--to", type=Path, default=FOLDER, help=f"where pictures go [{FOLDER}]")
    parser.add_argument("--page", action="append", help="only this one, such as Runs")
    given = parser.parse_args(arguments)
    if chromium() is None:
        raise SystemExit("no Chromium on this machine: install chromium, chromium-browser or google-chrome")
    pictures = [each for each in PICTURES if not given.page or each.page in given.page]
    given.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="aftertrace-pictures-") as scratch:
        data = given.data or made(Path(scratch) / "data", time.time_ns())
        of = shown(data)
        with served(data) as address, browser(Path(scratch) / "browser") as tab:
            for picture in pictures:
                taken(tab, address, picture, of, given.to)
                print(_title(picture), flush=True)
    (given.to / "index.html").write_text(gallery(pictures), encoding="utf-8")
    print(f"all of them: {given.to / 'index.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])
