"""Two records of one id, from the wire to the tables: what repeats is shown once, what contradicts is kept and told."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from aftertrace.ingest import evidence, same_ids
from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.ingest.evidence import Evidence
from aftertrace.ingest.same_ids import SameIds
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout
from aftertrace.store.request import Prepared, Request
from aftertrace.store.schema import EVIDENCE
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import TableWriter, write
from aftertrace.store.wal import WalWriter

from .drain_samples import DAY_NS, NOON_NS, SMALL, drain, stored

ONE_FRAME = DrainOptions(batch_bytes=1)


def span(tool: str | None = None, *, end: int = 9, number: int = 1, **attributes: str) -> bytes:
    """A request with a tool span."""
    data = TracesData()
    sent = (
        data.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"), start_time_unix_nano=1, end_time_unix_nano=end
        )
    )
    named = {"gen_ai.operation.name": "execute_tool"} | ({"gen_ai.tool.name": tool} if tool else {})
    for key, value in (named | attributes).items():
        sent.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


def log(uid: str, decision: str) -> bytes:
    """A request with a log record that has an id of its own."""
    data = LogsData()
    resource = data.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "claude-code"
    record = resource.scope_logs.add().log_records.add(time_unix_nano=NOON_NS)
    for key, value in (
        ("event.name", "tool_decision"),
        ("log.record.uid", uid),
        ("tool_name", "Bash"),
        ("tool_use_id", "toolu_1"),
        ("decision", decision),
        ("source", "user_reject"),
    ):
        record.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


def send(layout: Layout, *payloads: bytes, signal: Any = "traces", source: str = "ci", day: int = 0) -> None:
    """Write requests into the WAL."""
    with WalWriter(layout, "main", SMALL) as writer:
        for payload in payloads:
            request = Request(signal, "protobuf", payload, source, NOON_NS + day * DAY_NS)
            writer.append(request, Prepared(payload, 1, b"", (), "sha256:policy")).result(5)


def flags(layout: Layout, table: str = "evidence") -> list[str | None]:
    """What each record of a table is flagged with, if with one thing."""
    return [None if told is None else ",".join(json.loads(told)) for told in stored(layout)[table]["flags"]]


def codes(layout: Layout) -> list[tuple[str, str, str]]:
    """What fsck says."""
    return [(finding.severity, finding.code, finding.where) for finding in fsck(layout)]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_span_may_end_and_not_say_otherwise_after_that(layout: Layout, restarts: bool) -> None:
    """Each telling is compared with the last that stood, also over restarts, and every one is kept."""
    tellings = (
        span(end=0),
        span("read"),
        span("read"),
        span("delete"),
        span("write", path="/"),
        span("read", path="/"),
    )
    for telling in tellings:
        send(layout, telling)
        if restarts:
            drain(layout, ONE_FRAME)
    drain(layout)
    wanted = [
        None,
        "continues:main/1/0",
        None,
        "conflicts_with:main/2/0",
        "conflicts_with:main/2/0",
        "continues:main/2/0",
    ]
    assert flags(layout) == wanted
    kept = stored(layout)["evidence"]
    assert kept["duplicate_of"].to_list() == [None, None, "main/2/0", None, None, None]
    assert kept["record_id"].n_unique() == 2, "one id, and none for a copy that is not looked into"
    shown = [flag for seq, flag in enumerate(wanted, start=1) if seq != 3]
    assert flags(layout, "spans") == shown
    assert flags(layout, "events") == shown
    assert codes(layout) == [
        ("warning", "record_conflict", "evidence main/4/0"),
        ("warning", "record_conflict", "evidence main/5/0"),
    ]


def test_the_same_in_other_bytes_is_a_duplicate(layout: Layout) -> None:
    """A Collector that sorts attributes, and the sender's own resend of either form."""
    one, other = span("read", a="1", b="2"), span("read", b="2", a="1")
    send(layout, one, other, one, other)
    drain(layout)
    send(layout, other)
    drain(layout)
    assert stored(layout)["evidence"]["duplicate_of"].to_list() == [
        None,
        "main/1/0",
        "main/1/0",
        "main/2/0",
        "main/2/0",
    ]
    assert len(stored(layout)["spans"]) == 1
    assert fsck(layout) == []


def test_log_records_with_an_id_are_held_to_it(layout: Layout) -> None:
    """Those without one are told apart by their bytes alone."""
    send(layout, log("a", "reject"), log("a", "accept"), log("b", "accept"), signal="logs")
    drain(layout)
    assert flags(layout) == [None, "conflicts_with:main/1/0", None]
    assert set(flags(layout, "events")) == {None, "conflicts_with:main/1/0"}


def test_ids_of_two_tenants_never_meet(layout: Layout) -> None:
    """One must not be able to put a flag on what another sends; sources of one tenant vouch for each other."""
    send(layout, span("read"), source="acme/a")
    send(layout, span("delete"), source="other/a")
    send(layout, span("write"), source="acme/b")
    drain(layout)
    assert flags(layout) == [None, None, "conflicts_with:main/1/0"]


def test_the_window_is_the_day_and_those_beside_it(layout: Layout) -> None:
    """As with duplicates: at least 24 hours."""
    for day in (0, 1, 3):
        send(layout, span(f"tool {day}"), day=day)
    drain(layout)
    assert flags(layout) == [None, "conflicts_with:main/1/0", None]


