"""What an edit changed."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.calls.edits import differ, difference

from .stories import calls_of, event, stored

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def told(before: Any, after: Any) -> list[dict[str, Any]]:
    """The changes between two values."""
    text = difference(json.dumps(before), json.dumps(after))
    assert text is not None
    return list(json.loads(text))


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"eur": 9}, {"eur": 9}, []),
        ({"eur": 9}, {"eur": 5}, [{"path": "/eur", "before": 9, "after": 5}]),
        ({"a": 1, "b": 2}, {"b": 2, "c": 3}, [{"path": "/a", "before": 1}, {"path": "/c", "after": 3}]),
        ({"to": ["x", {"n": 1}]}, {"to": ["x", {"n": 2}]}, [{"path": "/to/1/n", "before": 1, "after": 2}]),
        ({"to": ["x"]}, {"to": ["x", "y"]}, [{"path": "/to", "before": ["x"], "after": ["x", "y"]}]),
        ({"a/b~c": 1}, {"a/b~c": 2}, [{"path": "/a~1b~0c", "before": 1, "after": 2}]),
        ({"eur": 1}, {"eur": True}, [{"path": "/eur", "before": 1, "after": True}]),
        ([1], {"a": 1}, [{"path": "", "before": [1], "after": {"a": 1}}]),
        ({"a": None}, {}, [{"path": "/a", "before": None}]),
    ],
)
def test_each_change_is_told_where_it_is(before: Any, after: Any, changes: list[dict[str, Any]]) -> None:
    """Added, removed and replaced; what stayed is not told."""
    assert told(before, after) == changes


def test_what_is_no_json_is_compared_as_text() -> None:
    """Some senders cut arguments, or give a plain text; what is unknown has no difference."""
    assert difference("rm -rf x", "rm x") == '[{"path":"","before":"rm -rf x","after":"rm x"}]'
    assert (difference(None, "{}"), difference("{}", None)) == (None, None)


LEFT_OUT: Final = '{"aftertrace.cut":{"begins":"","digest":"[[left-out:digest-only:%s]]"}}'
DRAWN: Final = '{"card":"[[redacted:card:random-%s]]"}'


@pytest.mark.parametrize(
    ("before", "after", "is_other"),
    [
        ('{"eur":9}', '{"eur":5}', True),
        ('{"eur":9}', '{"eur":9}', False),
        (LEFT_OUT % ("a" * 10), LEFT_OUT % ("b" * 10), True),
        (LEFT_OUT % ("a" * 10), LEFT_OUT % ("a" * 10), False),
        (LEFT_OUT % ("a" * 10), '{"eur":9}', None),
        ("{}", LEFT_OUT % ("a" * 10), None),
        (None, LEFT_OUT % ("a" * 10), None),
        ('{"to":"[[left-out:digest-only:aaaaaaaaaa]]"}', '{"to":"x"}', True),
        (DRAWN % ("a" * 10), DRAWN % ("b" * 10), False),
    ],
)
def test_nothing_is_told_of_what_a_mark_does_not_tell(before: str | None, after: str, is_other: bool | None) -> None:
    """Digests of left-out arguments compare with each other alone, and what is drawn for a secret with nothing.

    One that a sender quotes hides no edit.
    """
    pair = pl.DataFrame({"before": [before], "after": [after]}, schema={"before": pl.String, "after": pl.String})
    assert pair.select(differ("before", "after")).item() is is_other
    found = difference(before, after)
    assert (None if found is None else found != "[]") is is_other


def test_values_of_any_depth_have_a_difference() -> None:
    """However deep they are nested, and wherever the reader gives up before the comparison does."""
    for depth in range(900, 1010):
        before, after = (f"{'[' * depth}{leaf}{']' * depth}" for leaf in "12")
        (change,) = json.loads(difference(before, after) or "")
        assert change["path"] in ("/0" * depth, "")
        assert difference(before, before) == "[]"


@given(JSON, JSON)
def test_the_changes_lead_from_one_value_to_the_other(before: Any, after: Any) -> None:
    """Applied to the proposed arguments they give the approved ones; none are told exactly where both are equal."""
    changes = told(before, after)
    assert applied(before, changes) == after
    assert (changes == []) == (json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True))


def applied(value: Any, changes: list[dict[str, Any]]) -> Any:
    """The value after the changes."""
    root = {"": copy.deepcopy(value)}
    for change in changes:
        names = [name.replace("~1", "/").replace("~0", "~") for name in change["path"].split("/")]
        holder: Any = root
        for name in names[:-1]:
            holder = holder[int(name) if isinstance(holder, list) else name]
        last = int(names[-1]) if isinstance(holder, list) else names[-1]
        if "after" in change:
            holder[last] = change["after"]
        else:
            del holder[last]
    return root[""]


def test_an_approval_with_an_edit_says_what_was_edited() -> None:
    """And one without says nothing."""
    proposed = event("action.proposed", "proposed", arguments='{"eur":900,"to":"bob"}')
    asked = event("approval.requested", s=1)
    edited = event("approval.modified", s=4, decided_by="human", arguments='{"eur":50,"to":"bob"}')
    ran = event("tool.called", "completed", s=5, arguments='{"eur":50,"to":"bob"}')
    (row,) = stored(proposed, asked, edited, ran).analysis().approvals.to_dicts()
    assert (row["decision"], row["edits"]) == ("modified", '[{"path":"/eur","before":900,"after":50}]')
    granted = event("approval.granted", s=4, decided_by="human")
    (row,) = stored(proposed, asked, granted).analysis().approvals.to_dicts()
    assert (row["decision"], row["edits"]) == ("granted", None)


def test_a_grant_whose_call_ran_edited_was_a_grant_with_an_edit() -> None:
    """Claude Code says `accept` of both: its two records of the arguments tell them apart."""
    proposed = event("action.proposed", "proposed", arguments='{"eur":900}')
    granted = event("approval.granted", s=4, decided_by="human", attributes='{"parameters_digest":"a"}')
    ran = [
        event(
            "tool.called", "completed", s=5, arguments=f'{{"eur":{eur}}}', attributes=f'{{"parameters_digest":"{of}"}}'
        )
        for eur, of in ((50, "b"), (900, "a"))
    ]
    columns = ("decision", "edits", "deviations", "signals")
    found = [stored(proposed, granted, each).analysis().approvals.select(columns).rows() for each in ran]
    assert found == [
        [("modified", '[{"path":"/eur","before":900,"after":50}]', "[]", [])],
        [("granted", None, "[]", [])],
    ]


@pytest.mark.parametrize(("state", "outcome"), [("completed", "executed"), ("failed", "failed")])
def test_what_ran_without_the_decision_that_is_always_told_may_have_been_edited(state: str, outcome: str) -> None:
    """Claude Code writes a decision for every call; with that record, the one that tells of an edit is lost."""
    digest = '{"parameters_digest":"a"}'
    ran = event("tool.called", state, s=5, end_ns=None, attributes=digest)
    allowed = event("policy.evaluated", "allow", s=4, decided_by="policy", attributes=digest)
    found = [calls_of(*story).select("outcome", "basis").rows() for story in ((ran,), (allowed, ran))]
    assert found == [[(outcome, "inferred")], [(outcome, "explicit")]]


def test_an_approval_says_what_ran_otherwise_than_approved() -> None:
    """Against the edit where there was one, and nothing where it is not known or was never let through."""
    proposed = event("action.proposed", "proposed", arguments='{"eur":900,"to":"bob"}')
    edited = event("approval.modified", s=4, decided_by="human", arguments='{"eur":50,"to":"bob"}')
    granted = event("approval.granted", s=4, decided_by="human")
    rejected = event("approval.rejected", s=4, decided_by="human")
    ran = {eur: event("tool.called", "completed", s=5, arguments=f'{{"eur":{eur},"to":"bob"}}') for eur in (50, 900)}
    stories = (
        ([edited, ran[50]], "[]"),
        ([edited, ran[900]], '[{"path":"/eur","before":50,"after":900}]'),
        ([granted, ran[900]], "[]"),
        ([granted, ran[50]], '[{"path":"/eur","before":900,"after":50}]'),
        ([granted], None),
        ([rejected, ran[50]], None),
    )
    found = [stored(proposed, *rows).analysis().approvals["deviations"].to_list() for rows, _ in stories]
    assert found == [[expected] for _, expected in stories]


CUT: Final = json.dumps('{"eur":900,"to":"b')
"""The beginning of the arguments, as a stream broke off or a limit cut it: no JSON, so it is kept as a text."""
PARTIAL: Final = {"attributes": '{"arguments_partial":true}'}
WHOLE: Final = '{"eur":900,"to":"bob"}'


@pytest.mark.parametrize(
    ("proposed", "ran"),
    [
        ({"arguments": CUT}, {"arguments": WHOLE}),
        ({"arguments": WHOLE}, {"arguments": CUT}),
        ({"arguments": '{"eur":900}', **PARTIAL}, {"arguments": WHOLE}),
        ({"arguments": WHOLE}, {"arguments": '{"eur":900}', **PARTIAL}),
    ],
    ids=["cut proposal", "cut run", "partial proposal", "partial run"],
)
def test_arguments_that_are_shown_in_part_are_compared_with_nothing(
    proposed: dict[str, Any], ran: dict[str, Any]
) -> None:
    """Whether something else ran than was approved is not known then, and no control failed that is known of."""
    granted = event("approval.granted", s=4, decided_by="human")
    rows = [event("action.proposed", "proposed", **proposed), granted, event("tool.called", "completed", s=5, **ran)]
    (row,) = stored(*rows).analysis().approvals.to_dicts()
    assert (row["decision"], row["outcome"], row["deviations"], row["signals"]) == ("granted", "executed", None, [])


def test_an_edit_of_arguments_that_are_shown_in_part_is_not_told() -> None:
    """What the reviewer changed would be said of what the record left out."""
    edited = event("approval.modified", s=4, decided_by="human", arguments=WHOLE)
    rows = [event("action.proposed", "proposed", arguments=CUT), edited]
    (row,) = stored(*rows).analysis().approvals.to_dicts()
    assert (row["decision"], row["edits"], row["approved_arguments"]) == ("modified", None, WHOLE)
    assert row["arguments"] == CUT
