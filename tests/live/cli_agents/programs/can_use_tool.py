"""A program of the Claude Agent SDK that decides by words in the command: `can_use_tool.py PROMPT`."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, PermissionResultAllow, PermissionResultDeny

THINKS_S = 6.0


async def decide(tool: str, given: dict[str, Any], _: object) -> PermissionResultAllow | PermissionResultDeny:
    """The program's answer, after a while."""
    await asyncio.sleep(THINKS_S)
    command = str(given.get("command"))
    if "refuse" in command:
        return PermissionResultDeny(message=f"The program does not let {tool} do that.")
    return PermissionResultAllow(updated_input={**given, "command": command.replace("rewrite", "rewritten")})


async def main(prompt: str) -> None:
    """One prompt, to its end."""
    options = ClaudeAgentOptions(can_use_tool=decide, env=dict(os.environ), setting_sources=[])
    async with ClaudeSDKClient(options) as client:
        await client.query(prompt)
        async for _ in client.receive_response():
            pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
