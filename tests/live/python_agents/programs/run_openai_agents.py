"""The OpenAI Agents SDK over the scripted model: `run_openai_agents.py INSTRUMENTATION SCENE [content|no-content]`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import toolbox
from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    ModelBehaviorError,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    ToolGuardrailFunctionOutput,
    function_tool,
    input_guardrail,
    tool_input_guardrail,
    trace,
)
from openai import AsyncOpenAI


class Stage:
    """A scripted model, and agents that ask it."""

    def __init__(self, url: str, *, content: bool, chat: bool = False) -> None:
        """Ask at `url`; `chat` asks in the chat-completions form."""
        client = AsyncOpenAI(api_key="none", base_url=f"{url}/v1")
        made = OpenAIChatCompletionsModel if chat else OpenAIResponsesModel
        self.own_traces = True
        self.model = made(model="scripted-1", openai_client=client)
        self.config = RunConfig(workflow_name="clerk work", group_id="thread-1", trace_include_sensitive_data=content)

    def agent(self, name: str = "clerk", tools: tuple[Any, ...] = (), **options: Any) -> Agent[None]:
        """An agent with the tools of the toolbox, two of which need approval, and others."""
        free = [function_tool(tool) for tool in (toolbox.read_db, toolbox.void, toolbox.broken)]
        guarded = [function_tool(tool, needs_approval=True) for tool in (toolbox.delete_db, toolbox.pay)]
        return Agent(name, instructions="Be careful.", model=self.model, tools=[*free, *guarded, *tools], **options)

    def traced(self) -> Any:
        """A trace of its own for each run: of one that goes on in the trace it stopped in, OpenInference drops all."""
        return trace(self.config.workflow_name, group_id=self.config.group_id) if self.own_traces else nullcontext()

    async def run(self, agent: Agent[None], given: Any, **options: Any) -> Any:
        """Run it to its end, or to where it waits."""
        with self.traced():
            return await Runner.run(agent, given, run_config=self.config, **options)

    async def resumed(self, agent: Agent[None], result: Any, seconds: float, *verdicts: Any) -> Any:
        """Go on after the reviewer's answers, in the order of the asks: True, False, or a refusal in own words."""
        await asyncio.sleep(seconds)
        state = result.to_state()
        for ask, verdict in zip(result.interruptions, verdicts, strict=True):
            if verdict is True:
                state.approve(ask)
            elif verdict is False:
                state.reject(ask)
            else:
                state.reject(ask, rejection_message=verdict)
        return await self.run(agent, state)


CLEAN_UP = [("read_db", {"q": "a"}), ("void", {}), ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]


async def approve_reject(stage: Stage) -> None:
    """One is refused and one let through, two seconds after they were asked."""
    agent = stage.agent()
    first = await stage.run(agent, "clean up [[main]]")
    await stage.resumed(agent, first, 2, False, True)


async def reattached(stage: Stage) -> None:
    """The same without traces of one's own: the SDK goes on in the trace in which the run stopped."""
    stage.own_traces = False
    await approve_reject(stage)


async def own_words(stage: Stage) -> None:
    """Refused in the reviewer's own words."""
    agent = stage.agent()
    first = await stage.run(agent, "clean up [[main]]")
    await stage.resumed(agent, first, 1.5, "Hands off, that is Monday's backup.", True)


async def pending(stage: Stage) -> None:
    """Nobody answers; calls of the same turn that need no approval ran."""
    await stage.run(stage.agent(), "clean up [[main]]")


async def twice_the_same(stage: Stage) -> None:
    """The same call twice in one turn: one is let through, one is not."""
    agent = stage.agent()
    first = await stage.run(agent, "pay twice [[main]]")
    await stage.resumed(agent, first, 1.5, True, False)


async def asked_twice(stage: Stage) -> None:
    """A second approval in the run that the first one resumed."""
    agent = stage.agent()
    first = await stage.run(agent, "clean up and pay [[main]]")
    second = await stage.resumed(agent, first, 1, True)
    await stage.resumed(agent, second, 2.5, "The account is closed.")


async def streamed(stage: Stage) -> None:
    """As `approve_reject`, streamed."""
    agent = stage.agent()
    with stage.traced():
        first = Runner.run_streamed(agent, "clean up [[main]]", run_config=stage.config)
        async for _ in first.stream_events():
            pass
    await asyncio.sleep(2)
    state = first.to_state()
    for ask, approved in zip(first.interruptions, (False, True), strict=True):
        (state.approve if approved else state.reject)(ask)
    with stage.traced():
        second = Runner.run_streamed(agent, state, run_config=stage.config)
        async for _ in second.stream_events():
            pass


async def interleaved(stage: Stage) -> None:
    """Two agents at once in one process, with calls of the same tool and the same arguments: one is refused."""

    async def play(name: str, verdict: Any) -> None:
        own = Stage(str(stage.model._client.base_url).removesuffix("/v1/"), content=True)
        own.config.group_id = name
        agent = own.agent(name)
        first = await own.run(agent, f"pay [[{name}]]")
        await own.resumed(agent, first, 2, verdict)

    await asyncio.gather(play("anna", True), play("bert", False))


async def handoff(stage: Stage) -> None:
    """The first agent hands over to another, which goes on with tools of its own."""
    helper = stage.agent("helper", handoff_description="Helps.")
    await stage.run(stage.agent(handoffs=[helper]), "get help [[main]]")


