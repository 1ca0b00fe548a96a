"""Pydantic AI with a function model: `run_pydantic_ai.py SCENE [VERSION] [content|no-content]`."""

from __future__ import annotations

import sys
from typing import Any

import toolbox
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ToolDenied
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings


def scripted(turns: list[toolbox.Turn]) -> FunctionModel:
    """A model that says its turns one after another; the conversation tells how far it is."""

    def respond(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        number = sum(isinstance(message, ModelResponse) for message in messages)
        turn = turns[number]
        if isinstance(turn, str):
            return ModelResponse(parts=[TextPart(turn)])
        return ModelResponse(
            parts=[
                ToolCallPart(tool, arguments, tool_call_id=f"call_{number}_{index}")
                for index, (tool, arguments) in enumerate(turn)
            ]
        )

    return FunctionModel(respond)


def made(turns: list[toolbox.Turn], name: str = "clerk") -> Agent[None, Any]:
    """An agent with the tools of the toolbox: two of them need approval."""
    agent: Agent[None, Any] = Agent(
        scripted(turns), name=name, instructions="Be careful.", output_type=[str, DeferredToolRequests]
    )
    for tool in (toolbox.read_db, toolbox.void):
        agent.tool_plain(tool)
    for tool in (toolbox.delete_db, toolbox.pay):
        agent.tool_plain(tool, requires_approval=True)
    return agent


def approve_deny() -> None:
    """One is refused in the reviewer's own words and one let through, two seconds after they were asked."""
    agent = made(
        [[("read_db", {"q": "a"}), ("delete_db", {"q": "b"}), ("pay", {"amount": 900})], "I could not delete it."]
    )
    first = agent.run_sync("clean up")
    toolbox.reviewer_thinks(2)
    asked = {call.tool_name: call.tool_call_id for call in first.output.approvals}
    agent.run_sync(
        message_history=first.all_messages(),
        deferred_tool_results=DeferredToolResults(
            approvals={asked["delete_db"]: ToolDenied("Hands off, that is Monday's backup."), asked["pay"]: True}
        ),
    )


SCENES = {scene.__name__: scene for scene in (approve_deny,)}


def main(scene: str, version: str = "5", content: str = "content") -> None:
    """Instrument every agent, then play the scene."""
    Agent.instrument_all(
        InstrumentationSettings(
            tracer_provider=toolbox.tracer_provider("clerk-service"),
            version=int(version),
            include_content=content == "content",
        )
    )
    SCENES[scene]()


if __name__ == "__main__":
    main(*sys.argv[1:])
