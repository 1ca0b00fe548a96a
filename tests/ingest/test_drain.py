"""The drain: every accepted record in the tables once, wherever it is stopped and whatever comes in."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from polars.testing import assert_frame_equal

from aftertrace.ingest import opened, reading, rows
from aftertrace.ingest.catching_up import catch_up
from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.ingest.records import Span
from aftertrace.store import durable, parquet, quarantine, wal_reader
from aftertrace.store.commits import SEQUENCED
from aftertrace.store.errors import Corrupt, Invalid, Unavailable
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout, segments
from aftertrace.store.ledger.log import LedgerLog
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.tables import TableWriter
from aftertrace.store.verify import Asked, verify
from aftertrace.verifier.verdicts import Finding

from .drain_samples import DAY_NS, NOON_NS, drain, logs, places, send, stored, traces


def test_every_record_is_stored_once(layout: Layout) -> None:
    """Evidence is byte for byte what was accepted; spans and events point at it; a second drain changes nothing."""
    send(layout, traces(1), traces(2))
    send(layout, logs(3), signal="logs")
    with Drain(layout) as draining:
        report = draining.once()
        assert (report.frames, report.records, report.spans, report.duplicates, report.findings) == (3, 6, 4, 0, [])
        assert draining.once().frames == 0
    before = stored(layout)
    drain(layout)
    for table, frame in stored(layout).items():
        assert_frame_equal(frame, before[table])
    evidence = before["evidence"]
    assert evidence["signal"].to_list() == ["traces"] * 4 + ["logs"] * 2
    sent = TracesData.FromString(traces(1)).resource_spans[0].scope_spans[0].spans
    assert evidence["record"].to_list()[:2] == [span.SerializeToString() for span in sent]
    assert evidence["frame_records"].to_list() == [2] * 6
    assert places(layout, "spans") == [("main", seq, index) for seq in (1, 2) for index in (0, 1)]
    assert {("main", 3, 0), ("main", 3, 1)} <= set(places(layout, "events"))
    assert (len(before["resources"]), len(before["scopes"])) == (2, 2)
    assert fsck(layout) == []
    assert_covered(layout, requests=3)


def test_a_resend_is_kept_as_evidence_and_shown_once(layout: Layout) -> None:
    """Whole, in part, over another receiver, and within one request."""
    send(layout, traces(1), traces(2), traces(1))
    send(layout, traces(2), receiver="import")
    drain(layout)
    send(layout, traces(1), received_ns=NOON_NS + DAY_NS)
    drain(layout)
    evidence = stored(layout)["evidence"].select("receiver", "seq", "index", "duplicate_of")
    assert {(receiver, seq): first for receiver, seq, index, first in evidence.rows() if index == 0} == {
        ("import", 1): None,
        ("main", 1): None,
        ("main", 2): "import/1/0",
        ("main", 3): "main/1/0",
        ("main", 4): "main/1/0",
    }
    assert places(layout, "spans") == [(name, 1, index) for name in ("import", "main") for index in (0, 1)]
    assert fsck(layout) == []


def test_the_keys_of_a_frame_tell_a_resend_whose_redaction_differs(layout: Layout) -> None:
    """They were made before random tokens replaced what was secret."""
    send(layout, traces(1), keys=bytes(range(32)))
    send(layout, traces(2), keys=bytes(range(32)))
    drain(layout)
    assert stored(layout)["evidence"]["duplicate_of"].to_list() == [None, None, "main/1/0", "main/1/1"]


def test_a_copy_after_two_days_is_a_record_of_its_own(layout: Layout) -> None:
    """The window is the same day and the days beside it, by receive date."""
    send(layout, traces(1))
    send(layout, traces(1), received_ns=NOON_NS + 2 * DAY_NS)
    drain(layout)
    assert stored(layout)["evidence"]["duplicate_of"].to_list() == [None] * 4


class Killed(BaseException):
    """Stands for kill -9: nothing in the program catches it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int, *, after: bool) -> None:
    """Die at a call of a function, before it does anything or when it has done it."""
    real = getattr(owner, name)
    calls = iter(range(1, 10_000))

    def failpoint(*arguments: object, **named: object) -> object:
        number = next(calls)
        if number == call and not after:
            raise Killed
        result = real(*arguments, **named)
        if number == call:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, failpoint)