def test_what_is_compared_is_read_from_the_days_of_the_window_alone(layout: Layout) -> None:
    """However many other days hold records of the same numbers."""
    send(layout, span("old"), day=0)
    send(layout, span("new"), day=4)
    drain(layout)
    told, places = Evidence(Snapshot.of(layout.data).scan), [("main", 1, 0), ("main", 2, 0)]
    assert {day: list(told._records(date(2025, 11, day), places)) for day in range(23, 31)} == {
        23: [],
        **dict.fromkeys((24, 25, 26), places[:1]),
        27: [],
        **dict.fromkeys((28, 29, 30), places[1:]),
    }


def test_a_restart_finds_the_last_that_stood(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the day is read: a part of it after the other, and the rows of each part in any order."""
    monkeypatch.setattr(evidence, "MEMORY_ROWS", 1)
    tellings = (span(end=0), span("read"), span("read", a="1"), span("read", a="1", b="2"))
    send(layout, *tellings, span(number=2, end=0), span("read", number=2))
    drain(layout)
    send(layout, span("read", b="3"), span("delete", number=2))
    drain(layout)
    assert flags(layout)[-2:] == ["conflicts_with:main/4/0", "conflicts_with:main/6/0"]


@pytest.mark.parametrize("limit", ["FETCHED_FRAMES", "FETCHED_BYTES"])
def test_there_is_an_end_to_what_is_read_back(layout: Layout, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """What was not compared is neither called a conflict nor passed over."""
    if limit == "FETCHED_FRAMES":
        monkeypatch.setattr(same_ids, limit, 1)
    else:
        monkeypatch.setattr(evidence, limit, 120)
    send(layout, span("read", number=1), span("read", number=2, path="/tmp"))
    drain(layout)
    send(layout, span("delete", number=1), span("delete", number=2))
    drain(layout)
    assert sorted(filter(None, flags(layout))) == ["conflicts_with:main/1/0", "same_id_as:main/2/0"]


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("table", ["spans", "events"])
def test_what_was_said_in_evidence_is_said_again_after_a_crash(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Even where the drain would now judge otherwise: all tables say the same of a record."""
    send(layout, span("read"), span("delete"), span("read", x="1"))
    append = TableWriter.append

    def dying(writer: TableWriter, *arguments: Any) -> None:
        if writer.name == table:
            raise Killed
        append(writer, *arguments)

    with monkeypatch.context() as broken:
        broken.setattr(TableWriter, "append", dying)
        with pytest.raises(Killed), Drain(layout) as draining:
            draining.once()
    with monkeypatch.context() as broken:
        broken.setattr(SameIds, "relate", lambda _, __, told, ___: [None] * len(told))
        drain(layout)
    said = [None, "conflicts_with:main/1/0", "continues:main/1/0"]
    assert (flags(layout), flags(layout, "spans"), flags(layout, "events")) == (said, said, said)


def test_without_ids_nobody_would_see_it(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same stories, and no flag, two rows of one record: what these tests would show of a drain that looks not."""
    monkeypatch.setattr(SameIds, "relate", lambda _, __, told, ___: [None] * len(told))
    send(layout, span("read", a="1", b="2"), span("read", b="2", a="1"), span("delete"))
    drain(layout)
    assert flags(layout) == [None] * 3
    assert len(stored(layout)["spans"]) == 3
    assert fsck(layout) == []


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(1, 2), st.sampled_from(["read", "delete", None]), st.sampled_from([0, 8, 9]), st.booleans()
        ),
        min_size=2,
        max_size=8,
    )
)
def test_batches_and_restarts_change_nothing(
    empty: Layout, tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, str | None, int, bool]]
) -> None:
    """Frame by frame with restarts between, or all at once."""
    found = []
    for one_by_one in (False, True):
        layout = Layout(tmp_path_factory.mktemp("case") / "data")
        shutil.copytree(empty.data, layout.data)
        for number, tool, end, restart in told:
            send(layout, span(tool, end=end, number=number))
            if one_by_one and restart:
                drain(layout, ONE_FRAME)
        drain(layout)
        found.append(stored(layout)["evidence"].select("seq", "duplicate_of", "flags", "record_id").rows())
        assert {code for severity, code, _ in codes(layout) if severity == "error"} == set()
    assert found[0] == found[1]


def test_a_flag_that_points_at_another_id_is_found(layout: Layout) -> None:
    """Somebody who can make digests fit could otherwise move a conflict elsewhere."""
    send(layout, span("read"), span("delete"), span("read", number=2))
    drain(layout)
    writer = TableWriter(layout, "evidence")
    rows = stored(layout)["evidence"].with_columns(pl.col("flags").str.replace("main/1/0", "main/3/0"))
    paths = [
        str(path.relative_to(layout.tables_folder / "evidence"))
        for path in (layout.tables_folder / "evidence").glob("*/*.parquet")
    ]
    files = write(layout, "evidence", rows.to_arrow().cast(EVIDENCE), "main")
    writer.rearrange(paths, rows["received_date"][0], files)
    assert ("error", "record_relation", "evidence main/2/0") in codes(layout)
