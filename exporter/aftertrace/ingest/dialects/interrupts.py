"""LangGraph interrupts and their resumes: who was asked, and what was answered.

The three instrumentations of LangGraph wrap them differently and quote the same text, which is read here. What is asked
comes in four forms, and what is answered in as many:

====================================  ===================================================  ==========================
who asks                              value of the interrupt                               value of the resume
====================================  ===================================================  ==========================
HumanInTheLoopMiddleware, batched     `action_requests`, in the order of the calls         `decisions`, in that order
HumanInTheLoopMiddleware, per call    `type: tool_approval`, with the call's id            a decision by interrupt id
agents of LangGraph's prebuilt form   a list of `action_request`                           a list of decisions
a node or tool of one's own           anything: a question, without a call                 anything: yes, no …
====================================  ===================================================  ==========================

So answers are stated with a `position` in their interrupt, or in the one before them, and the analyzer maps them. The
exception's message is the Python `repr` of the interrupt: it is read as a literal, never evaluated.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Final

from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Span

MAX_CHARACTERS: Final = 200_000
"""An interrupt's text is read up to this length: beyond it the calls are not known, only that there was one."""
QUESTION: Final = "graph_question"
"""Rule of an ask that names no call."""

_ID: Final = re.compile(r"id='([0-9a-f-]{8,64})'")
_INTERRUPT_ID: Final = re.compile(r"[0-9a-f]{32}")
_OPENERS: Final = {"{": "}", "[": "]", "(": ")"}
_GRANTED: Final = ("approve", "accept")
_REFUSED: Final = ("reject", "ignore", "response", "respond")
_YES: Final = frozenset(("yes", "y", "true", "ok", "approve", "approved", "accept", "accepted", "allow", "allowed",
                         "confirm", "confirmed", "continue", "proceed", "go ahead"))  # fmt: skip
_NO: Final = frozenset(("no", "n", "false", "reject", "rejected", "deny", "denied", "decline", "declined", "refuse",
                        "refused", "cancel", "abort", "stop"))  # fmt: skip
_ANSWERS: Final = ("approved", "approve", "accepted", "allow", "confirmed", "confirm", "decision", "action", "answer",
                   "status", "response")  # fmt: skip
_REASONS: Final = ("reason", "message", "feedback", "comment")


def asked(span: Span) -> list[Event]:
    """One `approval.requested` per action that the span's `GraphInterrupt` asks about; one without a tool if it names
    none.
    """
    for event in span.events:
        told = event.attributes.get("exception.message")
        told = told if isinstance(told, str) else ""
        if event.name != "exception" or not _is_interrupt(event.attributes.get("exception.type"), told):
            continue
        group = group_of(told) or span.span_id or ""
        value = _value(told)
        requests = _requests(value)
        if not requests:
            return [_ask({"description": value}, 0, group, event.time_ns, QUESTION)]
        return [_ask(request, index, group, event.time_ns, "graph_interrupt") for index, request in enumerate(requests)]
    return []


def group_of(told: str) -> str | None:
    """The id of the interrupt that an exception's message quotes."""
    found = _ID.search(told)
    return found[1] if found else None


def answered(resume: Any, time_ns: int) -> list[Event]:
    """The decisions of a resume, each with its position: in a list, under `decisions`, or keyed by interrupt id."""
    found: list[Event] = []
    for group, value in _by_interrupt(resume):
        listed = value.get("decisions", value) if isinstance(value, dict) else value
        listed = [listed] if isinstance(listed, dict) and _is_decision(listed) else listed
        if isinstance(listed, list):
            found += _decisions(listed, group, time_ns)
        else:
            found += _plain(value, group, time_ns)
    return found


def _ask(request: dict[str, Any], position: int, group: str, time_ns: int, rule: str) -> Event:
    return Event(
        event="approval.requested",
        time_ns=time_ns,
        tool_name=text(request.get("name")),
        call_id=text(request.get("tool_call_id")),
        arguments=request.get("args"),
        position=position,
        group=group,
        content=request.get("description"),
        rule=rule,
    )


