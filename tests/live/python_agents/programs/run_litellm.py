"""A loop of one's own around LiteLLM, which tells of its model calls alone: `run_litellm.py SCENE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import litellm
import toolbox

TOOLS: dict[str, Callable[..., str]] = {"read_db": toolbox.read_db, "pay": toolbox.pay}
PARAMETERS = {"read_db": {"q": {"type": "string"}}, "pay": {"amount": {"type": "integer"}}}
SCENES: dict[str, list[toolbox.Turn]] = {
    "parallel": [[("read_db", {"q": "a"}), ("pay", {"amount": 5})], "Done."],
    "unanswered": [[("read_db", {"q": "a"})], [("pay", {"amount": 5})]],
}


def declared(name: str) -> dict[str, Any]:
    """A tool as the model is told of it."""
    schema = {"type": "object", "properties": PARAMETERS[name], "required": list(PARAMETERS[name])}
    return {"type": "function", "function": {"name": name, "description": TOOLS[name].__doc__, "parameters": schema}}


def play(url: str, rounds: int) -> None:
    """Ask, run what is proposed, tell the results, for so many rounds."""
    history: list[Any] = [{"role": "user", "content": "work [[main]]"}]
    for number in range(rounds):
        answer = litellm.completion(
            "openai/gpt-4o", history, api_base=f"{url}/v1", api_key="none", tools=[declared(name) for name in TOOLS]
        )
        message = answer.choices[0].message
        history.append(message.model_dump(exclude_none=True))
        for call in (message.tool_calls or []) if number < rounds - 1 else []:
            result = TOOLS[call.function.name](**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})


if __name__ == "__main__":
    toolbox.tracer_provider("clerk-service")
    litellm.callbacks = ["otel"]
    with toolbox.model_server(main=SCENES[sys.argv[1]]) as base_url:
        play(base_url, len(SCENES[sys.argv[1]]))
