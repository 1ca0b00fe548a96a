"""CrewAI over the scripted model: `run_crewai.py INSTRUMENTATION SCENE`. What it sends to its maker is switched off."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import toolbox
from crewai import LLM, Agent, Crew, Task
from crewai.hooks import before_tool_call
from crewai.tools import tool

TOOLS = [tool(each) for each in (toolbox.read_db, toolbox.delete_db, toolbox.pay, toolbox.broken)]


class Stage:
    """A scripted model, and agents that ask it."""

    def __init__(self, url: str) -> None:
        """Ask at `url`."""
        self.url = url

    def agent(self, role: str = "clerk", **options: Any) -> Agent:
        """An agent with the tools of the toolbox."""
        model = LLM("openai/gpt-4o", base_url=f"{self.url}/v1", api_key="none")
        return Agent(role=role, goal="Be careful.", backstory="Works here.", llm=model, tools=TOOLS, **options)

    def work(self, *agents: Agent, **options: Any) -> None:
        """Let a crew of them do one task."""
        task = Task(description="work [[main]]", expected_output="done", agent=agents[0], **options)
        Crew(name="shop", agents=list(agents), tasks=[task]).kickoff()


def reviewed(answer: str, seconds: float) -> None:
    """Let a person at the keyboard answer every question so."""

    def said(*_: Any) -> str:
        toolbox.reviewer_thinks(seconds)
        return answer

    builtins.input = said


def once(stage: Stage) -> None:
    """One task."""
    stage.work(stage.agent())


def broken(stage: Stage) -> None:
    """A tool raises, and the model is told."""
    with suppress(RuntimeError):
        stage.work(stage.agent())


def hook(stage: Stage) -> None:
    """A hook blocks one tool."""

    @before_tool_call
    def guard(context: Any) -> bool | None:
        return False if context.tool_name == "delete_db" else None

    stage.work(stage.agent())


def hook_asks(stage: Stage) -> None:
    """A hook asks a person about one tool, who says no."""
    reviewed("no", 1.5)

    @before_tool_call
    def guard(context: Any) -> bool | None:
        if context.tool_name != "delete_db":
            return None
        return None if context.request_human_input("May it?") == "yes" else False

    stage.work(stage.agent())


def feedback(stage: Stage) -> None:
    """A person accepts the task's result, which is about no call."""
    reviewed("", 1.5)
    stage.work(stage.agent(), human_input=True)


def guardrail(stage: Stage) -> None:
    """A guardrail sends the task's first result back."""
    stage.work(stage.agent(), guardrail=lambda told: (told.raw != "Bad.", told.raw))


def delegation(stage: Stage) -> None:
    """The agent lets a coworker do it, which has tools of its own."""
    stage.work(stage.agent(allow_delegation=True), stage.agent("helper"))


def two_runs(stage: Stage) -> None:
    """Two tasks for the same agent, one after the other."""
    agent = stage.agent()
    stage.work(agent)
    stage.work(agent)


READ: tuple[str, dict[str, Any]] = ("read_db", {"q": "a"})
DELETE: tuple[str, dict[str, Any]] = ("delete_db", {"q": "b"})
PAY: tuple[str, dict[str, Any]] = ("pay", {"amount": 5})
DELEGATE = {"task": "help [[help]]", "context": "none", "coworker": "helper"}
SCENES: dict[str, tuple[Callable[[Stage], None], dict[str, list[toolbox.Turn]]]] = {
    "parallel": (once, {"main": [[READ, PAY], "Done."]}),
    "twice_the_same": (once, {"main": [[PAY], [PAY], "Done."]}),
    "wrong_calls": (once, {"main": [[("wipe", {"q": "a"})], [("read_db", {"rows": 3})], [READ], "Done."]}),
    "broken": (broken, {"main": [[("broken", {"q": "a"})], "It is down."]}),
    "hook": (hook, {"main": [[READ, DELETE], "I could not delete it."]}),
    "hook_asks": (hook_asks, {"main": [[READ], [DELETE], "I could not delete it."]}),
    "feedback": (feedback, {"main": [[READ], "Done."]}),
    "guardrail": (guardrail, {"main": [[READ], "Bad.", "Good."]}),
    "delegation": (
        delegation,
        {
            "main": [[("delegate_work_to_coworker", DELEGATE)], "Done."],
            "help": [[("read_db", {"q": "z"})], "Helped."],
        },
    ),
    "two_runs": (two_runs, {"main": [[READ], "Done."]}),
}


def instrument(name: str) -> Any:
    """One of the ways in which CrewAI tells of itself; what is to be open while it works."""
    if name == "own":
        from crewai.telemetry.tracing.session import telemetry_session
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return telemetry_session("session-1", "auto", [OTLPSpanExporter()])
    provider = toolbox.tracer_provider("clerk-service")
    if name == "openinference":
        from openinference.instrumentation.crewai import CrewAIInstrumentor
        from openinference.instrumentation.openai import OpenAIInstrumentor
    else:
        from opentelemetry.instrumentation.crewai import CrewAIInstrumentor
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    CrewAIInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return nullcontext()


def main(instrumentation: str, scene: str) -> None:
    """Instrument, then play the scene."""
    os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "CREWAI_TESTING": "true"}
    play, conversations = SCENES[scene]
    with toolbox.model_server(**conversations) as url, instrument(instrumentation):
        play(Stage(url))


if __name__ == "__main__":
    main(*sys.argv[1:])
