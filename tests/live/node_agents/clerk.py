"""What the agents in Node are made to do: the scenes, and what is true of each call.

A scene's settings are what a program reads:

- `prompts`: of a conversation, one run each; `answers`: to the approvals, in order, each round `thinks_s` after it;
- `client`: the client gives its result; `repaired`: a call that does not fit is mended; `approvals`: answered by rule;
- `wrapped`: all of it in one span of the program's own;
- `steps`: after so many the agent stops; `provider_tools`: it has such;
- `service`: the name of the case's service, since all use the same ids;
- and a case's switches: `no_content`, `streamed`, `legacy` (AI SDK 7, with the spans of version 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from tests.live.agent import Agent, Call, Installation
from tests.live.cli_agents import child
from tests.live.cli_agents.scene import PROMPT, Scene, Step, one_by_one
from tests.live.script import ToolCall


@dataclass(frozen=True, slots=True)
class Excuse:
    """What the telemetry cannot tell of a call."""

    why: str
    columns: tuple[str, ...]
    """`tool` for the whole call."""
    told: Mapping[str, object] = field(default_factory=dict)
    """What is told instead, where that is no guess."""


Untold: TypeAlias = Mapping[str, Mapping[str, Excuse]]
"""By case, and by call; of the call `RUNS`, that the runs cannot be told apart or joined."""
RUNS: Final = "runs"
PROMPTS: Final = {"prompts": [PROMPT]}
THINKS: Final = {**PROMPTS, "thinks_s": 2}


def call(call_id: str, tool: str, arguments: dict[str, Any], outcome: str, by: str | None = None, **truth: Any) -> Step:
    """A call and its truth, with the arguments that are proposed."""
    return Step(ToolCall(call_id, tool, arguments), Call(tool, outcome, by, arguments=arguments, **truth))


def read(call_id: str = "call_read", q: str = "a") -> Step:
    """Reads, and needs no approval."""
    return call(call_id, "read_db", {"q": q}, "executed")


def asked(call_id: str, tool: str, arguments: dict[str, Any], outcome: str) -> Step:
    """Waits for a person."""
    by, wait_s = (None, None) if outcome == "pending" else ("human", 2)
    return call(call_id, tool, arguments, outcome, by, asked=True, wait_s=wait_s)


def delete(outcome: str = "denied") -> Step:
    """Deletes, and waits for a person."""
    return asked("call_delete", "delete_db", {"q": "b"}, outcome)


def pay(call_id: str = "call_pay", amount: int = 900, outcome: str = "executed") -> Step:
    """Pays, and waits for a person."""
    return asked(call_id, "pay", {"amount": amount}, outcome)


VOID: Final = call("call_void", "void", {}, "executed")
WIPE: Final = call("call_wipe", "wipe", {"q": "a"}, "unknown_tool")
INVALID: Final = call("call_invalid", "read_db", {"rows": 3}, "invalid_arguments")
BROKEN: Final = call("call_broken", "broken", {"q": "a"}, "failed")
HURRIED: Final = call("call_hurried", "hurried", {"q": "a"}, "failed")
"""It has a time limit of its own."""
SLOW: Final = call("call_slow", "slow", {"q": "a"}, "cancelled", "human_or_program")
RENDER: Final = call("call_render", "render", {"page": "p"}, "executed", "program")
SEARCH: Final = Step(
    ToolCall("call_search", "web_search", {"query": "a"}, by_provider=True), Call("web_search", "executed", body=None)
)
WAITING: Final = (read(), delete(outcome="pending"), pay(outcome="pending"))

SCENES: Final[Mapping[str, Scene]] = {
    "steps": Scene(one_by_one(read(), VOID), settings=PROMPTS),
    "parallel": Scene(((read(), VOID, read("call_again", "b")),), settings=PROMPTS),
    "twice_the_same": Scene(
        ((read(), read("call_again")), (pay(amount=5), pay("call_pay_again", 5, "denied"))),
        settings=THINKS,
        answers=("yes", "no, once is enough"),
    ),
    "approve_reject": Scene(
        ((read(), delete(), pay()),), settings=THINKS, answers=("no, that is Monday's backup", "yes")
    ),
    "plain_denial": Scene(((delete(), pay(outcome="denied")),), settings=THINKS, answers=("no", "no")),
    "asked_twice": Scene(
        one_by_one(delete(outcome="executed"), pay(outcome="denied")), settings=THINKS, answers=("yes", "no, closed")
    ),
    "pending": Scene((WAITING,), settings=PROMPTS),
    "wrong_calls": Scene(one_by_one(WIPE, INVALID, BROKEN, read()), settings=PROMPTS),
    "wrong_parallel": Scene(((WIPE, INVALID, BROKEN, read()),), settings=PROMPTS),
    "client": Scene(((RENDER, read()),), settings={**THINKS, "client": True}),
    "client_pending": Scene(
        ((call("call_render", "render", {"page": "p"}, "pending", None, asked=False),),), settings=PROMPTS
    ),
    "provider": Scene(((SEARCH,),), settings={**PROMPTS, "provider_tools": True}),
    "own_time_limit": Scene(((HURRIED, read()),), settings=PROMPTS),
    "held_back": Scene(((delete(outcome="executed"), read()),), settings=THINKS, answers=("yes",)),
    "aborted": Scene(((read(), SLOW),), settings=PROMPTS),
    "stopped": Scene(((read(), VOID),), settings={**PROMPTS, "steps": 1}),
    "two_turns": Scene(((read(),),), second=((read("call_second"),),), settings={"prompts": [PROMPT, "And again."]}),
}
"""Scenes of every framework."""
SWITCHED: Final = ("steps", "approve_reject", "pending", "wrong_calls", "client", "two_turns", "aborted")
"""Those that are played with each switch too."""


def sub_agent(tool: str, arguments: dict[str, Any], body: str | None = "") -> Scene:
    """Another agent is a tool: it reads, calls what does not exist, and beside it a person says no."""
    helped = call("call_help", tool, arguments, "executed", body=body)
    return Scene(
        ((helped, delete()),), helper=((read("help_read", "z"),), (WIPE,)), settings=THINKS, answers=("no, keep it",)
    )


def agent(
    name: str, installation: Installation, program: str, played: tuple[str, Scene], untold: Untold, *switches: str
) -> Agent:
    """A case: a scene, played by a program with these switches.

    Args:
        name: of the emitter.
        installation: what it needs.
        program: the module that has its scenes.
        played: name of the scene, and itself.
        untold: what the telemetry cannot tell.
        switches: of the case.
    """
    scene_name, scene = played
    case = "_".join((scene_name, *switches))
    return Agent(
        f"{name}/{case}",
        installation,
        ("{harness}", "-m", "tests.live.node_agents.play", program, scene_name, "{installed}", *switches),
        tuple(_excused(step, untold.get(case, {})) for step in scene.steps),
        runs=None if RUNS in untold.get(case, {}) else len(scene.settings["prompts"]),
        environment={"PYTHONPATH": "{live}/../.."},
        needs=("npm",),
        limit_s=child.limit_s(scene.processes),
    )


def _excused(step: Step, untold: Mapping[str, Excuse]) -> Call:
    assert step.truth is not None, step
    excuse = untold.get(step.call.call_id)
    if excuse is None:
        return step.truth
    return replace(step.truth, untold=dict.fromkeys(excuse.columns, excuse.why), told=excuse.told)
