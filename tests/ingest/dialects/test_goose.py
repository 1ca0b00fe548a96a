"""Goose's tool spans tell by `error.type` what their status does not.

Not recorded from a run. Its source, as of 2026, is where each value is from: the span and its fields
`crates/goose/src/agents/state_machine/ops_toolcalling.rs` (`tool_span`), `tool_error` and `tool_execution_error` there
(`with_post_tool_hooks`), `hook_denied` and `hook_failed` `crates/goose/src/hooks/mod.rs` (`HookChainOutcome::denial`),
`tool_not_available` and `final_output_not_defined` `state_machine/ops_unknown_tool.rs`; the scope is that of its tracer
in `crates/goose/src/otel/otlp.rs` (`create_otlp_tracing_layer`).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import goose
from aftertrace.ingest.dialects.events import Reading
from aftertrace.ingest.records import Record, Span

from .recordings import make_log, make_span, values

TOOL = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "developer__shell",
    "gen_ai.tool.call.id": "call_1",
    "gen_ai.conversation.id": "20261121_1",
    "session.id": "20261121_1",
}


def tool(**more: Any) -> Span:
    """The span of a call, whose status is unset."""
    return make_span("execute_tool", {**TOOL, **more}, scope="goose")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, ("completed", None, None)),
        ("tool_error", ("failed", None, None)),
        ("tool_execution_error", ("failed", None, None)),
        ("hook_denied", ("refused", "hook", "error_type")),
        ("hook_failed", ("refused", "hook", "error_type")),
        ("tool_not_available", ("unknown_tool", None, "error_type")),
        ("something_new", ("failed", None, None)),
    ],
)
def test_the_type_of_error_tells_what_became_of_a_call(
    error: str | None, expected: tuple[str, str | None, str | None]
) -> None:
    """What has no error ran."""
    reading = dialects.read(tool(**({"error.type": error} if error else {})))
    (event,) = reading.events
    assert (reading.dialect, reading.operation) == ("goose", "execute_tool")
    assert (reading.who.call_id, reading.who.tool_name, reading.who.conversation_id) == (
        "call_1",
        "developer__shell",
        "20261121_1",
    )
    assert (event.state, event.decided_by, event.rule, event.basis) == (*expected, "explicit")


@pytest.mark.parametrize(
    "record",
    [
        make_span("execute_tool", {**TOOL, "error.type": "tool_error"}, scope="another"),
        make_span("chat gpt", {"gen_ai.operation.name": "chat"}, scope="goose"),
        make_span("reply", {}, scope="goose"),
        make_log("Tool call completed", {"tool_name": "x"}, scope="goose"),
    ],
)
def test_records_of_others_and_all_else_are_left_to_others(record: Record) -> None:
    """Goose's model calls follow the conventions."""
    assert goose.read(record) is None


@given(
    attributes=st.dictionaries(
        st.sampled_from(["error.type", "gen_ai.tool.name", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"]),
        values,
    )
)
def test_no_span_makes_it_fail(attributes: dict[str, Any]) -> None:
    """Whatever the attributes hold."""
    reading = goose.read(tool(**attributes))
    assert isinstance(reading, Reading)
