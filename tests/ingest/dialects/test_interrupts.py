"""LangGraph interrupts: the text of an exception is read as a literal, never evaluated."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.interrupts import MAX_CHARACTERS, answered, asked
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_span, named, read_recording, values

REQUESTS = [{"name": "delete_db", "args": {"q": "it's {b}"}, "description": "Delete?"}, {"name": "pay", "args": {}}]


def interrupted(message: Any, kind: Any = "langgraph.errors.GraphInterrupt") -> Span:
    """A span that ended in an exception."""
    told = {"exception.type": kind, "exception.message": message}
    return make_span("HumanInTheLoop", {}, events=[SpanEvent("exception", 7, told)])


def asks(message: Any) -> list[tuple[Any, ...]]:
    """Tool, arguments, position and group of what is asked."""
    return [(e.tool_name, e.arguments, e.position, e.group) for e in asked(interrupted(message))]


def test_an_interrupt_asks_about_each_of_its_actions_in_order() -> None:
    """Strings may hold braces and quotes."""
    value = {"action_requests": REQUESTS, "review_configs": [{"allowed_decisions": ["approve", "edit"]}]}
    message = f"(Interrupt(value={value!r}, id='0123456789abcdef'),)"
    assert asked(interrupted(message)) == [
        Event(event="approval.requested", time_ns=7, tool_name="delete_db", arguments={"q": "it's {b}"}, position=0,
              group="0123456789abcdef", content="Delete?", rule="graph_interrupt"),
        Event(event="approval.requested", time_ns=7, tool_name="pay", arguments={}, position=1,
              group="0123456789abcdef", rule="graph_interrupt"),
    ]  # fmt: skip


def test_an_interrupt_of_one_call_names_it() -> None:
    """`interrupt_mode="per_call"`, LangGraph's older prebuilt form, and a node that quotes the model's call."""
    args = {"amount": 900}
    per_call = {"type": "tool_approval", "tool_call_id": "c-1", "name": "pay", "args": args, "description": "Pay?"}
    prebuilt = [{"action_request": {"action": "pay", "args": args}, "config": {"allow_edit": True}}]
    quoted = {"question": "May I?", "tool_call": {"name": "pay", "args": args, "id": "c-1", "type": "tool_call"}}
    told = [
        asked(interrupted(f"(Interrupt(value={value!r}, id='{'0' * 32}'),)")) for value in (per_call, prebuilt, quoted)
    ]
    assert [[(e.tool_name, e.call_id, e.arguments, e.position, e.rule) for e in events] for events in told] == [
        [("pay", "c-1", args, 0, "graph_interrupt")],
        [("pay", None, args, 0, "graph_interrupt")],
        [("pay", "c-1", args, 0, "graph_interrupt")],
    ]


@pytest.mark.parametrize("value", ["May I, (really)?", {"question": "May I?"}, ["a", "b"], 3, None, ("x", {"y": [1]})])
def test_a_plain_question_asks_about_no_call_in_particular(value: Any) -> None:
    """A node of one's own; the question is kept."""
    (event,) = asked(interrupted(f"(Interrupt(value={value!r}, id='0123456789abcdef'),)"))
    assert (event.tool_name, event.position, event.group, event.content, event.rule) == (
        None, 0, "0123456789abcdef", value, "graph_question",
    )  # fmt: skip


def test_the_interrupt_of_a_recording_asks_about_its_two_actions() -> None:
    """As LangChain 1.4 writes it."""
    (span,) = [
        span
        for span in read_recording("langchain", "openinference_reject_edit")
        if isinstance(span, Span) and span.parent_span_id and asked(span)
    ]
    assert [(e.tool_name, e.arguments, e.position) for e in asked(span)] == [
        ("delete_db", {"q": "b"}, 0),
        ("pay", {"amount": 900}, 1),
    ]
    assert named([span], span.name) == [span]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "(Interrupt(value='approve?', id='0123456789'),)",
        "(Interrupt(value={'action_requests': [{'name': 'pay'",
        "(Interrupt(value={'action_requests': 3}),)",
        "(Interrupt(value={[]}),)",
        "(Interrupt(value={'action_requests': [object()]}),)",
        "(Interrupt(value=" + "{" * 5_000,
        "(Interrupt(value={'a': " + "[" * 50_000 + "]" * 50_000 + "}),)",
        "x" * (MAX_CHARACTERS + 1),
        None,
        3,
    ],
    ids=lambda message: str(message)[:24],
)
def test_an_interrupt_that_cannot_be_read_still_asks(message: Any) -> None:
    """Somebody was asked, about what is not known; the call stays open and is not lost."""
    (event,) = asked(interrupted(message))
    assert (event.event, event.tool_name, event.arguments, event.position) == ("approval.requested", None, None, 0)


def test_code_in_an_interrupt_is_not_run(tmp_path: Path) -> None:
    """It comes from a prompt-injected agent."""
    mark = tmp_path / "mark"
    attack = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    for message in (f"(Interrupt(value={{'action_requests': [{attack}]}}),)", f"(Interrupt(value={{**{attack}}}),)"):
        assert asks(message) == [(None, None, 0, "0" * 15 + "1")]
    assert not mark.exists()


