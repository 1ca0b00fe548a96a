"""Haystack over the scripted model, through OpenInference: `run_haystack.py SCENE`."""

from __future__ import annotations

import contextlib
import sys

import toolbox
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from haystack.utils import Secret
from openinference.instrumentation.haystack import HaystackInstrumentor

SCENES: dict[str, list[toolbox.Turn]] = {
    "parallel": [[("read_db", {"q": "a"}), ("pay", {"amount": 5})], "Done."],
    "twice_the_same": [[("pay", {"amount": 5}), ("pay", {"amount": 5})], "Done."],
    "wrong_calls": [[("wipe", {"q": "a"})], [("broken", {"q": "a"})], [("read_db", {"q": "a"})], "Done."],
}


def play(url: str) -> None:
    """One prompt."""
    model = OpenAIChatGenerator(Secret.from_token("none"), model="scripted-1", api_base_url=f"{url}/v1")
    tools = [create_tool_from_function(tool) for tool in (toolbox.read_db, toolbox.pay, toolbox.broken)]
    options = {"raise_on_tool_invocation_failure": False}
    agent = Agent(chat_generator=model, tools=tools, system_prompt="Be careful.", **options)
    with contextlib.suppress(RuntimeError):
        agent.run(messages=[ChatMessage.from_user("work [[main]]")])


if __name__ == "__main__":
    HaystackInstrumentor().instrument(tracer_provider=toolbox.tracer_provider("clerk-service"))
    with toolbox.model_server(main=SCENES[sys.argv[1]]) as base_url:
        play(base_url)
