"""Live cases of Codex in a terminal, where a person decides."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.live.agent import Agent, Installation

from . import terminal
from .codex import CONFIGURATION, VERSIONS
from .scene import PROMPT, Scene, Step, one_by_one, step, stopped
from .terminal import ENTER, ESCAPE, Press

_BEGINS: Final = (
    Press(("OpenAI Codex", "Ask Codex"), PROMPT, after_s=3),
    Press((PROMPT,), ENTER, after_s=1),
)
_ENDS: Final = Press(("All done.",), "/quit" + ENTER, after_s=2)
_ENDS_INTERRUPTED: Final = Press(("interrupted",), "/quit" + ENTER, after_s=7)
"""The last records of an interrupted turn leave with the next batch, and not as the program ends."""
_ASKS: Final = "Would you like to run the following command?"
_ON_REQUEST: Final = ("-s", "workspace-write", "-a", "on-request")


def _run(call_id: str, command: str, outcome: str, by: str | None, *, escalated: bool = True, **truth: Any) -> Step:
    arguments: dict[str, Any] = {"cmd": command}
    if escalated:
        arguments |= {"sandbox_permissions": "require_escalated", "justification": "needed"}
    return step(call_id, "exec_command", arguments, outcome, by, **truth)


def _scene(turns: tuple[tuple[Step, ...], ...], *presses: Press, **more: Any) -> Scene:
    return Scene(turns, presses=(*_BEGINS, *presses), **{"arguments": _ON_REQUEST, **more})


_PATCH: Final = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {}.txt\n+x\n*** End Patch\nEOF"
_ABORT: Final = "an ask that is aborted leaves the record of an interrupted call"
_ABORTED: Final = {"outcome": _ABORT, "asked": _ABORT, "wait_s": _ABORT}
_AS_ABORTED: Final = {"outcome": "cancelled", "asked": False, "wait_s": None}
_STOPPED: Final = _run("call_one", "touch started && sleep 40", "cancelled", "human", asked=True, wait_s=20)
_STARTS_IT: Final = Press((_ASKS, "touch started"), "y", after_s=20)
SCENES: Final[Mapping[str, Scene]] = {
    "once": _scene(
        one_by_one(
            _run("call_one", "touch one", "executed", "human", asked=True, wait_s=20),
            _run("call_two", "touch two", "denied", "human", asked=True, wait_s=20, untold=_ABORTED, told=_AS_ABORTED),
        ),
        Press((_ASKS, "$ touch one"), "y", after_s=20),
        Press((_ASKS, "$ touch two"), ESCAPE, after_s=20),
        _ENDS_INTERRUPTED,
    ),
    "always": _scene(
        one_by_one(
            _run("call_one", "touch one", "executed", "human", asked=True, wait_s=20),
            _run("call_two", "touch one two", "executed", "policy"),
        ),
        Press((_ASKS, "$ touch one", "(p)"), "p", after_s=20),
        _ENDS,
    ),
    "session": _scene(
        one_by_one(
            _run("call_one", _PATCH.format("one"), "executed", "human", escalated=False, asked=True, wait_s=20),
            _run("call_two", _PATCH.format("one"), "executed", "human", escalated=False),
        ),
        Press(("Would you like to make the following edits?", "(a)"), "a", after_s=20),
        _ENDS,
        arguments=("-s", "read-only", "-a", "on-request"),
    ),
    **stopped(
        _STOPPED,
        (*_BEGINS, _STARTS_IT),
        _ENDS_INTERRUPTED,
        Press(("Cancel task",), ENTER),
        arguments=_ON_REQUEST,
    ),
}
_NOWHERE_ELSE: Final = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
}
"""Codex in a terminal starts a program that looks for updates: it finds a proxy that is not there."""
_RUNS: Final = 2
"""The turn, and one in which Codex itself asks for a title of the conversation."""


def _agent(scene: str, version: str) -> Agent:
    name = f"codex/terminal_{scene}"
    return Agent(
        name if version == VERSIONS[0] else f"{name}_{version}",
        Installation("npm", (f"@openai/codex@{version}",)),
        ("{harness}", "-m", "tests.live.cli_agents.play", "codex_terminal", scene, "{installed}"),
        SCENES[scene].calls,
        _RUNS,
        environment={"PYTHONPATH": "{live}/../.."},
        needs=("node", "npm"),
        limit_s=terminal.LIMIT_S + 60,
        logs_tools=False,
    )


AGENTS: Final = tuple(_agent(scene, VERSIONS[0]) for scene in SCENES)


def play(scene: Scene, model_url: str, installed: Path) -> None:
    """Run Codex in a terminal, in a folder that is trusted already."""
    home = Path(os.environ["HOME"]) / ".codex"
    home.mkdir()
    trusted = f'[projects."{Path.cwd()}"]\ntrust_level = "trusted"\n'
    (home / "config.toml").write_text(
        CONFIGURATION.format(
            model=model_url,
            otlp=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
            top="",
            tables=trusted + scene.settings.get("tables", ""),
        ),
        encoding="utf-8",
    )
    environment = {"CODEX_HOME": str(home), "SCRIPTED_KEY": "scripted", **_NOWHERE_ELSE}
    program = str(installed / "node_modules" / ".bin" / "codex")
    try:
        terminal.play((program, *scene.arguments), environment, scene.presses)
    finally:
        _end_daemons(home)


def _end_daemons(home: Path) -> None:
    """End what Codex leaves running in sessions of their own: known by the home that this case alone has."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"CODEX_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
