"""`doctor`: what was understood, what was not, and what to switch on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from aftertrace.cli.unread import NAME_CHARACTERS, log_name

from .conftest import RECORDINGS, Command

STRANGER: Final = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop\u202e"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "shop.http"},
                    "spans": [
                        {
                            "traceId": f"{number:032x}",
                            "spanId": f"{number:016x}",
                            "name": "GET /cart\x1b[2J",
                            "startTimeUnixNano": str(number),
                            "endTimeUnixNano": str(number + 1),
                        }
                        for number in (1, 2)
                    ],
                }
            ],
        }
    ]
}


def examined(aftertrace: Command, data: Path) -> list[dict[str, Any]]:
    """What `doctor --format json` says."""
    ended = aftertrace("doctor", "--data", data, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def test_each_emitter_is_told_what_is_known_of_its_runs(aftertrace: Command, tmp_path: Path) -> None:
    """A recording without prompts: what is hidden, and by which switch it would be there."""
    data = tmp_path / "data"
    assert aftertrace("import", RECORDINGS / "claude-code.deny_rule.jsonl", "--data", data).code == 0
    (found,) = examined(aftertrace, data)
    assert {name: found[name] for name in ("emitter", "records", "runs", "judged_runs", "calls")} == {
        "emitter": "claude-code",
        "records": {"logs": 8, "traces": 11},
        "runs": 1,
        "judged_runs": 1,
        "calls": 3,
    }
    assert found["answers"]["agent"] == {"known": 1, "partial": 0, "remedy": ""}
    assert found["answers"]["system_prompt"] == {
        "known": 0,
        "partial": 0,
        "remedy": "switch on: OTEL_LOG_RAW_API_BODIES=1",
    }
    assert sum(found["unread_names"]["logs"].values()) == found["unread"]["logs"]
    told = aftertrace("doctor", "--data", data).out
    assert "  system prompt  known of 0 of 1; switch on: OTEL_LOG_RAW_API_BODIES=1\n" in told


def test_what_nobody_understands_is_counted_and_named(aftertrace: Command, tmp_path: Path) -> None:
    """Kept as it came; its names are hostile text like any other. A copy that came twice counts once."""
    data = tmp_path / "data"
    file = tmp_path / "stranger.jsonl"
    file.write_text(f"{json.dumps(STRANGER)}\n{json.dumps(STRANGER)}\n")
    assert aftertrace("import", file, "--data", data).code == 0
    (found,) = examined(aftertrace, data)
    assert (found["emitter"], found["records"], found["unread"], found["runs"]) == (
        "any-otel",
        {"traces": 2},
        {"traces": 2},
        0,
    )
    assert found["unread_names"] == {"traces": {"GET /cart\x1b[2J": 2}}
    assert aftertrace("doctor", "--data", data).out == (
        "any-otel: any program with an OpenTelemetry SDK\n"
        "  heard as       shop\\u202e (shop.http)\n"
        "  traces         2, of them 0 understood; kept and not read: GET /cart\\x1b[2J ×2\n"
        "  runs           none: nothing of it tells of an agent\n"
    )


def test_a_signal_that_never_came_is_missed(aftertrace: Command, tmp_path: Path) -> None:
    """The commonest mistake: half of the switches."""
    data = tmp_path / "data"
    recording = RECORDINGS / "claude-code.headless_default_logs_only.jsonl"
    assert aftertrace("import", recording, "--data", data).code == 0
    told = aftertrace("doctor", "--data", data).out
    assert "  traces         none came; `aftertrace connect claude-code` prints the switches\n" in told


def test_an_empty_store_says_how_to_begin(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """And a folder that is no store is an error."""
    data = tmp_path / "data"
    file = tmp_path / "nothing.jsonl"
    file.write_text('{"resourceSpans": []}\n')
    assert aftertrace("import", file, "--data", data).code == 0
    assert aftertrace("doctor", "--data", data).out.startswith("nothing was received yet; `aftertrace connect")
    assert aftertrace("doctor", "--data", tmp_path / "nowhere").code == 2
    shutil.copytree(store, tmp_path / "broken")
    for damaged in (tmp_path / "broken" / "tables" / "evidence").rglob("received_date=*/*.parquet"):
        damaged.unlink()
    ended = aftertrace("doctor", "--data", tmp_path / "broken")
    assert (ended.code, ended.err.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (
            LogRecord(
                event_name="event src/lib.rs:12",
                attributes=[KeyValue(key="event.name", value=AnyValue(string_value="codex.x"))],
            ),
            "codex.x",
        ),
        (LogRecord(event_name="gen_ai.choice", body=AnyValue(string_value="text")), "gen_ai.choice"),
        (LogRecord(body=AnyValue(string_value="first\nsecond " + "x" * 99)), "first second " + "x" * 47),
        (LogRecord(), "unnamed"),
        (LogRecord(body=AnyValue(string_value=" \n")), "unnamed"),
    ],
)
def test_a_log_record_is_named_by_the_best_that_it_says(record: LogRecord, name: str) -> None:
    """An event name that is a line of source code is worse than the attribute."""
    assert log_name(record.SerializeToString()) == name


@given(st.text(), st.text())
def test_names_stay_short_and_on_one_line(event_name: str, body: str) -> None:
    """Whatever was sent."""
    record = LogRecord(
        event_name=event_name.encode("utf-8", "ignore").decode(),
        body=AnyValue(string_value=body.encode("utf-8", "ignore").decode()),
    )
    name = log_name(record.SerializeToString())
    assert (0 < len(name) <= NAME_CHARACTERS, "\n" in name) == (True, False)
