"""Pydantic AI with a function model: `run_pydantic_ai.py SCENE [VERSION] [content|no-content]`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import toolbox
from pydantic import BaseModel
from pydantic_ai import (
    Agent,
    ApprovalRequired,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRetry,
    RunContext,
    SkipToolExecution,
    ToolApproved,
    ToolDenied,
    ToolOutput,
    capture_run_messages,
)
from pydantic_ai.capabilities import HandleDeferredToolCalls, Hooks
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import ExternalToolset

GUARDED = (toolbox.delete_db, toolbox.pay)
FREE = (toolbox.read_db, toolbox.void, toolbox.broken)


def scripted(turns: list[toolbox.Turn], ids: str) -> FunctionModel:
    """A model that says its turns one after another; the conversation tells how far it is."""

    def said(messages: list[ModelMessage]) -> tuple[toolbox.Turn, int]:
        number = sum(isinstance(message, ModelResponse) for message in messages)
        return turns[number], number

    def respond(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        turn, number = said(messages)
        if isinstance(turn, str):
            return ModelResponse(parts=[TextPart(turn)])
        return ModelResponse(
            parts=[
                ToolCallPart(tool, arguments, tool_call_id=f"{ids}_{number}_{index}")
                for index, (tool, arguments) in enumerate(turn)
            ]
        )

    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
        turn, number = said(messages)
        if isinstance(turn, str):
            for word in turn.split():
                yield f"{word} "
            return
        for index, (tool, arguments) in enumerate(turn):
            text = toolbox.json_of(arguments)
            yield {index: DeltaToolCall(name=tool, json_args=text[:3], tool_call_id=f"{ids}_{number}_{index}")}
            yield {index: DeltaToolCall(json_args=text[3:])}

    return FunctionModel(respond, stream_function=stream)


def made(turns: list[toolbox.Turn], *more: Any, name: str = "clerk", ids: str = "call", **options: Any) -> Any:
    """An agent with the tools of the toolbox, two of which need approval, and `more`."""
    options = {"output_type": [str, DeferredToolRequests], "instructions": "Be careful.", **options}
    agent: Agent[None, Any] = Agent(scripted(turns, ids), name=name, **options)
    for tool in FREE:
        agent.tool_plain(tool)
    for tool in GUARDED:
        agent.tool_plain(tool, requires_approval=True)
    for tool in more:
        agent.tool(tool)
    return agent


def answered(first: Any, seconds: float, *verdicts: Any) -> dict[str, Any]:
    """What a run is resumed with: the verdicts on what the first one asked, in order, after some time."""
    toolbox.reviewer_thinks(seconds)
    asked = [call.tool_call_id for call in first.output.approvals]
    results = DeferredToolResults(approvals=dict(zip(asked, verdicts, strict=True)))
    return {"message_history": first.all_messages(), "deferred_tool_results": results}


def approve_deny() -> None:
    """One is refused in the reviewer's own words and one let through, two seconds after they were asked."""
    turn = [("read_db", {"q": "a"}), ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]
    agent = made([turn, "I could not delete it."])
    first = agent.run_sync("clean up")
    agent.run_sync(**answered(first, 2, ToolDenied("Hands off, that is Monday's backup."), True))


def plain_denial() -> None:
    """Refused without a word."""
    agent = made([[("delete_db", {"q": "b"}), ("pay", {"amount": 1})], "Fine."])
    agent.run_sync(**answered(agent.run_sync("clean up"), 1.5, False, False))


def pending() -> None:
    """Nobody answers; a call of the same turn that needs no approval ran."""
    made([[("read_db", {"q": "a"}), ("pay", {"amount": 900})], "never said"]).run_sync("pay the bill")


def unknown_and_invalid() -> None:
    """A tool that does not exist and arguments of the wrong type; then the right ones."""
    made([[("wipe", {"q": "a"})], [("read_db", {"rows": 3})], [("read_db", {"q": "a"})], "Done."]).run_sync("read")


def retried_and_broken() -> None:
    """A tool asks for another try, then works; another raises, which ends the run."""
    tries: list[str] = []

    def lookup(_: RunContext[None], key: str) -> str:
        """Look a key up."""
        toolbox.ran("lookup")
        tries.append(key)
        if len(tries) == 1:
            raise ModelRetry("No such key: use lower case.")
        return "found"

    agent = made([[("lookup", {"key": "A"})], [("lookup", {"key": "a"})], [("broken", {"q": "a"})], "Done."], lookup)
    with contextlib.suppress(RuntimeError):
        agent.run_sync("look it up")


