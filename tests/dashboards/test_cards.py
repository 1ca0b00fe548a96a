"""Small pieces of pages."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer.calls.edits import difference
from aftertrace.dashboards.approval_cards import changed


def test_an_edit_is_shown_as_a_diff() -> None:
    """Where, what went, what came."""
    changes = difference('{"eur":900,"note":"x","to":["a"]}', '{"cc":"eve","eur":50,"to":["b"]}')
    assert changed(str(changes)) == [
        "@@ /cc", '+ "eve"', "@@ /eur", "- 900", "+ 50", "@@ /note", '- "x"', "@@ /to/0", '- "a"', '+ "b"',
    ]  # fmt: skip
    assert changed(str(difference("[1]", "2"))) == ["@@ all", "- [1]", "+ 2"]


@given(st.dictionaries(st.text(), st.text() | st.none()), st.dictionaries(st.text(), st.text() | st.none()))
def test_every_change_has_its_place(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whatever names and values an agent chose; none of them begins a line of its own."""
    changes = difference(json.dumps(before), json.dumps(after))
    lines = changed(str(changes))
    assert sum(line.startswith("@@ ") for line in lines) == len(json.loads(str(changes)))
    assert all(line.isprintable() and line[:2] in ("@@", "- ", "+ ") for line in lines if line.isascii())


def test_an_odd_approval_says_so_and_shows_its_edit() -> None:
    """In words of ours; what was edited stands as text, with everything invisible written out."""

    def page() -> None:
        import polars as pl

        from aftertrace.analyzer.schemas.derived import DERIVED
        from aftertrace.dashboards.approval_cards import approval, course

        row = dict.fromkeys(DERIVED["approvals"].schema.names())
        row |= {
            "tool_name": "pay",
            "agent_name": "clerk",
            "decision": "modified",
            "decided_by": "human",
            "reviewer": "ana",
            "wait_ns": 1,
            "calls": 2,
            "signals": ["hasty"],
            "arguments": '{"eur":9}',
            "approved_arguments": '{"eur":"5\\u202e"}',
            "edits": '[{"path":"/eur","before":9,"after":"5\\u202e"}]',
            "deviations": '[{"path":"/to","before":"bob"}]',
            "run_id": "r",
        }
        none = pl.DataFrame()
        approval(row, course(row, none, none), 0)

    shown = AppTest.from_function(page).run()
    assert [each.value for each in shown.warning] == [
        "Approved faster than the text can be read: more than 100 characters a second."
    ]
    codes = [each.value for each in shown.code]
    assert '@@ /to\n- "bob"' in codes
    assert '@@ /eur\n- 9\n+ "5\\u202e"' in codes
    assert "One request for 2 calls." in [each.value for each in shown.text]
