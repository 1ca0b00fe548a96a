"""An agent loop of its own, with OpenAI's client under the SDK of a tracing product: `run_tracing_sdk.py KIND`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import toolbox

TURNS: list[toolbox.Turn] = [[("read_db", {"q": "a"}), ("broken", {"q": "b"})], [("delete_db", {"q": "c"})], "Done."]
FREE = (toolbox.read_db, toolbox.broken)
REFUSAL = "The user has declined to run this tool."
PARAMETERS = {"type": "object", "properties": {"q": {"type": "string"}}}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "Records.", "parameters": PARAMETERS}}
    for name in ("read_db", "broken", "delete_db")
]

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def loop(client: Any, wrapped: Wrap) -> str:
    """Ask the model until it calls no tool; what is not free, a person declines."""
    told: list[Any] = [
        {"role": "system", "content": "Be careful."},
        {"role": "user", "content": "Do as you are told. [[main]]"},
    ]
    free = {tool.__name__: wrapped(tool) for tool in FREE}
    while True:
        answer = client.chat.completions.create(model="scripted-1", messages=told, tools=TOOLS)
        said = answer.choices[0].message
        calls = said.tool_calls or []
        if not calls:
            return said.content
        told.append({"role": "assistant", "content": said.content, "tool_calls": [call.model_dump() for call in calls]})
        for call in calls:
            told.append({"role": "tool", "tool_call_id": call.id, "content": result(free, call.function)})


def result(free: dict[str, Callable[..., Any]], called: Any) -> str:
    """What the model is told of a call."""
    if called.name not in free:
        return REFUSAL
    try:
        return str(free[called.name](**json.loads(called.arguments)))
    except RuntimeError as error:
        return f"Error: {error}"


def langfuse(url: str) -> None:
    """Its decorator and its client; it exports to its own server too, which is the model's here and refuses."""
    provider = toolbox.tracer_provider("clerk-app")
    from langfuse import Langfuse, observe, propagate_attributes
    from langfuse.openai import OpenAI

    Langfuse(public_key="pk", secret_key="sk", host=url, tracer_provider=provider)
    client = OpenAI(base_url=f"{url}/v1", api_key="scripted")

    @observe(as_type="agent", name="clerk")
    def agent() -> str:
        with propagate_attributes(session_id="s-1", user_id="ana"):
            return loop(client, lambda tool: observe(as_type="tool", name=tool.__name__)(tool))

    agent()


def langsmith(url: str) -> None:
    """Its decorator and its client's wrapper, by OpenTelemetry alone."""
    names = ("LANGSMITH_TRACING", "LANGSMITH_OTEL_ENABLED", "LANGSMITH_OTEL_ONLY")
    os.environ.update(dict.fromkeys(names, "true"), LANGSMITH_API_KEY="scripted", LANGSMITH_ENDPOINT=url)
    toolbox.tracer_provider("clerk-app")
    from langsmith import traceable
    from langsmith.run_trees import get_cached_client
    from langsmith.wrappers import wrap_openai
    from openai import OpenAI

    client = wrap_openai(OpenAI(base_url=f"{url}/v1", api_key="scripted"))

    @traceable(run_type="chain", name="clerk", metadata={"session_id": "s-1", "user_id": "ana"})
    def agent() -> str:
        return loop(client, lambda tool: traceable(run_type="tool", name=tool.__name__)(tool))

    agent()
    get_cached_client().flush()


def logfire(url: str) -> None:
    """Its instrumentation of the client; it has none of tools."""
    import logfire as sdk
    from openai import OpenAI

    sdk.configure(send_to_logfire=False, service_name="clerk-app", console=False)
    client = OpenAI(base_url=f"{url}/v1", api_key="scripted")
    sdk.instrument_openai(client)
    with sdk.span("clerk"):
        loop(client, lambda tool: tool)
    sdk.force_flush()


KINDS = (langfuse, langsmith, logfire)


def main(name: str) -> None:
    """Run the loop under one of them."""
    with toolbox.model_server(main=TURNS) as url:
        next(kind for kind in KINDS if kind.__name__ == name)(url)


if __name__ == "__main__":
    main(*sys.argv[1:])
