"""Google ADK with a scripted model: `run_google_adk.py SCENE`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import toolbox
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools import FunctionTool, LongRunningFunctionTool, ToolContext
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

CONFIRM = "adk_request_confirmation"


class Scripted(BaseLlm):
    """A model that says its turns one after another; the conversation tells how far it is."""

    model: str = "scripted-1"
    turns: list[Any]
    ids: str = "call"

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
                types.Part(
                    function_call=types.FunctionCall(id=f"{self.ids}_{number}_{index}", name=name, args=arguments)
                )
                for index, (name, arguments) in enumerate(turn)
            ]
        yield LlmResponse(content=types.Content(role="model", parts=parts))


class Stage:
    """An agent with the tools of the toolbox, two of which need a confirmation, in a session."""

    def __init__(self, turns: list[toolbox.Turn], *tools: Any, session: str = "thread-1", **options: Any) -> None:
        """Say these turns, with the tools of the toolbox and `tools`."""
        free = [FunctionTool(tool) for tool in (toolbox.read_db, toolbox.broken)]
        guarded = [FunctionTool(tool, require_confirmation=True) for tool in (toolbox.delete_db, toolbox.pay)]
        agent = LlmAgent(
            name="clerk",
            model=Scripted(turns=turns),
            instruction="Be careful.",
            tools=[*free, *guarded, *tools],
            **options,
        )
        self.runner = InMemoryRunner(agent, app_name="shop")
        self.session = session

    async def open(self) -> Stage:
        """Open the session."""
        await self.runner.session_service.create_session(app_name="shop", user_id="u-1", session_id=self.session)
        return self

    async def run(self, *parts: types.Part) -> list[Any]:
        """Run until it ends or waits: the confirmations that are asked for."""
        return [call for call in await self.calls(*parts) if call.name == CONFIRM]

    async def calls(self, *parts: types.Part) -> list[Any]:
        """Run until it ends or waits: the calls that were proposed."""
        message = types.Content(role="user", parts=list(parts))
        found = []
        async for event in self.runner.run_async(user_id="u-1", session_id=self.session, new_message=message):
            found += event.get_function_calls()
        return found

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


async def wrong_calls() -> None:
    """A tool that does not exist beside one that does, arguments of the wrong name, then the right ones."""
    stage = await Stage([[("wipe", {"q": "a"}), READ], [("read_db", {"rows": 3})], [READ], "Done."]).open()
    with contextlib.suppress(ValueError):
        await stage.run(types.Part(text="read"))


async def callback() -> None:
    """A callback answers in the tool's place, another lets the call through."""

    def guard(tool: Any, **_: Any) -> dict[str, str] | None:
        return {"error": "Not on Mondays."} if tool.name == "wipe_disk" else None

    def wipe_disk(q: str) -> str:
        """Wipe a disk."""
        toolbox.ran("wipe_disk")
        return f"wiped {q}"

    tool = FunctionTool(wipe_disk)
    turns: list[toolbox.Turn] = [[READ, ("wipe_disk", {"q": "b"})], "I could not wipe it."]
    stage = await Stage(turns, tool, before_tool_callback=guard).open()
    await stage.run(types.Part(text="clean up"))


async def callback_in_own_words() -> None:
    """As `callback`, and the answer looks like a tool's own."""

    def guard(tool: Any, **_: Any) -> dict[str, str] | None:
        return {"status": "cached"} if tool.name == "read_db" else None

    stage = await Stage([[READ], "Read."], before_tool_callback=guard).open()
    await stage.run(types.Part(text="read"))


async def tells_an_error() -> None:
    """A tool returns an error instead of raising it."""

    def look_up(q: str) -> dict[str, str]:
        """Look up a row."""
        toolbox.ran("look_up")
        return {"error": f"no row {q}"}

    stage = await Stage([[("look_up", {"q": "a"})], "There is none."], FunctionTool(look_up)).open()
    await stage.run(types.Part(text="read"))


async def caught() -> None:
    """A callback answers for a tool that raised."""

    def handle(**_: Any) -> dict[str, str]:
        return {"result": "It is down."}

    stage = await Stage([[("broken", {"q": "a"})], "It is down."], on_tool_error_callback=handle).open()
    await stage.run(types.Part(text="read"))


async def long_running() -> None:
    """A tool that runs on after it returned; its result comes in a later message."""

    def ship(parcel: str) -> dict[str, str]:
        """Ship a parcel."""
        toolbox.ran("ship")
        return {"status": "on its way", "parcel": parcel}

    turns: list[toolbox.Turn] = [[("ship", {"parcel": "one"})], "It is on its way.", "It is there."]
    stage = await Stage(turns, LongRunningFunctionTool(ship)).open()
    (call,) = await stage.calls(types.Part(text="ship it"))
    await asyncio.sleep(1)
    answer = types.FunctionResponse(id=call.id, name="ship", response={"status": "delivered"})
    await stage.run(types.Part(function_response=answer))


async def long_running_silent() -> None:
    """As `long_running`, and it returns nothing at first."""

    def ship(parcel: str) -> None:
        """Ship a parcel."""
        toolbox.ran("ship")

    stage = await Stage([[("ship", {"parcel": "one"}), READ], "Shipped."], LongRunningFunctionTool(ship)).open()
    (call, _) = await stage.calls(types.Part(text="ship it"))
    await asyncio.sleep(1)
    answer = types.FunctionResponse(id=call.id, name="ship", response={"status": "delivered"})
    await stage.run(types.Part(function_response=answer))


async def asks_in_body() -> None:
    """A tool asks in its own body; it is let through."""

    def ship(parcel: str, tool_context: ToolContext) -> dict[str, str]:
        """Ship a parcel."""
        if tool_context.tool_confirmation is None:
            tool_context.request_confirmation(hint=f"Ship {parcel}?")
            return {"status": "waits for an answer"}
        toolbox.ran("ship")
        return {"status": "shipped"}

    stage = await Stage([[("ship", {"parcel": "one"})], "Let me see.", "Shipped."], FunctionTool(ship)).open()
    await stage.answered(await stage.run(types.Part(text="ship it")), 1.5, True)


async def transfer() -> None:
    """The agent hands over to another, which has tools of its own."""
    helper = LlmAgent(
        name="helper",
        model=Scripted(turns=[[("read_db", {"q": "z"})], "Helped."], ids="help"),
        description="Helps.",
        tools=[FunctionTool(toolbox.read_db)],
    )
    stage = await Stage([[("transfer_to_agent", {"agent_name": "helper"})]], sub_agents=[helper]).open()
    await stage.run(types.Part(text="get help"))


async def sub_agent() -> None:
    """An agent as a tool of another."""
    helper = LlmAgent(
        name="helper",
        model=Scripted(turns=[[("read_db", {"q": "z"})], "Helped."], ids="help"),
        description="Helps.",
        tools=[FunctionTool(toolbox.read_db)],
    )
    stage = await Stage([[("helper", {"request": "help"})], "Done."], AgentTool(helper)).open()
    await stage.run(types.Part(text="get help"))


SCENES: dict[str, Callable[[], Any]] = {
    scene.__name__: scene
    for scene in (
        approve_reject,
        twice_the_same,
        pending,
        broken,
        two_turns,
        wrong_calls,
        callback,
        callback_in_own_words,
        tells_an_error,
        caught,
        long_running,
        long_running_silent,
        asks_in_body,
        transfer,
        sub_agent,
    )
}

if __name__ == "__main__":
    toolbox.tracer_provider("clerk-service")
    toolbox.logger_provider("clerk-service")
    asyncio.run(SCENES[sys.argv[1]]())