def twice_the_same() -> None:
    """The same call twice in one turn: one is let through, one is not."""
    agent = made([[("pay", {"amount": 5}), ("pay", {"amount": 5})], "Paid once."])
    first = agent.run_sync("pay twice")
    agent.run_sync(**answered(first, 1.5, True, ToolDenied("Once is enough.")))


def edited() -> None:
    """Let through with other arguments than proposed."""
    agent = made([[("pay", {"amount": 900})], "Paid five."])
    agent.run_sync(**answered(agent.run_sync("pay"), 1.5, ToolApproved(override_args={"amount": 5})))


def raised_in_body() -> None:
    """The tool itself asks for approval, by raising; one is let through, one is not."""

    def ship(context: RunContext[None], parcel: str) -> str:
        """Ship a parcel."""
        if not context.tool_call_approved:
            raise ApprovalRequired(metadata={"why": "leaves the house"})
        toolbox.ran("ship")
        return f"shipped {parcel}"

    agent = made([[("ship", {"parcel": "one"}), ("ship", {"parcel": "two"})], "One went out."], ship)
    first = agent.run_sync("ship both")
    agent.run_sync(**answered(first, 1.5, True, ToolDenied("Not without insurance.")))


def asked_twice() -> None:
    """A second approval in the run that the first one resumed."""
    agent = made([[("delete_db", {"q": "b"})], [("pay", {"amount": 7})], "All done."])
    second = agent.run_sync(**answered(agent.run_sync("clean up and pay"), 1, True))
    agent.run_sync(**answered(second, 2.5, ToolDenied("The account is closed.")))


def streamed() -> None:
    """The same as `approve_deny`, streamed and awaited."""

    async def play() -> None:
        turn = [("read_db", {"q": "a"}), ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]
        agent = made([turn, "I could not delete it."])
        async with agent.run_stream("clean up") as first:
            output = await first.get_output()
        asked = [call.tool_call_id for call in output.approvals]
        toolbox.reviewer_thinks(2)
        results = DeferredToolResults(approvals={asked[0]: ToolDenied("Leave it."), asked[1]: True})
        async with agent.run_stream(message_history=first.all_messages(), deferred_tool_results=results) as second:
            await second.get_output()

    asyncio.run(play())


def interleaved() -> None:
    """Two agents at once in one process, with calls of the same tool and the same arguments: one is refused."""

    async def play(name: str, verdict: Any) -> None:
        agent = made([[("read_db", {"q": "a"}), ("pay", {"amount": 5})], "Done."], name=name, ids=name)
        first = await agent.run("pay")
        await asyncio.sleep(2)
        results = DeferredToolResults(approvals={call.tool_call_id: verdict for call in first.output.approvals})
        await agent.run(message_history=first.all_messages(), deferred_tool_results=results)

    async def both() -> None:
        await asyncio.gather(play("anna", True), play("bert", ToolDenied("Wrong account.")))

    asyncio.run(both())


def sub_agent() -> None:
    """A tool that runs another agent, which has tools of its own."""
    helper = made([[("read_db", {"q": "z"}), ("wipe", {})], "Helped."], name="helper", ids="help")

    async def ask_helper(_: RunContext[None], task: str) -> str:
        """Let the helper do it."""
        toolbox.ran("ask_helper")
        return str((await helper.run(task)).output)

    agent = made([[("ask_helper", {"task": "t"}), ("delete_db", {"q": "b"})], "Done."], ask_helper)
    first = agent.run_sync("get help")
    agent.run_sync(**answered(first, 1.5, ToolDenied("No.")))


def external() -> None:
    """A tool that is run elsewhere: its result comes later, from the program."""

    def render(_: RunContext[None], page: str) -> str:
        """Render a page."""
        raise CallDeferred

    agent = made([[("render", {"page": "p"}), ("read_db", {"q": "a"})], "Rendered."], render)
    first = agent.run_sync("render")
    toolbox.reviewer_thinks(1)
    toolbox.ran("render")
    results = DeferredToolResults(calls={call.tool_call_id: "<svg/>" for call in first.output.calls})
    agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)


