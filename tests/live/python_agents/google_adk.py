"""Live cases of Google ADK: its own telemetry, in both schema versions, driven by a scripted model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation("pip", ("google-adk==2.13.0", "opentelemetry-exporter-otlp-proto-http==1.44.0"))
_PROGRAM: Final = "{live}/python_agents/programs/run_google_adk.py"
_CONTENT: Final = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"}
_FIRST: Final = {"ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN": "1"}

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
    "twice_the_same": (
        (
            Call("pay", "executed", "human", True, 1.5, arguments={"amount": 5}),
            Call("pay", "denied", "human", True, 1.5, arguments={"amount": 5}),
        ),
        1,
    ),
    "pending": (
        (
            _READ,
            Call("delete_db", "pending", asked=True, arguments={"q": "b"}),
            Call("pay", "pending", asked=True, arguments={"amount": 900}),
        ),
        1,
    ),
    "broken": ((_READ, Call("broken", "failed", arguments={"q": "a"})), 1),
    "two_turns": ((_READ, _READ), 2),
}


def _case(scene: str, schema: Mapping[str, str]) -> Agent:
    calls, runs = _SCENES[scene]
    name = f"google-adk/{'v1' if schema else 'v2'}_{scene}"
    return Agent(name, _INSTALLED, ("{bin}/python", _PROGRAM, scene), calls, runs, {**_CONTENT, **schema})


AGENTS: Final = (
    *(_case(scene, {}) for scene in _SCENES),
    *(_case(scene, _FIRST) for scene in ("approve_reject", "pending")),
)
