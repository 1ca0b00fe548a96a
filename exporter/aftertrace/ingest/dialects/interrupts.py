"""LangGraph interrupts and their resumes: who was asked, and what was answered.

The three instrumentations of LangGraph wrap them differently and quote the same text, which is read here.
`HumanInTheLoopMiddleware` raises `GraphInterrupt` with `action_requests`, in the order of the calls that need a review;
the resume carries `decisions` in the same order and no ids. So both are stated with a `position`, and the analyzer maps
them. The exception's message is the Python `repr` of the interrupt: it is read as a literal, never evaluated.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Final

from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.records import Span

MAX_CHARACTERS: Final = 200_000
"""An interrupt's text is read up to this length: beyond it the calls are not known, only that there was one."""

_ID: Final = re.compile(r"id='([0-9a-f-]{8,64})'")


def asked(span: Span) -> list[Event]:
    """One `approval.requested` per action that the span's `GraphInterrupt` asks about; one without a tool if
    unreadable.
    """
    for event in span.events:
        text = event.attributes.get("exception.message")
        text = text if isinstance(text, str) else ""
        if event.name != "exception" or not _is_interrupt(event.attributes.get("exception.type"), text):
            continue
        found_id = _ID.search(text)
        group = found_id[1] if found_id else span.span_id
        requests = _action_requests(text)
        return [
            Event(
                event="approval.requested",
                time_ns=event.time_ns,
                tool_name=request.get("name"),
                arguments=request.get("args"),
                position=index,
                group=group,
                content=request.get("description"),
                rule="graph_interrupt",
            )
            for index, request in enumerate(requests or [{}])
        ]
    return []


def answered(resume: Any, time_ns: int) -> list[Event]:
    """The decisions of a resume, each with its position: in a list, under `decisions`, or keyed by interrupt id."""
    if isinstance(resume, list):
        return _decisions(resume, None, time_ns)
    if not isinstance(resume, dict):
        return []
    if "decisions" in resume:
        return _decisions(resume["decisions"], None, time_ns)
    found: list[Event] = []
    for group, value in resume.items():
        if isinstance(value, dict):
            found += _decisions(value.get("decisions"), str(group), time_ns)
    return found


def _is_interrupt(kind: Any, text: str) -> bool:
    """Whether an exception is an interrupt; LangSmith writes each one as `Exception`, with its name in the text."""
    if kind == "Exception":
        return text.startswith("GraphInterrupt(")
    return isinstance(kind, str) and kind.endswith("GraphInterrupt")


def _decisions(decisions: Any, group: str | None, time_ns: int) -> list[Event]:
    found: list[Event] = []
    for index, decision in enumerate(decisions if isinstance(decisions, list) else []):
        if not isinstance(decision, dict):
            continue
        event = Event(
            event="approval.granted",
            time_ns=time_ns,
            position=index,
            group=group,
            decided_by="human",
            identity="inferred",
            rule="resume_decision",
        )
        message = decision.get("message")
        event.reason = message if isinstance(message, str) else None
        match decision.get("type"):
            case "approve" | "accept":
                pass
            case "edit":
                edited = decision.get("edited_action", decision.get("args"))
                edited = edited if isinstance(edited, dict) else {}
                event.event = "approval.modified"
                event.tool_name = edited.get("name") or edited.get("action")
                event.arguments = edited.get("args")
            case "reject" | "ignore" | "response" | "respond":
                event.event = "approval.rejected"
            case _:
                continue
        found.append(event)
    return found


def _action_requests(text: str) -> list[dict[str, Any]]:
    start = text.find("value={")
    if start < 0 or len(text) > MAX_CHARACTERS:
        return []
    literal = _balanced(text, start + len("value="))
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    requests = value.get("action_requests") if isinstance(value, dict) else None
    return [item for item in requests or [] if isinstance(item, dict)] if isinstance(requests, list) else []


def _balanced(text: str, start: int) -> str:
    """The brace-balanced literal at `start`, string literals skipped."""
    depth, quote, index = 0, "", start
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return text[start : index + 1]
        index += 1
    return ""
