"""Gemini CLI and Qwen Code: one call is one call, however many records tell of it, and each says only what it knows."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .frames import Frames
from .gemini_sessions import (
    BATCH,
    Record,
    completed,
    log,
    qwen_span,
    request,
    span,
    stored,
    tool_log,
)

HEADLESS_ASK: Final = (
    'Tool execution for "WriteFile" requires user confirmation, which is not supported in non-interactive mode.'
)
TOOL: Final = "write_file"


def told(found: Frames, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of each call, in the order in which they began."""
    return found.analysis().calls.select(columns).rows()


def batch(*calls: dict[str, Any], to: float) -> Record:
    """The span of a batch that began at second 1."""
    return span("schedule_tool_calls", s=1, to=to, parent="f" * 16, input__messages=[], output__messages=list(calls))


def proposal(*asked: dict[str, Any]) -> Record:
    """The inference event of the answer that proposes calls."""
    parts = [
        {"type": "tool_call", "id": call["callId"], "name": call["name"], "arguments": str(call["args"])}
        for call in asked
    ]
    return log(
        "x",
        s=0.9,
        span="f" * 16,
        **{
            "event.name": "gen_ai.client.inference.operation.details",
            "gen_ai.response.model": "served",
            "gen_ai.output.messages": [{"role": "system", "parts": parts}],
        },
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"decision": "accept", "success": True}, ("executed", "explicit", None, False, None, None)),
        (
            {"decision": "accept", "success": True, "interactive": False},
            ("executed", "explicit", "policy", False, None, None),
        ),
        ({"decision": "accept", "success": True, "metadata": {"exitCode": 3, "isError": True}},
         ("failed", "explicit", None, False, None, None)),
        ({"decision": "accept", "success": True, "metadata": {"exitCode": 0}},
         ("executed", "explicit", None, False, None, None)),
        ({"decision": "accept", "success": False, "error": "disk full", "error_type": "no_space_left"},
         ("failed", "explicit", None, False, None, None)),
        ({"decision": "accept", "success": False}, ("cancelled", "explicit", "human", False, None, None)),
        ({"decision": "auto_accept", "success": True}, ("executed", "explicit", "human", True, "granted", "session")),
        ({"decision": "auto_accept", "success": True, "interactive": False},
         ("executed", "explicit", "policy", False, None, None)),
        ({"decision": "modify", "success": True}, ("modified", "explicit", "human", True, "modified", None)),
        (
            {"decision": "accept", "success": True, "metadata": {"user_added_lines": 2, "model_added_lines": 9}},
            ("modified", "explicit", "human", True, "modified", None),
        ),
        ({"decision": "reject", "success": False}, ("denied", "explicit", "human", True, "rejected", None)),
        ({"decision": "reject", "success": True}, ("executed", "explicit", "human", True, "granted", "always")),
        ({"decision": "reject", "success": False, "error": "exit 1", "error_type": "shell_execute_error"},
         ("failed", "explicit", "human", True, "granted", "always")),
        ({"success": False, "error": "Tool execution denied by policy. No.", "error_type": "policy_violation"},
         ("denied", "explicit", "policy", False, None, None)),
        ({"success": False, "error": "Tool execution blocked: no", "error_type": "policy_violation"},
         ("denied", "explicit", "hook", False, None, None)),
        ({"success": False, "error": "Agent execution stopped by hook: no", "error_type": "stop_execution"},
         ("denied", "explicit", "hook", False, None, None)),
        ({"success": False, "error": HEADLESS_ASK, "error_type": "unhandled_exception", "interactive": False},
         ("denied", "inferred", "policy", True, None, None)),
        ({"success": False, "error": 'Tool "write_file" not found.', "error_type": "tool_not_registered"},
         ("unknown_tool", "explicit", None, False, None, None)),
        ({"success": False, "error": "params must have path", "error_type": "invalid_tool_params"},
         ("invalid_arguments", "explicit", None, False, None, None)),
        ({"success": False}, ("cancelled", "explicit", "human", False, None, None)),
    ],
)  # fmt: skip
def test_the_log_of_a_call_is_read_by_the_whole_decision_table(
    fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    """Five seconds passed between control point and end; `null` attributes come as empty values."""
    found = stored(tool_log(TOOL, s=6, ms=5000, **({"decision": None} | fields)))
    columns = ("outcome", "basis", "decided_by", "approval_asked", "approval", "grant_scope")
    assert told(found, *columns) == [expected]


def test_a_rejection_that_ran_is_a_standing_grant_by_a_rule_of_its_own() -> None:
    """The name of the rule comes first, and the log's own word is kept beside it."""
    (rules,) = told(stored(tool_log(TOOL, s=6, ms=5000, decision="reject", success=True)), "rules")
    assert rules == (["ran_under_saved_grant", "reject_of_a_run"],)
    (control,) = told(stored(tool_log(TOOL, s=6, ms=5000, decision="reject", success=False)), "rules")
    assert control == (["refused_by_decision", "rejected"],)


def test_what_was_allowed_for_the_session_lets_later_calls_through_at_once() -> None:
    """The log says `accept` of those, as of what its policy allows; a call of another tool is the policy's."""
    first = tool_log(TOOL, s=6, ms=5000, decision="auto_accept", success=True)
    later = [tool_log(tool, s=8, ms=20, decision="accept", success=True) for tool in (TOOL, "list_directory")]
    columns = ("tool_name", "allowed_by", "allowed_basis", "granted_by", "grant_scope")
    assert sorted(told(stored(first, *later), *columns), key=str) == [
        ("list_directory", "policy", "inferred", None, None),
        (TOOL, "grant", "inferred", "human", "session"),
        (TOOL, "human", "explicit", None, "session"),
    ]


def test_the_wait_for_a_refusal_is_the_whole_time_and_for_a_grant_the_part_before_the_run() -> None:
    """The log alone knows the sum; the span of the run knows where it began."""
    asked = request(TOOL, "1")
    done = completed(asked, "success", ms=5000, outcome="proceed_always", startTime=0)
    run = span(
        "tool_call", s=5, to=6, span_id="b" * 16, parent=BATCH, tool__name=TOOL, tool__call_id=asked["callId"],
        output__messages=done | {"startTime": 1_799_999_941_000},
    )  # fmt: skip
    grant = tool_log(TOOL, s=6, ms=5000, decision="auto_accept", success=True)
    refusal = tool_log(TOOL, s=6, ms=5000, decision="reject", success=False)
    waits = [told(stored(*records), "wait_ns") for records in ([grant], [grant, run], [refusal])]
    assert waits == [[(5 * 10**9,)], [(4 * 10**9,)], [(5 * 10**9,)]]


FIRST, SECOND = request("read_file", "1", {"path": "/a"}), request("read_file", "2", {"path": "/b"})
REFUSED, SIBLING = request("run_shell_command", "3", {"command": "rm"}), request("write_file", "4")
BOTH: Final = (
    proposal(FIRST, SECOND, REFUSED, SIBLING),
    span("tool_call", s=1.2, to=1.4, span_id="b" * 16, parent=BATCH, tool__name="read_file",
         tool__call_id="read_file__1", output__messages=completed(FIRST, "success", ms=400, outcome="proceed_once")),
    span("tool_call", s=1.2, to=1.3, span_id="c" * 16, parent=BATCH, tool__name="read_file",
         tool__call_id="read_file__2", output__messages=completed(SECOND, "success", ms=300, outcome="proceed_once")),
    tool_log("read_file", s=1.3, ms=300, arguments={"path": "/b"}, decision="accept", success=True),
    tool_log("read_file", s=1.4, ms=400, arguments={"path": "/a"}, decision="accept", success=True),
    tool_log("run_shell_command", s=8, ms=6600, arguments={"command": "rm"}, decision="reject", success=False),
    tool_log("write_file", s=8, ms=0, decision=None, success=False),
    batch(
        completed(SECOND, "success", ms=300, outcome="proceed_once"),
        completed(FIRST, "success", ms=400, outcome="proceed_once"),
        completed(REFUSED, "cancelled", ms=6600, outcome="cancel", error="[Operation Cancelled] Reason: no"),
        completed(SIBLING, "cancelled", ms=0, error="[Operation Cancelled] Reason: User cancelled operation"),
        to=8,
    ),
)  # fmt: skip
"""A batch of four: two read the same tool at once and end in reverse, one is refused, and takes one with it."""


@pytest.mark.parametrize("signals", [("logs",), ("traces",), ("logs", "traces")], ids="+".join)
def test_a_call_is_one_call_whichever_signals_tell_of_it(signals: tuple[str, ...]) -> None:
    """Proposal, log record, batch and run are joined by id, by span, by arguments."""
    found = stored(*(record for record in BOTH if record[0] in signals))
    assert sorted(told(found, "tool_call_id", "outcome", "basis", "decided_by", "approval_asked")) == [
        ("read_file__1", "executed", "explicit", None, False),
        ("read_file__2", "executed", "explicit", None, False),
        ("run_shell_command__3", "denied", "explicit", "human", True),
        ("write_file__4", "cancelled", "explicit", "human", False),
    ]
    assert found.analysis().calls["run_id"].n_unique() == 1


@pytest.mark.parametrize("lost", range(len(BOTH)))
def test_a_record_that_is_lost_makes_no_call_another_nor_one_more(lost: int) -> None:
    """Every call is told twice: by its log record, and by the spans of its run and its batch."""
    columns = ("tool_call_id", "outcome", "decided_by")
    found = told(stored(*BOTH[:lost], *BOTH[lost + 1 :]), *columns)
    assert sorted(found) == sorted(told(stored(*BOTH), *columns))


@pytest.mark.parametrize(
    ("began", "expected"),
    [(1.1, ("policy", False, None)), (1.5, (None, False, None)), (5, ("human", True, 4 * 10**9))],
)
def test_an_accepted_call_was_let_through_by_whom_the_time_before_it_shows(
    began: float, expected: tuple[Any, ...]
) -> None:
    """At once by policy; after seconds by a person; in between nobody can tell."""
    asked = request(TOOL, "1")
    found = stored(
        tool_log(TOOL, s=6, ms=5000, decision="accept", success=True),
        span(
            "tool_call", s=began, to=6, span_id="b" * 16, parent=BATCH, tool__name=TOOL, tool__call_id="write_file__1"
        ),
        batch(completed(asked, "success", ms=5000, outcome="proceed_once"), to=6),
    )
    assert told(found, "tool_call_id", "decided_by", "approval_asked", "wait_ns") == [("write_file__1", *expected)]


def test_a_call_that_was_held_beside_a_sibling_may_have_waited_for_that_one() -> None:
    """The control: calls of a batch begin together, so that the wait tells of none of them."""
    found = stored(
        *(
            span("tool_call", s=5, to=6, span_id=one * 16, parent=BATCH, tool__name="read_file",
                 tool__call_id=asked["callId"],
                 output__messages=completed(asked, "success", ms=5000, outcome="proceed_once"))
            for one, asked in (("b", FIRST), ("c", SECOND))
        ),
        batch(*(completed(asked, "success", ms=5000, outcome="proceed_once") for asked in (FIRST, SECOND)), to=6),
    )  # fmt: skip
    assert told(found, "decided_by", "approval_asked", "wait_ns") == [(None, False, None)] * 2


def test_a_refusal_of_the_safety_checker_is_the_guardrails_and_its_consent_nobodys() -> None:
    """The policy engine follows a `deny`, and goes on to its own rules after an `allow`."""
    denial = tool_log(
        TOOL, s=6, ms=900, decision=None, success=False, error="Tool execution denied by policy.",
        error_type="policy_violation",
    )  # fmt: skip
    call = {"name": TOOL, "args": {"path": "/tmp/a"}}
    for verdict, expected in (("deny", "guardrail"), ("allow", "policy")):
        checked = log("conseca.verdict", s=5.5, verdict=verdict, tool_call=call, verdict_rationale="outside its task")
        assert told(stored(checked, denial), "outcome", "decided_by") == [("denied", expected)]


def test_spans_without_content_and_a_log_are_one_call() -> None:
    """Where traces are not switched on they come all the same, with ids and names alone."""
    records = (
        tool_log(TOOL, s=2, ms=900, decision=None, success=False, error="denied", error_type="policy_violation"),
        tool_log(TOOL, s=6, ms=3000, decision="accept", success=True),
        span("tool_call", s=5, to=6, span_id="b" * 16, parent=BATCH, tool__name=TOOL, tool__call_id="write_file__2"),
        span("schedule_tool_calls", s=1, to=6, parent="f" * 16),
    )
    assert told(stored(*records), "tool_call_id", "outcome") == [(None, "denied"), ("write_file__2", "executed")]


def qwen_log(*, status: str, ms: int = 5000, **fields: Any) -> Record:
    """`qwen-code.tool_call`, as its normalised event is spread into the record."""
    return tool_log(
        TOOL, s=6, ms=ms, interactive=None, product="qwen-code", status=status, success=status == "success",
        tool_type="native", response_id="r-1", execution_status="unknown", **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (qwen_log(status="success", decision="auto_accept"), ("executed", "explicit", "policy", False)),
        (qwen_log(status="success", decision="accept"), ("executed", "explicit", "human_or_program", True)),
        (qwen_log(status="cancelled", decision="reject"), ("denied", "explicit", "human_or_program", True)),
        (
            qwen_log(status="error", error_type="execution_denied", error=(
                'Qwen Code requires permission to use "write_file", but that permission was declined. '
                'Matching deny rule: "edit".')),
            ("denied", "explicit", "policy", False),
        ),
        (
            qwen_log(status="error", error_type="execution_denied", error=(
                'Qwen Code requires permission to use "write_file", but that permission was declined '
                "(non-interactive mode cannot prompt for confirmation).")),
            ("denied", "explicit", "policy", True),
        ),
        (
            qwen_log(status="error", error_type="tool_not_registered", error='Tool "write_file" not found.'),
            ("unknown_tool", "explicit", None, False),
        ),
    ],
)  # fmt: skip
def test_qwen_code_says_status_and_execution_denied(record: Record, expected: tuple[Any, ...]) -> None:
    """Its `auto_accept` is what policy let through; its `accept` an answer, of a person or of a program."""
    found = stored(record, service="qwen-code")
    assert told(found, "outcome", "basis", "decided_by", "approval_asked") == [expected]


