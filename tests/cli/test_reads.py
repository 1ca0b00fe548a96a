"""`reads`: what commands read is recorded, as far as the configuration asks for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.ledger.reading import without_values
from aftertrace.store.layout import Layout

from .conftest import Command

TRACE = "0" * 31 + "1"
SQL = "select count(*) as n from runs"


def told(aftertrace: Command) -> list[tuple[str, str]]:
    """How and what, the latest first."""
    lines = aftertrace("reads", "--format", "json").out.splitlines()
    return [(row["how"], row["what"]) for row in map(json.loads, lines)]


def configure(data: Path, record: str | None = None) -> None:
    """What is recorded."""
    section = "" if record is None else f'[reads]\nrecord = "{record}"\n'
    Path("aftertrace.toml").write_text(f'[store]\ndata = "{data}"\n{section}')


def asked(aftertrace: Command) -> str:
    """Ask three ways, and give the run."""
    (run,) = [
        json.loads(line)["run_id"] for line in aftertrace("runs", "--format", "json", "--limit", "1").out.splitlines()
    ]
    assert [aftertrace(*command).code for command in (("run", run), ("records", TRACE), ("sql", SQL))] == [0, 0, 0]
    return str(run)


def test_what_takes_records_out_is_recorded(data: Path, aftertrace: Command) -> None:
    """By default; a run that is opened only where all is asked for, and nothing where nothing is."""
    configure(data)
    run = asked(aftertrace)
    assert told(aftertrace) == [("sql", SQL), ("records", TRACE)]
    configure(data, "all")
    asked(aftertrace)
    assert told(aftertrace)[:3] == [("sql", SQL), ("records", TRACE), ("run", run)]
    configure(data, "nothing")
    asked(aftertrace)
    assert len(told(aftertrace)) == 5
    (row, *_) = map(json.loads, aftertrace("reads", "--format", "json").out.splitlines())
    assert (row["uid"], row["by"]) == (os.getuid(), None)


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("select a from calls where b = 'x''y' and \"c 1\" > 12.5", 'select a from calls where b = … and "c 1" > …'),
        ("select 'it is', 1e9 -- for ana@example.com", "select …, … …"),
        ("/* ana\n */ select a1 from t2 where b = 'open", "… select a1 from t2 where b = …"),
        ("select '\"' as \"a'b\"", 'select … as "a\'b"'),
        ("select a where b = $$it's$$ and c = $q$x $$ y$q$ and d = $$open", "select a where b = … and c = … and d = …"),
        ("select /* x */ `it's` /* y /* z */ ana */ where b = 'c'", "select … `it's` …"),
    ],
)
def test_no_value_of_a_statement_is_kept(statement: str, kept: str) -> None:
    """It may be what is to be erased; names tell what was asked for."""
    assert without_values(statement) == kept


@given(value=st.text(min_size=4), name=st.text("abcd_", min_size=1))
def test_whatever_a_value_holds_is_gone(value: str, name: str) -> None:
    """And what stands around it is there."""
    quoted = value.replace("'", "''")
    assert without_values(f"select {name} where x = '{quoted}' and y") == f"select {name} where x = … and y"


def test_a_read_that_cannot_be_recorded_is_said(data: Path, aftertrace: Command) -> None:
    """And what was asked is answered."""
    configure(data)
    for left in Layout(data).reads_new.iterdir():
        left.unlink()
    Layout(data).reads_new.rmdir()
    answer = aftertrace("sql", SQL)
    assert (
        answer.code,
        answer.err.startswith("note: this read is not recorded: No such file or directory; see to"),
    ) == (
        0,
        True,
    )
    configure(data, "some")
    assert aftertrace("sql", SQL).err == (
        "error: record reads: 'some', expected evidence, all or nothing; set reads.record\n"
    )
