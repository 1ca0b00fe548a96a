"""Tables that others read where they are, with nothing exported: DuckDB tells what `aftertrace sql` tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.derived.deriving import derive
from aftertrace.analyzer.derived.kept_columns import FINALITY, SHARED
from aftertrace.cli import root
from aftertrace.store import derived, derived_logs
from aftertrace.store.folder import open_folder
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot

from . import duck
from .frames import RECEIVED_NS, Frames
from .stories import COMPLETED, ENDED, PROPOSED, stored
from .test_arrival import fleet
from .test_deriving import HOUR_NS, MINUTE_NS, Growing, three_runs
from .test_effects import receipt
from .test_invariants import union
from .test_one_run import moved, of

if TYPE_CHECKING:
    from aftertrace.analyzer import Analysis

ASKED_OF_BOTH: Final = (
    "SELECT tool_name, outcome, COUNT(*) AS calls FROM calls GROUP BY tool_name, outcome",
    "SELECT agent_name, COUNT(*) AS misses FROM calls WHERE near_miss AND consequential GROUP BY agent_name",
    """SELECT runs.run_id, calls.tool_name, calls.arguments FROM runs JOIN calls ON runs.run_id = calls.run_id
    WHERE calls.outcome = 'denied'""",
    "SELECT decision, COUNT(*) AS asked, MAX(wait_ns) AS longest_ns FROM approvals GROUP BY decision",
    "SELECT decided_by, COUNT(*) AS verdicts FROM decisions WHERE is_final GROUP BY decided_by",
    "SELECT system, operation, object_id, state FROM effects WHERE object_id IS NOT NULL",
    "SELECT agent_name, depth, SUM(calls) AS calls, SUM(input_tokens) AS tokens FROM agents GROUP BY agent_name, depth",
    "SELECT dialect, COUNT(*) AS spans, MIN(start_ns) AS first, MAX(end_ns) AS last FROM spans GROUP BY dialect",
    "SELECT event, state, COUNT(*) AS events FROM events GROUP BY event, state",
    """SELECT calls.call_key, COUNT(*) AS told FROM calls JOIN events ON events.trace_id = calls.trace_id
    AND events.call_id = calls.tool_call_id GROUP BY calls.call_key""",
)
"""Of derived tables, of stored ones, and of both."""
VIEW: Final = "SELECT * EXCLUDE run_is_final FROM calls WHERE near_miss"
"""What is computed from kept tables alone is a view: here that of near misses."""


def every_recording(tmp_path: Path) -> tuple[Growing, int]:
    """All recordings and a payment with its receipt as one store, derived; forty requests came a moment ago, so that
    some runs are open.
    """
    paid = stored(PROPOSED, COMPLETED, receipt(object_id="re_1"), ENDED)
    recorded = fleet()
    after = max(*recorded.spans["seq"], *recorded.events["seq"])
    whole = union(recorded, Frames(*(frame.with_columns(pl.col("seq") + after) for frame in (paid.spans, paid.events))))
    last, now_ns = after + 4, RECEIVED_NS + 2 * HOUR_NS
    came_ns = pl.when(pl.col("seq") > after - 40).then(now_ns).otherwise(RECEIVED_NS)
    frames = (frame.with_columns(received_ns=came_ns) for frame in (whole.spans, whole.events))
    store = Growing(open_folder(tmp_path / "data"), Frames(*frames))
    store.receive(0, last)
    store.derive(now_ns)
    return store, now_ns


def told(found: Analysis, table: str) -> pl.DataFrame:
    """What `aftertrace sql` tells of a table."""
    return duck.plain(found.sql(f"FROM {table}"))


@pytest.mark.slow
def test_duckdb_tells_what_aftertrace_sql_tells(tmp_path: Path) -> None:
    """Every value of every table that both have, and answers to the same questions."""
    store, now_ns = every_recording(tmp_path)
    found, opened = open_analysis(store.layout.data, now_ns=now_ns), duck.tables(store.layout.data)
    for table in (*SHARED, "spans", "events"):
        rows = duck.rows(opened, f"FROM {table}")
        if table in SHARED:
            rows = rows.drop(FINALITY)
        assert_frame_equal(rows, told(found, table), check_exact=True)
    assert set(duck.rows(opened, "SELECT run_is_final FROM runs")[FINALITY]) == {True, False}
    for text in ASKED_OF_BOTH:
        expected = duck.plain(found.sql(text))
        assert expected.height, text
        assert_frame_equal(duck.rows(opened, text), expected, check_exact=True)
    assert_frame_equal(duck.rows(opened, VIEW), told(found, "near_misses"), check_exact=True)


@pytest.mark.slow
def test_duckdb_reads_every_stored_table(tmp_path: Path) -> None:
    """The bytes that were received among them, and what they came from."""
    data = tmp_path / "data"
    recordings = Path(root.__file__).parent / "recordings"
    names = ("claude-code.hook_deny", "langchain.openinference_reject_edit")
    assert root.run(["import", *(str(recordings / f"{name}.jsonl") for name in names), "--data", str(data)]) == 0
    opened, pinned = duck.tables(data), Snapshot.of(data)
    for table in TABLES:
        expected = duck.plain(pinned.scan(table).collect())
        assert expected.height
        assert_frame_equal(duck.rows(opened, f"FROM {table}"), expected, check_exact=True)


def shown(store: Growing, version: int | None = None) -> dict[str, pl.DataFrame]:
    """Each table as another reader of Delta tells it, of a version or of the newest."""
    found = {name: pl.scan_delta(str(store.layout.derived / name), version=version).collect() for name in SHARED}
    return {name: duck.plain(rows) for name, rows in found.items()}


def versions(store: Growing) -> set[int]:
    """The newest version of each table."""
    return {int(DeltaTable(str(store.layout.derived / name)).version()) for name in SHARED}


def assert_shown(rows: dict[str, pl.DataFrame], expected: Analysis) -> None:
    """It tells what the analysis tells."""
    for name in SHARED:
        assert_frame_equal(rows[name].drop(FINALITY), told(expected, name), check_exact=True)


def test_a_version_of_each_table_is_of_one_step(tmp_path: Path) -> None:
    """Whoever pins one reads tables that agree; DuckDB too."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    for version, (before, upto) in enumerate(((0, 2), (2, 6), (6, 7))):
        store.receive(before, upto)
        store.derive(now_ns)
        assert versions(store) == {version}
        assert_shown(shown(store), store.told(upto, now_ns))
    store.derive(now_ns)
    assert versions(store) == {2}
    opened = duck.engine()
    for version, upto in enumerate((2, 6, 7)):
        assert_shown(shown(store, version), store.told(upto, now_ns))
        rows = duck.version(opened, store.layout.derived / "calls", version)
        assert_frame_equal(rows.drop(FINALITY), told(store.told(upto, now_ns), "calls"), check_exact=True)
    with pytest.raises(AssertionError):
        assert_shown(shown(store, 1), store.told(7, now_ns))


