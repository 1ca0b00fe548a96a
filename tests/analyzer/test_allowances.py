"""What let a call through: a standing grant, a permission mode, a rule, or whoever decided."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer.calls.allowances import ALLOWANCES

from . import frames
from .stories import AT_NS, PROPOSED, calls_of, event, stored

BASH: Final = {"tool_name": "Bash", "dialect": "claude_code"}
COMMAND: Final = '{"command":"npm test"}'
COLUMNS: Final = ("allowed_by", "allowed_basis", "granted_by", "grant_scope", "permission_mode", "signals")


def called(call_id: str, s: float, *decisions: dict[str, Any], **columns: Any) -> list[dict[str, Any]]:
    """A call of `Bash`, decided at once and run a second later."""
    of = {**BASH, "call_id": call_id, "arguments": COMMAND, **columns}
    return [{**each, **of} for each in (*decisions, event("tool.called", "completed", s=s + 1, end_ns=None))]


def allow(s: float, **columns: Any) -> dict[str, Any]:
    """The configuration's yes, as Claude Code words it."""
    return event("policy.evaluated", "allow", s=s, **{"decided_by": "policy", **columns})


def granted(s: float, scope: str | None = None, **columns: Any) -> dict[str, Any]:
    """A person's yes."""
    told = None if scope is None else f'{{"grant_scope":"{scope}"}}'
    return event(
        "approval.granted", s=s, **{"decided_by": "human", "decider": "ana", "attributes": told, **columns}
    )  # fmt: skip


def mode(s: float, name: str, told: str | None = None) -> dict[str, Any]:
    """A permission mode that is in force from then on."""
    return event(
        "input.resolved", "permission_mode", s=s, tool_name=None, call_id=None, content=name, attributes=told
    )  # fmt: skip


def let(*rows: dict[str, Any], call_id: str = "c-1") -> dict[str, Any]:
    """What is told of the call."""
    found = calls_of(*rows)
    (row,) = found.filter(found["tool_call_id"] == call_id).select(COLUMNS).to_dicts()
    return {name: value for name, value in row.items() if value not in (None, [])}


DECIDERS: Final = {
    "a policy that does not say more": (allow(1), {"allowed_by": "policy", "allowed_basis": "explicit"}),
    "a named rule": (allow(1, decider="Bash(npm:*)"), {"allowed_by": "rule", "allowed_basis": "explicit"}),
    "a hook": (allow(1, decided_by="hook", decider="guard.sh"), {"allowed_by": "hook", "allowed_basis": "explicit"}),
    "a guardrail": (allow(1, decided_by="guardrail"), {"allowed_by": "guardrail", "allowed_basis": "explicit"}),
    "a person": (granted(1), {"allowed_by": "human", "allowed_basis": "explicit"}),
    "either": (
        granted(1, decided_by="human_or_program"),
        {"allowed_by": "human_or_program", "allowed_basis": "explicit"},
    ),
}


@pytest.mark.parametrize("name", DECIDERS)
def test_whoever_decided_let_it_through(name: str) -> None:
    """In the words of the record."""
    decision, expected = DECIDERS[name]
    assert let(*called("c-1", 1, decision)) == expected


def test_a_call_that_nobody_is_known_to_have_let_is_not_told() -> None:
    """The control: nothing is made up, and a refused call was let by nobody."""
    assert let(*called("c-1", 1)) == {}
    refusal = event("policy.evaluated", "deny", s=1, decided_by="hook", **BASH)
    assert let(refusal) == {}


def test_what_a_person_granted_for_good_lets_later_calls_through() -> None:
    """Claude Code words the later ones as its configuration's; who gave the grant and when is kept with each."""
    rows = [*called("c-1", 1, granted(1, "always")), *called("c-2", 9, allow(9))]
    (second,) = calls_of(*rows).filter(tool_call_id="c-2").select("granted_at", "approval_asked").to_dicts()
    assert let(*rows) == {"allowed_by": "human", "allowed_basis": "explicit", "grant_scope": "always"}
    assert let(*rows, call_id="c-2") == {
        "allowed_by": "grant",
        "allowed_basis": "inferred",
        "granted_by": "ana",
        "grant_scope": "always",
    }
    assert (second["granted_at"].timestamp(), second["approval_asked"]) == (AT_NS / 1e9 + 1, False)


