"""AutoGen over the scripted model, through OpenInference: `run_autogen.py SCENE`."""

from __future__ import annotations

import asyncio
import sys

import toolbox
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from openinference.instrumentation.autogen_agentchat import AutogenAgentChatInstrumentor

SCENES: dict[str, list[toolbox.Turn]] = {
    "parallel": [[("read_db", {"q": "a"}), ("pay", {"amount": 5})], "Done."],
    "twice_the_same": [[("pay", {"amount": 5}), ("pay", {"amount": 5})], "Done."],
    "wrong_calls": [[("wipe", {"q": "a"})], [("broken", {"q": "a"})], [("read_db", {"q": "a"})], "Done."],
}


async def play(url: str) -> None:
    """One prompt."""
    model = OpenAIChatCompletionClient(model="gpt-4o", base_url=f"{url}/v1", api_key="none")
    tools = [toolbox.read_db, toolbox.pay, toolbox.broken]
    agent = AssistantAgent("clerk", model, tools=tools, system_message="Be careful.", max_tool_iterations=6)
    await agent.run(task="work [[main]]")


if __name__ == "__main__":
    AutogenAgentChatInstrumentor().instrument(tracer_provider=toolbox.tracer_provider("clerk-service"))
    with toolbox.model_server(main=SCENES[sys.argv[1]]) as base_url:
        asyncio.run(play(base_url))
