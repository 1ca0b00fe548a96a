"""Rows on their way out: the same rows in five forms."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from aftertrace.cli import formats
from aftertrace.store.errors import Invalid

AT = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "tool_name": ["pay", "=cmd\x1b[2J"],
        "wait_ns": [4_700_000_000, None],
        "at": [AT, None],
        "near_miss": [True, False],
        "tools": [["a", "b"], None],
    },
    schema={
        "tool_name": pl.String,
        "wait_ns": pl.Int64,
        "at": pl.Datetime("ns", "UTC"),
        "near_miss": pl.Boolean,
        "tools": pl.List(pl.String),
    },
)
SHOWN = ("at", "tool_name", "wait_ns", "near_miss")


def written(capsys: pytest.CaptureFixture[str], form: formats.Format) -> list[str]:
    """What a form prints, line by line."""
    formats.write(FRAME, form, shown=SHOWN)
    return capsys.readouterr().out.split("\n")


def test_a_table_is_aligned_and_safe(capsys: pytest.CaptureFixture[str]) -> None:
    """Main columns, times to the second, nanoseconds as seconds, numbers to the right, escapes visible."""
    assert written(capsys, "table") == [
        "at                   tool_name    wait_s  near_miss",
        "2026-11-21 09:30:00  pay             4.7  yes",
        r"                     =cmd\x1b[2J          no",
        "",
    ]


def test_json_is_one_exact_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Every column, and the exact text; but only printable ASCII on the wire."""
    lines = written(capsys, "json")
    assert [json.loads(line) for line in lines[:-1]] == [
        {
            "tool_name": "pay",
            "wait_ns": 4_700_000_000,
            "at": "2026-11-21T09:30:00.123456+00:00",
            "near_miss": True,
            "tools": ["a", "b"],
        },
        {"tool_name": "=cmd\x1b[2J", "wait_ns": None, "at": None, "near_miss": False, "tools": None},
    ]
    assert all(" " <= character <= "~" for line in lines for character in line)


def test_csv_runs_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Every column; text that a spreadsheet would run is quoted, numbers are not."""
    assert written(capsys, "csv") == [
        "tool_name,wait_ns,at,near_miss,tools",
        'pay,4700000000,2026-11-21 09:30:00.123456+00:00,True,"[""a"", ""b""]"',
        r"'=cmd\x1b[2J,,,False,",
        "",
    ]


def test_markdown_is_a_table_of_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing in a cell is markup."""
    assert written(capsys, "markdown") == [
        r"| at | tool\_name | wait\_s | near\_miss |",
        "|---|---|---|---|",
        "| 2026-11-21 09:30:00 | pay | 4.7 | yes |",
        r"|  | =cmd\\x1b\[2J |  | no |",
        "",
    ]


def test_parquet_keeps_every_value_and_type(tmp_path: Path) -> None:
    """To a file here; a pipe gets the same bytes."""
    formats.write(FRAME, "parquet", shown=SHOWN, out=tmp_path / "rows.parquet")
    assert pl.read_parquet(tmp_path / "rows.parquet").equals(FRAME)


def test_parquet_is_not_thrown_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where to put it."""
    monkeypatch.setattr("sys.stdout", Terminal())
    with pytest.raises(Invalid, match="give --out FILE or redirect"):
        formats.write(FRAME, "parquet")


def test_a_table_fits_its_terminal_and_never_cuts_in_a_pipe() -> None:
    """The widest columns give way, marked by an ellipsis; wide characters count double."""
    wide = pl.DataFrame({"a": ["日本語" * 8], "b": ["x" * 30]})
    assert formats.table_lines(wide, width=40)[1] == "日本語日本語日本語…  " + "x" * 18 + "…"
    assert formats.table_lines(wide, width=None)[1] == "日本語" * 8 + "  " + "x" * 30


def test_no_rows_still_have_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a script can tell an empty answer from none."""
    formats.write(FRAME.clear(), "csv")
    assert capsys.readouterr().out == "tool_name,wait_ns,at,near_miss,tools\n"


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True
