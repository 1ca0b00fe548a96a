"""Scenes that programs are made to play: what their model says, and what becomes of each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.live.agent import Call
from tests.live.script import Conversation, Script, ToolCall, Turn

from .terminal import ESCAPE, INTERRUPT, Press

MARKER: Final = "[[main]]"
PROMPT: Final = f"Do as you are told. {MARKER}"
SUBAGENT: Final = "[[helper]]"
"""Stands in the prompt that the main agent gives to another."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call: as the model proposes it, and what becomes of it."""

    call: ToolCall
    truth: Call | None
    """None: no record of the case mentions it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a program is made to do once."""

    turns: tuple[tuple[Step, ...], ...]
    """The calls of each turn of the model; a turn that only speaks ends the scene."""
    helper: tuple[tuple[Step, ...], ...] = ()
    """The turns of the agent that the main one calls."""
    arguments: tuple[str, ...] = ()
    """For the program's command line."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """For its settings file."""
    files: Mapping[str, str] = field(default_factory=dict)
    """In its working folder, by name."""
    environment: Mapping[str, str] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()
    """Variables that are left out: switches that the case is without."""
    answers: tuple[str, ...] = ()
    """What whoever is asked answers, in order."""
    presses: tuple[Press, ...] = ()
    """What whoever is at the terminal presses, in order; without any the program has no terminal."""
    second: tuple[tuple[Step, ...], ...] = ()
    """Turns that a second process adds, which goes on with the session."""
    guardian: str | None = None
    """What the automatic reviewer says of what it is asked."""

    @property
    def script(self) -> Script:
        """What the model says."""
        main = (*_said("Step", self.turns), Turn("All done."))
        if self.second:
            main += (*_said("Then", self.second), Turn("All done again."))
        helper = (*_said("Helping", self.helper), Turn("I have helped."))
        reviewer = (Turn(self.guardian),) if self.guardian is not None else ()
        return Script(
            (
                *(Conversation("You are judging one planned", (turn,)) for turn in reviewer),
                Conversation(MARKER, main),
                Conversation(SUBAGENT, helper),
            )
        )

    @property
    def processes(self) -> int:
        """How many run, one after another."""
        return 2 if self.second else 1

    @property
    def steps(self) -> tuple[Step, ...]:
        """All calls, in order."""
        return tuple(step for turn in (*self.turns, *self.helper, *self.second) for step in turn)

    @property
    def calls(self) -> tuple[Call, ...]:
        """What is true of the calls that are mentioned at all."""
        return tuple(step.truth for step in self.steps if step.truth is not None)


def step(call_id: str, tool: str, arguments: dict[str, Any], outcome: str, by: str | None, **truth: Any) -> Step:
    """A call and its truth under one name; `told_as` is the tool where records name it otherwise, `group` its group."""
    told_as, group = truth.pop("told_as", tool), truth.pop("group", None)
    return Step(ToolCall(call_id, tool, arguments, group), Call(told_as, outcome, by, **truth))


def unseen(told: Step) -> Step:
    """The same call in a case whose records do not mention it."""
    return replace(told, truth=None)


def one_by_one(*steps: Step) -> tuple[tuple[Step, ...], ...]:
    """Each call in a turn of its own."""
    return tuple((each,) for each in steps)


def stopped(
    command: Step, begins: tuple[Press, ...], ends: Press, *confirmed: Press, arguments: tuple[str, ...]
) -> Mapping[str, Scene]:
    """`escaped` and `interrupted`: a person allows a command that touches `started`, and stops it while it runs.

    Args:
        command: the call.
        begins: what is pressed until it runs.
        ends: what ends the program then.
        confirmed: what is pressed after an interruption.
        arguments: for the program's command line.
    """
    presses = {
        "escaped": (Press((), ESCAPE, made="started", after_s=2),),
        "interrupted": (Press((), INTERRUPT, made="started", after_s=2), *confirmed),
    }
    return {
        name: Scene(one_by_one(command), presses=(*begins, *pressed, ends), arguments=arguments)
        for name, pressed in presses.items()
    }


def _said(word: str, turns: tuple[tuple[Step, ...], ...]) -> tuple[Turn, ...]:
    return tuple(Turn(f"{word} {n} of this.", tuple(each.call for each in turn)) for n, turn in enumerate(turns, 1))
