"""Live cases of Pydantic AI: its own instrumentation, driven by its function model."""

from __future__ import annotations

from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation(
    "pip", ("pydantic-ai-slim==2.66.0", "opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2")
)


def _case(name: str, scene: str, calls: tuple[Call, ...], *arguments: str, runs: int = 1) -> Agent:
    command = ("{bin}/python", "{live}/python_agents/programs/run_pydantic_ai.py", scene, *arguments)
    return Agent(f"pydantic-ai/{name}", _INSTALLED, command, calls, runs)


AGENTS: Final = (
    _case(
        "approve_deny",
        "approve_deny",
        (
            Call("read_db", "executed", bases=("explicit",), arguments={"q": "a"}),
            Call("delete_db", "denied", "human", asked=True, wait_s=2, arguments={"q": "b"}),
            Call("pay", "executed", "human", asked=True, wait_s=2, arguments={"amount": 900}),
        ),
    ),
)
