"""Google ADK with a scripted model: `run_google_adk.py SCENE`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import toolbox
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools import FunctionTool
from google.genai import types

CONFIRM = "adk_request_confirmation"


class Scripted(BaseLlm):
    """A model that says its turns one after another; the conversation tells how far it is."""

    model: str = "scripted-1"
    turns: list[Any]

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[LlmResponse, None]:  # noqa: ARG002  # ADK's signature
        """Say the next turn."""
        said = [
            part
            for content in llm_request.contents
            for part in content.parts or []
            if content.role == "model" and (part.text or (part.function_call and part.function_call.name != CONFIRM))
        ]
        number = told = 0
        while told < len(said):
            told += 1 if isinstance(self.turns[number], str) else len(self.turns[number])
            number += 1
        turn = self.turns[number]
        if isinstance(turn, str):
            parts = [types.Part(text=turn)]
        else:
            parts = [
                types.Part(function_call=types.FunctionCall(id=f"call_{number}_{index}", name=name, args=arguments))
                for index, (name, arguments) in enumerate(turn)
            ]
        yield LlmResponse(content=types.Content(role="model", parts=parts))


class Stage:
    """An agent with the tools of the toolbox, two of which need a confirmation, in a session."""

    def __init__(self, turns: list[toolbox.Turn], session: str = "thread-1") -> None:
        """Say these turns."""
        free = [FunctionTool(tool) for tool in (toolbox.read_db, toolbox.broken)]
        guarded = [FunctionTool(tool, require_confirmation=True) for tool in (toolbox.delete_db, toolbox.pay)]
        agent = LlmAgent(name="clerk", model=Scripted(turns=turns), instruction="Be careful.", tools=[*free, *guarded])
        self.runner = InMemoryRunner(agent, app_name="shop")
        self.session = session

    async def open(self) -> Stage:
        """Open the session."""
        await self.runner.session_service.create_session(app_name="shop", user_id="u-1", session_id=self.session)
        return self

    async def run(self, *parts: types.Part) -> list[Any]:
        """Run until it ends or waits: the confirmations that are asked for."""
        message = types.Content(role="user", parts=list(parts))
        asked = []
        async for event in self.runner.run_async(user_id="u-1", session_id=self.session, new_message=message):
            asked += [call for call in event.get_function_calls() if call.name == CONFIRM]
        return asked

    async def answered(self, asked: list[Any], seconds: float, *verdicts: bool) -> list[Any]:
        """Go on after a person's answers, in the order of the asks."""
        await asyncio.sleep(seconds)
        return await self.run(
            *(
                types.Part(
                    function_response=types.FunctionResponse(id=ask.id, name=CONFIRM, response={"confirmed": verdict})
                )
                for ask, verdict in zip(asked, verdicts, strict=True)
            )
        )


READ: tuple[str, dict[str, Any]] = ("read_db", {"q": "a"})
CLEAN_UP = [READ, ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]


async def approve_reject() -> None:
    """One is refused and one let through."""
    stage = await Stage([CLEAN_UP, "Let me see.", "I could not delete it."]).open()
    await stage.answered(await stage.run(types.Part(text="clean up")), 2, False, True)


async def twice_the_same() -> None:
    """The same call twice in one turn: one is let through."""
    stage = await Stage([[("pay", {"amount": 5}), ("pay", {"amount": 5})], "Let me see.", "Paid once."]).open()
    await stage.answered(await stage.run(types.Part(text="pay twice")), 1.5, True, False)


async def pending() -> None:
    """Nobody answers."""
    stage = await Stage([CLEAN_UP, "Let me see."]).open()
    await stage.run(types.Part(text="clean up"))


async def broken() -> None:
    """A tool raises, which ends the run."""
    stage = await Stage([[READ], [("broken", {"q": "a"})], "Done."]).open()
    try:
        await stage.run(types.Part(text="read"))
    except RuntimeError:
        return
    raise AssertionError


async def two_turns() -> None:
    """Two prompts in one session, with the same call."""
    stage = await Stage([[READ], "First.", [READ], "Second."]).open()
    await stage.run(types.Part(text="read"))
    await stage.run(types.Part(text="again"))


SCENES: dict[str, Callable[[], Any]] = {
    scene.__name__: scene for scene in (approve_reject, twice_the_same, pending, broken, two_turns)
}

if __name__ == "__main__":
    toolbox.tracer_provider("clerk-service")
    toolbox.logger_provider("clerk-service")
    asyncio.run(SCENES[sys.argv[1]]())
