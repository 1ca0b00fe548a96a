"""Live cases of the OpenAI Agents SDK, through each instrumentation that there is of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.live.agent import Agent, Call, Installation

_SDK: Final = "openai-agents==0.24.0"
_EXPORTER: Final = "opentelemetry-exporter-otlp-proto-http==1.45.2"
_INSTALLED: Final = {
    "openinference": Installation(
        "pip", (_SDK, "openinference-instrumentation-openai-agents==2.6.0", _EXPORTER), shown=2
    ),
    "openllmetry": Installation(
        "pip", (_SDK, "opentelemetry-instrumentation-openai-agents==0.62.4", _EXPORTER), shown=2
    ),
    "logfire": Installation("pip", (_SDK, "logfire==5.2.0", _EXPORTER), shown=2),
    "official": Installation(
        "pip", (_SDK, "opentelemetry-instrumentation-openai-agents-v2==0.1.0", _EXPORTER), shown=2
    ),
}
_ENVIRONMENT: Final = {"official": {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_and_event"}}
_PROGRAM: Final = "{live}/python_agents/programs/run_openai_agents.py"

_READ: Final = Call("read_db", "executed", arguments={"q": "a"})
_HELP: Final = Call("read_db", "executed", arguments={"q": "z"})
_VOID: Final = Call("void", "executed")


def _deleted(wait_s: float) -> Call:
    return Call("delete_db", "denied", "human", asked=True, wait_s=wait_s, arguments={"q": "b"})


def _paid(amount: int, wait_s: float) -> Call:
    return Call("pay", "executed", "human", asked=True, wait_s=wait_s, arguments={"amount": amount})


def _unpaid(amount: int, wait_s: float) -> Call:
    return Call("pay", "denied", "human", asked=True, wait_s=wait_s, arguments={"amount": amount})


_CLEANED: Final = (_READ, _VOID, _deleted(2), _paid(900, 2))
_SCENES: Final[Mapping[str, tuple[tuple[Call, ...], int]]] = {
    "approve_reject": (_CLEANED, 1),
    "approve_reject_chat": (_CLEANED, 1),
    "reattached": (_CLEANED, 1),
    "own_words": ((_READ, _VOID, _deleted(1.5), _paid(900, 1.5)), 1),
    "pending": (
        (
            _READ,
            Call("void", "executed"),
            Call("delete_db", "pending", asked=True, arguments={"q": "b"}),
            Call("pay", "pending", asked=True, arguments={"amount": 900}),
        ),
        1,
    ),
    "twice_the_same": ((_paid(5, 1.5), _unpaid(5, 1.5)), 1),
    "asked_twice": (
        (Call("delete_db", "executed", "human", asked=True, wait_s=1, arguments={"q": "b"}), _unpaid(7, 2.5)),
        1,
    ),
    "streamed": (_CLEANED, 1),
    "interleaved": ((_READ, _READ, _paid(5, 2), _unpaid(5, 2)), 2),
    "handoff": ((_READ, Call("transfer_to_helper", "executed", body=None), _HELP), 1),
    "sub_agent": ((Call("ask_helper", "executed", body=None), _HELP), 1),
    "guardrail": ((), 1),
    "tool_guardrail": (
        (
            Call("transfer", "denied", "guardrail", arguments={"amount": 900}),
            Call("transfer", "executed", arguments={"amount": 5}),
        ),
        1,
    ),
    "broken": ((Call("broken", "failed", arguments={"q": "a"}),), 1),
    "invalid": ((Call("read_db", "invalid_arguments", arguments={"rows": 3}), _READ), 1),
    "unknown": ((Call("wipe", "unknown_tool", arguments={"q": "a"}),), 1),
    "unknown_told": ((Call("wipe", "unknown_tool", arguments={"q": "a"}), _READ), 1),
    "stops_on_tool": ((_READ,), 1),
    "two_turns": ((_READ, _READ), 2),
}
_TWIN: Final = "the span of a call that waits is that of one that returned nothing"
_LOST: Final = "OpenInference drops every span of a run that goes on in the trace it stopped in"
_REDACTED: Final = "the SDK redacts the error, on the span and for the model"
_IN_PLACE: Final = "the span of a call that a guardrail answered is that of one that ran"
_ANSWERED: Final = ("outcome", "decided_by", "wait_s")
_UNTOLD: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("pending", "void/executed"): dict.fromkeys(("outcome", "asked"), _TWIN),
    ("openinference_reattached", "void/executed"): dict.fromkeys(("outcome", "asked"), _LOST),
    ("openinference_reattached", "delete_db/denied"): dict.fromkeys(_ANSWERED, _LOST),
    ("openinference_reattached", "pay/executed"): dict.fromkeys(_ANSWERED, _LOST),
    ("invalid", "read_db/invalid_arguments"): {"outcome": _REDACTED},
    ("tool_guardrail", "transfer/denied"): dict.fromkeys(("outcome", "decided_by"), _IN_PLACE),
    ("openllmetry_unknown", "wipe/unknown_tool"): {"outcome": "OpenLLMetry writes neither the tools nor the turn"},
}
"""What cannot be told, by scene (of all instrumentations, or of one) and call (`tool/outcome`)."""
_TOLD: Final[Mapping[tuple[str, str], Mapping[str, object]]] = {
    ("invalid", "read_db/invalid_arguments"): {"outcome": "failed"},
    ("tool_guardrail", "transfer/denied"): {"outcome": "executed"},
}
"""What is told instead, where that is no guess."""


def _case(instrumentation: str, scene: str, *arguments: str) -> Agent:
    calls, runs = _SCENES[scene]
    name = "_".join((instrumentation, scene, *arguments)).replace("-", "_")
    told = tuple(
        replace(call, untold=untold, told=_TOLD.get((scene, key), {}))
        for call in calls
        for key in (f"{call.tool}/{call.outcome}",)
        for untold in (_UNTOLD.get((scene, key)) or _UNTOLD.get((name, key), {}),)
    )
    return Agent(
        f"openai-agents/{name}",
        _INSTALLED[instrumentation],
        ("{bin}/python", _PROGRAM, instrumentation, scene, *arguments),
        told,
        runs,
        environment=_ENVIRONMENT.get(instrumentation, {}),
    )


_OFFICIAL: Final = ("handoff", "broken")
"""Scenes without a question: the official instrumentation leaves out the calls that the model proposes beside a text,
and what it is told of them, so that no answer can be joined to its call."""
_FEWER: Final = ("approve_reject", "reattached", "handoff", "unknown")
"""Scenes that are played through every other instrumentation."""

AGENTS: Final = tuple(
    _case(instrumentation, scene)
    for instrumentation in _INSTALLED
    for scene in {"openinference": tuple(_SCENES), "official": _OFFICIAL}.get(instrumentation, _FEWER)
)
