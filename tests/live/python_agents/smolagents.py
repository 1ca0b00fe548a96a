"""Live cases of smolagents through OpenInference: agents that call tools, and agents that write code which does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation(
    "pip",
    (
        "smolagents==1.26.0",
        "openinference-instrumentation-smolagents==0.1.43",
        "openai==2.54.0",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
    ),
    shown=2,
)
_PROGRAM: Final = "{live}/python_agents/programs/run_smolagents.py"
_HIDDEN: Final = {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}

_READ: Final = Call("read_db", "executed", arguments={"q": "a"})
_PAID: Final = Call("pay", "executed", arguments={"amount": 5})
_BROKEN: Final = Call("broken", "failed", arguments={"q": "a"})
_ANSWERED: Final = Call("final_answer", "executed", body=None)
_HELPED: Final = (
    Call("helper", "executed", body=None),
    Call("read_db", "executed", arguments={"q": "z"}),
    _ANSWERED,
    _ANSWERED,
)
_SCENES: Final[Mapping[str, tuple[tuple[Call, ...], int]]] = {
    "parallel": ((_READ, _PAID, Call("void", "executed"), _ANSWERED), 1),
    "twice_the_same": ((_PAID, _PAID, _ANSWERED), 1),
    "wrong_calls": (
        (
            Call("wipe", "unknown_tool", arguments={"q": "a"}),
            Call("read_db", "invalid_arguments", arguments={"rows": 3}),
            _READ,
            _ANSWERED,
        ),
        1,
    ),
    "wrong_beside_right": ((_READ, Call("wipe", "unknown_tool", arguments={"q": "a"}), _ANSWERED), 1),
    "broken": ((_BROKEN, _READ, _ANSWERED), 1),
    "broken_beside_right": ((_READ, _BROKEN, _ANSWERED), 1),
    "streamed": ((_READ, _PAID, _ANSWERED), 1),
    "two_turns": ((_READ, _ANSWERED, _READ, _ANSWERED), 2),
    "sub_agent": (_HELPED, 1),
    "code": ((_READ, _PAID, _ANSWERED), 1),
    "code_twice_the_same": ((_PAID, _PAID, _ANSWERED), 1),
    "code_broken": ((_READ, _BROKEN, _ANSWERED), 1),
    "code_wrong_calls": (
        (
            Call("wipe", "unknown_tool"),
            Call("read_db", "invalid_arguments"),
            _READ,
            _ANSWERED,
        ),
        1,
    ),
    "code_forbidden": ((Call("open", "denied", "policy"), _READ, _ANSWERED), 1),
    "code_sub_agent": (_HELPED, 1),
}
_UNTOLD: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("wrong_calls_no_content", "read_db/invalid_arguments"): {
        "tool": "without content no proposal is sent, and the error names no tool"
    },
}
"""What cannot be told, by case and call (`tool/outcome`)."""


def _case(scene: str, environment: Mapping[str, str]) -> Agent:
    calls, runs = _SCENES[scene]
    name = f"{scene}_no_content" if environment else scene
    told = tuple(replace(call, untold=_UNTOLD.get((name, f"{call.tool}/{call.outcome}"), {})) for call in calls)
    return Agent(f"smolagents/{name}", _INSTALLED, ("{bin}/python", _PROGRAM, scene), told, runs, environment)


AGENTS: Final = (
    *(_case(scene, {}) for scene in _SCENES),
    *(_case(scene, _HIDDEN) for scene in ("parallel", "wrong_calls", "broken", "code")),
)
