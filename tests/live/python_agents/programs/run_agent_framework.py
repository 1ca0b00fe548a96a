"""Microsoft Agent Framework with a scripted chat client: `run_agent_framework.py SCENE`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import toolbox
from agent_framework import (
    Agent,
    BaseChatClient,
    ChatResponse,
    Content,
    FunctionInvocationLayer,
    Message,
    tool,
)
from agent_framework.observability import ChatTelemetryLayer, enable_instrumentation

FREE = [tool(each) for each in (toolbox.read_db, toolbox.broken)]
GUARDED = [tool(each, approval_mode="always_require") for each in (toolbox.delete_db, toolbox.pay)]


class Scripted(FunctionInvocationLayer, ChatTelemetryLayer, BaseChatClient):
    """A client that says its turns one after another; the conversation tells how far it is."""

    OTEL_PROVIDER_NAME = "scripted"

    def __init__(self, turns: list[toolbox.Turn], ids: str = "call") -> None:
        """Say these turns."""
        super().__init__()
        self.turns, self.ids, self.model_id = turns, ids, "scripted-1"

    def _inner_get_response(self, *, messages: Any, **_: Any) -> Any:
        async def respond() -> ChatResponse:
            asked = [item for item in messages if item.role == "assistant"]
            number = len(asked)
            turn = self.turns[number]
            contents = (
                [Content.from_text(turn)]
                if isinstance(turn, str)
                else [
                    Content.from_function_call(
                        f"{self.ids}_{number}_{index}", name, arguments=toolbox.json_of(arguments)
                    )
                    for index, (name, arguments) in enumerate(turn)
                ]
            )
            said = Message("assistant", contents)
            return ChatResponse(messages=[said], model="scripted-1")

        return respond()


def made(turns: list[toolbox.Turn], name: str = "clerk", ids: str = "call") -> Agent:
    """An agent with the tools of the toolbox, two of which need approval."""
    return Agent(Scripted(turns, ids), "Be careful.", name=name, tools=[*FREE, *GUARDED])


async def answered(agent: Agent, session: Any, stopped: Any, seconds: float, *verdicts: bool) -> Any:
    """Go on after a person's answers, in the order of the asks."""
    await asyncio.sleep(seconds)
    asks = [ask for ask in stopped.user_input_requests if ask.type == "function_approval_request"]
    by_tool = {"delete_db": verdicts[0], "pay": verdicts[-1], "read_db": True}
    answers = [ask.to_function_approval_response(by_tool[ask.function_call.name]) for ask in asks]
    return await agent.run([Message("user", answers)], session=session)


READ: tuple[str, dict[str, Any]] = ("read_db", {"q": "a"})
CLEAN_UP = [READ, ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]


async def approve_reject() -> None:
    """One is refused and one let through; a third call is held back meanwhile."""
    agent = made([CLEAN_UP, "I could not delete it."])
    session = agent.create_session()
    await answered(agent, session, await agent.run("clean up", session=session), 2, False, True)


async def pending() -> None:
    """Nobody answers. Without a session all calls of the turn are asked about, whether they need it or not."""
    await made([CLEAN_UP]).run("clean up")


async def wrong_calls() -> None:
    """Right arguments, then a tool that does not exist, one that raises, and wrong arguments."""
    turns: list[toolbox.Turn] = [[READ], [("wipe", {"q": "a"})], [("broken", {"q": "a"})], [("read_db", {"rows": [3]})]]
    await made([*turns, "Done."]).run("read")


async def two_turns() -> None:
    """Two prompts in one session, with the same call: the session has no name in the telemetry."""
    agent = made([[READ], "First.", [READ], "Second."])
    session = agent.create_session()
    await agent.run("read", session=session)
    await agent.run("again", session=session)


async def interleaved() -> None:
    """Two agents at once in one process, with the same calls: one is refused."""

    async def play(name: str, *, approved: bool) -> None:
        agent = made([[("pay", {"amount": 5})], "Done."], name, name)
        session = agent.create_session()
        await answered(agent, session, await agent.run("pay", session=session), 2, approved)

    await asyncio.gather(play("anna", approved=True), play("bert", approved=False))


SCENES: dict[str, Callable[[], Any]] = {
    scene.__name__: scene for scene in (approve_reject, pending, wrong_calls, two_turns, interleaved)
}

if __name__ == "__main__":
    toolbox.tracer_provider("clerk-service")
    enable_instrumentation(enable_sensitive_data=sys.argv[2:] != ["no-content"])
    asyncio.run(SCENES[sys.argv[1]]())