def _by_interrupt(resume: Any) -> list[tuple[str | None, Any]]:
    if isinstance(resume, dict) and resume and "decisions" not in resume:
        by_id = all(isinstance(key, str) and _INTERRUPT_ID.fullmatch(key) for key in resume)
        if by_id or all(isinstance(value, dict) and "decisions" in value for value in resume.values()):
            return [(str(key), value) for key, value in resume.items()]
    return [(None, resume)]


def _is_interrupt(kind: Any, told: str) -> bool:
    """Whether an exception is an interrupt; LangSmith writes each one as `Exception`, with its name in the text."""
    if kind == "Exception":
        return told.startswith("GraphInterrupt(")
    return isinstance(kind, str) and kind.endswith("GraphInterrupt")


def _is_decision(value: dict[str, Any]) -> bool:
    return value.get("type") in (*_GRANTED, "edit", *_REFUSED)


def _decisions(decisions: list[Any], group: str | None, time_ns: int) -> list[Event]:
    found: list[Event] = []
    for index, decision in enumerate(decisions):
        if not isinstance(decision, dict) or not _is_decision(decision):
            continue
        event = _answer("approval.granted", index, group, time_ns, "resume_decision")
        event.reason = text(decision.get("message"))
        if decision["type"] == "edit":
            edited = mapping(decision.get("edited_action", decision.get("args")))
            event.event = "approval.modified"
            event.tool_name = text(edited.get("name")) or text(edited.get("action"))
            event.arguments = edited.get("args")
        elif decision["type"] in _REFUSED:
            event.event = "approval.rejected"
        found.append(event)
    return found


def _plain(value: Any, group: str | None, time_ns: int) -> list[Event]:
    """What a plain answer says, if it is a yes or a no; anything else is an answer that only its asker understands."""
    told = next((value[key] for key in _ANSWERS if key in value), None) if isinstance(value, dict) else value
    word = told.strip().rstrip(".!").lower() if isinstance(told, str) and len(told) < 20 else str(told).lower()
    if isinstance(told, bool | str) and word in _YES | _NO:
        event = _answer("approval.granted" if word in _YES else "approval.rejected", 0, group, time_ns, "resume_word")
        event.basis = "inferred"
        event.reason = next(filter(None, (text(mapping(value).get(key)) for key in _REASONS)), None)
        return [event]
    return []


def _answer(name: str, position: int, group: str | None, time_ns: int, rule: str) -> Event:
    return Event(
        event=name,
        time_ns=time_ns,
        position=position,
        group=group,
        decided_by="human",
        identity="inferred",
        rule=rule,
    )


def _value(told: str) -> Any:
    """The value of the first interrupt in an exception's message; None where it is no literal."""
    start = told.find("value=")
    if start < 0 or len(told) > MAX_CHARACTERS:
        return None
    try:
        return ast.literal_eval(_literal(told, start + len("value=")))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _requests(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict) and value.get("type") == "tool_approval":
        return [value]
    listed = value.get("action_requests", [value]) if isinstance(value, dict) else value
    requests = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    # The prebuilt form holds each action in one more mapping, and names it `action`; others quote the model's call.
    inner = [{**item, **mapping(item.get("action_request")), **mapping(item.get("tool_call"))} for item in requests]
    named = [{"tool_call_id": item.get("id"), **item, "name": item.get("name", item.get("action"))} for item in inner]
    asks = [item for item in named if isinstance(item["name"], str) and isinstance(item.get("args"), dict)]
    return asks if len(asks) == len(named) else []


def _literal(told: str, start: int) -> str:
    """The literal at `start`: a balanced bracket, string literals skipped, or one string."""
    depth, quote, index = 0, "", start
    while index < len(told):
        character = told[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
                if depth == 0:
                    return told[start : index + 1]
        elif character in "'\"":
            quote = character
        elif character in _OPENERS:
            depth += 1
        elif character in "}])":
            depth -= 1
            if depth == 0:
                return told[start : index + 1]
        elif depth == 0 and character == ",":
            return told[start:index]
        index += 1
    return ""
