"""Live cases of CrewAI, through OpenInference, through OpenLLMetry, and by its own spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.live.agent import Agent, Call, Installation

_SHARED: Final = ("crewai==1.15.30", "opentelemetry-exporter-otlp-proto-http==1.45.2")
_OPENINFERENCE: Final = Installation(
    "pip",
    (
        _SHARED[0],
        "openinference-instrumentation-crewai==1.1.21",
        "openinference-instrumentation-openai==0.1.66",
        _SHARED[1],
    ),
    shown=2,
)
_OPENLLMETRY: Final = Installation(
    "pip",
    (
        _SHARED[0],
        "opentelemetry-instrumentation-crewai==0.62.4",
        "opentelemetry-instrumentation-openai==0.62.4",
        _SHARED[1],
    ),
    shown=2,
)
_INSTALLED: Final = {
    "openinference": _OPENINFERENCE,
    "openllmetry": _OPENLLMETRY,
    "own": replace(_OPENINFERENCE, shown=1),
}
_PROGRAM: Final = "{live}/python_agents/programs/run_crewai.py"
_SILENT: Final = {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "CREWAI_TESTING": "true"}

_READ: Final = Call("read_db", "executed", arguments={"q": "a"})
_PAID: Final = Call("pay", "executed", arguments={"amount": 5})
_SCENES: Final[Mapping[str, tuple[tuple[Call, ...], int]]] = {
    "parallel": ((_READ, _PAID), 1),
    "twice_the_same": ((_PAID, _PAID), 1),
    "wrong_calls": (
        (
            Call("wipe", "unknown_tool", arguments={"q": "a"}),
            Call("read_db", "invalid_arguments", arguments={"rows": 3}),
            _READ,
        ),
        1,
    ),
    "broken": ((Call("broken", "failed", arguments={"q": "a"}),), 1),
    "hook": ((_READ, Call("delete_db", "denied", "hook", arguments={"q": "b"})), 1),
    "hook_asks": ((_READ, Call("delete_db", "denied", "human", True, 1.5, arguments={"q": "b"})), 1),
    "feedback": ((_READ,), 1),
    # What a guardrail sends back is done again from the beginning.
    "guardrail": ((_READ, _READ), 1),
    "delegation": (
        (
            Call("delegate_work_to_coworker", "executed", body=None),
            Call("read_db", "executed", arguments={"q": "z"}),
        ),
        1,
    ),
    "two_runs": ((_READ, _READ), 2),
}
_SILENT_ASK: Final = "a hook that asks a person leaves what one leaves that refuses"
_AS_TEXT: Final = "an error is told to the model as a text like any other"
_UNTOLD: Final[Mapping[tuple[str, str], tuple[Mapping[str, str], Mapping[str, object]]]] = {
    ("hook_asks", "delete_db"): (
        dict.fromkeys(("decided_by", "asked", "wait_s"), _SILENT_ASK),
        {"decided_by": "hook", "asked": False},
    ),
    ("openllmetry_broken", "broken"): ({"outcome": _AS_TEXT}, {"outcome": "executed"}),
}
"""What cannot be told and what is told instead, by scene (of all instrumentations, or of one) and call."""


def _told(instrumentation: str, scene: str, call: Call) -> Call:
    found = _UNTOLD.get((scene, call.tool)) or _UNTOLD.get((f"{instrumentation}_{scene}", call.tool))
    return call if found is None else replace(call, untold=found[0], told=found[1])


def _case(instrumentation: str, scene: str) -> Agent:
    calls, runs = _SCENES[scene]
    return Agent(
        f"crewai/{instrumentation}_{scene}",
        _INSTALLED[instrumentation],
        ("{bin}/python", _PROGRAM, instrumentation, scene),
        tuple(_told(instrumentation, scene, call) for call in calls),
        runs,
        _SILENT,
    )


_NOT_OWN: Final = ("delegation", "two_runs")
"""Scenes of several crews, which are not read right yet: model calls alone name the conversation of each."""

AGENTS: Final = tuple(
    _case(instrumentation, scene)
    for instrumentation in _INSTALLED
    for scene in _SCENES
    if instrumentation != "own" or scene not in _NOT_OWN
)
