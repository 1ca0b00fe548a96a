"""What one record is to another of its id: the same, told further, or a contradiction."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.ingest.redact_tokens import NOTE, READING
from aftertrace.ingest.tellings import Relation, Telling, relation

ENDED = {"end_time_unix_nano": 9}


def told(
    attributes: dict[str, str] | None = None,
    *,
    resource: dict[str, str] | None = None,
    scope: str = "agent",
    events: tuple[str, ...] = (),
    **fields: Any,
) -> Telling:
    """A span, ended or not."""
    span = Span(**{"trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "call", "start_time_unix_nano": 1, **fields})
    origin = Resource()
    for holder, pairs in ((span, attributes or {}), (origin, resource or {})):
        for key, value in pairs.items():
            holder.attributes.add(key=key).value.string_value = value
    for name in events:
        span.events.add(name=name, time_unix_nano=5)
    named = InstrumentationScope(name=scope).SerializeToString()
    return Telling("traces", origin.SerializeToString(), named, span.SerializeToString())


def logged(body: str, **fields: Any) -> Telling:
    """A log record."""
    record = LogRecord(time_unix_nano=1, **fields)
    record.body.string_value = body
    return Telling("logs", b"", b"", record.SerializeToString())


CASES: dict[str, tuple[Telling, Telling, Relation | None]] = {
    "attributes in another order": (
        told({"a": "1", "b": "2"}, **ENDED),
        told({"b": "2", "a": "1"}, **ENDED),
        "same",
    ),
    "seen by a sampler and a Collector": (
        told(**ENDED),
        told(flags=1, trace_state="ot=th:8", dropped_attributes_count=2, **ENDED),
        "same",
    ),
    "an open span that ends": (told({"a": "1"}), told({"a": "1"}, **ENDED), "continues"),
    "its end came first": (told({"a": "1"}, **ENDED), told({"a": "1"}), "continued_by"),
    "an open span that ends as something else": (told({"a": "1"}), told({"a": "2"}, **ENDED), "changes"),
    "its end came first, as something else": (told({"a": "2"}, **ENDED), told({"a": "1"}), "differs_from"),
    "an open span that goes on": (told({"a": "1"}), told({"b": "1"}), "changes"),
    "a second exporter that adds attributes": (told(**ENDED), told({"a": "1"}, **ENDED), "continues"),
    "a Collector that names the host": (told(**ENDED), told(resource={"host.name": "h"}, **ENDED), "continues"),
    "each adds its own": (told({"a": "1"}, **ENDED), told({"b": "1"}, **ENDED), "differs_from"),
    "another library retells it": (told(**ENDED), told({"a": "1"}, scope="other", **ENDED), "differs_from"),
    "more events": (told(events=("a",), **ENDED), told(events=("a", "b"), **ENDED), "continues"),
    "an import of a log that went on": (
        told({"a": "1"}, scope="aftertrace.import.langfuse", end_time_unix_nano=8),
        told({"a": "2"}, scope="aftertrace.import.langfuse", **ENDED),
        "changes",
    ),
    "redacted by more rules than before": (
        told({"a": "[[redacted:us-ssn:random-aaaaaaaaaa]]", NOTE: "us-ssn 1"}),
        told({"a": "[[redacted:us-ssn:random-bbbbbbbbbb]]", NOTE: "github 1, us-ssn 1"}, **ENDED),
        "continues",
    ),
    "read before its content was left out, and again with its end": (
        told({"a": "[[left-out:metadata-only]]", READING: "{}"}),
        told({"a": "[[left-out:metadata-only]]", READING: '{"operation":"chat"}'}, **ENDED),
        "continues",
    ),
    "another secret": (
        told({"a": "[[redacted:github:aaaaaaaaaa]]"}, **ENDED),
        told({"a": "[[redacted:github:bbbbbbbbbb]]"}, **ENDED),
        "conflicts_with",
    ),
    "another value": (told({"a": "1"}, **ENDED), told({"a": "2"}, **ENDED), "conflicts_with"),
    "another end": (told(end_time_unix_nano=8), told(**ENDED), "conflicts_with"),
    "another status": (told(status={"code": 1}, **ENDED), told(status={"code": 2}, **ENDED), "conflicts_with"),
    "other events": (told(events=("a", "b"), **ENDED), told(events=("a", "c"), **ENDED), "conflicts_with"),
    "another service": (
        told(resource={"service.name": "a"}, **ENDED),
        told(resource={"service.name": "b"}, **ENDED),
        "conflicts_with",
    ),
    "another parent, though open": (told(), told(parent_span_id=b"p" * 8, **ENDED), "conflicts_with"),
    "another beginning, though open": (told(), told(start_time_unix_nano=2, **ENDED), "conflicts_with"),
    "another library that says otherwise": (
        told({"a": "1"}, **ENDED),
        told({"a": "2"}, scope="other", **ENDED),
        "conflicts_with",
    ),
    "a log record observed twice": (
        logged("hi", observed_time_unix_nano=2),
        logged("hi", observed_time_unix_nano=3),
        "same",
    ),
    "a log record with another body": (logged("hi"), logged("ho"), "conflicts_with"),
    "another severity text": (
        logged("hi", severity_text="INFO"),
        logged("hi", severity_text="WARN"),
        "conflicts_with",
    ),
    "two ids of one digest": (told(**ENDED), told(span_id=b"S" * 8, **ENDED), None),
    "a span and a log record of one digest": (told(**ENDED), logged("hi"), None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_record_is_to_one_before_it(case: str) -> None:
    """What programs send twice for a reason is no contradiction; what they cannot mean at once is one."""
    before, now, wanted = CASES[case]
    assert relation(before, now) == wanted


TEXTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
ENDS = st.sampled_from([{}, ENDED, {"end_time_unix_nano": 8}])
SPANS = st.builds(lambda attributes, end: told(attributes, **end), TEXTS, ENDS)
MIRRORED: dict[Relation | None, set[Relation | None]] = {
    "same": {"same"},
    "continues": {"continued_by"},
    "continued_by": {"continues"},
    "changes": {"changes", "differs_from"},
    "differs_from": {"differs_from", "changes"},
    "conflicts_with": {"conflicts_with"},
}


@given(SPANS, SPANS)
def test_whichever_comes_first_a_contradiction_is_one(one: Telling, other: Telling) -> None:
    """And what is the same, or more, is so from either side."""
    assert relation(other, one) in MIRRORED[relation(one, other)]
    assert relation(one, one) == "same"


@given(SPANS, TEXTS, TEXTS)
def test_no_ended_span_can_be_made_to_say_otherwise_unseen(
    span: Telling, mine: dict[str, str], more: dict[str, str]
) -> None:
    """Adding is told as such; changing any value is a conflict."""
    before, now = told(mine, **ENDED), told(mine | more, **ENDED)
    changed = any(mine.get(key, value) != value for key, value in more.items())
    added = more.keys() - mine.keys()
    assert relation(before, now) == ("conflicts_with" if changed else "continues" if added else "same")
    assert relation(span, span._replace(record=b"")) is None
