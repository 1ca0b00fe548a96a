"""LlamaIndex over the scripted model, through OpenInference: `run_llama_index.py SCENE`."""

from __future__ import annotations

import asyncio
import sys

import toolbox
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

SCENES: dict[str, list[toolbox.Turn]] = {
    "parallel": [[("read_db", {"q": "a"}), ("pay", {"amount": 5})], "Done."],
    "twice_the_same": [[("pay", {"amount": 5}), ("pay", {"amount": 5})], "Done."],
    "wrong_calls": [[("wipe", {"q": "a"})], [("broken", {"q": "a"})], [("read_db", {"q": "a"})], "Done."],
}


async def play(url: str) -> None:
    """One prompt."""
    model = OpenAILike(
        model="scripted-1", api_base=f"{url}/v1", api_key="none", is_chat_model=True, is_function_calling_model=True
    )
    tools = [toolbox.read_db, toolbox.pay, toolbox.broken]
    agent = FunctionAgent(name="clerk", tools=tools, llm=model, system_prompt="Be careful.", streaming=False)
    await agent.run("work [[main]]")


if __name__ == "__main__":
    LlamaIndexInstrumentor().instrument(tracer_provider=toolbox.tracer_provider("clerk-service"))
    with toolbox.model_server(main=SCENES[sys.argv[1]]) as base_url:
        asyncio.run(play(base_url))
