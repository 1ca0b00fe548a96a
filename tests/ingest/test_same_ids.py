"""What it may cost to compare records of one id: whoever sends must not decide how often one is read."""

from __future__ import annotations

import tempfile
import tracemalloc
from datetime import date
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.ingest import same_ids, tellings
from aftertrace.ingest.same_ids import Related, SameIds, Told
from aftertrace.ingest.tellings import Telling

DAY = date(2026, 1, 10)


def told(index: int, number: int, *, name: str = "", end: int = 9) -> Told:
    """A span of an id, and its place in one request."""
    span = Span(trace_id=b"t" * 16, span_id=bytes([number]) * 8, name=name, end_time_unix_nano=end)
    telling = Telling("traces", b"", b"", span.SerializeToString())
    return Told(bytes([number]) * 8, ("main", 1, index), telling, is_open=not end)


def window() -> SameIds:
    """A window without a day before it, and with nothing to read back."""
    return SameIds(lambda _: (), lambda *_: {}, Path(tempfile.gettempdir()))


def test_a_record_is_decoded_once_however_often_it_is_compared_with() -> None:
    """Two large ones, and hundreds of small ones of their ids in turn."""
    large = [told(0, 1, name="x" * 1000), told(1, 2, name="y" * 1000)]
    small = [told(index, 1 + index % 2) for index in range(2, 500)]
    tellings._facts.cache_clear()
    answers = window().relate(DAY, [*large, *small], {})
    assert tellings._facts.cache_info().misses == 4
    assert answers[:2] == [None, None]
    assert set(answers[2:]) == {
        Related(("main", 1, 0), "continued_by"),
        Related(("main", 1, 1), "continued_by"),
    }


def test_open_spans_hold_no_more_memory_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tens of thousands that state next to nothing: what they are on the wire is a fraction of what they hold."""
    monkeypatch.setattr(same_ids, "OPEN_BYTES", 2**20)
    ids = window()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            telling = Telling("traces", b"", b"", Span(span_id=number.to_bytes(8, "big")).SerializeToString())
            ids._keep(Told(b"", ("main", 1 << 40 | number, 1 << 20 | number), telling, is_open=True))
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    wire = sum(len(telling.record) for telling in ids._open.values())
    assert 10 * wire < held <= 2**20


def test_open_spans_are_at_hand_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first; the window then asks for what it no longer has, in vain here."""
    ids = window()
    monkeypatch.setattr(same_ids, "OPEN_BYTES", 2 * told(0, 1, end=0).telling.held_bytes)
    ids.relate(DAY, [told(index, index + 1, end=0) for index in range(3)], {})
    later = [told(index, index - 2) for index in range(3, 6)]
    assert [answer and answer.flag for answer in ids.relate(DAY, later, {})] == [
        "same_id_as:main/1/0",
        "continues:main/1/1",
        "continues:main/1/2",
    ]
