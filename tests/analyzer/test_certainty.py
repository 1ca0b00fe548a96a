"""A missing span tells of a refusal only where the one who speaks of the call opens a span for every run."""

from __future__ import annotations

from typing import Any, Final

from .stories import calls_of, event, span

ADK: Final = {"scope_name": "gcp.vertex.agent", "conversation_id": None}
OTHER: Final = {"scope_name": "openinference.instrumentation.langchain", "conversation_id": None}
ROOT: Final = span("invoke_agent", span_id="a" * 16, **ADK)
INNER: Final = span("invoke_agent", span_id="b" * 16, s=1, **OTHER)


def outcome(told: dict[str, Any], *spans: dict[str, Any]) -> str:
    """Of a call that is proposed and answered, without a span."""
    calls = calls_of(
        event("action.proposed", "proposed", s=1, **told),
        event("tool.called", "answered", s=9, basis="inferred", content="42 euros paid", **told),
        spans=spans,
    )
    (only,) = calls["outcome"].to_list()
    return str(only)


def test_a_call_of_a_remote_agent_of_another_framework_ran_though_it_has_no_span() -> None:
    """The program that calls it opens a span for every tool it runs; a call of its own without one was refused."""
    assert outcome({**OTHER, "service_name": "remote"}, ROOT) == "executed"
    assert outcome(ADK, ROOT) == "denied"


def test_a_call_of_another_frameworks_agent_in_the_same_program_ran_though_it_has_no_span() -> None:
    """Its own instrumentation says that it is an agent's; without that, it tells of the same agent once more."""
    assert outcome(OTHER, ROOT, INNER) == "executed"
    assert outcome(ADK, ROOT, INNER) == "denied"
    assert outcome(OTHER, ROOT) == "denied"