def test_a_run_that_may_go_on_is_shown_as_such(tmp_path: Path) -> None:
    """As it was told last, until what is told of it is final; what is told of others then stays."""
    other = [moved(each, 60, **of("2", "s-2", call_id="c-2")) for each in (PROPOSED, COMPLETED)]
    store = Growing(open_folder(tmp_path / "data"), stored(PROPOSED, COMPLETED, *other))
    store.receive(0, 2)
    store.derive(RECEIVED_NS + MINUTE_NS)
    store.receive(2, 4)
    store.derive(RECEIVED_NS + 2 * MINUTE_NS)
    rows = shown(store)
    assert_shown(rows, store.told(4, RECEIVED_NS + 2 * MINUTE_NS))
    assert rows["runs"].select("state", FINALITY).rows() == [("open", False), ("open", False)]
    store.derive(RECEIVED_NS + 2 * HOUR_NS)
    rows = shown(store)
    assert_shown(rows, store.told(4, RECEIVED_NS + 2 * HOUR_NS))
    assert rows["runs"].select("state", FINALITY).rows() == [("completed", True), ("completed", True)]


def test_tables_do_not_shrink_while_all_is_derived_anew(tmp_path: Path) -> None:
    """They stay as they are until what is told anew goes as far, and change at once."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    store.receive(0, 7)
    store.derive(now_ns)
    before, steps = shown(store), 0
    assert derive(store.layout.data, now_ns=now_ns, anew=True, records_at_most=2).is_last is False
    while True:
        # Nor are the files swept that other readers still read.
        derived.sweep(store.layout, now_s=2e10)
        assert {name: rows.equals(before[name]) for name, rows in shown(store).items()} == dict.fromkeys(SHARED, True)
        step = derive(store.layout.data, now_ns=now_ns, records_at_most=2)
        steps += 1
        if step.is_last:
            break
        assert versions(store) == {0}
    assert steps > 1
    assert versions(store) == {1}
    assert_shown(shown(store), store.told(7, now_ns))


def test_logs_do_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint stands for commits that nobody needs any more; every reader begins there."""
    monkeypatch.setattr(derived_logs, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(derived_logs, "KEEP_S", -1)
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    for upto in range(1, 8):
        store.receive(upto - 1, upto)
        store.derive(now_ns)
    last = {"00000000000000000006.checkpoint.parquet", "00000000000000000006.json", "_last_checkpoint"}
    assert versions(store) == {6}
    for name in SHARED:
        assert {path.name for path in (store.layout.derived / name / "_delta_log").iterdir()} == last
    assert_shown(shown(store), store.told(7, now_ns))
    opened = duck.tables(store.layout.data)
    assert_frame_equal(
        duck.rows(opened, "FROM calls").drop(FINALITY), told(store.told(7, now_ns), "calls"), check_exact=True
    )


@pytest.mark.parametrize(("anew", "version"), [(False, 1), (True, 0)])
def test_a_version_that_only_some_tables_have_is_made_good(tmp_path: Path, *, anew: bool, version: int) -> None:
    """Of the state that it is of; where that is gone, all begin anew, so that no version is of two states."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    for before, upto in ((0, 4), (4, 7)):
        store.receive(before, upto)
        store.derive(now_ns)
    for name in ("runs", "effects"):
        (store.layout.derived / name / "_delta_log" / f"{1:020d}.json").unlink()
    assert versions(store) == {0, 1}
    derive(store.layout.data, now_ns=now_ns, anew=anew)
    assert versions(store) == {version}
    assert_shown(shown(store), store.told(7, now_ns))


@pytest.mark.parametrize("content", [b"", b"{", b'{"commitInfo": {"timestamp": 1, "operation": "OPTIMIZE"}}'])
def test_a_log_that_is_damaged_or_of_others_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """With those of the other tables, since their versions go together."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    now_ns = RECEIVED_NS + 2 * HOUR_NS
    store.receive(0, 4)
    store.derive(now_ns)
    (store.layout.derived / "runs" / "_delta_log" / f"{1:020d}.json").write_bytes(content)
    store.derive(now_ns)
    assert versions(store) == {0}
    assert_shown(shown(store), store.told(4, now_ns))


def test_what_a_table_is_stands_in_its_log(tmp_path: Path) -> None:
    """Each column with its meaning, and up to which record it goes."""
    store = Growing(open_folder(tmp_path / "data"), three_runs())
    store.receive(0, 4)
    store.derive(RECEIVED_NS + 2 * HOUR_NS)
    table = DeltaTable(str(store.layout.derived / "decisions"))
    assert (
        table.metadata().description
        == "Each row is a verdict on a call: none is overwritten, and the one that counted is marked"
    )
    assert {field.name: field.metadata["comment"] for field in table.schema().fields}[FINALITY].startswith("whether")
    (commit,) = table.history()
    assert commit["aftertrace"]["upto"] == {"main": 4}
