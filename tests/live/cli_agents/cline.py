"""Live cases of Cline's SDK, in a program of its own: the CLI reports to its maker alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.live.agent import Agent, Call, Installation

from . import child
from .scene import PROMPT, Scene, Step, step

_INSTALLED: Final = Installation("npm", ("@cline/core@0.0.86", "node@22"))
_PROGRAM: Final = "cline_program.mjs"
_STATED: Final = ("explicit",)
_NOT_SAID: Final = "the SDK's statistics tell a failure, a refusal and a tool that does not exist alike"


def _failed(tool: str, outcome: str, by: str | None, **truth: Any) -> Call:
    """A call that is told as one that failed, which is inferred."""
    columns = ("outcome", *(("decided_by",) if by else ()), *(("asked",) if truth.get("asked") else ()))
    return Call(tool, outcome, by, untold=dict.fromkeys(columns, _NOT_SAID), **truth)


def _step(call_id: str, tool: str, truth: Call) -> Step:
    return Step(step(call_id, tool, {"q": call_id}, truth.outcome, None).call, truth)


_PAID: Final = Call(
    "pay",
    "executed",
    "human",
    asked=True,
    bases=_STATED,
    untold=dict.fromkeys(("decided_by", "asked"), "whether anybody was asked is not told"),
)
SCENES: Final[Mapping[str, Scene]] = {
    "approvals": Scene(
        (
            (
                _step("cline_read", "read_db", Call("read_db", "executed", bases=_STATED)),
                _step("cline_delete", "delete_db", _failed("delete_db", "denied", "human", asked=True)),
                _step("cline_pay", "pay", _PAID),
            ),
            (
                _step("cline_broken", "broken", Call("broken", "failed")),
                _step("cline_wipe", "wipe", _failed("wipe", "unknown_tool", None)),
            ),
        )
    ),
}
AGENTS: Final = (
    Agent(
        "cline/approvals",
        _INSTALLED,
        ("{harness}", "-m", "tests.live.cli_agents.play", "cline", "approvals", "{installed}"),
        SCENES["approvals"].calls,
        environment={"PYTHONPATH": "{live}/../.."},
        needs=("node", "npm"),
    ),
)


def play(scene: Scene, model_url: str, installed: Path) -> None:
    """Run the program beside the packages that it imports."""
    del scene
    Path("node_modules").symlink_to(installed / "node_modules")
    program = Path(shutil.copy(Path(__file__).parent / "programs" / _PROGRAM, _PROGRAM))
    node = installed / "node_modules" / ".bin" / "node"
    child.run((str(node), str(program), model_url, os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], PROMPT), {})
