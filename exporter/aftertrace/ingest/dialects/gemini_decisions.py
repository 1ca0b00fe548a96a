"""What Gemini CLI and Qwen Code say of one tool call, in their log record and in their spans alike: the decision table.

=====================  ==========  ==================================================================================
decision               result      what it was
=====================  ==========  ==================================================================================
``accept``             any         allowed: by policy, or by a person for once; headless runs have nobody to ask
``auto_accept``        any         Gemini: a person, for the session; Qwen: by policy, or by a person for good
``modify``             any         a person changed the arguments and allowed it
``reject``             cancelled   a person said no, or pressed Esc
``reject``             another     a person allowed it for all future sessions, which the log has no word for
none                   error       refused by policy or hook, not known, not valid, or nobody there to ask
none                   cancelled   cancelled with a sibling, or by an interrupt
=====================  ==========  ==================================================================================

A decision's time is when the call came to the control point; what passes until it runs, is the wait.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from aftertrace.ingest.dialects import permission_modes, refusals
from aftertrace.ingest.dialects.events import Decider, Event

PROCEEDED: Final = "proceed_once"
"""Rule of `accept`: allowed once, nobody says by whom."""
SAVED_GRANT: Final = "reject_of_a_run"
"""Rule of `reject` beside a run: a standing grant that the log tells as its opposite."""

OUTCOMES: Final = {
    "proceed_once": "accept",
    "proceed_always": "auto_accept",
    "proceed_always_server": "auto_accept",
    "proceed_always_tool": "auto_accept",
    "proceed_always_project": "auto_accept",
    "proceed_always_user": "auto_accept",
    "proceed_always_and_save": "save",
    "modify_with_editor": "modify",
    "cancel": "reject",
}
"""A span's words for a confirmation's outcome, as the log's words for a decision; `save` has none there."""

