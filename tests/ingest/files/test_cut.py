"""Files that end too early or hold what no number counts: all that stands before is read."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any, Final

import pytest

from aftertrace.ingest import files
from aftertrace.ingest.files.times import time_ns
from aftertrace.ingest.otlp_json import REQUESTS
from aftertrace.store.errors import Invalid

OBSERVATIONS: Final = 3_000
CUT_BYTES: Final = 200


def records_and_error(path: Path) -> tuple[int, str]:
    """How many records a file gives, and what is then said of it."""
    records = 0
    try:
        with files.opened(path) as source:
            for item in files.read(source):
                assert isinstance(item, files.Item), item
                told: Any = REQUESTS[item.signal].FromString(item.body)
                if item.signal == "traces":
                    records += sum(len(scope.spans) for held in told.resource_spans for scope in held.scope_spans)
                else:
                    records += sum(len(scope.log_records) for held in told.resource_logs for scope in held.scope_logs)
    except Invalid as error:
        return records, str(error).removeprefix(f"read {path}")
    return records, ""


def test_a_list_that_is_cut_gives_what_is_whole_of_it(tmp_path: Path) -> None:
    """An export of Langfuse whose last observation is not whole: all before it are spans."""
    observation = {"traceId": "t", "type": "SPAN", "startTime": "2026-01-01T00:00:00Z", "name": "n" * 300}
    path = tmp_path / "export.json"
    path.write_bytes(json.dumps([observation | {"id": str(n)} for n in range(OBSERVATIONS)]).encode()[:-CUT_BYTES])
    assert records_and_error(path) == (OBSERVATIONS - 1, ":1: the JSON ends before it is whole")


def test_a_gzipped_session_that_is_cut_gives_what_can_be_inflated(tmp_path: Path) -> None:
    """Its lines before the cut are records, though no request was full yet."""
    noise = random.Random(7)
    lines = [
        {"sessionId": "s", "uuid": str(n), "type": "user", "message": {"role": "user", "content": noise.random()}}
        for n in range(9_000)
    ]
    whole = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
    path = tmp_path / "session.jsonl.gz"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    records, error = records_and_error(path)
    # What the inflating reads ahead is lost with the cut, and no more.
    assert records > len(lines) // 2
    assert error.startswith(": the gzip file is damaged or cut short")


def test_messages_that_wait_for_the_model_are_not_lost_with_the_end_of_their_file(tmp_path: Path) -> None:
    """In a list of messages, of which it is not known yet which conversation it is."""
    path = tmp_path / "log.json"
    path.write_text('[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"ass')
    assert records_and_error(path) == (2, ":1: the JSON ends before it is whole")


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59Z", 99_999_999_999.0, 99_999_999_999, 2**63 - 1, 1e300])
def test_a_time_that_no_64_bits_count_is_none(tmp_path: Path, value: Any) -> None:
    """Its record is kept without one, in an attribute too; the last that is counted is in April 2262."""
    assert (time_ns(value), time_ns("2262-04-11T23:47:16Z"), time_ns(9_223_372_036)) == (
        0,
        *[9_223_372_036 * 10**9] * 2,
    )
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"role": "assistant", "content": "x", "timestamp": value}) + "\n")
    assert records_and_error(path) == (1, "")
