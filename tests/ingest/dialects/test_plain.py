"""What no other dialect knows keeps its identity and its attributes, and states nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import plain
from aftertrace.ingest.dialects.events import Reading, Who

from .recordings import make_log, make_span, values


def test_identity_is_read_by_the_standard_names() -> None:
    """Of spans and of log records; the GenAI name of a conversation before the general one."""
    told = {"aftertrace.run.id": "r-1", "gen_ai.conversation.id": "s-1", "session.id": "s-2", "enduser.id": "ana"}
    expected = Reading(dialect="plain", who=Who(run_key="r-1", conversation_id="s-1", user_id="ana"))
    assert plain.read(make_span("work", told)) == expected
    assert plain.read(make_log("hello", told)) == expected


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(("session.id", "user.id")), values, max_size=4), values)
def test_any_record_is_read(attributes: dict[str, Any], body: Any) -> None:
    """This dialect takes everything."""
    assert plain.read(make_span("work", attributes)).events == []
    assert plain.read(make_log(body, attributes)).dialect == "plain"