_STOPPED: Final = re.compile(r"(Tool execution blocked|Agent execution stopped by hook|.{0,80}\bblocked by hook)")
_RULE_MESSAGE: Final = re.compile(r"Tool execution denied by policy\.\s*(.*)", re.DOTALL)
_DENY_RULE: Final = re.compile(r'Matching deny rule: "([^"]{1,256})"')
_REFUSING: Final = frozenset({"policy_violation", "execution_denied", "stop_execution"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One call as one record tells it."""

    status: str | None
    """`success`, `error` or `cancelled`."""
    decision: str | None
    """`accept`, `auto_accept`, `modify`, `reject`, `save`, or None."""
    error: str | None = None
    error_type: str | None = None
    interactive: bool | None = None
    """Whether a person is there to ask; None is not said."""
    is_qwen: bool = False
    is_edited: bool = False
    """A person changed lines of the proposed file."""
    exit_code: int | None = None
    """Of a command that ended; the record calls any end of it a success."""
    is_span: bool = False
    tool_name: str | None = None
    call_id: str | None = None
    arguments: Any = None
    start_ns: int = 0
    """When it came to the control point."""
    end_ns: int = 0
    run_ns: int = 0
    """When it began to run; 0 is not said."""
    wait_ns: int | None = None
    """The wait alone."""
    duration_ns: int | None = None
    """Wait and run together."""
    mode: str | None = None
    """The approval mode it came under."""
    batch: str | None = None
    """The span in which it was scheduled with others."""


def events(told: Told) -> list[Event]:
    """The decision and what came of the call, in this order."""
    called = _called(told)
    found = [*_decided(told, called), called]
    for event in found:
        event.tool_name, event.call_id = told.tool_name, told.call_id
        event.arguments = told.arguments
        if event.event != "tool.called":
            event.attributes |= {"weight": "span"} if told.is_span else {}
            event.attributes |= permission_modes.stated(told.mode)
    return found


def _called(told: Told) -> Event:
    event = Event(event="tool.called", state="entered", time_ns=told.run_ns or told.end_ns, end_ns=told.end_ns or None)
    match told.status:
        case "success" if told.exit_code:
            event.state, event.rule, event.reason = "failed", "exit_code", f"exit code {told.exit_code}"
        case "success":
            event.state = "completed"
        case "error":
            _fail(event, told)
        case "cancelled" if told.decision == "reject":
            event.state, event.decided_by, event.rule = "refused", _person(told), "rejected"
        case "cancelled":
            event.state, event.rule = "cancelled", "cancelled"
    return event


def _fail(event: Event, told: Told) -> None:
    event.state, event.reason = "failed", told.error or told.error_type
    verdict = refusals.classify(told.error) if told.error else None
    if told.error_type in _REFUSING:
        event.state, event.decided_by, event.rule = "refused", _refuser(told), told.error_type
        if told.error_type == "execution_denied" and verdict is not None and verdict.rule == "qwen_unanswered":
            event.rule = "text:qwen_unanswered"
    elif told.error_type == "tool_not_registered":
        event.state, event.rule = "unknown_tool", told.error_type
    elif told.decision is None and told.error_type == "invalid_tool_params":
        event.state, event.rule = "invalid_arguments", told.error_type
    elif told.decision is None:
        # An error before any decision: the tool's body was not reached.
        event.basis, event.rule = "inferred", "error_before_decision"
        if verdict is not None and verdict.state == "refused":
            event.state, event.decided_by, event.rule = "refused", verdict.decided_by, f"text:{verdict.rule}"
        elif verdict is not None and verdict.state in ("unknown_tool", "invalid_arguments"):
            event.state, event.rule = verdict.state, f"text:{verdict.rule}"


def exit_code(data: Any) -> int | None:
    """The exit code in what a tool tells of its own end."""
    code = data.get("exitCode") if isinstance(data, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _refuser(told: Told) -> Decider:
    return "hook" if told.error_type == "stop_execution" or _STOPPED.match(told.error or "") else "policy"


def _decided(told: Told, called: Event) -> list[Event]:
    if called.state == "refused" and told.decision != "reject":
        return [_denied(told, called)]
    decision = told.decision
    if decision == "reject" and told.status != "cancelled":
        decision = "save"
    if told.is_edited and decision in ("accept", "auto_accept"):
        decision = "modify"
    match decision:
        case "accept" if told.is_qwen:
            return _answered(told, Event(event="approval.granted", rule=PROCEEDED))
        case "accept" | "auto_accept" if told.interactive is False or decision == "accept":
            return [_allowed(told, PROCEEDED if decision == "accept" else decision)]
        case "auto_accept" if told.is_qwen or (told.interactive is None and not told.is_span):
            return [_allowed(told, decision)]
        case "auto_accept":
            return _answered(told, Event(event="approval.granted", rule="granted_for_session"), scope="session")
        case "save":
            rule = SAVED_GRANT if told.decision == "reject" else "granted_for_good"
            return _answered(told, Event(event="approval.granted", rule=rule), scope="always")
        case "modify":
            return _answered(told, Event(event="approval.modified", rule="modified"))
        case "reject":
            return _answered(told, Event(event="approval.rejected", rule="rejected", reason=told.error))
    return []


def _denied(told: Told, called: Event) -> Event:
    event = Event(event="policy.evaluated", state="deny", time_ns=told.end_ns, basis=called.basis, rule=called.rule)
    event.decided_by, event.reason = called.decided_by, told.error
    if told.error_type == "policy_violation":
        # It follows a safety checker or a hook that said no, and says itself only that it did.
        event.attributes["weight"] = "result"
    matched = _DENY_RULE.search(told.error or "")
    message = _RULE_MESSAGE.match(told.error or "")
    if matched:
        event.decider, event.identity = matched[1], "asserted"
    elif message and message[1]:
        event.reason = message[1]
    return event


def _allowed(told: Told, rule: str) -> Event:
    event = Event(event="policy.evaluated", state="allow", time_ns=told.start_ns, rule=rule, group=told.batch)
    if told.interactive is False or (rule == "auto_accept" and told.is_qwen):
        event.decided_by = "policy"
    if told.is_qwen:
        event.attributes["weight"] = "result"
    return event


def _answered(told: Told, event: Event, *, scope: str | None = None) -> list[Event]:
    """A question to a person, and the answer."""
    event.time_ns, event.decided_by = told.run_ns or told.end_ns, _person(told)
    event.wait_ns = told.wait_ns
    if told.wait_ns is None and told.duration_ns is not None:
        event.wait_ns = told.duration_ns
        if told.is_qwen or event.event != "approval.rejected":
            event.attributes["wait_includes_run"] = True
    if scope is not None:
        event.attributes["grant_scope"] = scope
    if told.is_qwen:
        # Its span of the question says who answered.
        event.attributes["weight"] = "result"
    return [Event(event="approval.requested", time_ns=told.start_ns), event]


def _person(told: Told) -> Decider:
    """Who answers: at a terminal a person; through a program's or an editor's protocol, either."""
    return "human_or_program" if told.is_qwen or told.interactive is False else "human"