def handled_inline() -> None:
    """A handler answers within the run: no second trace, and nothing but the answer tells of the refusal."""

    def handle(_: RunContext[None], requests: DeferredToolRequests) -> DeferredToolResults:
        toolbox.reviewer_thinks(1.5)
        verdicts = {"pay": True, "delete_db": ToolDenied("Not on a Friday.")}
        return DeferredToolResults(
            approvals={call.tool_call_id: verdicts[call.tool_name] for call in requests.approvals}
        )

    turn = [("read_db", {"q": "a"}), ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]
    made([turn, "I could not delete it."], capabilities=[HandleDeferredToolCalls(handler=handle)]).run_sync("clean up")


def _close(total: int) -> int:
    """Close the books."""
    toolbox.ran("close")
    return total


def final_result_first() -> None:
    """The model gives its final result and calls a tool beside it, which is run all the same."""
    turns: list[toolbox.Turn] = [[("close", {"total": 3}), ("read_db", {"q": "a"})]]
    made(turns, output_type=ToolOutput(_close, name="close")).run_sync("close the books")


def final_result_early() -> None:
    """The same, of an agent that runs nothing once it has its result."""
    turns: list[toolbox.Turn] = [[("close", {"total": 3}), ("read_db", {"q": "a"})]]
    made(turns, output_type=ToolOutput(_close, name="close"), end_strategy="early").run_sync("close the books")


class Bill(BaseModel):
    """What is owed."""

    total: int


def structured() -> None:
    """The result is structured: the model gives it through a tool of no body, at first in the wrong shape."""
    turns: list[toolbox.Turn] = [
        [("read_db", {"q": "a"})],
        [("final_result", {"total": "much"})],
        [("final_result", {"total": 3})],
    ]
    made(turns, output_type=Bill).run_sync("what is owed")


def external_toolset() -> None:
    """A tool without a body, of a toolset that is run elsewhere: beside it one that ran."""
    schema = {"type": "object", "properties": {"page": {"type": "string"}}, "required": ["page"]}
    tools = ExternalToolset([ToolDefinition(name="render", parameters_json_schema=schema)])
    agent = made([[("render", {"page": "p"}), ("read_db", {"q": "a"})], "Rendered."], toolsets=[tools])
    first = agent.run_sync("render")
    toolbox.reviewer_thinks(1)
    toolbox.ran("render")
    results = DeferredToolResults(calls={call.tool_call_id: "<svg/>" for call in first.output.calls})
    agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)


def hook_skips() -> None:
    """A hook answers in the place of one tool and lets another run."""
    hooks: Hooks[None] = Hooks()

    @hooks.on.before_tool_execute
    async def check(_: RunContext[None], *, call: ToolCallPart, tool_def: ToolDefinition, args: Any) -> Any:
        if call.tool_name == "void":
            raise SkipToolExecution("Blocked: nobody voids on a Friday.")
        return args

    made([[("void", {}), ("read_db", {"q": "a"})], "Only read."], capabilities=[hooks]).run_sync("void")


def interrupted() -> None:
    """The run is cancelled while a tool runs, and the conversation goes on with another prompt."""

    async def play() -> None:
        async def slow(_: RunContext[None], q: str) -> str:
            """Take long."""
            await asyncio.sleep(20)
            return q

        agent = made([[("slow", {"q": "a"})], "Never mind."], slow)
        with capture_run_messages() as messages:
            task = asyncio.create_task(agent.run("be slow"))
            await asyncio.sleep(2)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await agent.run("what happened?", message_history=list(messages))

    asyncio.run(play())


def two_turns() -> None:
    """A conversation of two prompts: two runs, each with a call of the same tool."""
    agent = made([[("read_db", {"q": "a"})], "First.", [("read_db", {"q": "a"})], "Second."])
    first = agent.run_sync("read")
    agent.run_sync("again", message_history=first.all_messages())


SCENES = {
    scene.__name__: scene
    for scene in (
        approve_deny,
        plain_denial,
        pending,
        unknown_and_invalid,
        retried_and_broken,
        twice_the_same,
        edited,
        raised_in_body,
        asked_twice,
        streamed,
        interleaved,
        sub_agent,
        external,
        handled_inline,
        final_result_first,
        final_result_early,
        structured,
        external_toolset,
        hook_skips,
        interrupted,
        two_turns,
    )
}


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
