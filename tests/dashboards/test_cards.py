"""Small pieces of pages."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer.edits import difference
from aftertrace.dashboards.cards import edits


def test_an_edit_is_one_line_a_change() -> None:
    """Where, what it was, what it became."""
    changes = difference('{"eur":900,"note":"x","to":["a"]}', '{"cc":"eve","eur":50,"to":["b"]}')
    assert edits(str(changes)) == [
        '/cc: nothing → "eve"',
        "/eur: 900 → 50",
        '/note: "x" → nothing',
        '/to/0: "a" → "b"',
    ]
    assert edits(str(difference("[1]", "2"))) == ["all: [1] → 2"]


@given(st.dictionaries(st.text(), st.text() | st.none()), st.dictionaries(st.text(), st.text() | st.none()))
def test_every_change_has_its_line(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whatever names and values an agent chose."""
    changes = difference(json.dumps(before), json.dumps(after))
    assert len(edits(str(changes))) == len(json.loads(str(changes)))


def test_an_odd_approval_says_so_and_shows_its_edit() -> None:
    """In words of ours; what was edited stands as text, with everything invisible written out."""

    def page() -> None:
        from aftertrace.dashboards.cards import approval

        approval(
            {
                "tool_name": "pay",
                "agent_name": "clerk",
                "decision": "modified",
                "decided_by": "human",
                "reviewer": "ana",
                "asked_at": None,
                "decided_at": None,
                "wait_ns": 1,
                "reviewer_identity": None,
                "calls": 2,
                "signals": ["hasty"],
                "shown": None,
                "arguments": '{"eur":9}',
                "approved_arguments": '{"eur":"5\\u202e"}',
                "edits": '[{"path":"/eur","before":9,"after":"5\\u202e"}]',
                "deviations": '[{"path":"/to","before":"bob"}]',
                "reason": None,
                "run_id": "r",
            }
        )

    shown = AppTest.from_function(page).run()
    assert [each.value for each in shown.warning] == [
        "Approved faster than the text can be read: more than 100 characters a second."
    ]
    assert '/to: "bob" → nothing' in [each.value for each in shown.code]
    assert "One request for 2 calls." in [each.value for each in shown.text]
    assert '/eur: 9 → "5\\u202e"' in [each.value for each in shown.code]
