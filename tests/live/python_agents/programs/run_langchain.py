"""LangChain and LangGraph with a scripted chat model: `run_langchain.py INSTRUMENTATION SCENE`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import toolbox
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.tools import tool
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

TOOLS = [tool(each) for each in (toolbox.read_db, toolbox.delete_db, toolbox.pay, toolbox.void, toolbox.broken)]


class Scripted(BaseChatModel):
    """A model that says its turns one after another; the conversation tells how far it is."""

    turns: list[Any]
    ids: str = "call"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """Tell what the model could call, as a provider's model would."""
        return self.bind(tools=[convert_to_openai_tool(each) for each in tools], **options)

    def _said(self, messages: list[BaseMessage]) -> AIMessage:
        number = sum(isinstance(message, AIMessage) for message in messages)
        turn = self.turns[number]
        served = {"model_name": "scripted-1"}
        if isinstance(turn, str):
            return AIMessage(turn, response_metadata=served)
        calls = [
            {"name": name, "args": arguments, "id": f"{self.ids}_{number}_{index}", "type": "tool_call"}
            for index, (name, arguments) in enumerate(turn)
        ]
        return AIMessage("", tool_calls=calls, response_metadata=served)

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._said(messages))])

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        said = self._said(messages)
        for word in str(said.content).split():
            yield ChatGenerationChunk(message=AIMessageChunk(f"{word} "))
        for index, call in enumerate(said.tool_calls):
            part = {"name": call["name"], "args": toolbox.json_of(call["args"]), "id": call["id"], "index": index}
            yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[part]))


def made(turns: list[toolbox.Turn], *more: Any, name: str = "clerk", ids: str = "call", mode: str = "batched") -> Any:
    """An agent with the tools of the toolbox and `more`; a person is asked about two of them."""
    return create_agent(
        Scripted(turns=turns, ids=ids),
        [*TOOLS, *more],
        system_prompt="Be careful.",
        middleware=[HumanInTheLoopMiddleware({"delete_db": True, "pay": True}, interrupt_mode=mode)],
        checkpointer=InMemorySaver(),
        name=name,
    )


def thread(name: str = "thread-1") -> Any:
    """The configuration that names a conversation."""
    return {"configurable": {"thread_id": name}}


def asked(text: str) -> dict[str, Any]:
    """A prompt."""
    return {"messages": [{"role": "user", "content": text}]}


def resumed(*decisions: dict[str, Any]) -> Command[Any]:
    """A reviewer's answers, in the order of the asks."""
    return Command(resume={"decisions": list(decisions)})


def rejected(words: str | None = None) -> dict[str, Any]:
    """A refusal, with or without a reason."""
    return {"type": "reject"} if words is None else {"type": "reject", "message": words}


APPROVED = {"type": "approve"}
READ: tuple[str, dict[str, Any]] = ("read_db", {"q": "a"})
CLEAN_UP = [READ, ("delete_db", {"q": "b"}), ("pay", {"amount": 900})]


def approve_reject() -> None:
    """One is refused in the reviewer's own words and one let through; a third call is held back meanwhile."""
    agent = made([CLEAN_UP, "I could not delete it."])
    agent.invoke(asked("clean up"), thread())
    toolbox.reviewer_thinks(2)
    agent.invoke(resumed(rejected("Hands off, that is Monday's backup."), APPROVED), thread())


def silent_rejection() -> None:
    """Refused without a reason, both."""
    agent = made([CLEAN_UP, "I did nothing."])
    agent.invoke(asked("clean up"), thread())
    toolbox.reviewer_thinks(1.5)
    agent.invoke(resumed(rejected(), rejected()), thread())


def edited() -> None:
    """Let through with other arguments."""
    agent = made([[("pay", {"amount": 900})], "Paid five."])
    agent.invoke(asked("pay"), thread())
    toolbox.reviewer_thinks(1.5)
    action = {"name": "pay", "args": {"amount": 5}}
    agent.invoke(resumed({"type": "edit", "edited_action": action}), thread())


