"""An agent or a bare client, and an MCP server in another process: `run_mcp.py SCENE SERVER TRANSPORT`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import toolbox
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ToolDenied
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

STARTS_WITHIN_S = 60.0
"""A server on a busy machine."""
SERVER = str(Path(__file__).with_name("tool_server.py"))
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("read_db", {"q": "a"}),
    ("broken", {"q": "b"}),
    ("pay", {"amount": 5}),
    ("delete_db", {"q": "c"}),
    ("wipe", {"q": "d"}),
    ("pay", {"amount": "much"}),
)


def agent(server: Any) -> None:
    """Each call in a turn of its own; those of a tool that fails or refuses are not tried again."""

    def respond(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        number = sum(isinstance(message, ModelResponse) for message in messages)
        if number == len(CALLS):
            return ModelResponse(parts=[TextPart("Done.")])
        tool, arguments = CALLS[number]
        return ModelResponse(parts=[ToolCallPart(tool, arguments, tool_call_id=f"call_{number}")])

    toolset = MCPToolset(server, id="records", tool_error_behavior="failed", init_timeout=STARTS_WITHIN_S)
    made: Agent[None, str] = Agent(FunctionModel(respond), name="clerk", toolsets=[toolset], retries=3)
    print(asyncio.run(made.run("look it up")).output)


def approved(server: Any) -> None:
    """Two calls of a server's tool wait for a person: one is let through, and only that one reaches the server."""

    def respond(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if sum(isinstance(message, ModelResponse) for message in messages):
            return ModelResponse(parts=[TextPart("Paid once.")])
        return ModelResponse(parts=[ToolCallPart("pay", {"amount": n}, tool_call_id=f"call_{n}") for n in (5, 900)])

    toolset = MCPToolset(server, id="records", init_timeout=STARTS_WITHIN_S).approval_required(lambda *_: True)
    made: Agent[None, Any] = Agent(
        FunctionModel(respond), name="clerk", toolsets=[toolset], output_type=[str, DeferredToolRequests]
    )

    async def play() -> None:
        first = await made.run("pay both")
        await asyncio.sleep(2)
        verdicts = {"call_5": True, "call_900": ToolDenied("Too much.")}
        results = DeferredToolResults(approvals=verdicts)
        await made.run(message_history=first.all_messages(), deferred_tool_results=results)

    asyncio.run(play())


def client(server: Any) -> None:
    """No agent at all: a program calls the server's tools."""

    async def play() -> None:
        async with Client(server, init_timeout=STARTS_WITHIN_S) as connected:
            for tool, arguments in CALLS[:5]:
                with contextlib.suppress(ToolError):
                    await connected.call_tool(tool, arguments)

    asyncio.run(play())


@contextlib.contextmanager
def served(kind: str, transport: str) -> Iterator[Any]:
    """What a client connects to, while the server runs."""
    if transport == "stdio":
        yield StdioTransport(sys.executable, [SERVER, kind, "stdio"], env=dict(os.environ))
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen([sys.executable, SERVER, kind, str(port)])
    try:
        _await_port(port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        # Uvicorn ends itself by the signal it got: only this one lets Python flush what is left to export.
        child.send_signal(signal.SIGINT)
        child.wait(20)


def _await_port(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(port)


SCENES: dict[str, Callable[[Any], None]] = {scene.__name__: scene for scene in (agent, approved, client)}


def main(scene: str, kind: str, transport: str) -> None:
    """Play one scene; both processes report on their own."""
    toolbox.tracer_provider("clerk-app")
    Agent.instrument_all()
    with served(kind, transport) as server:
        SCENES[scene](server)


if __name__ == "__main__":
    main(*sys.argv[1:])
