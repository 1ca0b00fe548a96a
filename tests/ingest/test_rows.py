"""A reading becomes rows of `spans` and `events`: every column in its type, short attributes beside the evidence."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects.values import number, whole
from aftertrace.ingest.records import Log, Record, Span
from aftertrace.ingest.rows import (
    ARGUMENTS_CHARACTERS,
    BEGINNING_CHARACTERS,
    SHORT_CHARACTERS,
    TEXT_CHARACTERS,
    fitted,
    short,
)
from aftertrace.semconv.canonical import digest
from aftertrace.store import schema

from .dialects.recordings import CASES, make_log, make_span, read_recording, values, whole_rows

FROM_THE_FRAME = {"received_date", "receiver", "seq", "index", "received_ns", "source", "tenant"}


def in_columns(row: dict[str, Any], of: pa.Schema) -> dict[str, Any]:
    """The row as it is stored; fails where a value does not fit its column."""
    assert set(row) == set(of.names) - FROM_THE_FRAME
    return dict(pa.Table.from_pylist([row], of).to_pylist()[0])


def test_a_tool_span_becomes_a_row_and_an_event() -> None:
    """The row holds identity and short attributes, the event what the span states."""
    long = "x" * (SHORT_CHARACTERS + 1)
    given_attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "pay",
        "gen_ai.tool.call.id": "c-1",
        "gen_ai.tool.call.arguments": '{"b": 2, "a": 1.0}',
        "gen_ai.tool.call.result": long,
        "my.own": "kept",
        "my.list": [1],
    }
    span, (event,) = whole_rows(make_span("execute_tool pay", given_attributes, service="shop", scope="tools"))
    assert span is not None
    told = {name: value for name, value in span.items() if value is not None}
    assert told == {
        "service_name": "shop", "dialect": "genai", "scope_name": "tools", "trace_id": "0" * 31 + "1",
        "span_id": "0" * 15 + "1", "tool_name": "pay", "call_id": "c-1", "name": "execute_tool pay", "kind": 1,
        "start_ns": 1_000, "end_ns": 5_000_001_000, "status": "unset", "operation": "execute_tool",
        "attributes": json.dumps({name: given_attributes[name] for name in (
            "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "my.own",
        )}, separators=(",", ":")),
    }  # fmt: skip
    facts = ("event", "state", "time_ns", "end_ns", "tool_name", "call_id", "arguments", "content", "basis")
    assert tuple(event[name] for name in facts) == (
        "tool.called", "completed", 1_000, 5_000_001_000, "pay", "c-1", '{"a":1,"b":2}', long, "explicit",
    )  # fmt: skip
    assert event["arguments_digest"].startswith("sha256:")


def called_with(text: str) -> dict[str, Any]:
    """The row of a call with one argument."""
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "write",
        "gen_ai.tool.call.arguments": json.dumps({"text": text}),
    }
    _, (event,) = whole_rows(make_span("execute_tool write", attributes))
    return in_columns(event, schema.EVENTS)


def test_arguments_that_are_too_long_are_told_by_their_beginning_and_digest() -> None:
    """As valid JSON that is not taken for them, and that differs where they do."""
    room = ARGUMENTS_CHARACTERS - len('{"text":""}')
    whole_row, long, same, other = map(called_with, ("a" * room, "a" * (room + 1), "a" * (room + 1), "a" * (room + 2)))
    assert json.loads(whole_row["arguments"]) == {"text": "a" * room}
    written = f'{{"text":"{"a" * (room + 1)}"}}'
    told = {"begins": written[:BEGINNING_CHARACTERS], "characters": len(written), "digest": digest(written.encode())}
    assert json.loads(long["arguments"]) == {"aftertrace.cut": told}
    assert long["arguments_digest"] == digest(written.encode())
    assert long["arguments"] == same["arguments"] != other["arguments"]


def test_control_characters_make_no_row_larger_than_others() -> None:
    """Each is six characters of JSON: a request that gzip makes a thousandth of would be six times its size here."""
    assert len(called_with("\x01" * 2_000_000)["arguments"]) < 6 * BEGINNING_CHARACTERS


def test_one_long_name_of_a_resource_is_not_in_each_of_its_rows() -> None:
    """Thousands of records share it, and the evidence has it whole; those that differ are told apart all the same."""
    tools = {
        "gen_ai.tool.call.id": "c" * 10**6,
        "gen_ai.tool.name": "t" * 10**6,
        "gen_ai.operation.name": "execute_tool",
    }
    rows = []
    for service in ("s" * 10**6, "s" * 10**6, "s" * (10**6 + 1)):
        span, (event,) = whole_rows(make_span("call", tools, service=service, scope="x" * 10**6))
        assert span is not None
        rows += [span, event]
    names = ("service_name", "scope_name", "tool_name", "call_id")
    assert {len(row[name]) for row in rows for name in names} == {TEXT_CHARACTERS}
    assert len({row["service_name"] for row in rows[:4]}) == 1
    assert rows[0]["service_name"] != rows[4]["service_name"]
    assert [fitted("s" * TEXT_CHARACTERS), fitted(fitted("s" * 10**6))] == ["s" * TEXT_CHARACTERS, fitted("s" * 10**6)]


def test_a_log_record_has_no_row_of_spans() -> None:
    """Whatever it is."""
    assert whole_rows(make_log("hello", {"a": 1})) == (None, [])


@pytest.mark.parametrize(("emitter", "case"), CASES)
def test_every_row_of_a_recording_fits_its_table(emitter: str, case: str) -> None:
    """And holds its short attributes."""
    for record in read_recording(emitter, case):
        span, events = whole_rows(record)
        assert (span is not None) == isinstance(record, Span)
        if span is not None:
            assert json.loads(in_columns(span, schema.SPANS)["attributes"]) == short(record.attributes)
        for ordinal, event in enumerate(events):
            assert in_columns(event, schema.EVENTS)["ordinal"] == ordinal


KEYS = (
    "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.call.arguments",
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.usage.input_tokens", "gen_ai.usage.cost.amount",
    "gen_ai.agent.name", "gen_ai.conversation.id", "aftertrace.run.id", "openinference.span.kind", "session.id",
    "input.value", "output.value", "event.name", "my.own",
)  # fmt: skip
texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
KINDS = (
    "chat",
    "execute_tool",
    "invoke_agent",
    "LLM",
    "TOOL",
    "CHAIN",
    "AGENT",
    "gen_ai.choice",
    "aftertrace.run.created",
)


@given(
    attributes=st.dictionaries(st.sampled_from(KEYS) | texts, values | st.sampled_from(KINDS), max_size=8),
    as_log=st.booleans(),
)
def test_rows_of_any_record_fit_and_keep_every_short_attribute(attributes: dict[str, Any], as_log: bool) -> None:
    """No dialect raises, and what none knows is still there."""
    record: Record = make_log(None, attributes) if as_log else make_span("work", attributes)
    span, events = whole_rows(record)
    for event in events:
        in_columns(event, schema.EVENTS)
    if isinstance(record, Log):
        assert span is None
        return
    assert span is not None
    stored = json.loads(in_columns(span, schema.SPANS)["attributes"])
    kept = {key for key, value in attributes.items() if isinstance(value, bool | int | float | str)}
    assert set(stored) == kept


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [(3, 3), ("66", 66), (4.0, 4), (4.5, None), (True, None), ("x", None), (None, None), (2**63, None), ([1], None)],
)
def test_a_whole_number_is_read_also_from_text(given_value: Any, expected: int | None) -> None:
    """Claude Code sends numbers as text."""
    assert whole(given_value) == expected


@pytest.mark.parametrize(
    ("given_value", "expected"), [(0.5, 0.5), ("0.25", 0.25), (2, 2.0), (True, None), ("x", None), (None, None)]
)
def test_a_number_is_read_also_from_text(given_value: Any, expected: float | None) -> None:
    """Costs."""
    assert number(given_value) == expected


@given(values)
def test_any_value_is_a_number_or_none(given_value: Any) -> None:
    """That fits its column."""
    assert pl.Series([whole(given_value)], dtype=pl.Int64).len() == 1
    assert pl.Series([number(given_value)], dtype=pl.Float64).len() == 1


def test_every_record_is_read_by_the_first_dialect_that_knows_it() -> None:
    """And by `plain` where none does."""
    assert [dialect.name for dialect in dialects.DIALECTS][-1] == "plain"
    assert dialects.read(make_log("hello", {})).dialect == "plain"
    ours = make_span("chat", {"gen_ai.operation.name": "chat", "aftertrace.run.id": "r-1"})
    assert dialects.read(ours).dialect == "aftertrace"


PRINCIPALS = {
    "its own record": ({"user.id": "u-1", "enduser.id": "u-2"}, {"user.id": "u-9"}, "u-1"),
    "an older name": ({"enduser.id": "u-2"}, {}, "u-2"),
    "a name alone": ({"user.name": "Ana"}, {}, "Ana"),
    "the whole process": ({}, {"enduser.id": "u-3"}, "u-3"),
    "nobody that is told": ({}, {}, None),
}


@pytest.mark.parametrize("name", PRINCIPALS)
def test_a_run_acts_for_whom_its_record_names_else_for_whom_the_process_does(name: str) -> None:
    """An operator may set it once, in the resource."""
    told, resource, expected = PRINCIPALS[name]
    span = make_span("chat m", {"gen_ai.operation.name": "chat", **told})
    span.origin.resource.update(resource)
    row, _ = whole_rows(span)
    assert row is not None
    assert row["user_id"] == expected