def redirected() -> None:
    """Let through as a call of another tool."""
    agent = made([[("delete_db", {"q": "b"})], "Read it."])
    agent.invoke(asked("clean up"), thread())
    toolbox.reviewer_thinks(1.5)
    action = {"name": "read_db", "args": {"q": "b"}}
    agent.invoke(resumed({"type": "edit", "edited_action": action}), thread())


def responded() -> None:
    """The reviewer answers in the tool's place."""
    agent = made([[("pay", {"amount": 900}), READ], "It was paid before."])
    agent.invoke(asked("pay"), thread())
    toolbox.reviewer_thinks(1.5)
    agent.invoke(resumed({"type": "respond", "message": "That bill was paid in March."}), thread())


def twice_the_same() -> None:
    """The same call twice in one turn: the second is let through, the first is not."""
    agent = made([[("pay", {"amount": 5}), ("pay", {"amount": 5})], "Paid once."])
    agent.invoke(asked("pay twice"), thread())
    toolbox.reviewer_thinks(1.5)
    agent.invoke(resumed(rejected("Once is enough."), APPROVED), thread())


def asked_twice() -> None:
    """A second question in the run that the first one resumed."""
    agent = made([[("delete_db", {"q": "b"})], [("pay", {"amount": 7})], "All done."])
    agent.invoke(asked("clean up and pay"), thread())
    toolbox.reviewer_thinks(1)
    agent.invoke(resumed(APPROVED), thread())
    toolbox.reviewer_thinks(2.5)
    agent.invoke(resumed(rejected("The account is closed.")), thread())


def pending() -> None:
    """Nobody answers, and a call of the same turn is held back."""
    made([CLEAN_UP]).invoke(asked("clean up"), thread())


def per_call() -> None:
    """One interrupt for each call, answered by its id: one refused, one edited, one let through."""
    agent = made(
        [[READ, ("delete_db", {"q": "b"}), ("pay", {"amount": 900}), ("pay", {"amount": 1})], "So."], mode="per_call"
    )
    stopped = agent.invoke(asked("clean up"), thread(), version="v2")
    toolbox.reviewer_thinks(2)
    edit = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 5}}}
    answers = {}
    for each in stopped.interrupts:
        if each.value["name"] == "delete_db":
            answers[each.id] = rejected("Keep it.")
        else:
            answers[each.id] = edit if each.value["args"] == {"amount": 900} else APPROVED
    agent.invoke(Command(resume=answers), thread(), version="v2")


def streamed() -> None:
    """As `approve_reject`, streamed."""
    agent = made([CLEAN_UP, "I could not delete it."])
    list(agent.stream(asked("clean up"), thread(), stream_mode=["updates", "messages"]))
    toolbox.reviewer_thinks(2)
    list(agent.stream(resumed(rejected("Leave it."), APPROVED), thread(), stream_mode=["updates", "messages"]))


def interleaved() -> None:
    """Two threads at once in one process, with the same calls: one is refused."""

    async def play(name: str, decision: dict[str, Any]) -> None:
        agent = made([[READ, ("pay", {"amount": 5})], "Done."], name=name, ids=name)
        await agent.ainvoke(asked("pay"), thread(name))
        await asyncio.sleep(2)
        await agent.ainvoke(resumed(decision), thread(name))

    async def both() -> None:
        await asyncio.gather(play("anna", APPROVED), play("bert", rejected("Wrong account.")))

    asyncio.run(both())


def sub_agent() -> None:
    """A tool that runs another agent, which has tools of its own."""
    helper = made([[("read_db", {"q": "z"})], "Helped."], name="helper", ids="help")

    @tool
    def ask_helper(task: str) -> str:
        """Let the helper do it."""
        toolbox.ran("ask_helper")
        return str(helper.invoke(asked(task), thread("helper-1"))["messages"][-1].content)

    made([[("ask_helper", {"task": "t"})], "Done."], ask_helper).invoke(asked("get help"), thread())


