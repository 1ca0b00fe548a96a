"""Times are told in the zone of whoever reads, with UTC beside them; days that are counted by and files are in UTC."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from dashboards import stores
from dashboards.conftest import PAGES, OpenPage, drawn, said
from dashboards.test_charts import DAY_NS, HOUR_NS, changes, rows_of, steps, texts
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.documents import html, markdown
from aftertrace.analyzer.documents.document import Card, Cards, Document, Instant, Line, Paragraph, Part, Table
from aftertrace.analyzer.records import record_document
from aftertrace.dashboards import blocks, trend_charts, zones
from aftertrace.dashboards.columns import config
from aftertrace.dashboards.zones import IN_UTC, Zone, named

BEFORE, AFTER = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
"""An hour apart; in Berlin it is half past two both times."""
HOSTILE = (
    *("", "/", "..", "../../etc/passwd", "/etc/localtime", "Europe", "Europe/", "Europe//Berlin", "europe/Atlantis"),
    *("UTC\x00", "Europe/Berlin\n", "Europe/Berlin ", "<img src=x onerror=alert(1)>", "[x](http://attacker.example)"),
    *("tzdata.zi", "leapseconds", "\u202eCTU", "\ud800", "A" * 10**6, "a/b/c/d/e"),
)


def zone(name: str) -> Zone:
    """A zone that is there."""
    found = named(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Europe/Berlin", "2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00"),
        ("Asia/Kolkata", "2026-10-25 06:00:00 +05:30", "2026-10-25 07:00:00 +05:30"),
        ("America/St_Johns", "2026-10-24 22:00:00 -02:30", "2026-10-24 23:00:00 -02:30"),
        ("Etc/UTC", "2026-10-25 00:30:00 UTC", "2026-10-25 01:30:00 UTC"),
    ],
)
def test_a_time_has_its_offset_and_utc_beside_it(name: str, before: str, after: str) -> None:
    """So that the same time of day on both sides of a change of clocks is two times."""
    told, hints = zip(
        *((zone(name).told(Instant(at)), zone(name).hint(Instant(at))) for at in (BEFORE, AFTER)), strict=True
    )
    assert told == (before, after)
    utc = ("2026-10-25 00:30:00 UTC", "2026-10-25 01:30:00 UTC")
    assert hints == ((None, None) if told == utc else utc)


@given(st.integers(-(2**33), 2**33), st.sampled_from(("Europe/Berlin", "Asia/Kolkata")))
def test_what_is_told_is_the_same_time(at_s: int, name: str) -> None:
    """To the second where the clocks of a zone go by minutes, as they have done since they are set by railways."""
    at = datetime.fromtimestamp(at_s, UTC)
    told = zone(name).told(Instant(at))
    assert abs(datetime.fromisoformat(told.replace(" +", "+").replace(" -", "-")) - at) < timedelta(minutes=1)


def test_a_time_of_day_has_what_its_run_began_without() -> None:
    """Its date where that is another in this zone, and its offset where clocks were changed meanwhile."""
    berlin = zone("Europe/Berlin").rules
    began = datetime(2026, 10, 24, 21, 59, tzinfo=UTC)
    clock = [Instant(at, is_clock=True, began=began) for at in (began, BEFORE, AFTER)]
    assert [at.told(berlin) for at in clock] == [
        "23:59:00.000",
        "2026-10-25 02:30:00.000",
        "2026-10-25 02:30:00.000 +01:00",
    ]
    assert [at.text for at in clock] == ["21:59:00.000", "2026-10-25 00:30:00.000", "2026-10-25 01:30:00.000"]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_names_no_zone_is_none(name: str) -> None:
    """No path, no file that is none of a zone, no markup."""
    assert named(name) is None


@given(st.text(max_size=80))
def test_any_text_is_a_zone_or_none(name: str) -> None:
    """And never an error."""
    found = named(name)
    assert found is None or found.told(Instant(BEFORE))


def test_a_document_is_in_utc_in_files_and_in_the_zone_of_the_reader_on_a_page() -> None:
    """With the zone above a column of times of day, and UTC for whoever hovers."""
    clock = Instant(AFTER, is_clock=True, began=BEFORE)
    rows: tuple[tuple[Line, ...], ...] = ((clock, "pay"),)
    parts = (Paragraph(("asked ", Instant(AFTER))), Table(("at", "what"), rows, timed=frozenset(("at",))))
    cards = Cards((Card("a note", (), (), at=Instant(AFTER)),))
    document = Document("A run", (Part("", (*parts, cards)),))
    for written in (html.written(document), markdown.written(document)):
        for told in ("asked 2026-10-25 01:30:00 UTC", "at (UTC)", "01:30:00.000", "2026-10-25 01:30:00 UTC · a note"):
            assert told in written
    paragraph, table, (card,) = (
        block.get("line") or block.get("cards") or block
        for block in blocks.drawn((*parts, cards), zone=zone("Europe/Berlin"))
    )
    piece = {"at": "2026-10-25T01:30:00.000000Z", "hint": "2026-10-25 01:30:00 UTC"}
    assert paragraph == [{"text": "asked "}, {"text": "2026-10-25 02:30:00 +01:00", **piece}]
    assert [column["name"] for column in table["columns"]] == ["at (Berlin)", "what"]
    assert table["rows"] == [[[{"text": "02:30:00.000 +01:00", **piece}], [{"text": "pay"}]]]
    assert (card["at"], card["title"]) == ({"text": "2026-10-25 02:30:00 +01:00", **piece}, "a note")


@pytest.mark.parametrize(
    ("name", "times", "head", "format_"),
    [
        ("Europe/Berlin", [BEFORE, AFTER], "started (Berlin)", "YYYY-MM-DD HH:mm:ss Z"),
        ("Europe/Berlin", [BEFORE, None, BEFORE - timedelta(days=9)], "started (Berlin)", "YYYY-MM-DD HH:mm:ss"),
        ("Europe/Berlin", [AFTER, BEFORE, AFTER], "started (Berlin)", "YYYY-MM-DD HH:mm:ss Z"),
        ("America/New_York", [BEFORE, AFTER], "started (New York)", "YYYY-MM-DD HH:mm:ss"),
        ("UTC", [BEFORE, AFTER], "started (UTC)", "YYYY-MM-DD HH:mm:ss"),
    ],
)
def test_a_column_of_times_names_its_zone(name: str, times: list[datetime | None], head: str, format_: str) -> None:
    """Each cell has the offset too where clocks were changed between any of them."""
    cells = pl.Series(times, dtype=pl.Datetime("us", "UTC"))
    made = config("started_at", cells, zone(name))
    kept = made["type_config"]
    assert (made["label"], kept["format"], kept["timezone"]) == (head, format_, name)


def test_times_of_day_have_their_date_where_there_are_several() -> None:
    """By the days of the zone that they are told in."""
    cells = pl.Series([BEFORE - timedelta(hours=2), BEFORE], dtype=pl.Datetime("us", "UTC"))
    formats = {name: config("at", cells, zone(name))["type_config"]["format"] for name in ("UTC", "Asia/Kolkata")}
    assert formats == {"UTC": "YYYY-MM-DD HH:mm:ss.SSS", "Asia/Kolkata": "HH:mm:ss.SSS"}


def test_hours_on_a_chart_are_the_readers_and_days_are_those_of_utc() -> None:
    """A tooltip tells both."""
    kolkata = zone("Asia/Kolkata")
    hours = steps(1).with_columns(end_ns=pl.lit(HOUR_NS))
    for trend, title, label, begin in (
        (hours, "time (Kolkata)", "timeFormat(datum.value, '%d %b %H:%M')", "1970-01-01 05:30"),
        (steps(1), "days (UTC)", "utcFormat(datum.value, '%d %b')", "1970-01-01 05:30"),
    ):
        chart = trend_charts.rate(trend, changes(HOUR_NS // 2), kolkata)
        spec = {text for path, text in texts(chart.to_dict()) if path[-1] in ("title", "labelExpr")}
        assert {title, label, "from (Kolkata)", "from (UTC)", "to (UTC)", "changed (Kolkata)", "changed (UTC)"} <= spec
        told = [(row["start0"], row["start1"]) for row in rows_of(chart) if "rate" in row]
        assert told == [(begin, "1970-01-01 00:00")]
        assert [(row["at0"], row["at1"]) for row in rows_of(chart) if "part" in row] == [
            ("1970-01-01 06:00", "1970-01-01 00:30")
        ]
    spec = {text for _, text in texts(trend_charts.rate(hours, changes(DAY_NS // 9), IN_UTC).to_dict())}
    assert "utcFormat(datum.value, '%d %b %H:%M')" in spec
    assert not any("timeFormat" in text for text in spec)


def time_columns(page: AppTest) -> set[tuple[str, str]]:
    """Head and zone of every column of times in the tables of a page."""
    columns = [each for table in page.dataframe for each in json.loads(table.proto.columns).values()]
    of_times = [each for each in columns if each.get("type_config", {}).get("type") == "datetime"]
    return {(each["label"], each["type_config"]["timezone"]) for each in of_times}


@pytest.mark.parametrize("utc", [False, True])
def test_a_page_is_in_the_zone_of_its_reader_unless_they_ask_for_utc(
    tmp_path: Path, open_page: OpenPage, utc: bool
) -> None:
    """What is told in text, in drawings and in tables; a link may ask for it, and so may the switch."""
    store = stores.edited(tmp_path / "data")
    page = open_page("run", store, zone="Asia/Kolkata", tab="Timeline", **({"utc": "true"} if utc else {}))
    place = "UTC" if utc else "Kolkata"
    started = next(each for each in page.text if each.value.startswith("2027-"))
    assert (started.value, started.help) == (
        ("2027-01-15 08:00:00 UTC", "") if utc else ("2027-01-15 13:30:00 +05:30", "2027-01-15 08:00:00 UTC")
    )
    began = drawn(page, "timeline")[0]["began"][1]
    assert (began["text"], began["at"]) == (started.value, "2027-01-15T08:00:00.000000Z")
    assert f"at ({place})" in set(said(drawn(page, "timeline")))
    assert time_columns(page) == {(f"time ({place})", "UTC" if utc else "Asia/Kolkata")}
    turned = page.toggle(key=zones.KEY).set_value(not utc).run()
    assert time_columns(turned) == {("time (Kolkata)", "Asia/Kolkata") if utc else ("time (UTC)", "UTC")}
    turned.switch_page("views/runs.py").run()
    assert drawn(turned, "runs")[0]["zone"] == ("Kolkata" if utc else "UTC")


def test_files_that_leave_a_page_are_in_utc(tmp_path: Path, open_page: OpenPage) -> None:
    """The run record that a page hands out is that of the command line, whoever asks."""
    store = stores.edited(tmp_path / "data")
    open_page("run", store, zone="Asia/Kolkata")
    analysis = open_analysis(store)
    page = html.written(record_document.document(analysis.record(analysis.runs["run_id"][0])))
    assert "2027-01-15 08:00:00 UTC" in page
    assert "+05:30" not in page


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("told", ["<img src=x onerror=alert(1)>", "../../etc/passwd", None])
def test_a_page_of_a_reader_without_a_zone_is_in_utc(
    name: str, told: str | None, recorded: Path, open_page: OpenPage
) -> None:
    """It says so, and repeats nothing of what it was told."""
    page = open_page(name, recorded, zone=told)
    assert not page.exception
    assert {at for _, at in time_columns(page)} <= {"UTC"}
    assert not page.toggle
    assert "Times are in UTC, this browser names no zone that is known here." in [each.value for each in page.caption]
    words = [each.value for kind in (page.caption, page.text, page.markdown, page.code) for each in kind]
    assert told is None or not any(told in each for each in words)
