"""`status`: it receives, it keeps up, and what was lost is counted by who lost it."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .conftest import Command
from .served import serving, until


def lost_in_part(name: str) -> bytes:
    """An agent's root, and a span whose parent never comes, sampled, whose sender dropped attributes and events."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number, parent in ((1, 0), (2, 9)):
        span = spans.add(
            trace_id=b"t" * 16,
            span_id=number.to_bytes(8, "big"),
            parent_span_id=parent.to_bytes(8, "big") if parent else b"",
            trace_state="ot=th:8",
            dropped_attributes_count=3 * parent,
            dropped_events_count=parent,
            start_time_unix_nano=1,
            end_time_unix_nano=2,
            name=name if parent else "root",
        )
        if not parent:
            span.attributes.add(key="gen_ai.operation.name").value.string_value = "invoke_agent"
            span.attributes.add(key="password").value.string_value = "hunter2-CANARY"
    return request.SerializeToString()


def test_what_was_taken_and_what_was_lost_is_told(aftertrace: Command, tmp_path: Path) -> None:
    """While `serve` runs, and after it has ended."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        sent = (lost_in_part("a"), lost_in_part("a"), lost_in_part("b"), b"\xff")
        assert [served.send("traces", body) for body in sent] == [200, 200, 200, 400]
        found = {}

        def kept() -> bool:
            found.update(json.loads(aftertrace("status", "--data", data, "--format", "json").out))
            return bool(found["refused"]) and found["store"]["logs"][0]["stored_seq"] == 3

        until(kept)
        assert found["serving"]["http"] == served.ready["http"]
    (log,) = found["store"]["logs"]
    assert (log["receiver"], log["accepted_seq"], log["stored_seq"]) == ("receiver", 3, 3)
    (source,) = found["sources"]
    first_ns, last_ns = source.pop("first_ns"), source.pop("last_ns")
    assert first_ns < last_ns
    assert source == {
        "source": "anonymous",
        "tenant": None,
        "requests": 3,
        "records": 3,
        "resent": 3,
        "conflicts": 1,
        "redacted": 3,
    }
    assert found["redacted"]["rules"] == {"password-field": 3}
    line = next(line for line in aftertrace("status", "--data", data).out.splitlines() if line.startswith("redacted"))
    assert line == "redacted     3 values in 3 requests: password-field 3"
    (refused,) = found["refused"]
    assert {**refused, "day": None} == {
        "day": None,
        "source": "anonymous",
        "signal": "traces",
        "http_status": 400,
        "requests": 1,
    }
    assert [{**lost, "first_day": None, "last_day": None} for lost in found["losses"]] == [
        {"source": "anonymous", "kind": kind, "count": count, "unit": unit, "certainty": certainty}
        | {"first_day": None, "last_day": None}
        for kind, count, unit, certainty in (
            ("refused", 1, "requests", "at_least"),
            ("dropped_attributes", 54, "attributes", "at_least"),
            ("dropped_events", 18, "events", "at_least"),
            ("missing_parents", 1, "spans", "at_least"),
            ("sampled_traces", 1, "traces", "estimate"),
        )
    ]
    asked = "select kind, source, count from losses where day is not null and kind like 'dropped%' order by kind"
    rows = [json.loads(row) for row in aftertrace("sql", asked, "--data", data, "--format", "json").out.splitlines()]
    assert rows == [
        {"kind": "dropped_attributes", "source": "anonymous", "count": 54},
        {"kind": "dropped_events", "source": "anonymous", "count": 18},
    ]
    listed = aftertrace("losses", "--data", data).out
    assert [kind for kind in ("refused", "missing_parents", "sampled_traces") if kind not in listed] == []
    fsck = aftertrace("fsck", "--data", data, "--format", "json")
    assert (fsck.code, json.loads(fsck.out)["code"]) == (0, "record_conflict")
    (run,) = (json.loads(row) for row in aftertrace("runs", "--data", data, "--format", "json").out.splitlines())
    assert (run["missing"], run["signals"]) == (1, ["conflicting_records"])
    assert "control failure: conflicting_records×1" in aftertrace("run", "last", "--data", data).out
    status = aftertrace("status", "--data", data).out
    assert ("redacted" in status, "CANARY" in status) == (True, False)
    lines = status.splitlines()
    assert lines[0] == "serving      nobody; `aftertrace serve` receives"
    assert lines[1].startswith("log          receiver: 3 accepted, all in the tables; ")
    assert lines[3] == "quarantine   empty"
    assert lines[4] == f"refused      1 of anonymous with 400, since {refused['day']}"
    assert lines[lines.index("lost") + 2].split()[:5] == ["anonymous", "refused", "1", "requests", "at_least"]


def test_an_empty_store_has_lost_nothing(aftertrace: Command, tmp_path: Path) -> None:
    """And no store at all is said in one line."""
    assert aftertrace("status", "--data", tmp_path / "none").err.startswith("error: open ")
    aftertrace("source", "add", "ci", "--data", tmp_path / "data")
    ended = aftertrace("status", "--data", tmp_path / "data")
    assert (ended.code, ended.out.splitlines()[-3:]) == (
        0,
        ["refused      nothing", "redacted     nothing", "retention    not run by itself; see `retention.every_hours`"],
    )