def wrong_calls() -> None:
    """A tool that does not exist, arguments of the wrong type, then the right ones."""
    made([[("wipe", {"q": "a"})], [("read_db", {"rows": 3})], [READ], "Done."]).invoke(asked("read"), thread())


def broken() -> None:
    """A tool raises, which ends the run."""
    try:
        made([[("broken", {"q": "a"})], "Done."]).invoke(asked("read"), thread())
    except RuntimeError:
        return
    raise AssertionError


def two_turns() -> None:
    """Two prompts in one thread, with the same call."""
    agent = made([[READ], "First.", [READ], "Second."])
    agent.invoke(asked("read"), thread())
    agent.invoke(asked("again"), thread())


@tool
def ship(parcel: str) -> str:
    """Ship a parcel."""
    answer = interrupt({"question": f"Ship {parcel}?"})
    toolbox.ran("ship")
    return f"shipped {parcel}: {answer}"


def asks_in_body_pending() -> None:
    """A tool asks in its own body, and nobody answers; its sibling ran."""
    made([[("ship", {"parcel": "one"}), READ]], ship).invoke(asked("ship it"), thread())


def asks_in_body() -> None:
    """A tool asks in its own body, with a question of its own; what is answered is a word."""
    agent = made([[("ship", {"parcel": "one"}), READ], "Shipped."], ship)
    agent.invoke(asked("ship it"), thread())
    toolbox.reviewer_thinks(1.5)
    agent.invoke(Command(resume="yes"), thread())


def review_node(verdict: str, words: str = "The reviewer said no.") -> None:
    """A graph of one's own: model, a node that asks a plain question, and tools if the answer is yes."""
    model = Scripted(turns=[[("pay", {"amount": 900})], "Done."]).bind_tools(TOOLS)

    def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def review(state: MessagesState) -> Command[Any]:
        call = state["messages"][-1].tool_calls[0]
        if interrupt(f"May I {call['name']} {call['args']}?") == "yes":
            return Command(goto="tools")
        return Command(goto="think", update={"messages": [ToolMessage(words, tool_call_id=call["id"])]})

    def after(state: MessagesState) -> str:
        return "review" if state["messages"][-1].tool_calls else END

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("review", review, destinations=("tools", "think"))
    graph.add_node("tools", ToolNode(TOOLS))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", after, ["review", END])
    graph.add_edge("tools", "think")
    app = graph.compile(checkpointer=InMemorySaver())
    app.invoke(asked("pay"), thread())
    toolbox.reviewer_thinks(1.5)
    app.invoke(Command(resume=verdict), thread())


def node_approves() -> None:
    """The plain question is answered with yes."""
    review_node("yes")


def node_rejects() -> None:
    """The plain question is answered with no, and the graph tells the model in its own words."""
    review_node("no")


SCENES: dict[str, Callable[[], None]] = {
    scene.__name__: scene
    for scene in (
        approve_reject,
        silent_rejection,
        edited,
        redirected,
        responded,
        twice_the_same,
        asked_twice,
        pending,
        per_call,
        streamed,
        interleaved,
        sub_agent,
        wrong_calls,
        broken,
        two_turns,
        asks_in_body_pending,
        asks_in_body,
        node_approves,
        node_rejects,
    )
}


def main(instrumentation: str, scene: str) -> None:
    """Instrument, then play the scene."""
    provider = toolbox.tracer_provider("clerk-service")
    if instrumentation == "openinference":
        from openinference.instrumentation.langchain import LangChainInstrumentor

        LangChainInstrumentor().instrument(tracer_provider=provider)
    elif instrumentation == "openllmetry":
        from opentelemetry.instrumentation.langchain import LangchainInstrumentor

        LangchainInstrumentor().instrument(tracer_provider=provider)
    SCENES[scene]()
    if instrumentation == "langsmith":
        # It is part of LangChain, and exports in the background to the provider that is set.
        from langchain_core.tracers.langchain import wait_for_all_tracers

        wait_for_all_tracers()


if __name__ == "__main__":
    main(*sys.argv[1:])
