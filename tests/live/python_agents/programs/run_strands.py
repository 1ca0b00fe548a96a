"""Strands with a scripted model: `run_strands.py SCENE`. Its tracer is the global one."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import toolbox
from strands import Agent, tool
from strands.hooks import BeforeToolCallEvent, HookProvider, HookRegistry
from strands.models import Model

TOOLS = [tool(each) for each in (toolbox.read_db, toolbox.delete_db, toolbox.pay, toolbox.broken)]


class Scripted(Model):
    """A model that says its turns one after another; the conversation tells how far it is."""

    def __init__(self, turns: list[toolbox.Turn]) -> None:
        """Say these turns."""
        self.turns = turns

    def update_config(self, **_: Any) -> None:
        """Keep none."""

    def get_config(self) -> dict[str, Any]:
        """Tell the model's name."""
        return {"model_id": "scripted-1"}

    def structured_output(self, *_: Any, **__: Any) -> Any:
        """Give none."""
        raise NotImplementedError

    async def stream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Say the next turn."""
        number = sum(message["role"] == "assistant" for message in messages)
        turn = self.turns[number]
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(turn, str):
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": turn}}}
            yield {"contentBlockStop": {}}
        for index, (name, arguments) in enumerate([] if isinstance(turn, str) else turn):
            yield {
                "contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": f"tooluse_{number}_{index}"}}}
            }
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": toolbox.json_of(arguments)}}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if isinstance(turn, str) else "tool_use"}}


class Controls(HookProvider):
    """A hook that forbids one tool and asks a person about another."""

    def __init__(self, words: bool | str = "That is Monday's backup.") -> None:
        """Forbid in these words, or in those of Strands."""
        self.words = words

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        """Look at each call before it runs."""
        registry.add_callback(BeforeToolCallEvent, self.check)

    def check(self, event: BeforeToolCallEvent) -> None:
        """Forbid, ask, or let through."""
        if event.tool_use["name"] == "delete_db":
            event.cancel_tool = self.words
        if event.tool_use["name"] == "pay":
            answer = event.interrupt("payment", reason={"amount": event.tool_use["input"]["amount"]})
            if answer != "yes":
                event.cancel_tool = f"The reviewer said: {answer}"


def made(turns: list[toolbox.Turn], controls: Controls | None = None) -> Agent:
    """An agent with the tools of the toolbox."""
    return Agent(
        model=Scripted(turns),
        tools=TOOLS,
        name="clerk",
        system_prompt="Be careful.",
        hooks=[controls or Controls()],
        callback_handler=None,
        trace_attributes={"session.id": "thread-1"},
    )


def answered(agent: Agent, stopped: Any, seconds: float, *answers: str) -> None:
    """Go on after a person's answers, in the order of the asks."""
    toolbox.reviewer_thinks(seconds)
    agent(
        [
            {"interruptResponse": {"interruptId": ask.id, "response": answer}}
            for ask, answer in zip(stopped.interrupts, answers, strict=True)
        ]
    )


READ: tuple[str, dict[str, Any]] = ("read_db", {"q": "a"})
CLEAN_UP = [READ, ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]


def approve() -> None:
    """The hook forbids one; a person lets the other through."""
    agent = made([CLEAN_UP, "I could not delete it."])
    answered(agent, agent("clean up"), 2, "yes")


def reject() -> None:
    """The hook forbids one in Strands' own words; a person refuses the other."""
    agent = made([CLEAN_UP, "I did nothing."], Controls(words=True))
    answered(agent, agent("clean up"), 2, "not this month")


def pending() -> None:
    """Nobody answers."""
    made([CLEAN_UP])("clean up")


def wrong_calls() -> None:
    """A tool that does not exist, one that raises, wrong arguments, and the right ones."""
    turns: list[toolbox.Turn] = [[("wipe", {"q": "a"})], [("broken", {"q": "a"})], [("read_db", {"rows": [3]})], [READ]]
    made([*turns, "Done."])("read")


def twice_the_same() -> None:
    """The same call twice in one turn, both asked about: one is let through."""
    agent = made([[("pay", {"amount": 5}), ("pay", {"amount": 5})], "Paid once."])
    stopped = agent("pay twice")
    answered(agent, stopped, 1.5, *["yes", "no"][: len(stopped.interrupts)])


SCENES: dict[str, Callable[[], None]] = {
    scene.__name__: scene for scene in (approve, reject, pending, wrong_calls, twice_the_same)
}

if __name__ == "__main__":
    toolbox.tracer_provider("clerk-service")
    SCENES[sys.argv[1]]()