STAGES = [
    *((TableWriter, "append", call) for call in (1, 3, 4, 5, 6)),
    *((parquet, "write", call) for call in (3, 4)),
    *((TableWriter, "_name", call) for call in (3, 4, 5)),
    (wal_reader, "retire", 1),
    (quarantine, "keep", 1),
    *((LedgerLog, "append", call) for call in (1, 2, 4)),
    *((durable, "sync_data", call) for call in (1, 3)),
]
ONE_FRAME = DrainOptions(batch_bytes=1)


@pytest.fixture(scope="module")
def waiting(empty: Layout) -> Layout:
    """A store with a WAL of five frames: a resend, logs, and one that cannot be split."""
    layout = Layout(empty.data.with_name("waiting"))
    shutil.copytree(empty.data, layout.data)
    send(layout, traces(1), traces(1), traces(2))
    send(layout, logs(3), traces(4)[:-1], signal="logs")
    return layout


@pytest.fixture(scope="module")
def expected(waiting: Layout) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """Rows and findings of the same store after a drain that nobody killed."""
    layout = Layout(waiting.data.with_name("expected"))
    shutil.copytree(waiting.data, layout.data)
    drain(layout, ONE_FRAME)
    return stored(layout), [finding.code for finding in fsck(layout)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "name", "call"), STAGES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_drain_killed_at_any_stage_is_finished_by_the_next(
    waiting: Layout,
    expected: tuple[dict[str, pl.DataFrame], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    call: int,
    after: bool,
) -> None:
    """The tables end up as those of a drain that nobody killed, and a reader in between sees whole frames only."""
    layout = Layout(tmp_path / "data")
    shutil.copytree(waiting.data, layout.data)
    kill_at(monkeypatch, owner, name, call, after=after)
    draining = Drain(layout, ONE_FRAME)
    with pytest.raises(Killed):
        draining.once()
    draining.close()
    monkeypatch.undo()
    between = stored(layout)
    assert set(between["spans"]["seq"]) <= set(between["evidence"]["seq"])
    drain(layout, ONE_FRAME)
    rows, codes = expected
    for table, frame in stored(layout).items():
        # A resource more than once does no harm.
        assert_frame_equal(frame.unique(maintain_order=True), rows[table])
    assert [finding.code for finding in fsck(layout)] == codes
    # The one that cannot be split has no rows.
    assert_covered(layout, requests=4)


def assert_covered(layout: Layout, requests: int) -> None:
    """The ledger has so many requests, with all their rows as they are, and speaks of nothing twice."""
    seal(layout)
    report = verify(layout, Asked(patience_s=0))
    # What could not be read is told of, once.
    assert [finding.code for finding in report.findings if finding.code != "put_aside"] == []
    rows = {table: frame.height for table, frame in stored(layout).items() if table in SEQUENCED}
    assert (report.requests, report.records, report.rows) == (requests, rows["evidence"], sum(rows.values()))
    assert len({finding.where for finding in report.findings}) == len(report.findings)


def test_offering_rows_twice_would_double_them(layout: Layout) -> None:
    """The negative control of the test above: a drain that forgets what is stored fails it."""
    send(layout, traces(1))
    with Drain(layout) as draining:
        draining.once()
        for table in draining._tables.values():
            table._stored = {}
        draining._logs.clear()
        draining.once()
    assert len(places(layout, "spans")) == 4
    assert {"span_twice", "evidence_rows"} <= {finding.code for finding in fsck(layout)}


def test_a_store_has_one_drain(layout: Layout) -> None:
    """A reader that would drain first goes on without."""
    send(layout, traces(1))
    with Drain(layout):
        with pytest.raises(Unavailable, match="another process drains"):
            Drain(layout)
        catch_up(layout.data)
        assert places(layout, "spans") == []
    catch_up(layout.data)
    assert len(places(layout, "spans")) == 2


def test_a_reader_of_no_store_is_told_so(tmp_path: Path) -> None:
    """And nothing is made."""
    with pytest.raises(Invalid, match="no store"):
        catch_up(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_no_dialect_can_read_is_kept_and_told_of(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are evidence, the records around it have rows, and its content stands in no message."""

    def read(record: object, *more: int) -> object:
        if isinstance(record, Span) and record.trace_id == "0" * 31 + "2":
            raise KeyError("the secret of the record")
        return rows.rows_of(record, *more)  # type: ignore[arg-type] # what the drain passes

    monkeypatch.setattr(reading, "rows_of", read)
    send(layout, traces(1), traces(2), traces(3))
    with Drain(layout) as draining:
        report = draining.once()
    assert report.findings == [Finding("record_unreadable", "warning", "evidence main/2/0,1", "raised KeyError")]
    assert len(places(layout, "evidence")) == 6
    assert places(layout, "spans") == [("main", seq, index) for seq in (1, 3) for index in (0, 1)]
    assert {(found.code, found.severity) for found in fsck(layout)} == {("record_unreadable", "warning")}


def chat(number: int, calls: int) -> SpanMessage:
    """A span of a model call that proposes tool calls in one text."""
    parts = [{"type": "tool_call", "id": f"call_{number}_{part}", "name": "x"} for part in range(calls)]
    span = TracesData().resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, name="chat")
    span.span_id = bytes([number]) * 8
    told = json.dumps([{"role": "assistant", "parts": parts}])
    for key, value in (("gen_ai.operation.name", "chat"), ("gen_ai.output.messages", told)):
        span.attributes.add(key=key).value.string_value = value
    return span


def test_a_request_spreads_into_so_many_events_and_is_kept_whole(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that tells of too many for its bytes says how many have no rows; those beside it have all of theirs."""
    monkeypatch.setattr(opened, "EVENTS_PER_REQUEST", 20)
    spans = [chat(1, 40), chat(2, 4), chat(3, 40)]
    sent = TracesData()
    sent.resource_spans.add().scope_spans.add().spans.extend(spans)
    payload = sent.SerializeToString()
    send(layout, payload, records=3)
    send(layout, traces(2))
    drain(layout)
    found = stored(layout)
    assert found["evidence"]["record"].to_list()[:3] == [span.SerializeToString() for span in spans]
    rows = 20 * spans[0].ByteSize() // len(payload)
    assert rows == 9
    cut = f'["cut_events:{40 - rows}"]'
    assert found["evidence"]["flags"].to_list() == [cut, None, cut, None, None]
    assert found["spans"]["flags"].to_list() == [cut, None, cut, None, None]
    assert found["events"].select("seq", "index", "call_id", "flags").rows() == [
        *((1, 0, f"call_1_{part}", cut) for part in range(rows)),
        *((1, 1, f"call_2_{part}", None) for part in range(4)),
        *((1, 2, f"call_3_{part}", cut) for part in range(rows)),
        *((2, index, f"call_2_{index}", None) for index in (0, 1)),
    ]
    assert fsck(layout) == []


@pytest.mark.parametrize("value", [2**63, "text", b"bytes", [1]])
def test_a_row_that_fits_no_column_does_not_take_others_with_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    """One poisoned value in a batch of good ones."""

    def read(record: Span, *more: int) -> object:
        made = rows.rows_of(record, *more)
        if record.trace_id == "0" * 31 + "2":
            at = rows.WHO.index("input_tokens")
            return made._replace(who=(*made.who[:at], value, *made.who[at + 1 :]))
        return made

    monkeypatch.setattr(reading, "rows_of", read)
    send(layout, traces(1), traces(2), traces(3))
    drain(layout)
    assert places(layout, "spans") == [("main", seq, index) for seq in (1, 3) for index in (0, 1)]
    assert {found.code for found in fsck(layout)} == {"record_unreadable"}


def test_a_damaged_frame_is_put_aside_and_the_others_are_stored(layout: Layout) -> None:
    """Its bytes stay in quarantine when the segment retires, and fsck says that its records are missing."""
    send(layout, traces(1), traces(2), traces(3))
    send(layout, traces(4))
    path = segments(layout.wal("main"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    drain(layout)
    assert {seq for _, seq, _ in places(layout, "spans")} == {1, 3, 4}
    assert not path.exists()
    (kept,) = layout.quarantine.glob("frame_damaged-*.bin")
    assert kept.read_bytes() in bytes(content)
    assert {"evidence_missing", "frame_damaged", "sequence_gap"} <= {found.code for found in fsck(layout)}


def test_a_damaged_commit_stops_the_drain(layout: Layout) -> None:
    """Taking it away could lose its rows, or those of another receiver after it: a person must put it back."""
    send(layout, traces(1))
    send(layout, traces(2))
    drain(layout)
    send(layout, traces(3))
    commit = max((layout.tables_folder / "spans" / "_delta_log").glob("*.json"))
    whole = commit.read_bytes()
    commit.write_bytes(whole[:-20])
    with pytest.raises(Corrupt, match="put it back"):
        Drain(layout)
    commit.write_bytes(whole)
    drain(layout)
    assert fsck(layout) == []


def test_a_lost_wal_never_gives_a_seq_a_second_meaning(layout: Layout) -> None:
    """The next writer goes on behind what the tables hold; fsck says that the chain broke."""
    send(layout, traces(1), traces(2))
    drain(layout)
    for path in segments(layout.wal("main")):
        path.unlink()
    assert {found.code for found in fsck(layout)} == {"wal_missing"}
    send(layout, traces(3))
    drain(layout)
    assert {seq for _, seq, _ in places(layout, "spans")} == {1, 2, 3}
    assert {found.code for found in fsck(layout)} == {"chain_broken"}


def test_a_disk_that_is_full_is_waited_out(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drain says so, and the next turn stores what was left."""
    send(layout, traces(1), traces(2))
    real, refusals = durable.write_all, [errno.ENOSPC, None, errno.ENOSPC, None]

    def full(fd: int, content: bytes, offset: int) -> None:
        code = refusals.pop() if refusals else None
        if code:
            raise OSError(code, os.strerror(code))
        real(fd, content, offset)

    with Drain(layout) as draining:
        monkeypatch.setattr(durable, "write_all", full)
        for _ in range(2):
            with pytest.raises(Unavailable, match="No space left"):
                draining.once()
        draining.once()
    assert len(places(layout, "spans")) == 4
    assert fsck(layout) == []


def test_what_is_acknowledged_is_soon_queryable(layout: Layout) -> None:
    """While requests keep coming, and with everything at the end."""
    stop = threading.Event()
    with Drain(layout) as draining:
        thread = threading.Thread(target=draining.follow, args=(stop, 0.01))
        thread.start()
        try:
            for number in range(1, 6):
                send(layout, traces(number))
                deadline = time.monotonic() + 10
                while len(places(layout, "spans")) < 2 * number:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            send(layout, traces(6))
        finally:
            stop.set()
            thread.join(10)
    assert len(places(layout, "spans")) == 12
    assert [path.name[:20].lstrip("0") for path in segments(layout.wal("main"))] == ["6"]


def test_many_small_commits_are_folded(layout: Layout) -> None:
    """Nothing is lost or doubled on the way, files go after their hour, and duplicates are still known."""
    for number in range(1, 8):
        send(layout, traces(number))
        drain(layout, DrainOptions(fold_at=3))
    with Drain(layout) as draining:
        assert draining._tables["spans"].small_files <= 4
    assert len(places(layout, "spans")) == 14
    send(layout, traces(1))
    drain(layout)
    assert len(places(layout, "spans")) == 14
    assert fsck(layout) == []


def test_nothing_is_committed_before_it_is_durable(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """WAL, then each file and its folder, then each commit and its folder, then the ledger, then the segment goes."""
    send(layout, traces(1))
    send(layout, traces(2))
    steps: list[str] = []

    def watch(owner: object, name: str, describe: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def call(*arguments: object, **named: object) -> object:
            result = real(*arguments, **named)
            steps.append(describe(*arguments))
            return result

        monkeypatch.setattr(owner, name, call)

    with Drain(layout) as draining:
        watch(durable, "sync_file", lambda path: f"sync {path.suffix}")
        watch(os, "fsync", lambda fd: f"fsync {Path(f'/proc/self/fd/{fd}').readlink().suffix or 'folder'}")
        watch(os, "fdatasync", lambda fd: f"fdatasync {Path(f'/proc/self/fd/{fd}').readlink().suffix}")
        watch(os, "link", lambda _, target: f"link {target.suffix}")
        watch(Path, "unlink", lambda path: f"unlink {path.suffix}")
        draining.once()
    parquet_file = ["fsync .parquet", "fsync folder", "fsync folder"]
    commit = ["fsync .new", "link .json", "unlink .new", "fsync folder"]
    shape = steps
    assert shape[:4] == ["fsync .wal", "sync .wal", "fsync .wal", "sync .wal"]
    table = [step for step in shape[4:-2] if step != "fsync folder"]
    tables = [step for _ in range(5) for step in (*parquet_file, *commit) if step != "fsync folder"]
    # Where the ledger begins for the receiver, before anything of it is stored; and then what was.
    assert table == ["fdatasync .open", *tables, "fdatasync .open"]
    assert shape[-2:] == ["unlink .wal", "fsync folder"]
