"""Large content by reference, sent and through kill -9: none of it in clear, and no reference without its blob."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from pathlib import Path

import pytest
from tests.ingest.referring import CANARY, spans_of, tool_call

from aftertrace.ingest.by_reference import GivingBack
from aftertrace.store.folder import read_store_key
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import verify

from .served import serving, until
from .test_canaries import held

ROUNDS = 3
GONE = (OSError, http.client.HTTPException)


def result(number: int) -> str:
    """A content that nobody else has."""
    return f"{CANARY} {number} " * 30


@pytest.mark.slow
def test_what_was_acknowledged_can_be_read_and_lies_nowhere_in_clear(tmp_path: Path) -> None:
    """Killed three times while requests come in; then everything is stored, and verify finds nothing missing."""
    Path("aftertrace.toml").write_text('[redaction]\ncapture = "by-reference"\nreference_bytes = 512\n')
    data, acknowledged, number, errors = tmp_path / "data", list[int](), 0, []
    for _ in range(ROUNDS):
        with serving(data, "--no-dashboard") as served:
            errors.append(served)
            killing = threading.Timer(1.5, lambda process=served.process: process.send_signal(signal.SIGKILL))
            killing.start()
            while served.process.poll() is None:
                number += 1
                try:
                    if served.send("traces", spans_of(tool_call(number, result(number)), trace=number)) == 200:
                        acknowledged.append(number)
                except GONE:
                    time.sleep(0.05)
            killing.join()
            served.process.wait()
    with serving(data, "--no-dashboard") as served:
        errors.append(served)
        until(lambda: len(traces(data) & set(acknowledged)) == len(set(acknowledged)), within_s=120)
        served.stop()
    giving = GivingBack(Layout(data), read_store_key(Layout(data)))
    evidence = Snapshot.of(data).scan("evidence").collect()
    given = [apart.text for record in evidence["record"] for apart in giving.of(record)]
    assert len(given) == evidence.height
    assert {result(each) for each in acknowledged} <= set(given)
    assert len(acknowledged) >= ROUNDS
    kept = held(data, errors)
    assert b"what is to be written, at length." in kept, "the search must see what stays"
    assert CANARY.encode() not in kept
    assert {finding.code for finding in verify(Layout(data)).findings} & {"blob_missing", "blob_differs"} == set()


def traces(data: Path) -> set[int]:
    """Numbers of requests that are stored."""
    return {int(trace, 16) for trace in Snapshot.of(data).scan("spans").collect()["trace_id"]}
