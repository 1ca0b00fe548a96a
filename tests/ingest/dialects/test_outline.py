"""Who is asked about a record: of an outline that a dialect rules out it reads no record, whatever the values are."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import genai, verdicts
from aftertrace.ingest.records import Record, SpanEvent

from .recordings import CASES, make_log, make_span, read_recording, values

MORE_SCOPES = ("aftertrace.import.inspect", "cline", "codex_otel", "copilot-chat", "goose", "langfuse-sdk", "tools")
MORE_KEYS = ("aftertrace.run.id", "event.name", "mcp.method.name", "rpc.method", "rpc.system", *sorted(verdicts.ANY))
SERVICES = ("claude-code", "codex_cli_rs", "github-copilot", "opencode", "shop", 5, None)


@cache
def recorded() -> list[Record]:
    """Every span and log record of all recordings."""
    return [record for case in CASES for record in read_recording(*case)]


def passed_over(record: Record) -> set[str]:
    """The dialects that are not asked about a record and would have read it."""
    asked = dialects.asked(record)
    return {each.name for each in dialects.DIALECTS if each not in asked and each.read(record) is not None}


def test_nobody_who_reads_a_recorded_record_is_passed_over() -> None:
    """And few are asked about each."""
    assert [passed_over(record) for record in recorded()] == [set()] * len(recorded())
    few = [len(dialects.asked(record)) for record in recorded()]
    assert sum(few) / len(few) < len(dialects.DIALECTS) / 4


@given(st.data())
def test_nobody_who_reads_any_record_is_passed_over(data: st.DataObject) -> None:
    """Of other scopes and services, with other attributes, and with values of any type."""
    record = data.draw(st.sampled_from(recorded()))
    scopes = sorted({each.origin.scope_name for each in recorded()} | set(MORE_SCOPES))
    keys = sorted({key for each in recorded() for key in each.attributes} | set(MORE_KEYS))
    added = st.dictionaries(st.sampled_from(keys), values | st.sampled_from(("allow", "mcp", "tools/call")), max_size=4)
    origin = replace(
        record.origin,
        scope_name=data.draw(st.just(record.origin.scope_name) | st.sampled_from(scopes)),
        resource={"service.name": data.draw(st.sampled_from(SERVICES) | st.sampled_from(scopes))},
    )
    left = {key: value for key, value in record.attributes.items() if not data.draw(st.sampled_from((0, 0, 0, 1)))}
    assert passed_over(replace(record, origin=origin, attributes={**left, **data.draw(added)})) == set()


def test_a_dialect_that_rules_out_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: one that is not asked about its own."""
    (own,) = (each for each in dialects.DIALECTS if each.name == genai.NAME)
    blind = [replace(each, may_read=lambda _: False) if each is own else each for each in dialects.DIALECTS]
    span = make_span("chat", {"gen_ai.operation.name": "chat"})
    assert passed_over(span) == set()
    monkeypatch.setattr(dialects, "DIALECTS", tuple(blind))
    assert passed_over(span) == {"genai"}


@pytest.mark.parametrize(
    "attributes",
    [{"k" * 5_000: 1}, {f"{number}": 1 for number in range(200)}],
    ids=["a long key", "many keys"],
)
def test_of_a_large_outline_nothing_is_remembered(attributes: dict[str, Any]) -> None:
    """Everybody is asked."""
    assert dialects.asked(make_span("chat", attributes)) is dialects.DIALECTS


def test_an_event_in_a_span_and_a_log_record_are_outlines_of_their_own() -> None:
    """The same attributes of the same origin, and others are asked."""
    span = make_span("chat", {}, service="shop")
    with_event = replace(span, events=[SpanEvent("aftertrace.approval.granted", 5, {})])
    three = (span, with_event, make_log("chat", {}, service="shop"))
    found = [[each.name for each in dialects.asked(record)] for record in three]
    assert found == [
        ["claude_code", "plain"],
        ["aftertrace", "claude_code", "plain"],
        ["aftertrace", "claude_code", "gateway", "genai", "plain"],
    ]
