"""`make pictures`: a store of what the tests hold, a picture of each page in each width and scheme, all on one page."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from benchmarks import pictures
from benchmarks.pages import served
from dashboards import stores
from dashboards.browser import browser, chromium

from aftertrace.analyzer import open_analysis
from aftertrace.dashboards.quantities import DAY_NS

NOW_NS = stores.WEEKS_NS


def test_the_store_holds_every_recording_as_if_it_had_just_come(tmp_path: Path) -> None:
    """Within the last two weeks, signed, with the runs of the clerk; each page has a picture."""
    store = pictures.made(tmp_path / "data", NOW_NS)
    analysis = open_analysis(store, now_ns=NOW_NS)
    assert analysis.runs["first_ns"].min() > NOW_NS - 15 * DAY_NS  # type: ignore[operator]
    assert analysis.runs["first_ns"].max() < NOW_NS  # type: ignore[operator]
    emitters = {file.parent.name for file in stores.RECORDINGS.glob("*/*.otlp.jsonl")}
    assert analysis.runs["service_name"].n_unique() >= len(emitters)
    assert analysis.runs.filter(pl.col("agent_name") == "clerk", pl.col("environment") == "production").height == 84
    assert any((store / "ledger").glob("checkpoint*"))


def test_the_gallery_holds_every_picture_and_asks_no_other_host() -> None:
    """Beside it, by name."""
    page = pictures.gallery(list(pictures.PICTURES))
    files = re.findall(r'src="([^"]*)"', page)
    assert len(files) == len(set(files)) == 4 * len(pictures.PICTURES)
    assert not re.search(r"https?:|//", page)
    assert "<script" not in page


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: pages are not looked at")
def test_a_page_is_taken_from_its_top_to_its_end(weeks: Path, tmp_path: Path) -> None:
    """As wide as it says, and as high as the page is."""
    picture = pictures.Picture("Run", "", "run?run={run}")
    with served(weeks) as address, browser(tmp_path / "browser") as tab:
        pictures.taken(tab, address, picture, pictures.shown(weeks), tmp_path)
    found = {file.name: file.read_bytes()[16:24] for file in sorted(tmp_path.glob("*.png"))}
    assert set(found) == {f"run-{width}-{scheme}.png" for width in (1280, 1920) for scheme in ("light", "dark")}
    for name, header in found.items():
        width, height = (int.from_bytes(header[at : at + 4]) for at in (0, 4))
        assert f"-{width}-" in name
        assert height >= 900
