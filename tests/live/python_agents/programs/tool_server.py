"""An MCP server with the tools of the toolbox, of FastMCP or of the official SDK: `tool_server.py KIND PORT`.

`PORT` is where it listens on loopback; `stdio` is standard input and output. Its middleware lets nobody delete.
"""

from __future__ import annotations

import sys
from typing import Any

import toolbox


def fastmcp_server() -> Any:
    """A server of FastMCP; a tool that raises any error but its own tells the client nothing of it."""
    from fastmcp import FastMCP
    from fastmcp.exceptions import AuthorizationError
    from fastmcp.server.middleware import Middleware

    class Guard(Middleware):
        """Refuses one tool, whoever calls it."""

        async def on_call_tool(self, context: Any, call_next: Any) -> Any:
            """Refuse, or pass on."""
            if context.message.name == "delete_db":
                raise AuthorizationError("delete_db needs the scope records:delete")
            return await call_next(context)

    served = FastMCP("records", middleware=[Guard()])
    for tool in (toolbox.read_db, toolbox.delete_db, toolbox.pay, toolbox.broken):
        served.tool(tool)
    return served


def official_server() -> Any:
    """A server of the official SDK."""
    from mcp.server import MCPServer

    served = MCPServer("records")
    for tool in (toolbox.read_db, toolbox.pay, toolbox.broken):
        served.tool()(tool)
    return served


def main(kind: str, port: str) -> None:
    """Serve until ended."""
    toolbox.tracer_provider("records")
    served = fastmcp_server() if kind == "fastmcp" else official_server()
    if port == "stdio":
        served.run("stdio")
    elif kind == "fastmcp":
        served.run("http", host="127.0.0.1", port=int(port), show_banner=False)
    else:
        served.run("streamable-http", host="127.0.0.1", port=int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
