"""Live cases of Microsoft Agent Framework: its own instrumentation, driven by a scripted chat client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation(
    "pip",
    ("agent-framework-core==1.23.0", "opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2"),
)
_PROGRAM: Final = "{live}/python_agents/programs/run_agent_framework.py"

_READ: Final = Call("read_db", "executed", arguments={"q": "a"})
_SCENES: Final[Mapping[str, tuple[tuple[Call, ...], int]]] = {
    "approve_reject": (
        (
            _READ,
            Call("delete_db", "denied", "human", True, 2, arguments={"q": "b"}),
            Call("pay", "executed", "human", True, 2, arguments={"amount": 900}),
        ),
        1,
    ),
    "pending": (
        (
            Call("read_db", "pending", asked=True, arguments={"q": "a"}),
            Call("delete_db", "pending", asked=True, arguments={"q": "b"}),
            Call("pay", "pending", asked=True, arguments={"amount": 900}),
        ),
        1,
    ),
    "wrong_calls": (
        (
            Call("wipe", "unknown_tool", arguments={"q": "a"}),
            Call("broken", "failed", arguments={"q": "a"}),
            Call("read_db", "invalid_arguments", arguments={"rows": [3]}),
            _READ,
        ),
        1,
    ),
    "two_turns": ((_READ, _READ), 2),
    "interleaved": (
        (
            Call("pay", "executed", "human", True, 2, arguments={"amount": 5}),
            Call("pay", "denied", "human", True, 2, arguments={"amount": 5}),
        ),
        2,
    ),
}

AGENTS: Final = tuple(
    Agent(f"agent-framework/{scene}", _INSTALLED, ("{bin}/python", _PROGRAM, scene), calls, runs)
    for scene, (calls, runs) in _SCENES.items()
)
