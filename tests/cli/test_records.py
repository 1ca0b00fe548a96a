"""`records`: what is stored under an id, and its way into another store."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from aftertrace.store.snapshot import Snapshot

from .conftest import Command


def one_call(store: Path) -> tuple[str, str]:
    """A call that somebody edited, and its trace."""
    events = Snapshot.of(store).scan("events", columns=["event", "call_id", "trace_id", "tool_name"])
    found = events.filter(pl.col("tool_name") == "pay", pl.col("call_id").is_not_null()).collect()
    call, trace = found.select("call_id", "trace_id").row(0)
    return call, trace


def test_what_is_stored_under_an_id_is_what_the_tables_hold(aftertrace: Command, store: Path) -> None:
    """Spans and events alike, oldest first, each with the record it was read from."""
    call, trace = one_call(store)
    for ident, column in ((call, "call_id"), (trace, "trace_id")):
        ended = aftertrace("records", ident, "--data", store, "--format", "json")
        rows = [json.loads(line) for line in ended.out.splitlines()]
        snapshot = Snapshot.of(store)
        held = sum(
            snapshot.scan(table).filter(pl.col(column) == ident).collect().height for table in ("spans", "events")
        )
        assert (ended.code, len(rows), {row[column] for row in rows}) == (0, held, {ident})
        assert [row["time_ns"] for row in rows] == sorted(row["time_ns"] for row in rows)


def test_a_kind_narrows_what_an_id_is_of(aftertrace: Command, store: Path) -> None:
    """The id of a call is no trace's."""
    call, _ = one_call(store)
    ended = aftertrace("records", call, "--kind", "trace", "--data", store)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"error: records '{call}': nothing is stored under this id (trace); it is written as the sender does\n"
    )


def test_records_of_a_trace_go_to_another_store_byte_for_byte(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """As OTLP that `import` reads: the evidence is the same."""
    _, trace = one_call(store)
    lines, other = tmp_path / "trace.jsonl", tmp_path / "other"
    assert aftertrace("records", trace, "--kind", "trace", "--otlp", "--out", lines, "--data", store).code == 0
    assert aftertrace("import", lines, "--data", other).code == 0
    here, there = (
        Snapshot.of(data).scan("evidence", columns=["receiver", "seq", "index", "record"]).collect()
        for data in (store, other)
    )
    found = aftertrace("records", trace, "--kind", "trace", "--data", store, "--format", "json").out.splitlines()
    places = {json.loads(line)["record"] for line in found}
    at = pl.concat_str("receiver", "seq", "index", separator="/")
    sent = here.filter(at.is_in(sorted(places)))
    assert sent.height > 1
    assert sorted(there["record"].to_list()) == sorted(sent["record"].to_list())


@pytest.mark.parametrize("text", ["", "no such id", "\x1b[2J"])
def test_an_id_that_nothing_has_is_told(aftertrace: Command, store: Path, text: str) -> None:
    """In one line, without the bytes of a hostile one."""
    ended = aftertrace("records", text, "--data", store)
    assert (ended.code, ended.out, ended.err.count("\n"), "\x1b" in ended.err) == (2, "", 1, False)
