"""OpenHands' SDK with a scripted model behind a real wire: `run_openhands.py SCENE`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import toolbox
from openhands.sdk import LLM, Agent, Conversation, Tool, register_tool
from openhands.sdk.hooks import HookConfig
from openhands.sdk.security.analyzer import SecurityAnalyzerBase
from openhands.sdk.security.confirmation_policy import AlwaysConfirm, ConfirmationPolicyBase, ConfirmRisky
from openhands.sdk.security.risk import SecurityRisk
from openhands.sdk.tool import Action, Observation, ToolDefinition, ToolExecutor
from pydantic import SecretStr


class RecordsAction(Action):
    """Which records."""

    q: str


class PayAction(Action):
    """How much."""

    amount: int


class RecordsObservation(Observation):
    """What came of it."""


class Executor(ToolExecutor[Any, RecordsObservation]):
    """Runs a tool of the toolbox."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = body

    def __call__(self, action: Any, *_: Any) -> RecordsObservation:
        """Run it; `refuses` returns an error, `broken` raises one."""
        given = action.model_dump(exclude={"kind"})
        told = self.body(**given)
        return RecordsObservation.from_text(text=str(told), is_error=self.body is refuses)


def refuses(q: str) -> str:
    """Return an error."""
    toolbox.ran("refuses")
    return f"no such table {q}"


class _RecordsTool(ToolDefinition[Any, RecordsObservation]):
    @classmethod
    def create(cls, *_: Any, **__: Any) -> Sequence[Any]:
        """One tool, named after its class."""
        body: Callable[..., Any] = globals().get(cls.name) or getattr(toolbox, cls.name)
        return [
            cls(
                description=body.__doc__ or "",
                action_type=PayAction if cls.name == "pay" else RecordsAction,
                observation_type=RecordsObservation,
                executor=Executor(body),
            )
        ]


class ReadDbTool(_RecordsTool):
    """Reads."""


class DeleteDbTool(_RecordsTool):
    """Deletes."""


class PayTool(_RecordsTool):
    """Pays."""


class BrokenTool(_RecordsTool):
    """Raises."""


class RefusesTool(_RecordsTool):
    """Returns an error."""


TOOLS = (ReadDbTool, DeleteDbTool, PayTool, BrokenTool, RefusesTool)


class Watchful(SecurityAnalyzerBase):
    """Whatever deletes is risky, nothing else is."""

    def security_risk(self, action: Any) -> SecurityRisk:
        """The risk of an action."""
        return SecurityRisk.HIGH if action.tool_name == "delete_db" else SecurityRisk.LOW


@contextmanager
def talking(turns: list[toolbox.Turn], policy: ConfirmationPolicyBase | None = None, **options: Any) -> Iterator[Any]:
    """A conversation that was told what to do and has not begun."""
    with toolbox.model_server(main=turns) as url:
        for tool in TOOLS:
            register_tool(tool.name, tool)
        llm = LLM(model="openai/scripted-1", base_url=f"{url}/v1", api_key=SecretStr("scripted"), num_retries=0)
        agent = Agent(llm=llm, tools=[Tool(name=tool.name) for tool in TOOLS])
        conversation = Conversation(agent=agent, workspace=str(Path.cwd()), visualizer=None, user_id="ana", **options)
        if policy is not None:
            conversation.set_confirmation_policy(policy)
        conversation.send_message("Do as you are told. [[main]]")
        try:
            yield conversation
        finally:
            conversation.close()


def confirm() -> None:
    """Everything is asked: two calls of a step are refused after two seconds, the next one is let through."""
    turns: list[toolbox.Turn] = [
        [("read_db", {"q": "a"}), ("delete_db", {"q": "b"})],
        [("pay", {"amount": 5})],
        "Done.",
    ]
    with talking(turns, AlwaysConfirm()) as conversation:
        conversation.run()
        toolbox.reviewer_thinks(2)
        conversation.reject_pending_actions("not on Fridays")
        conversation.run()
        toolbox.reviewer_thinks(1.5)
        conversation.run()


def risky() -> None:
    """Only what an analyzer finds risky is asked; it is let through."""
    turns: list[toolbox.Turn] = [[("read_db", {"q": "a"})], [("delete_db", {"q": "b"})], "Done."]
    with talking(turns, ConfirmRisky()) as conversation:
        conversation.set_security_analyzer(Watchful())
        conversation.run()
        toolbox.reviewer_thinks(2)
        conversation.run()


def pending() -> None:
    """Nobody answers."""
    with talking([[("read_db", {"q": "a"})], "never said"], AlwaysConfirm()) as conversation:
        conversation.run()


def wrong_calls() -> None:
    """A tool that does not exist, arguments of the wrong type, a tool that raises, one that returns an error."""
    turns: list[toolbox.Turn] = [
        [("wipe", {"q": "a"})],
        [("pay", {"amount": "much"})],
        [("broken", {"q": "b"})],
        [("refuses", {"q": "c"})],
        [("read_db", {"q": "a"})],
        "Done.",
    ]
    with talking(turns) as conversation:
        conversation.run()


def hook() -> None:
    """A hook blocks one call; it is asked before the tools run."""
    script = Path("hook.sh")
    script.write_text("#!/bin/sh\ngrep -q delete_db && echo 'no deletions' >&2 && exit 2\nexit 0\n", encoding="utf-8")
    script.chmod(0o755)
    hooks = {"PreToolUse": [{"matcher": "*", "hooks": [{"type": "command", "command": str(script.absolute())}]}]}
    config = HookConfig.from_dict({"hooks": hooks})
    turns: list[toolbox.Turn] = [[("read_db", {"q": "a"}), ("delete_db", {"q": "b"})], "Done."]
    with talking(turns, hook_config=config) as conversation:
        conversation.run()


def two_turns() -> None:
    """Two messages of the user in one conversation."""
    turns: list[toolbox.Turn] = [[("read_db", {"q": "a"})], "Read.", [("read_db", {"q": "b"})], "Read again."]
    with talking(turns) as conversation:
        conversation.run()
        conversation.send_message("And now the other one.")
        conversation.run()


SCENES = (confirm, risky, pending, wrong_calls, hook, two_turns)


def main(name: str) -> None:
    """Play one scene; the SDK reports by itself once it is told where to."""
    started = time.monotonic()
    next(scene for scene in SCENES if scene.__name__ == name)()
    from lmnr import Laminar

    Laminar.flush()
    print(json.dumps({"scene": name, "seconds": round(time.monotonic() - started, 1)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