UNGRANTED: Final = {
    "a grant for once": called("c-1", 1, granted(1, "once")),
    "an answer that reaches no further": called("c-1", 1, granted(1)),
    "a grant of another tool": called("c-1", 1, granted(1, "always"), tool_name="Write"),
    "a grant of another program": called("c-1", 1, granted(1, "always"), arguments='{"command":"rm -rf x"}'),
    "a grant of another conversation": called("c-1", 1, granted(1, "always"), conversation_id="s-9", trace_id="9" * 32),
    "a grant that came later": called("c-1", 30, granted(30, "always")),
}


@pytest.mark.parametrize("name", UNGRANTED)
def test_what_was_not_granted_for_it_is_the_configurations(name: str) -> None:
    """The controls: one difference each."""
    expected = {"allowed_by": "policy", "allowed_basis": "explicit"}
    assert let(*UNGRANTED[name], *called("c-2", 9, allow(9)), call_id="c-2") == expected


def test_codex_repeats_the_answer_for_the_session_and_asks_nobody() -> None:
    """Its log says the same of both; the second took less time than a person takes to read."""
    asked = [event("approval.requested", s=s) for s in (1, 20)]
    rows = [
        *called("c-1", 5, asked[0], granted(5, "session"), dialect="codex"),
        *called("c-2", 20, asked[1], granted(20.01, "session"), dialect="codex"),
        *called("c-3", 43, event("approval.requested", s=40), granted(43, "session"), dialect="codex"),
    ]
    found = calls_of(*rows).select("allowed_by", "granted_by", "approval_asked").rows()
    assert found == [("human", None, True), ("grant", "ana", False), ("human", None, True)]


def test_copilot_asks_nothing_again_after_an_answer_for_the_session() -> None:
    """Then there is no permission span at all; without the answer before it, a rule of the user's let it through."""
    told = {"dialect": "copilot"}
    again = called("c-2", 9, **told)
    before = called("c-1", 1, event("approval.requested", s=0), granted(1, "session"), **told)
    assert let(*before, *again, call_id="c-2") == {
        "allowed_by": "grant",
        "allowed_basis": "inferred",
        "granted_by": "ana",
        "grant_scope": "session",
    }
    assert let(*again, call_id="c-2") == {"allowed_by": "policy", "allowed_basis": "inferred"}


def test_opencode_shows_by_what_follows_that_an_answer_was_for_good() -> None:
    """It tells `once` from `always` nowhere: what first needed an answer, and then none, was saved."""
    told = {"dialect": "opencode"}
    before = called("c-1", 4, event("approval.requested", s=1), granted(4, decider=None), **told)
    found = let(*before, *called("c-2", 9, allow(9), **told), call_id="c-2")
    assert found == {"allowed_by": "grant", "allowed_basis": "inferred", "granted_by": "human"}


def test_a_record_of_a_standing_grant_says_itself_who_gave_it() -> None:
    """It is believed as it stands, and nobody was asked."""
    told = (
        '{"grant_standing":true,"grant_scope":"always","grant_granted_by":"u-1",'
        '"grant_granted_at":"2026-11-02T09:30:00Z"}'
    )
    used = event("approval.granted", s=1, decided_by="human", decider="u-1", attributes=told)
    rows = [PROPOSED, used, event("tool.called", "completed", s=2, end_ns=None)]
    columns = ("allowed_by", "allowed_basis", "granted_by", "granted_at", "grant_scope", "approval_asked")
    (row,) = calls_of(*rows).select(columns).to_dicts()
    assert row.pop("granted_at").isoformat() == "2026-11-02T09:30:00+00:00"
    assert row == {
        "allowed_by": "grant",
        "allowed_basis": "explicit",
        "granted_by": "u-1",
        "grant_scope": "always",
        "approval_asked": False,
    }
    assert stored(*rows).analysis().approvals.height == 0


BYPASSED: Final = {"allowed_by": "mode", "signals": ["bypassed"]}
YOLO: Final = {"permission_mode": "yolo"}