async def sub_agent(stage: Stage) -> None:
    """An agent as a tool of another."""
    helper = stage.agent("helper")
    tool = helper.as_tool("ask_helper", "Let the helper do it.", run_config=stage.config)
    await stage.run(stage.agent(tools=(tool,)), "get help [[main]]")


async def guardrail(stage: Stage) -> None:
    """An input guardrail stops the run before the model is asked."""

    @input_guardrail(run_in_parallel=False)
    async def polite(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

    with contextlib.suppress(InputGuardrailTripwireTriggered):
        await stage.run(stage.agent(input_guardrails=[polite]), "clean up [[main]]")


async def tool_guardrail(stage: Stage) -> None:
    """A guardrail of a tool answers in its place."""

    @tool_input_guardrail
    def small_sums(data: Any) -> ToolGuardrailFunctionOutput:
        if '"amount": 900' in data.context.tool_arguments:
            return ToolGuardrailFunctionOutput.reject_content("Blocked: the sum is too large.")
        return ToolGuardrailFunctionOutput.allow()

    def transfer(amount: int) -> str:
        """Transfer an amount."""
        toolbox.ran("transfer")
        return f"transferred {amount}"

    tool = function_tool(transfer)
    tool.tool_input_guardrails = [small_sums]
    await stage.run(stage.agent(tools=(tool,)), "transfer [[main]]")


async def broken(stage: Stage) -> None:
    """A tool raises, and the SDK tells the model."""
    await stage.run(stage.agent(), "read [[main]]")


async def invalid(stage: Stage) -> None:
    """Arguments of the wrong type, then the right ones."""
    await stage.run(stage.agent(), "read [[main]]")


async def unknown(stage: Stage) -> None:
    """A tool that does not exist ends the run."""
    with contextlib.suppress(ModelBehaviorError):
        await stage.run(stage.agent(), "read [[main]]")


async def unknown_told(stage: Stage) -> None:
    """A tool that does not exist, which the model is told."""
    stage.config.tool_not_found_behavior = "return_error_to_model"
    await stage.run(stage.agent(), "read [[main]]")


async def stops_on_tool(stage: Stage) -> None:
    """The run ends with the first tool's output: the model is never told."""
    await stage.run(stage.agent(tool_use_behavior="stop_on_first_tool"), "read [[main]]")


async def two_turns(stage: Stage) -> None:
    """A conversation of two prompts."""
    agent = stage.agent()
    first = await stage.run(agent, "read [[main]]")
    await stage.run(agent, [*first.to_input_list(), {"role": "user", "content": "again"}])


READ: tuple[str, dict[str, Any]] = ("read_db", {"q": "a"})
SCENES: dict[str, tuple[Callable[[Stage], Any], dict[str, list[toolbox.Turn]]]] = {
    "approve_reject": (approve_reject, {"main": [CLEAN_UP, "I could not delete it."]}),
    "reattached": (reattached, {"main": [CLEAN_UP, "I could not delete it."]}),
    "own_words": (own_words, {"main": [CLEAN_UP, "I could not delete it."]}),
    "pending": (pending, {"main": [CLEAN_UP]}),
    "twice_the_same": (twice_the_same, {"main": [[("pay", {"amount": 5})] * 2, "Paid once."]}),
    "asked_twice": (
        asked_twice,
        {"main": [[("delete_db", {"q": "b"})], [("pay", {"amount": 7})], "All done."]},
    ),
    "streamed": (streamed, {"main": [CLEAN_UP, "I could not delete it."]}),
    "interleaved": (
        interleaved,
        {name: [[READ, ("pay", {"amount": 5})], f"Done, {name}."] for name in ("anna", "bert")},
    ),
    "handoff": (handoff, {"main": [[READ], [("transfer_to_helper", {})], [("read_db", {"q": "z"})], "Helped."]}),
    "sub_agent": (
        sub_agent,
        {
            "main": [[("ask_helper", {"input": "help [[help]]"})], "Done."],
            "help": [[("read_db", {"q": "z"})], "Helped."],
        },
    ),
    "guardrail": (guardrail, {"main": [CLEAN_UP]}),
    "tool_guardrail": (
        tool_guardrail,
        {"main": [[("transfer", {"amount": 900}), ("transfer", {"amount": 5})], "Transferred five."]},
    ),
    "broken": (broken, {"main": [[("broken", {"q": "a"})], "It is down."]}),
    "invalid": (invalid, {"main": [[("read_db", {"rows": 3})], [READ], "Read."]}),
    "unknown": (unknown, {"main": [[("wipe", {"q": "a"})]]}),
    "unknown_told": (unknown_told, {"main": [[("wipe", {"q": "a"}), READ], "There is no wipe."]}),
    "stops_on_tool": (stops_on_tool, {"main": [[READ]]}),
    "two_turns": (two_turns, {"main": [[READ], "First.", [READ], "Second."]}),
}


def instrument(name: str) -> None:
    """One of the ways in which the SDK's spans become OpenTelemetry's."""
    if name == "logfire":
        import logfire

        # It exports to where the environment says by itself.
        logfire.configure(send_to_logfire=False, console=False, service_name="clerk-service")
        logfire.instrument_openai_agents()
        return
    provider = toolbox.tracer_provider("clerk-service")
    if name == "openinference":
        from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
    else:
        from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor
    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)


def main(instrumentation: str, scene: str, content: str = "content") -> None:
    """Instrument, then play the scene."""
    instrument(instrumentation)
    play, conversations = SCENES[scene.removesuffix("_chat")]
    with toolbox.model_server(**conversations) as url:
        asyncio.run(play(Stage(url, content=content == "content", chat=scene.endswith("_chat"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
