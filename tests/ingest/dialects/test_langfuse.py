"""Observations of Langfuse: nothing in them is too odd to read, and nobody else's spans are read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import langfuse
from aftertrace.ingest.files import spans
from aftertrace.ingest.records import Origin, Span

from .recordings import values, whole_rows

message = (
    st.dictionaries(st.sampled_from(("role", "content", "parts", "tool_calls", "additional_kwargs")), values) | values
)
observation = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(("GENERATION", "TOOL", "AGENT", "SPAN", "EVENT")) | values,
        "input": st.lists(message, max_size=3) | values,
        "output": st.lists(message, max_size=2) | values,
        **dict.fromkeys(("name", "metadata", "level", "statusMessage", "model", "usageDetails", "totalCost"), values),
    },
)


def span(told: Any, scope: str = langfuse.SCOPE, **more: Any) -> Span:
    """A span as the import makes them."""
    attributes = {langfuse.OBSERVATION: told, **more}
    return Span(Origin({}, scope), "a" * 32, "b" * 16, None, "x", 1, 5, 9, 0, "", attributes, [], [], [])


@given(observation, values)
def test_any_observation_is_read(told: dict[str, Any], attribute: Any) -> None:
    """Whatever it holds, it becomes rows and never an error."""
    more = dict.fromkeys((langfuse.SESSION, langfuse.USER, langfuse.PROMPT), attribute)
    row, events = whole_rows(span(json.dumps(told, default=repr), **more))
    assert row is not None
    assert {row["dialect"], *(event["dialect"] for event in events)} == {langfuse.NAME}


@given(values)
def test_only_spans_of_the_import_are_read(told: Any) -> None:
    """A program may use the same attribute."""
    assert langfuse.read(span(told, scope="app")) is None
    assert langfuse.read(span(told)) is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    )
)
def test_attributes_of_any_depth_become_flat(told: Any) -> None:
    """Each plain value stays; what is too deep becomes a text."""
    flat = spans.flat({"a": told})
    assert all(held is None or isinstance(held, str | bool | int | float | list) for held in flat.values())
    assert spans.flat({"a": [{"b": {"c": 1}}, {"b": [True]}]}) == {"a.0.b.c": 1, "a.1.b": "[true]"}