def test_a_mode_that_lets_everything_through_is_a_failed_control() -> None:
    """What a record of the decision says is explicit, what the conversation entered before it is inferred."""
    entered = mode(0, "yolo", '{"bypass":true}')
    stated = allow(1, attributes='{"permission_mode":"yolo","bypass":true}')
    assert let(entered, *called("c-1", 1, allow(1))) == {**BYPASSED, **YOLO, "allowed_basis": "inferred"}
    assert let(entered, *called("c-1", 1)) == {**BYPASSED, **YOLO, "allowed_basis": "inferred"}
    assert let(*called("c-1", 1, stated)) == {**BYPASSED, **YOLO, "allowed_basis": "explicit"}


def test_it_is_in_force_from_when_it_was_entered_until_it_was_left() -> None:
    """Before the first change that is told, it is the mode which that change replaced."""
    rows = [
        *called("c-1", 1, allow(1)),
        mode(5, "default", '{"from_mode":"yolo","from_bypass":true}'),
        *called("c-2", 6, allow(6)),
        mode(10, "yolo", '{"bypass":true,"from_mode":"default"}'),
        *called("c-3", 11, allow(11)),
    ]
    found = calls_of(*rows).select("permission_mode", "signals").rows()
    assert found == [("yolo", ["bypassed"]), ("default", []), ("yolo", ["bypassed"])]


HELD: Final = {
    "a reading tool": called("c-1", 1, allow(1), tool_name="Read"),
    "a person who was asked all the same": called("c-1", 1, granted(1)),
    "a call that a hook refused": [event("policy.evaluated", "deny", s=1, decided_by="hook", **BASH)],
    "a call of another conversation": called("c-1", 1, allow(1), conversation_id="s-9", trace_id="9" * 32),
}


@pytest.mark.parametrize("name", HELD)
def test_a_mode_fails_only_where_something_ran_that_it_let_through(name: str) -> None:
    """The controls."""
    assert "signals" not in let(mode(0, "yolo", '{"bypass":true}'), *HELD[name])


def test_the_changes_of_the_mode_are_in_the_timeline_and_its_repetitions_are_not() -> None:
    """Some emitters name it with every step."""
    rows = [
        mode(0, "default"),
        *called("c-1", 1, allow(1)),
        mode(2, "default"),
        mode(3, "yolo", '{"bypass":true,"from_mode":"default"}'),
        mode(4, "yolo", '{"bypass":true}'),
    ]
    analysis = stored(*rows).analysis()
    (run_id,) = analysis.runs["run_id"]
    shown = analysis.timeline(run_id).filter(what="input.resolved permission_mode").select("lane", "detail").rows()
    assert shown == [("control", "default"), ("control", "default → yolo")]


def test_a_setting_alone_is_no_run() -> None:
    """A session that was opened, set and left did nothing."""
    assert stored(mode(0, "yolo", '{"bypass":true}')).analysis().runs.height == 0


def test_recordings_tell_the_mode_where_the_emitter_does() -> None:
    """Codex at the start, Gemini CLI with every batch, Claude Code with each decision since 2.1.3."""
    told = {
        case: frames.recording(*case).analysis().calls["permission_mode"].unique().to_list()
        for case in (
            ("codex", "exec_never_logs_json"),
            ("gemini-cli", "headless_policy_deny"),
            ("claude-code", "v2_1_329_hook_deny"),
            ("claude-code", "hook_deny"),
        )
    }
    assert list(told.values()) == [["never, workspace-write"], ["autoEdit"], ["default"], [None]]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(("grant", "allow", "yolo", "default", "run")), max_size=8))
def test_only_what_was_let_through_says_what_let_it_through(steps: list[str]) -> None:
    """Whatever is told in whichever order, and always one of the words."""
    rows: list[dict[str, Any]] = []
    for s, step in enumerate(steps):
        told = {"grant": [granted(s, "always")], "allow": [allow(s)], "run": []}.get(step)
        rows += [mode(s, step, '{"bypass":true}')] if told is None else called(f"c-{s}", s, *told)
    found = calls_of(*rows)
    words = {allowance.name for allowance in ALLOWANCES} | {"human", "policy"}
    assert set(found["allowed_by"].drop_nulls()) <= words
    assert (found["allowed_by"].is_null() == found["allowed_basis"].is_null()).all()
    assert ((found["allowed_by"] == "grant") == found["granted_by"].is_not_null()).fill_null(value=True).all()
