"""Attribute values as emitters write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects.values import has_prefix

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
