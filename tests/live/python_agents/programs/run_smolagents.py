"""smolagents over the scripted model, through OpenInference: `run_smolagents.py SCENE`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import toolbox
from smolagents import CodeAgent, OpenAIModel, ToolCallingAgent, tool


@tool
def read_db(q: str) -> str:
    """Read rows.

    Args:
        q: which.
    """
    return toolbox.read_db(q)


@tool
def pay(amount: int) -> str:
    """Pay an amount.

    Args:
        amount: how much.
    """
    return toolbox.pay(amount)


@tool
def void() -> None:
    """Do something and return nothing."""
    toolbox.void()


@tool
def broken(q: str) -> str:
    """Fail.

    Args:
        q: which.
    """
    return toolbox.broken(q)


class Stage:
    """A scripted model, and agents that ask it."""

    def __init__(self, url: str) -> None:
        """Ask at `url`."""
        self.url = url

    def agent(self, kind: type[Any] = ToolCallingAgent, **options: Any) -> Any:
        """An agent with the tools of the toolbox."""
        model = OpenAIModel("scripted-1", api_base=f"{self.url}/v1", api_key="none")
        return kind(tools=[read_db, pay, void, broken], model=model, max_steps=6, verbosity_level=0, **options)


def once(stage: Stage) -> None:
    """One prompt."""
    stage.agent().run("work [[main]]")


def streamed(stage: Stage) -> None:
    """One prompt, streamed."""
    list(stage.agent(stream_outputs=True).run("work [[main]]", stream=True))


def two_turns(stage: Stage) -> None:
    """Two prompts to an agent that remembers."""
    agent = stage.agent()
    agent.run("read [[main]]")
    agent.run("again", reset=False)


def sub_agent(stage: Stage) -> None:
    """An agent that another one leads."""
    helper = stage.agent(name="helper", description="Helps.")
    stage.agent(managed_agents=[helper]).run("get help [[main]]")


def code(stage: Stage) -> None:
    """The model writes code, and the code calls the tools."""
    stage.agent(CodeAgent).run("work [[main]]")


def code_sub_agent(stage: Stage) -> None:
    """The code calls another agent."""
    helper = stage.agent(name="helper", description="Helps.")
    stage.agent(CodeAgent, managed_agents=[helper]).run("get help [[main]]")


def written(*lines: str) -> str:
    """Code as a model writes it."""
    code = "\n".join(lines)
    return f"I think.\n<code>\n{code}\n</code>"


READ: tuple[str, dict[str, Any]] = ("read_db", {"q": "a"})
PAY: tuple[str, dict[str, Any]] = ("pay", {"amount": 5})
DONE: toolbox.Turn = [("final_answer", {"answer": "Done."})]
HELP: list[toolbox.Turn] = [[("read_db", {"q": "z"})], [("final_answer", {"answer": "Helped."})]]
SCENES: dict[str, tuple[Callable[[Stage], None], dict[str, list[toolbox.Turn]]]] = {
    "parallel": (once, {"main": [[READ, PAY, ("void", {})], DONE]}),
    "twice_the_same": (once, {"main": [[PAY, PAY], DONE]}),
    "wrong_calls": (once, {"main": [[("wipe", {"q": "a"})], [("read_db", {"rows": 3})], [READ], DONE]}),
    "wrong_beside_right": (once, {"main": [[READ, ("wipe", {"q": "a"})], DONE]}),
    "broken": (once, {"main": [[("broken", {"q": "a"})], [READ], DONE]}),
    "broken_beside_right": (once, {"main": [[READ, ("broken", {"q": "a"})], DONE]}),
    "streamed": (streamed, {"main": [[READ, PAY], DONE]}),
    "two_turns": (two_turns, {"main": [[READ], DONE, [READ], DONE]}),
    "sub_agent": (
        sub_agent,
        {"main": [[("helper", {"task": "help [[help]]"})], DONE], "help": HELP},
    ),
    "code": (
        code,
        {"main": [written("rows = read_db('a')", "print(rows, pay(amount=5))"), written("final_answer('Done.')")]},
    ),
    "code_twice_the_same": (
        code,
        {"main": [written("for _ in range(2):", "    pay(5)"), written("final_answer('Done.')")]},
    ),
    "code_broken": (
        code,
        {"main": [written("read_db('a')", "broken('a')", "pay(5)"), written("final_answer('Done.')")]},
    ),
    "code_wrong_calls": (
        code,
        {"main": [written("wipe('a')"), written("read_db(rows=3)"), written("final_answer(read_db('a'))")]},
    ),
    "code_forbidden": (
        code,
        {"main": [written("print(open('/etc/passwd').read())"), written("final_answer(read_db('a'))")]},
    ),
    "code_sub_agent": (
        code_sub_agent,
        {"main": [written("print(helper('help [[help]]'))"), written("final_answer('Done.')")], "help": HELP},
    ),
}


def main(scene: str) -> None:
    """Instrument, then play the scene."""
    from openinference.instrumentation.smolagents import SmolagentsInstrumentor

    SmolagentsInstrumentor().instrument(tracer_provider=toolbox.tracer_provider("clerk-service"))
    play, conversations = SCENES[scene]
    with toolbox.model_server(lists_tools="code" not in scene, **conversations) as url:
        play(Stage(url))


if __name__ == "__main__":
    main(*sys.argv[1:])
