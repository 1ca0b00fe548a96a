"""What smolagents tells beside the spans of its tools, through OpenInference.

Source: smolagents 1.26 and `openinference-instrumentation-smolagents` 0.1.43. What sets the emitter apart:

- A step's calls are told to the model in a message of their own, as Python writes them, and their results in the next.
- A call that never reached a tool has no span. The step in which it was proposed ends with an error that says why; one
  about arguments does not name the tool.
- In a code agent the model proposes no calls: it writes code, in which the tools run. What that code may not call, the
  interpreter names.
- An agent that another one leads is called like a tool and has no span as one: only its run's.
"""

from __future__ import annotations

import ast
import builtins
import re
from functools import lru_cache
from typing import Any, Final

from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.records import Span

SCOPE: Final = "smolagents"
"""In the scope of the instrumentation."""
RULE: Final = "smolagents_step"
"""`rule` of what a step tells; without a tool it is about the only call that was proposed in the step."""
MANAGED: Final = "managed_agent"
"""`rule` of the run of an agent that has a name: a call of another agent's, if it lies in a step."""
MAX_CHARACTERS: Final = 20_000
"""Calls are looked for in a text of up to this length."""

_CALLS: Final = "Calling tools:\n"
_RESULTS: Final = "Observation:\n"
_UNTOLD: Final = ("python_interpreter", "final_answer")
"""A code agent's own code is no call. What ends a run is told to the model in the next one alone, and is not of it."""
_RUN: Final = re.compile(r"(.{1,200})\.run")
_CLASSES: Final = ("ToolCallingAgent", "CodeAgent", "MultiStepAgent")
"""What the runs of agents without a name are called."""
_NO_SUCH_TOOL: Final = re.compile(r"Unknown tool (\S{1,200}), should be one of")
_OF_TEAM_MEMBER: Final = re.compile(r"Error executing request to team member '([^'\n]{1,200})' with arguments")
_NOT_IN_CODE: Final = re.compile(r"InterpreterError: Forbidden function evaluation: '(\w{1,200})' is not among")
_WRONG_ARGUMENTS: Final = ("AgentToolCallError",)
_BUILTINS: Final = frozenset(dir(builtins))


def messages(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of a model call's input, with calls and results where the texts hold them."""
    found: list[dict[str, Any]] = []
    calls: tuple[dict[str, Any], ...] = ()
    for message in given:
        text = _text(message)
        if message.get("role") == "tool-call":
            calls = _calls(text[len(_CALLS) :]) if text.startswith(_CALLS) else ()
            found.append({"role": "assistant", "parts": list(calls)} if calls else message)
        elif message.get("role") == "tool-response" and calls and text.startswith(_RESULTS):
            # The results of several calls are one text, and only results are: an error is told without the calls.
            told = {"response": text[len(_RESULTS) :]} if len(calls) == 1 else {}
            answers = [{"type": "tool_call_response", "id": call["id"], "name": call["name"], **told} for call in calls]
            found.append({"role": "tool", "parts": answers})
            calls = ()
        else:
            found.append(message)
    return found


def step_events(span: Span) -> list[Event]:
    """What a step's error tells of a call that has no span as a tool."""
    for item in span.events:
        told = item.attributes.get("message", item.attributes.get("exception.message"))
        kind = item.attributes.get("type", item.attributes.get("exception.type"))
        if isinstance(told, str) and (event := _error(told, str(kind))) is not None:
            event.time_ns, event.reason, event.rule = span.end_ns or span.start_ns, told, RULE
            return [event]
    return []


def run_events(span: Span) -> list[Event]:
    """The run of an agent with a name, as the call that it is if another agent leads it."""
    match = _RUN.fullmatch(span.name)
    if span.parent_span_id is None or match is None or match[1] in _CLASSES or not span.end_ns:
        return []
    return [
        Event(
            event="tool.called",
            state="completed",
            time_ns=span.start_ns,
            end_ns=span.end_ns,
            tool_name=match[1],
            rule=MANAGED,
        )
    ]


def _error(told: str, kind: str) -> Event | None:
    if (match := _NO_SUCH_TOOL.search(told)) is not None:
        return Event(event="tool.called", state="unknown_tool", tool_name=match[1])
    if (match := _OF_TEAM_MEMBER.search(told)) is not None:
        return Event(event="tool.called", state="failed", tool_name=match[1])
    if (match := _NOT_IN_CODE.search(told)) is not None:
        if match[1] in _BUILTINS:
            # Python has it, and the interpreter does not let the agent's code use it.
            return Event(event="tool.called", state="refused", tool_name=match[1], decided_by="policy")
        return Event(event="tool.called", state="unknown_tool", tool_name=match[1])
    if kind.endswith(_WRONG_ARGUMENTS):
        return Event(event="tool.called", state="invalid_arguments")
    return None


def _text(message: dict[str, Any]) -> str:
    parts = message.get("parts")
    told = parts[0].get("content") if isinstance(parts, list) and parts and isinstance(parts[0], dict) else None
    return told if isinstance(told, str) else ""


@lru_cache(maxsize=512)
def _calls(text: str) -> tuple[dict[str, Any], ...]:
    """The calls that a message lists as Python writes them; none where one cannot be read."""
    if len(text) > MAX_CHARACTERS:
        return ()
    try:
        listed = ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ()
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        return ()
    made = [(item.get("id"), item.get("function")) for item in listed]
    return tuple(
        {"type": "tool_call", "id": call_id, "name": function.get("name"), "arguments": function.get("arguments")}
        for call_id, function in made
        if isinstance(call_id, str) and isinstance(function, dict) and function.get("name") not in _UNTOLD
    )
