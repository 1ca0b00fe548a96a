"""Live cases of LangChain and LangGraph, through OpenInference, OpenLLMetry and LangSmith's own export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.live.agent import Agent, Call, Installation

_SHARED: Final = ("langchain==1.4.7", "langgraph==1.2.22", "opentelemetry-exporter-otlp-proto-http==1.45.2")
_INSTALLED: Final = {
    "openinference": Installation(
        "pip", (*_SHARED[:2], "openinference-instrumentation-langchain==0.1.80", _SHARED[2]), shown=3
    ),
    "openllmetry": Installation(
        "pip", (*_SHARED[:2], "opentelemetry-instrumentation-langchain==0.62.4", _SHARED[2]), shown=3
    ),
    "langsmith": Installation("pip", (*_SHARED[:2], "langsmith==0.15.0", _SHARED[2]), shown=3),
}
_ENVIRONMENT: Final = {
    "langsmith": {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_OTEL_ENABLED": "true",
        "LANGSMITH_OTEL_ONLY": "true",
        "LANGSMITH_API_KEY": "none",
        "LANGSMITH_ENDPOINT": "{http}/langsmith",
    }
}
"""LangSmith itself is never asked: all that would go there stays on loopback."""
_PROGRAM: Final = "{live}/python_agents/programs/run_langchain.py"
_STATED: Final = ("explicit",)

_READ: Final = Call("read_db", "executed", arguments={"q": "a"})


def _deleted(wait_s: float) -> Call:
    return Call("delete_db", "denied", "human", True, wait_s, _STATED, {"q": "b"})


def _paid(amount: int, wait_s: float) -> Call:
    return Call("pay", "executed", "human", True, wait_s, arguments={"amount": amount})


def _unpaid(amount: int, wait_s: float) -> Call:
    return Call("pay", "denied", "human", True, wait_s, _STATED, {"amount": amount})


def _edited(wait_s: float) -> Call:
    return Call("pay", "modified", "human", True, wait_s, _STATED, {"amount": 900})


_SCENES: Final[Mapping[str, tuple[tuple[Call, ...], int | None]]] = {
    "approve_reject": ((_READ, _deleted(2), _paid(900, 2)), 1),
    "silent_rejection": ((_READ, _deleted(1.5), _unpaid(900, 1.5)), 1),
    "edited": ((_edited(1.5),), 1),
    "redirected": ((Call("delete_db", "modified", "human", True, 1.5, _STATED, {"q": "b"}, body="read_db"),), 1),
    "responded": ((_unpaid(900, 1.5), _READ), 1),
    "twice_the_same": ((_unpaid(5, 1.5), _paid(5, 1.5)), 1),
    "asked_twice": ((Call("delete_db", "executed", "human", True, 1, arguments={"q": "b"}), _unpaid(7, 2.5)), 1),
    "pending": (
        (
            Call("read_db", "pending", arguments={"q": "a"}),
            Call("delete_db", "pending", asked=True, arguments={"q": "b"}),
            Call("pay", "pending", asked=True, arguments={"amount": 900}),
        ),
        1,
    ),
    "per_call": ((_READ, _deleted(2), _edited(2), _paid(1, 2)), 1),
    "streamed": ((_READ, _deleted(2), _paid(900, 2)), 1),
    "interleaved": ((_READ, _READ, _paid(5, 2), _unpaid(5, 2)), 2),
    "sub_agent": (
        (Call("ask_helper", "executed", arguments={"task": "t"}), Call("read_db", "executed", arguments={"q": "z"})),
        1,
    ),
    "wrong_calls": (
        (
            Call("wipe", "unknown_tool", arguments={"q": "a"}),
            Call("read_db", "invalid_arguments", arguments={"rows": 3}),
            _READ,
        ),
        1,
    ),
    "broken": ((Call("broken", "failed", arguments={"q": "a"}),), 1),
    "two_turns": ((_READ, _READ), 2),
    "asks_in_body_pending": (
        (Call("ship", "pending", asked=True, bases=_STATED, arguments={"parcel": "one"}), _READ),
        1,
    ),
    "asks_in_body": ((Call("ship", "executed", "human", True, 1.5, arguments={"parcel": "one"}), _READ), 1),
    "node_approves": ((_paid(900, 1.5),), 1),
    "node_rejects": ((Call("pay", "denied", "human", True, 1.5, arguments={"amount": 900}),), 1),
}


def _case(instrumentation: str, scene: str) -> Agent:
    calls, runs = _SCENES[scene]
    return Agent(
        f"langchain/{instrumentation}_{scene}",
        _INSTALLED[instrumentation],
        ("{bin}/python", _PROGRAM, instrumentation, scene),
        calls,
        runs,
        _ENVIRONMENT.get(instrumentation, {}),
    )


_FEWER: Final = ("approve_reject", "edited", "per_call", "two_turns", "asks_in_body", "node_rejects")
"""Scenes that are played through the others too."""
_LANGSMITH: Final = ("pending", "sub_agent", "wrong_calls", "broken", "twice_the_same")
"""And those that are played through LangSmith's besides."""

AGENTS: Final = tuple(
    _case(instrumentation, scene)
    for instrumentation in _INSTALLED
    for scene in {"openinference": tuple(_SCENES), "langsmith": (*_FEWER, *_LANGSMITH)}.get(instrumentation, _FEWER)
)
