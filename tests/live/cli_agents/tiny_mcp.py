"""An MCP server over standard input and output with a few tools, among them one that answers permission prompts."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

_NUMBERS: Final = {"a": {"type": "number"}, "b": {"type": "number"}}
_TOOLS: Final[list[dict[str, Any]]] = [
    {"name": "add", "inputSchema": {"type": "object", "properties": _NUMBERS}, "annotations": {"readOnlyHint": True}},
    {
        "name": "drop_table",
        "inputSchema": {"type": "object", "properties": {"table": {"type": "string"}}},
        "annotations": {"destructiveHint": True},
    },
    {"name": "broken", "inputSchema": {"type": "object", "properties": {}}, "annotations": {"destructiveHint": True}},
    {"name": "approve", "inputSchema": {"type": "object", "properties": {"input": {"type": "object"}}}},
]
THINKS_S: Final = 6.0
"""How long the answer to a permission prompt takes."""


def _called(name: str, given: dict[str, Any]) -> dict[str, Any]:
    told, is_error = {"add": str(given.get("a")), "drop_table": "dropped"}.get(name, "disk on fire"), name == "broken"
    if name == "approve":
        told = json.dumps(_verdict(given.get("input") or {}))
    return {"content": [{"type": "text", "text": told}], "isError": is_error}


def _verdict(asked: dict[str, Any]) -> dict[str, Any]:
    time.sleep(THINKS_S)
    command = str(asked.get("command"))
    if "refuse" in command:
        return {"behavior": "deny", "message": "The operator says no."}
    return {"behavior": "allow", "updatedInput": {**asked, "command": command.replace("rewrite", "rewritten")}}


def _answer(message: dict[str, Any]) -> dict[str, Any]:
    given = message.get("params") or {}
    match message["method"]:
        case "initialize":
            said = {"protocolVersion": given["protocolVersion"], "serverInfo": {"name": "tiny", "version": "1"}}
            return {**said, "capabilities": {"tools": {}}}
        case "tools/list":
            return {"tools": [{"description": f"To {tool['name']}.", **tool} for tool in _TOOLS]}
        case "tools/call":
            return _called(given["name"], given.get("arguments") or {})
    return {"resources": [], "prompts": []}


def main() -> None:
    """Answer requests until the input ends; notifications want no answer."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": _answer(message)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
