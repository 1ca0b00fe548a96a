"""The page SQL: what a statement gives, the same as at a terminal, and what it may not."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from dashboards import stores
from dashboards.conftest import OpenPage
from dashboards.test_hostile import leaks
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import Analysis, Invalid, open_analysis
from aftertrace.analyzer.querying import bounded
from aftertrace.analyzer.querying.bounded import Bounds
from aftertrace.analyzer.querying.documented import documented
from aftertrace.cli import root
from aftertrace.dashboards import answers, data
from aftertrace.dashboards.examples import EXAMPLES


def asked(page: AppTest) -> AppTest:
    """The page after its button was clicked."""
    return next(each for each in page.button if each.label == "Ask").click().run()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.words)
def test_examples_give_what_the_command_gives(
    example: object, weeks: Path, after_weeks: int, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row by row, on the page and as CSV."""
    text = example.text  # type: ignore[attr-defined]
    assert root.run(["sql", "--data", str(weeks), "--format", "csv", text]) == 0
    told = capsys.readouterr().out
    page = asked(open_page("sql", weeks, sql=text))
    assert not page.exception
    height = told.count("\n") - 1
    assert page.subheader[0].value == f"{height} row{'' if height == 1 else 's'}"
    assert answers.csv(bounded.ask(weeks, text).rows) == told
    if height:
        assert page.dataframe[0].value.shape[0] == height
    assert [each.label for each in page.get("download_button")] == ["CSV", "Parquet"]


def test_an_example_that_is_clicked_is_asked_and_stands_in_the_address(weeks: Path, open_page: OpenPage) -> None:
    """So that it can be sent to somebody; nothing is asked before."""
    page = open_page("sql", weeks)
    assert [each.value for each in page.subheader] == ["Tables"]
    page.button(key=EXAMPLES[0].words).click().run()
    assert page.query_params == {"sql": EXAMPLES[0].text}
    assert page.subheader[0].value.endswith("rows")


def test_a_statement_in_an_address_is_not_run(recorded: Path, open_page: OpenPage) -> None:
    """Whoever opens a link reads it first; what was asked stays asked until the statement is another one."""
    page = open_page("sql", recorded, sql="SELECT 1 AS one")
    assert [each.value for each in page.info] == ["This statement was not asked yet: read it, then Ask."]
    assert page.text_area[0].value == "SELECT 1 AS one"
    assert [each.value for each in page.subheader] == ["Tables"]
    assert [each.value for each in asked(page).subheader] == ["1 row", "Tables"]
    assert [each.value for each in page.text_area[0].set_value("SELECT 2").run().subheader] == ["1 row", "Tables"]


def test_every_table_that_it_reads_is_documented(analysis: Analysis, recorded: Path, open_page: OpenPage) -> None:
    """Column by column, with what each means."""
    for table in documented():
        columns = analysis.sql(f"SELECT * FROM {table.name} LIMIT 0").columns  # noqa: S608  # a name of ours
        assert set(table.columns["column"]) == set(columns)
        assert not [meaning for meaning in table.columns["meaning"] if not meaning]
    page = open_page("sql", recorded, table="spans")
    assert page.dataframe[-1].value["column"].to_list() == documented()[-2].columns["column"].to_list()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM nope", "the tables are"),
        ("SELECT * FROM read_csv('/etc/passwd')", "reads files"),
        ("DELETE FROM calls", "expected one statement that reads"),
        ("SELECT 1; SELECT 2", "expected one statement that reads"),
    ],
)
def test_what_cannot_be_answered_says_why(text: str, said: str, recorded: Path, open_page: OpenPage) -> None:
    """With what there is."""
    page = asked(open_page("sql", recorded, sql=text))
    assert [each.value for each in page.warning] == ["This cannot be answered."]
    assert said in page.code[0].value
    assert not page.exception


WITH_ROOM = Bounds(memory_bytes=2 << 30, seconds=120)
"""Memory for any statement but for one that makes rows without end: what starts takes up to one GiB of addresses."""


@pytest.mark.parametrize(
    ("text", "bounds", "said"),
    [
        ("SELECT * FROM calls", Bounds(seconds=0.01), "not done in 0 s"),
        ("SELECT * FROM calls a CROSS JOIN calls b CROSS JOIN calls c CROSS JOIN calls d CROSS JOIN calls e",
         WITH_ROOM, "of memory"),
        ("SELECT * FROM calls", Bounds(answer_bytes=100), "select fewer rows or columns"),
    ],
)  # fmt: skip
def test_a_statement_takes_what_it_may_and_no_more(text: str, bounds: Bounds, said: str, weeks: Path) -> None:
    """Its process is ended; whoever asked is told which bound it was."""
    with pytest.raises(Invalid, match="sql: ") as refused:
        bounded.ask(weeks, text, None, bounds)
    assert said in str(refused.value)


