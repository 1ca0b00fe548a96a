"""What samplers say of themselves: the threshold in a trace state, on log records, and in the older exponent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.sampling import of_trace_state, threshold


@pytest.mark.parametrize(
    ("trace_state", "told"),
    [
        ("ot=th:8", "8"),
        ("ot=rv:00000000000001;th:c", "c"),
        ("vendor=th:8, ot=th:fd70a400000000", "fd70a4"),
        ("ot=th:0", None),
        ("ot=p:1;r:9", "8"),
        ("ot=p:2", "c"),
        ("ot=p:0", None),
        ("ot=p:63", None),
        ("ot=th:0;p:3", "e"),
        ("ot=rv:8", None),
        ("vendor=th:8", None),
        ("ot=th:8x", None),
        ("ot=th:" + "8" * 15, None),
        ("ot=p:-1", None),
        ("ot=p:²", None),
        ("=,;:", None),
        ("", None),
    ],
)
def test_a_trace_state_tells_what_was_rejected(trace_state: str, told: str | None) -> None:
    """Where nothing was, or what stands there makes no sense, nothing is told."""
    assert of_trace_state(trace_state) == told


@given(st.integers(1, 2**56 - 1))
def test_every_threshold_is_kept_as_it_was(rejected: int) -> None:
    """But for zeros at its end."""
    told = threshold(f"{rejected:014x}")
    assert told is not None
    assert int(told.ljust(14, "0"), 16) == rejected


@given(st.text(max_size=40))
def test_any_text_is_read(text: str) -> None:
    """Trace states come from anybody."""
    assert of_trace_state(text) is None or text
    assert of_trace_state(f"ot={text}") is None or ":" in text


@pytest.mark.parametrize("said", [None, 8, 0.5, b"8", ["8"]])
def test_an_attribute_that_is_no_text_is_no_threshold(said: object) -> None:
    """Whatever type it has."""
    assert threshold(said) is None