def qwen_call(decision: str, **tool: Any) -> tuple[Record, Record]:
    """A tool's span, and under it four seconds of waiting for an answer."""
    of = {"session.id": "1a2b", "gen_ai.conversation.id": "1a2b"}
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": TOOL, "tool.call_id": "call_1"}
    waited = {"tool.name": TOOL, "tool.call_id": "call_1", "decision": decision, "source": "cli"}
    return (
        qwen_span("qwen-code.tool.blocked_on_user", s=1, to=5, span_id="c" * 16, parent=BATCH, **of, **waited),
        qwen_span("qwen-code.tool", s=1, to=6, parent="f" * 16, **of, **named, **tool),
    )


def test_qwens_spans_tell_a_refusal_from_a_run_and_the_wait_of_both() -> None:
    """The tool's span is an `execute_tool` either way; the log's `auto_accept` yields to the answer at the terminal."""
    ran = qwen_span(
        "qwen-code.tool.execution", s=5, to=6, span_id="d" * 16, parent=BATCH,
        **{"session.id": "1a2b", "tool.call_id": "call_1", "gen_ai.tool.name": TOOL, "success": True},
    )  # fmt: skip
    granted = (*qwen_call("proceed_always", success=True), ran, qwen_log(status="success", decision="auto_accept"))
    once = (*qwen_call("proceed_once", success=True), ran, qwen_log(status="success", decision="accept"))
    refused = (*qwen_call("cancel", **{"tool.failure_kind": "cancelled", "success": False}),)
    logged = (*refused, qwen_log(status="cancelled", decision="reject"))
    columns = ("tool_call_id", "outcome", "decided_by", "approval", "wait_ns", "grant_scope")
    assert [told(stored(*records, service="qwen-code"), *columns) for records in (granted, once, refused, logged)] == [
        [("call_1", "executed", "human", "granted", 4 * 10**9, "always")],
        [("call_1", "executed", "human", "granted", 4 * 10**9, None)],
        [("call_1", "denied", "human", "rejected", 4 * 10**9, None)],
        [("call_1", "denied", "human", "rejected", 4 * 10**9, None)],
    ]