def test_a_statement_that_takes_less_is_answered(weeks: Path) -> None:
    """The control: within the same memory."""
    assert bounded.ask(weeks, "SELECT count(*) AS n FROM calls", None, WITH_ROOM).rows["n"].item() > 0


def test_rows_beyond_the_bound_are_counted_and_not_given(weeks: Path) -> None:
    """The first of them are."""
    found = bounded.ask(weeks, "SELECT run_id FROM calls ORDER BY run_id", None, Bounds(rows=3))
    whole = open_analysis(weeks).calls["run_id"].sort()
    assert (found.height, found.rows["run_id"].to_list()) == (whole.len(), whole.head(3).to_list())


def test_declared_risk_classes_count(tmp_path: Path, weeks: Path) -> None:
    """As on every other page."""
    file = tmp_path / "inventory.toml"
    file.write_text('[[tool]]\nname = "pay"\nrisk = "permission"\n')
    text = "SELECT DISTINCT risk FROM calls WHERE tool_name = 'pay'"
    assert bounded.ask(weeks, text, file).rows["risk"].to_list() == ["permission"]
    assert bounded.ask(weeks, text).rows["risk"].to_list() != ["permission"]


def test_an_answer_stays_until_it_is_asked_for_again(tmp_path: Path, open_page: OpenPage) -> None:
    """The page is drawn again whenever the store has moved on; a statement is not run again for that."""
    store = stores.recorded(tmp_path / "data", ["claude-code/hook_deny"])
    text = "SELECT run_id FROM runs"
    page = asked(open_page("sql", store, sql=text))
    stores.recorded(store, ["claude-code/tty_approve"])
    assert page.run().subheader[0].value == "1 row"
    assert asked(page).subheader[0].value == f"{open_analysis(store).runs.height} rows"


def test_each_asking_is_a_read(tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of the same statement; that the page is drawn again is none."""
    read: list[tuple[str, str]] = []
    monkeypatch.setattr(data.reading, "record", lambda _, __, how, what, _by: read.append((how, what)))
    store = stores.recorded(tmp_path / "data", ["claude-code/hook_deny"])
    page = asked(open_page("sql", store, sql="SELECT run_id FROM runs")).run()
    asked(page)
    assert [each for each in read if each[0] == "sql page"] == [("sql page", "SELECT run_id FROM runs")] * 2


def test_hostile_values_and_names_are_text(hostile: Path, open_page: OpenPage) -> None:
    """In cells, in headings, and in files no formula."""
    text = 'SELECT agent_name, tool_name AS "<b>**x**\u202e", arguments FROM calls'
    page = open_page("sql", hostile, sql=text)
    # What the reader typed stands where it was typed.
    assert leaks(page) == {"text_area.value"}
    assert leaks(asked(page)) == set()
    assert not page.exception
    table = page.dataframe[0].value
    assert "<b>**x**\\u202e" in table.columns
    assert not [text for text in table.iloc[:, 1] if any(mark in str(text) for mark in "\u202e\u200b\x1b")]
    config = json.loads(page.dataframe[0].proto.columns)
    assert {each["type_config"]["type"] for each in config.values() if "type_config" in each} == {"text"}
    found = bounded.ask(hostile, "SELECT agent_name FROM runs").rows
    assert not [line for line in answers.csv(found).splitlines() if line.lstrip('"').startswith("=")]
    assert pl.read_parquet(io.BytesIO(answers.parquet(found))).equals(found)


def test_cells_of_every_kind_are_shown() -> None:
    """Lists as JSON, times as times, lengths and bytes as text, columns of names that look the same apart."""
    at = datetime(2026, 11, 22, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "a": [["x", "y"]],
            "b": [{"c": 1}],
            "d": [at],
            "e": [timedelta(seconds=1)],
            "f": [b"\x00"],
            "g": [True],
            "h": [1.5],
            "i": [None],
            "j\u200b": ["1"],
            "j\\u200b": ["2"],
        }
    )
    shown = answers.cells(rows)
    assert shown.row(0) == ('["x", "y"]', '{"c": 1}', at, "0:00:01", "00", True, 1.5, None, "1", "2")
    assert shown.columns[-2:] == ["j\\u200b", "j\\u200b′"]
