"""Each page shows what the analyzer says, for the filter in its address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import streamlit
from dashboards import stores
from dashboards.conftest import PAGES, OpenPage, drawn
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import Analysis
from aftertrace.dashboards import data


def headings(page: AppTest) -> list[str]:
    """The headings of a page, from top to bottom."""
    return [each.value for each in page.subheader]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_on_recordings_without_an_exception(name: str, recorded: Path, open_page: OpenPage) -> None:
    """The simplest promise: a page appears."""
    page = open_page(name, recorded)
    assert [each.message for each in page.exception] == []
    assert not page.error
    assert page.subheader or page.get("bidi_component")


def test_a_filter_stays_when_another_page_is_opened(recorded: Path, open_page: OpenPage) -> None:
    """Whoever looks at one agent keeps looking at it."""
    page = open_page("near_misses", recorded, agent="dbbot")
    page.switch_page("views/runs.py").run()
    assert page.query_params == {"agent": "dbbot"}
    assert {each["agent"] for each in drawn(page, "runs")[0]["runs"]} == {"dbbot"}


def test_a_value_that_no_filter_has_is_ignored(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """An old address still opens."""
    page = open_page("runs", recorded, agent="gone", period="never")
    assert not page.exception
    assert len(drawn(page, "runs")[0]["runs"]) == analysis.runs.height


@pytest.mark.parametrize("name", PAGES)
def test_no_column_of_a_table_is_hidden(name: str, recorded: Path, open_page: OpenPage) -> None:
    """Streamlit hides a column whose configuration is empty; each has one, with a width."""
    for table in open_page(name, recorded).dataframe:
        drawn = json.loads(table.proto.columns)
        assert [column for column in table.value.columns if "width" not in drawn.get(column, {})] == []
        assert [column for column, each in drawn.items() if each.get("hidden") and column != "_index"] == []


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_store_says_how_to_send_the_first_span(name: str, empty: Path, open_page: OpenPage) -> None:
    """On every page, with the endpoint and the commands."""
    page = open_page(name, empty)
    assert headings(page) == [":material/sensors: Waiting for the first span"]
    said = "\n".join(each.value for each in page.code)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in said
    assert "aftertrace connect claude-code" in said
    assert not page.exception


def test_a_folder_without_a_store_is_an_error_with_a_way_out(tmp_path: Path, open_page: OpenPage) -> None:
    """Not a traceback."""
    page = open_page("now", tmp_path / "nothing")
    assert [each.value for each in page.error] == ["The store cannot be read. This page tries again by itself."]
    assert str(tmp_path / "nothing") in page.code[0].value
    assert not page.exception


def test_new_data_shows_up_in_an_open_page(tmp_path: Path, open_page: OpenPage) -> None:
    """The page that waited for the first span shows it at the next look, with no click."""
    store = stores.make(tmp_path / "data", [])
    page = open_page("now", store)
    assert not page.metric
    stores.recorded(store, ["claude-code/hook_deny"])
    _let_pass(store)
    page.run()
    assert page.metric[5].value == "1"


def test_a_store_that_is_dear_to_read_is_read_less_often(tmp_path: Path, open_page: OpenPage) -> None:
    """A page that is looked at must not cost all the time there is; it says when it was analysed."""
    store = stores.recorded(tmp_path / "data", ["claude-code/hook_deny"])
    page = open_page("now", store)
    stores.recorded(store, ["claude-code/tty_approve"])
    _let_pass(store, took_s=60.0)
    assert page.run().metric[5].value == "1"
    _let_pass(store)
    assert int(page.run().metric[5].value) > 1
    assert page.caption[-2].value.startswith("Analysed 20")


def _let_pass(store: Path, took_s: float = 0.0) -> None:
    """A second passes, and the last reading of the store took so long."""
    streamlit.cache_data.clear()
    data.pace(str(store)).took_s = took_s
