"""Records as columns: those that do not fit have no rows, all others have theirs, and finding them stays cheap."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.ingest import reading
from aftertrace.ingest.reading import Source, read


def source(index: int, *, fits: bool) -> Source:
    """A model call that proposes a tool; where it does not fit, the tool's name is half a character."""
    span = Span(trace_id=b"t" * 16, span_id=(index + 1).to_bytes(8, "big"), name="chat")
    tool = "pay" if fits else "\\ud800"
    made = f'[{{"role":"assistant","parts":[{{"type":"tool_call","name":"{tool}","arguments":{{}}}}]}}]'
    for key, value in (("gen_ai.operation.name", "chat"), ("gen_ai.output.messages", made)):
        span.attributes.add(key=key).value.string_value = value
    pointer = (date(2026, 1, 1), "main", 1, index, 1, "anonymous")
    return Source(pointer, None, "traces", b"", b"", span.SerializeToString(), (), 9)


@given(st.lists(st.booleans(), max_size=40))
def test_records_that_do_not_fit_take_no_other_with_them(fitting: list[bool]) -> None:
    """Wherever they stand, and however many they are."""
    made = read([source(index, fits=fits) for index, fits in enumerate(fitting)])
    assert made.events["index"].to_pylist() == [index for index, fits in enumerate(fitting) if fits]
    assert sorted(position for position, _ in made.unread) == [index for index, fits in enumerate(fitting) if not fits]


def test_one_that_does_not_fit_is_found_by_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by trying every other: whoever sends decides what does not fit."""
    tried: list[int] = []
    tables = reading._tables

    def counted(sources: Any, made: Any) -> Any:
        tried.append(len(made))
        return tables(sources, made)

    monkeypatch.setattr(reading, "_tables", counted)
    made = read([source(index, fits=index != 77) for index in range(512)])
    assert [position for position, _ in made.unread] == [77]
    assert sum(tried) < 4 * 512


def test_a_span_is_kept_where_what_an_agent_wrote_does_not_fit() -> None:
    """Its own columns do."""
    made = read([source(0, fits=False)])
    assert (made.spans["index"].to_pylist(), made.events.num_rows) == ([0], 0)
