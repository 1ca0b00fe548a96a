"""Lines of Claude Code's session files: what each states, and that nothing in them is too odd to read."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import claude_code_session
from aftertrace.ingest.records import Log, Origin

from .recordings import values, whole_rows

PARTS: Final = ("tool_use", "tool_result", "text", "thinking", "image")


def log(body: Any, scope: str = claude_code_session.SCOPE, **attributes: Any) -> Log:
    """A record as the import makes them."""
    origin = Origin({"service.name": "claude-code", "service.version": "2.1"}, scope)
    return Log(origin, None, None, 7, claude_code_session.EVENT, 0, body, attributes, [])


def user(content: Any, **more: Any) -> dict[str, Any]:
    """An entry of the user."""
    return {"type": "user", "sessionId": "s", "uuid": "u", "message": {"role": "user", "content": content}, **more}


@pytest.mark.parametrize(
    ("entry", "prompt"),
    [
        (user("do it"), True),
        (user([{"type": "text", "text": "do it"}, {"type": "image"}]), True),
        (user("do it", isSidechain=True), False),
        (user("do it", isMeta=True), False),
        (user("This session is being continued …", isCompactSummary=True), False),
        (user("[Request interrupted by user for tool use]"), False),
        (user("<command-name>/clear</command-name>"), False),
        (user("<local-command-stdout>x</local-command-stdout>"), False),
        (user([{"type": "tool_result", "tool_use_id": "t", "content": "x"}]), False),
        (user(""), False),
        ({"type": "assistant", "message": {"content": "do it"}}, False),
        ({"type": "summary"}, False),
    ],
)
def test_a_prompt_is_what_a_person_asked(entry: dict[str, Any], prompt: bool) -> None:
    """Nothing that the product or an agent wrote in the person's place."""
    assert claude_code_session.is_prompt(entry) is prompt


def test_only_records_of_the_import_are_read() -> None:
    """The same text in somebody else's log is somebody else's."""
    body = json.dumps(user("do it"))
    reading = claude_code_session.read(log(body))
    assert reading is not None
    assert [(event.event, event.state, event.content) for event in reading.events] == [
        ("input.resolved", "user_prompt", "do it")
    ]
    assert claude_code_session.read(log(body, "com.anthropic.claude_code.events")) is None


def test_a_sub_agent_has_its_id_or_the_mark_of_older_versions() -> None:
    """The main agent has neither."""
    entries = ({"agentId": "a-1", "isSidechain": True}, {"isSidechain": True}, {"isSidechain": False})
    told = [claude_code_session.read(log(json.dumps({"type": "assistant", **entry}))) for entry in entries]
    assert [each.who.agent_id for each in told if each] == ["a-1", "sidechain", None]


def test_an_entry_tells_the_mode_in_force() -> None:
    """With a prompt, and by itself where a person changed it."""
    prompt = {"type": "user", "permissionMode": "plan", "message": {"content": "do it"}}
    change = {"type": "permission-mode", "permissionMode": "bypassPermissions", "sessionId": "s"}
    told = [claude_code_session.read(log(json.dumps(entry))) for entry in (prompt, change)]
    assert [[(event.state, event.content, event.attributes) for event in each.events] for each in told if each] == [
        [("permission_mode", "plan", {}), ("user_prompt", "do it", {})],
        [("permission_mode", "bypassPermissions", {"bypass": True})],
    ]


entries = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(("user", "assistant", "system")) | values,
        "message": st.fixed_dictionaries(
            {},
            optional={
                "content": st.lists(
                    st.dictionaries(
                        st.sampled_from(("type", "id", "name", "input", "tool_use_id", "content", "is_error", "text")),
                        st.sampled_from(PARTS) | values,
                        max_size=5,
                    )
                    | values,
                    max_size=3,
                )
                | values,
                "model": values,
                "usage": values,
                "id": values,
            },
        )
        | values,
        "toolUseResult": values,
        "sessionId": values,
        "agentId": values,
        "isSidechain": values,
        "permissionMode": values,
    },
)


@given(entries)
def test_any_entry_is_read(entry: dict[str, Any]) -> None:
    """Whatever a later version writes, it becomes rows of events and never an error."""
    body = json.dumps(entry, default=repr)
    span, events = whole_rows(log(body, **{claude_code_session.FIRST: True}))
    assert span is None
    assert {event["dialect"] for event in events} <= {"claude_code_session"}


@given(values)
def test_any_body_is_read(body: Any) -> None:
    """Also one that is no entry at all."""
    assert whole_rows(log(body)) == (None, [])


def _told(**more: Any) -> list[tuple[str, str | None, str | None, str | None]]:
    part = {"type": "tool_result", "tool_use_id": "t", "content": "not on Fridays", "is_error": True}
    reading = claude_code_session.read(log(json.dumps(user([part], **more))))
    assert reading is not None
    return [(event.event, event.state, event.decided_by, event.rule) for event in reading.events]


def test_a_decision_is_told_in_the_words_of_telemetry() -> None:
    """2.1.330 keeps it with the answer that the model was given."""
    refused = ("tool.called", "refused", None, "denial_kind")
    by_hook = {"decision": "reject", "source": "hook"}
    assert _told(permissionDecision=by_hook, toolDenialKind="permission-rule") == [
        ("policy.evaluated", "deny", "hook", "permission_decision"),
        refused,
    ]
    by_program = {"decision": "reject", "source": "user_reject"}
    assert _told(permissionDecision=by_program, toolDenialKind="permission-rule") == [
        ("approval.rejected", None, "human_or_program", "permission_decision"),
        refused,
    ]
    assert _told() == [("tool.called", "failed", None, None)]


def test_what_the_user_is_said_to_have_rejected_under_the_configuration_was_an_ask_without_an_answer() -> None:
    """A headless run has nobody to ask; a rule says that it is one."""
    by_nobody = {"decision": "reject", "source": "config"}
    (decided, _) = _told(permissionDecision=by_nobody, toolDenialKind="user-rejected")
    (by_rule, _) = _told(permissionDecision=by_nobody, toolDenialKind="permission-rule")
    assert decided == ("policy.evaluated", "deny", "policy", "unanswered_ask")
    assert by_rule == ("policy.evaluated", "deny", "policy", "permission_decision")


@pytest.mark.parametrize(("door", "by"), [({}, "human"), ({"entrypoint": "sdk-cli"}, "human_or_program")])
def test_who_aborted_a_question_is_told_by_the_door(door: dict[str, str], by: str) -> None:
    """A program may interrupt in a person's place."""
    part = {"type": "tool_result", "tool_use_id": "t", "content": "Permission prompt was aborted.", "is_error": True}
    reading = claude_code_session.read(log(json.dumps(user([part], **door))))
    assert reading is not None
    assert [(event.state, event.decided_by) for event in reading.events] == [("cancelled", by)]
