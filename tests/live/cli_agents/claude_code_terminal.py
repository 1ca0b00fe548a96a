"""Live cases of Claude Code in a terminal, where a person decides."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.live.agent import Agent, Call, Installation
from tests.live.script import ToolCall

from . import terminal
from .claude_code import ENVIRONMENT, LOGS_ALONE, VERSIONS
from .scene import PROMPT, SUBAGENT, Scene, Step, one_by_one, step, stopped, unseen
from .terminal import DOWN, ENTER, ESCAPE, SHIFT_TAB, Press

_BEGINS: Final = (
    Press(("Claude Code v", "❯"), PROMPT, after_s=4),
    Press((PROMPT,), ENTER),
)
_ENDS: Final = Press(("All done.",), "/exit" + ENTER, after_s=1.5)
_ENDS_INTERRUPTED: Final = Press(("Interrupted",), "/exit" + ENTER, after_s=1.5)
_ASKS: Final = "Do you want to"
_DEFAULT: Final = ("--permission-mode", "default")


def _bash(call_id: str, command: str, outcome: str, by: str | None, **truth: Any) -> Step:
    return step(call_id, "Bash", {"command": command, "description": "run it"}, outcome, by, **truth)


def _write(call_id: str, name: str, outcome: str, by: str | None, **truth: Any) -> Step:
    return step(call_id, "Write", {"file_path": name, "content": "x"}, outcome, by, **truth)


def _scene(turns: tuple[tuple[Step, ...], ...], *presses: Press, **more: Any) -> Scene:
    return Scene(turns, presses=(*_BEGINS, *presses), **{"arguments": _DEFAULT, **more})


_QUESTION: Final = {
    "questions": [
        {
            "question": "Which colour?",
            "header": "Colour",
            "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}],
            "multiSelect": False,
        }
    ]
}
_ONCE: Final = one_by_one(
    _bash("toolu_one", "touch one", "executed", "human", asked=True, wait_s=20),
    _bash("toolu_two", "touch two", "denied", "human", asked=True, wait_s=20),
)
_ONCE_PRESSED: Final = (
    Press((_ASKS, "touch one"), ENTER, after_s=20),
    Press((_ASKS, "touch two"), ESCAPE, after_s=20),
    _ENDS_INTERRUPTED,
)
_STOPPED: Final = _bash("toolu_one", "touch started && sleep 30", "cancelled", "human", asked=True, wait_s=20)
_JOB: Final = {"job.py": "print(1)\n"}
_STARTS_IT: Final = Press((_ASKS, "touch started"), ENTER, after_s=20)


def _without_wait(call: Call | None) -> Call | None:
    return None if call is None else replace(call, untold={"wait_s": "log records do not say when somebody was asked"})


SCENES: Final[Mapping[str, Scene]] = {
    "once": _scene(_ONCE, *_ONCE_PRESSED),
    "once_logs_alone": _scene(
        tuple((replace(told, truth=_without_wait(told.truth)),) for (told,) in _ONCE),
        *_ONCE_PRESSED,
        withheld=LOGS_ALONE,
    ),
    "reason": _scene(
        one_by_one(
            _bash("toolu_one", "touch one", "denied", "human", asked=True, wait_s=20),
            _bash("toolu_two", "touch two", "executed", "human", asked=True, wait_s=20),
        ),
        Press((_ASKS, "touch one"), f"{DOWN * 3}\tuse make{ENTER}", after_s=19.5),
        Press((_ASKS, "touch two"), ENTER, after_s=20),
        _ENDS,
    ),
    "always": _scene(
        one_by_one(
            _bash("toolu_one", "python3 job.py one", "executed", "human", asked=True, wait_s=20),
            _bash("toolu_two", "python3 job.py two", "executed", "policy"),
        ),
        Press((_ASKS, "job.py one", "ask again"), "2", after_s=20),
        _ENDS,
        files=_JOB,
    ),
    **stopped(_STOPPED, (*_BEGINS, _STARTS_IT), _ENDS_INTERRUPTED, arguments=_DEFAULT),
    "plan_left": _scene(
        one_by_one(
            step("toolu_leave", "ExitPlanMode", {}, "executed", "human", asked=True, wait_s=20),
            _write("toolu_x", "x.txt", "executed", "human", asked=True, wait_s=20),
        ),
        Press(("Exit plan mode?",), ENTER, after_s=20),
        Press((_ASKS, "x.txt"), ENTER, after_s=20),
        _ENDS,
        arguments=("--permission-mode", "plan"),
    ),
    "plan_kept": _scene(
        one_by_one(step("toolu_leave", "ExitPlanMode", {}, "denied", "human", asked=True, wait_s=20)),
        Press(("Exit plan mode?",), "2", after_s=20),
        Press(("plan mode on",), "/exit" + ENTER, after_s=2),
        arguments=("--permission-mode", "plan"),
    ),
    "accept_edits": _scene(
        one_by_one(
            _write("toolu_x", "x.txt", "executed", "human", asked=True, wait_s=20),
            _write("toolu_y", "y.txt", "executed", "policy"),
            _bash("toolu_z", "python3 job.py", "executed", "human", asked=True, wait_s=20),
        ),
        Press((_ASKS, "x.txt"), SHIFT_TAB, after_s=20),
        Press((_ASKS, "job.py"), ENTER, after_s=20),
        _ENDS,
        files=_JOB,
    ),
    "bypass": _scene(
        one_by_one(
            _bash("toolu_one", "touch started && sleep 30", "executed", "human", asked=True, wait_s=20),
            _bash("toolu_two", "touch two", "executed", "policy"),
        ),
        _STARTS_IT,
        Press((), SHIFT_TAB, made="started", after_s=1),
        Press(("accept edits on",), SHIFT_TAB),
        Press(("plan mode on",), SHIFT_TAB),
        Press(("bypass permissions on", "All done."), "/exit" + ENTER, after_s=1.5),
        arguments=(*_DEFAULT, "--allow-dangerously-skip-permissions"),
    ),
    "question": _scene(
        one_by_one(
            step("toolu_ask", "AskUserQuestion", _QUESTION, "executed", "human", asked=True, wait_s=20),
            step("toolu_again", "AskUserQuestion", _QUESTION, "denied", "human", asked=True, wait_s=20),
        ),
        Press(("Which colour?", "Enter to select"), "2", after_s=20),
        Press(("Step 2", "Enter to select"), ESCAPE, after_s=20),
        Press(("❯", "? for shortcuts"), "/exit" + ENTER, after_s=2),
    ),
    "parallel": _scene(
        (
            (
                _bash("toolu_one", "touch one", "executed", "human", asked=True, wait_s=20),
                _bash("toolu_two", "touch two", "denied", "human", asked=True, wait_s=20),
                unseen(_bash("toolu_three", "touch three", "cancelled", "human")),
            ),
        ),
        Press((_ASKS, "touch one"), ENTER, after_s=20),
        Press((_ASKS, "touch two"), ESCAPE, after_s=20),
        _ENDS_INTERRUPTED,
    ),
    "subagent": _scene(
        (
            (
                Step(
                    ToolCall(
                        "toolu_task",
                        "Task",
                        {"description": "look", "prompt": f"Look. {SUBAGENT}", "subagent_type": "general-purpose"},
                    ),
                    Call("Agent", "executed", "policy"),
                ),
            ),
        ),
        Press((_ASKS, "touch one"), ESCAPE, after_s=20),
        Press(("finished", "All done."), "/exit" + ENTER, after_s=2),
        helper=one_by_one(_bash("toolu_one", "touch one", "denied", "human", asked=True, wait_s=20)),
    ),
}
_RUNS: Final[Mapping[str, int | None]] = {"subagent": None}


_STOPPED_BEFORE: Final = "what is stopped reads like what failed, in older versions"


def _agent(scene: str, version: str) -> Agent:
    calls = SCENES[scene].calls
    if (scene, version) == ("escaped", VERSIONS[1]):
        untold, told = {"outcome": _STOPPED_BEFORE}, {"outcome": "failed"}
        calls = tuple(replace(call, untold=untold, told=told) for call in calls)
    installation = Installation("npm", (f"@anthropic-ai/claude-code@{version}",))
    name = f"claude-code/terminal_{scene}"
    return Agent(
        name if version == VERSIONS[0] else f"{name}_{version}",
        installation,
        ("{harness}", "-m", "tests.live.cli_agents.play", "claude_code_terminal", scene, "{installed}"),
        calls,
        _RUNS.get(scene, 1),
        environment={"PYTHONPATH": "{live}/../.."},
        needs=("node", "npm"),
        limit_s=terminal.LIMIT_S + 60,
        logs_tools=False,
    )


AGENTS: Final = (
    *(_agent(scene, VERSIONS[0]) for scene in SCENES),
    *(_agent(scene, VERSIONS[1]) for scene in ("once", "always", "escaped")),
)


def play(scene: Scene, model_url: str, installed: Path) -> None:
    """Run Claude Code in a terminal, past its first questions."""
    # The root of a project is where its standing grants are kept: not above the scratch folder.
    Path(".git").mkdir()
    program = next(installed.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    home = Path(os.environ["HOME"])
    settings = home / "settings.json"
    settings.write_text(json.dumps(scene.settings), encoding="utf-8")
    environment = {**ENVIRONMENT, **scene.environment, "ANTHROPIC_BASE_URL": model_url}
    environment = {name: value for name, value in environment.items() if name not in scene.withheld}
    seen = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True, "projectOnboardingSeenCount": 3}
    seed = {
        "hasCompletedOnboarding": True,
        "lastOnboardingVersion": "9.9.9",
        "theme": "dark",
        "numStartups": 5,
        "bypassPermissionsModeAccepted": True,
        "customApiKeyResponses": {"approved": [ENVIRONMENT["ANTHROPIC_API_KEY"][-20:]], "rejected": []},
        "projects": {str(Path.cwd()): {**seen, "allowedTools": []}},
    }
    (home / ".claude.json").write_text(json.dumps(seed), encoding="utf-8")
    terminal.play((str(program), "--settings", str(settings), *scene.arguments), environment, scene.presses)