def test_hostile_text_is_read_in_bounded_time() -> None:
    """As long as is read at all, and made to be slow."""
    start = time.perf_counter()
    for filling in ("{", "{'a':", "'", "\\", "{}", "-", "(" * 99 + ")" * 99, "1+", "[[", "id='", "value={"):
        asked(interrupted(("(Interrupt(value={'a': " + filling * MAX_CHARACTERS)[:MAX_CHARACTERS]))
        asked(interrupted(("(Interrupt(value={'a': " + filling * MAX_CHARACTERS)[: MAX_CHARACTERS - 2] + "}}"))
    assert time.perf_counter() - start < 10


def test_langsmith_names_an_interrupt_in_the_text_of_an_exception() -> None:
    """The trace that follows is no part of it."""
    value = {"action_requests": REQUESTS}
    message = f"GraphInterrupt((Interrupt(value={value!r}, id='0123456789abcdef'),))Traceback (most recent call last):"
    assert [(e.tool_name, e.group) for e in asked(interrupted(message, kind="Exception"))] == [
        ("delete_db", "0123456789abcdef"),
        ("pay", "0123456789abcdef"),
    ]


def test_other_exceptions_ask_nothing() -> None:
    """A failure is no interrupt."""
    assert asked(interrupted("(Interrupt(value={'action_requests': []}),)", kind="ValueError")) == []
    assert asked(interrupted("ValueError('GraphInterrupt(')", kind="Exception")) == []
    assert asked(make_span("tools", {})) == []


def test_a_resume_answers_by_position() -> None:
    """Approved, edited, rejected; what is none of these is no answer."""
    edit = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 5}}}
    resume = {"decisions": [{"type": "approve"}, edit, {"type": "reject", "message": "not on prod"}, {"type": "?"}, 3]}
    shared = {"time_ns": 9, "decided_by": "human", "identity": "inferred", "rule": "resume_decision"}
    expected = [
        Event(event="approval.granted", position=0, **shared),
        Event(event="approval.modified", position=1, tool_name="pay", arguments={"amount": 5}, **shared),
        Event(event="approval.rejected", position=2, reason="not on prod", **shared),
    ]
    assert answered(resume, 9) == expected
    assert answered(resume["decisions"], 9) == expected
    by_interrupt = answered({"0123456789abcdef": resume}, 9)
    assert [(event.event, event.group) for event in by_interrupt] == [
        (event.event, "0123456789abcdef") for event in expected
    ]


def test_a_resume_answers_one_call_by_its_interrupt() -> None:
    """`interrupt_mode="per_call"`; a lone decision is that of the one interrupt there is."""
    one, other = "1" * 32, "2" * 32
    resume = {one: {"type": "approve"}, other: {"type": "reject", "message": "Keep it."}}
    told = [(e.event, e.group, e.position, e.reason) for e in answered(resume, 9)]
    assert told == [("approval.granted", one, 0, None), ("approval.rejected", other, 0, "Keep it.")]
    assert [(e.event, e.group) for e in answered({"type": "approve"}, 9)] == [("approval.granted", None)]


@pytest.mark.parametrize(
    ("resume", "expected"),
    [
        ("yes", ("approval.granted", None)),
        (True, ("approval.granted", None)),
        ("No.", ("approval.rejected", None)),
        ({"approved": False, "reason": "too much"}, ("approval.rejected", "too much")),
        ({"action": "approve"}, ("approval.granted", None)),
        ({"1" * 32: "deny"}, ("approval.rejected", None)),
    ],
)
def test_a_plain_yes_or_no_is_an_answer(resume: Any, expected: tuple[str, str | None]) -> None:
    """Inferred: only its asker knows for sure."""
    (event,) = answered(resume, 9)
    assert (event.event, event.reason, event.basis, event.position, event.rule) == (
        *expected, "inferred", 0, "resume_word",
    )  # fmt: skip


@pytest.mark.parametrize("resume", ["Ana Silva", "no idea, ask Ben", 3, None, {}, {"name": "yes"}, [], {"decision": 7}])
def test_any_other_answer_decides_nothing(resume: Any) -> None:
    """A name, a number, a text that only begins like a no."""
    assert answered(resume, 9) == []


@given(message=values, kind=values, resume=values)
def test_any_exception_and_any_resume_are_read_without_an_error(message: Any, kind: Any, resume: Any) -> None:
    """Whatever their attributes hold."""
    asked(interrupted(message, kind))
    answered(resume, 1)
    answered({"decisions": resume}, 1)
    answered({"decisions": [resume, {"type": "edit", "edited_action": resume}]}, 1)


@given(st.text(max_size=60))
def test_any_text_after_the_marker_is_read_without_an_error(text: str) -> None:
    """Cut, nested or nonsense."""
    asked(interrupted(f"(Interrupt(value={{{text}"))
    asked(interrupted(f"(Interrupt(value={{{text}}}),)"))
