"""Attribute values as emitters write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import read
from aftertrace.ingest.dialects.values import has_prefix

from .recordings import make_span

KEYS = st.text("ab.", max_size=4)


def test_a_prefix_counts_only_where_a_key_begins() -> None:
    """Not within a key, nor across two."""
    assert has_prefix({"x": 1, "traceloop.span.kind": 1}, ("llm.request.", "traceloop."))
    assert not has_prefix({"my.traceloop.name": 1}, ("traceloop.",))
    assert not has_prefix({"trace": 1, "loop.": 1}, ("traceloop.",))
    assert not has_prefix({}, ("traceloop.",))


@given(st.dictionaries(KEYS, st.none()), st.lists(KEYS, min_size=1).map(tuple))
def test_every_key_is_asked(attributes: dict[str, None], prefixes: tuple[str, ...]) -> None:
    """As if each were looked at alone."""
    assert has_prefix(attributes, prefixes) == any(key.startswith(prefixes) for key in attributes)


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        ("", {}),
        ("openinference.instrumentation.openai", {"openinference.span.kind": "LLM"}),
        ("pydantic-ai", {"gen_ai.operation.name": "chat"}),
        ("opentelemetry.instrumentation.langchain", {"traceloop.span.kind": "task"}),
    ],
    ids=["plain", "openinference", "genai", "openllmetry"],
)
def test_what_a_program_associates_with_its_traces_counts_on_every_span(scope: str, attributes: dict[str, Any]) -> None:
    """Traceloop's SDK writes it on spans of whichever instrumentation; a name of the conventions goes before it."""
    told = {f"traceloop.association.properties.{key}": value for key, value in (("session_id", "s-1"), ("user_id", 7))}
    who = read(make_span("work", {**attributes, **told}, scope=scope)).who
    assert who.conversation_id == "s-1"
    named = {**attributes, **told, "session.id": "s-2"}
    assert read(make_span("work", named, scope=scope)).who.conversation_id == "s-2"
