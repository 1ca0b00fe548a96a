"""Files that are imported again, weeks later: nothing counts twice."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .stories import AT_NS, DAY_NS, event, stored

SESSION: Final = "aftertrace.import.claude_code_session"


def told(scope: str, received_ns: int) -> list[dict[str, Any]]:
    """A model's call and what it proposed, as a file that is imported gives it."""
    receipt = {"scope_name": scope, "received_ns": received_ns, "trace_id": None}
    return [
        event("model.called", tool_name=None, call_id=None, input_tokens=10, content="x", **receipt),
        event("action.proposed", "proposed", s=1, ordinal=1, **receipt),
        event("tool.called", "completed", s=2, **receipt),
    ]


@pytest.mark.parametrize(("scope", "tokens"), [(SESSION, 10), ("shop", 20)])
def test_what_is_imported_again_counts_once(scope: str, tokens: int) -> None:
    """A month later too. What an agent sends may be the same twice, and is not touched."""
    analysis = stored(*told(scope, AT_NS), *told(scope, AT_NS + 30 * DAY_NS)).analysis(AT_NS + 31 * DAY_NS)
    assert analysis.runs.select("input_tokens", "calls").rows() == [(tokens, 1)]
    assert analysis.calls.select("tool_call_id", "outcome").rows() == [("c-1", "executed")]


def test_what_is_new_is_kept() -> None:
    """The same words at another time are another event."""
    later = [{**row, "time_ns": row["time_ns"] + 10**9} for row in told(SESSION, AT_NS + DAY_NS)]
    assert stored(*told(SESSION, AT_NS), *later).analysis().runs["input_tokens"].to_list() == [20]
