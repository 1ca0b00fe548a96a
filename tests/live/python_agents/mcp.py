"""Live cases of the Model Context Protocol: an agent or a bare client, and a server in a process of its own."""

from __future__ import annotations

from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation(
    "pip",
    (
        "fastmcp==4.1.2",
        "mcp==2.3.0",
        "pydantic-ai-slim[mcp]==2.68.0",
        "opentelemetry-sdk==1.45.2",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
    ),
    shown=3,
)
_PROGRAM: Final = "{live}/python_agents/programs/run_mcp.py"
_STATED: Final = ("explicit",)
_RAN: Final = (
    Call("read_db", "executed", bases=_STATED, arguments={"q": "a"}),
    Call("broken", "failed", bases=_STATED, arguments={"q": "b"}),
    Call("pay", "executed", bases=_STATED, arguments={"amount": 5}),
)
_REFUSED: Final = Call("delete_db", "denied", "target", arguments={"q": "c"})
_UNLISTED: Final = Call("delete_db", "unknown_tool", arguments={"q": "c"})
_WIPE: Final = Call("wipe", "unknown_tool", arguments={"q": "d"})
_INVALID: Final = Call("pay", "invalid_arguments", arguments={"amount": "much"})


def _case(scene: str, server: str, transport: str, *calls: Call, runs: int = 1) -> Agent:
    command = ("{bin}/python", _PROGRAM, scene, server, transport)
    return Agent(f"mcp/{scene}_{server}_{transport}", _INSTALLED, command, calls, runs)


AGENTS: Final = (
    _case("agent", "fastmcp", "http", *_RAN, _REFUSED, _WIPE, _INVALID),
    _case("agent", "official", "stdio", *_RAN, _UNLISTED, _WIPE, _INVALID),
    _case(
        "approved",
        "fastmcp",
        "http",
        # The run that goes on connects to the server first: its wait is not compared.
        Call("pay", "executed", "human", asked=True, bases=_STATED, arguments={"amount": 5}),
        Call("pay", "denied", "human", asked=True, arguments={"amount": 900}),
    ),
    # Without an agent each request is a trace, and so a run, of its own.
    _case("client", "fastmcp", "http", *_RAN, _REFUSED, _WIPE, runs=5),
    _case("client", "official", "http", *_RAN, _UNLISTED, _WIPE, runs=5),
)
