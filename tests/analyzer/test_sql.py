"""SQL reads the documented tables, and nothing else of the machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer import DERIVED, Analysis, Invalid
from aftertrace.analyzer.reading.sql import query

from . import frames

CALLS = pl.LazyFrame({"tool_name": ["read_csv", "pay"], "ordinal": [0, 1]})
TABLES = {"calls": CALLS}
ONE_STATEMENT = "sql: expected one statement that reads (SELECT, WITH, SHOW, EXPLAIN); nothing here can be written"
READS_FILES = "sql: 'read_csv' reads files, expected tables only; the tables are calls"


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Of a Claude Code session in which rules refused two of four calls."""
    return frames.recording("claude-code", "deny_rule").analysis()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT tool_name FROM calls WHERE tool_name = 'read_csv'", [("read_csv",)]),
        ("FROM calls", [("read_csv", 0), ("pay", 1)]),
        ("WITH late AS (SELECT * FROM calls WHERE ordinal > 0) SELECT tool_name FROM late;", [("pay",)]),
        ('SELECT \';\' AS mark, ";" FROM (SELECT 1 AS ";") -- ; ends here', [(";", 1)]),
        ("SHOW TABLES", [("calls",)]),
        ("/* how many */ SELECT count(*) FROM calls", [(2,)]),
    ],
)
def test_a_reading_statement_gives_rows(text: str, rows: list[tuple[object, ...]]) -> None:
    """As Polars SQL does."""
    assert query(TABLES, text).rows() == rows


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("SELECT count(*) FROM spans", set()),
        ("SELECT agent_name FROM runs", {"runs"}),
        ("SELECT tool_name FROM near_misses", {"calls"}),
        ("SELECT decision FROM approvals JOIN runs ON approvals.run_id = runs.run_id", {"approvals", "runs"}),
    ],
)
def test_a_statement_makes_the_tables_that_it_names_and_no_others(text: str, made: set[str]) -> None:
    """Months of calls are not read for a question about spans."""
    analysis = frames.recording("claude-code", "deny_rule").analysis()
    analysis.sql(text)
    assert DERIVED.keys() & analysis.__dict__.keys() == made


EMPTY = ("approvals", "change_measures", "configuration_changes", "effect_findings", "effects", "losses")
"""Tables of which this one run tells nothing."""


def test_every_documented_table_can_be_asked(analysis: Analysis) -> None:
    """Stored and derived ones, and what they say fits together."""
    tables = tuple(sorted((*DERIVED, "events", "spans")))
    assert tuple(sorted(analysis.sql("SHOW TABLES")["name"])) == tables
    for table in tables:
        assert analysis.sql(f"FROM {table}").height > 0 or table in EMPTY
    found = analysis.sql("SELECT tool_name, outcome FROM near_misses ORDER BY tool_name")
    assert found.rows() == [("Bash", "denied"), ("Write", "denied")]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('{path}')",
        "SELECT * FROM READ_CSV ('{path}')",
        "SELECT * FROM \"read_csv\"('{path}')",
        "SELECT * FROM read_csv /* ' */ ('{path}')",
        "SELECT * -- '\nFROM read_csv('{path}')",
        "SELECT \"'\", * FROM read_csv('{path}')",
        "SELECT E'\\'' AS quote, * FROM read_csv('{path}')",
        "SELECT * FROM calls WHERE tool_name IN (SELECT secret FROM read_csv('{path}'))",
        "WITH stolen AS (SELECT * FROM read_csv('{path}')) SELECT * FROM stolen",
        "EXPLAIN SELECT * FROM read_csv('{path}')",
    ],
)
def test_no_query_reads_a_file(text: str, tmp_path: Path) -> None:
    """However the function is quoted, or hidden behind quotes and comments."""
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\nx\n", encoding="utf-8")
    with pytest.raises(Invalid) as refusal:
        query(TABLES, text.format(path=secret))
    assert str(refusal.value).lower() == READS_FILES


def test_without_the_check_a_query_reads_files(tmp_path: Path) -> None:
    """The control: Polars itself would read it."""
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\nx\n", encoding="utf-8")
    read = pl.SQLContext(TABLES).execute(f"SELECT * -- '\nFROM read_csv('{secret}')", eager=True)
    assert read.rows() == [("x",)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ONE_STATEMENT),
        ("DELETE FROM calls", ONE_STATEMENT),
        ("DROP TABLE calls", ONE_STATEMENT),
        ("CREATE TABLE copy AS SELECT * FROM calls", ONE_STATEMENT),
        ("INSERT INTO calls VALUES ('x', 2)", ONE_STATEMENT),
        ("SELECT 1; SELECT 2", ONE_STATEMENT),
        ("SELECT 1; DROP TABLE calls --", ONE_STATEMENT),
        ("SELECT * FROM nowhere", "sql: relation 'nowhere' was not found; the tables are calls"),
        ("SELECT * FROM '/etc/passwd'", "sql: relation '/etc/passwd' was not found; the tables are calls"),
        ("SELECT '\udc80'", "sql: the query holds bytes that are no text, expected UTF-8"),
    ],
)
def test_what_is_no_query_is_refused_with_the_way_out(text: str, reason: str) -> None:
    """Writes, several statements, unknown tables."""
    with pytest.raises(Invalid) as refusal:
        query(TABLES, text)
    assert str(refusal.value) == reason


def test_an_unknown_column_is_named_with_those_there_are() -> None:
    """In one line."""
    with pytest.raises(Invalid, match=r"^sql: unable to find column \"nope\".*the tables are calls$"):
        query(TABLES, "SELECT nope FROM calls")


WORDS = (
    "select",
    "with",
    "as",
    "explain",
    "from",
    "calls",
    "where",
    "and",
    "tool_name",
    "1",
    *"*(),;'\"",
    "--",
    "/*",
    "*/",
)
words = st.sampled_from(WORDS)


@given(st.lists(words, max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_is_answered_or_refused(text: str) -> None:
    """Never with another error."""
    with suppress(Invalid):
        assert isinstance(query(TABLES, text), pl.DataFrame)
