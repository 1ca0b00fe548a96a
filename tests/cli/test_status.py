"""`status`: it receives, it keeps up, and what was lost is counted by who lost it."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .conftest import Command
from .served import serving, until


def lost_in_part(number: int, name: str = "") -> bytes:
    """A span with a parent that never comes, whose sender dropped attributes and events."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=(9).to_bytes(8, "big"),
        dropped_attributes_count=3,
        dropped_events_count=2,
        end_time_unix_nano=1,
        name=name,
    )
    return request.SerializeToString()


def test_what_was_taken_and_what_was_lost_is_told(aftertrace: Command, tmp_path: Path) -> None:
    """While `serve` runs, and after it has ended."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        sent = (lost_in_part(1, "a"), lost_in_part(1, "a"), lost_in_part(1, "b"), b"\xff")
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
        "records": 2,
        "resent": 1,
        "conflicts": 1,
        "dropped": 10,
        "spans_without_parent": 2,
    }
    (refused,) = found["refused"]
    assert {**refused, "day": None} == {
        "day": None,
        "source": "anonymous",
        "signal": "traces",
        "http_status": 400,
        "requests": 1,
    }
    lines = aftertrace("status", "--data", data).out.splitlines()
    assert lines[0] == "serving      nobody; `aftertrace serve` receives"
    assert lines[1].startswith("log          receiver: 3 accepted, all in the tables; ")
    assert lines[3] == "quarantine   empty"
    assert lines[4] == f"refused      1 of anonymous with 400, since {refused['day']}"


def test_an_empty_store_has_lost_nothing(aftertrace: Command, tmp_path: Path) -> None:
    """And no store at all is said in one line."""
    assert aftertrace("status", "--data", tmp_path / "none").err.startswith("error: open ")
    aftertrace("source", "add", "ci", "--data", tmp_path / "data")
    ended = aftertrace("status", "--data", tmp_path / "data")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "refused      nothing")
