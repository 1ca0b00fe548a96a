"""Live cases of Claude Code, headless, and how it is started against a scripted model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.live.agent import Agent, Call, Installation
from tests.live.script import ToolCall

from . import child
from .scene import PROMPT, SUBAGENT, Scene, Step, one_by_one, step, unseen

_HERE: Final = Path(__file__).parent
VERSIONS: Final = ("2.1.330", "2.1.197")
ENVIRONMENT: Final = {
    "ANTHROPIC_API_KEY": "sk-ant-scripted",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "IS_SANDBOX": "1",
    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_TRACES_EXPORTER": "otlp",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
    "OTEL_LOG_TOOL_DETAILS": "1",
    "OTEL_LOG_TOOL_CONTENT": "1",
    "OTEL_LOG_USER_PROMPTS": "1",
}
LOGS_ALONE: Final = (
    "OTEL_TRACES_EXPORTER",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA",
    "OTEL_LOG_TOOL_DETAILS",
    "OTEL_LOG_TOOL_CONTENT",
    "OTEL_LOG_USER_PROMPTS",
)
_RULES: Final = {"permissions": {"allow": ["Bash(echo:*)"], "deny": ["Bash(rm:*)"], "ask": ["Write"]}}
_ASK_HIDDEN: Final = {"asked": "an unanswered ask reads like a deny rule"}
_HOOK: Final = {"type": "command", "command": f"python3 {_HERE / 'hook.py'}"}
_TINY: Final = {"mcpServers": {"tiny": {"command": "python3", "args": [str(_HERE / "tiny_mcp.py")]}}}


def _bash(call_id: str, command: str, outcome: str, by: str | None, **truth: Any) -> Step:
    arguments = {"command": command, "description": "run it"}
    return step(call_id, "Bash", arguments, outcome, by, **truth)


def _write(call_id: str, outcome: str, by: str | None, **truth: Any) -> Step:
    return step(call_id, "Write", {"file_path": "note.txt", "content": "x"}, outcome, by, **truth)


_UNKNOWN: Final = unseen(step("toolu_rocket", "LaunchRocket", {"to": "moon"}, "unknown_tool", None))
_SEEN: Final = step("toolu_rocket", "LaunchRocket", {"to": "moon"}, "unknown_tool", None)
_USUAL: Final = one_by_one(
    _bash("toolu_echo", "echo hello", "executed", "policy"),
    _bash("toolu_rm", "rm -rf build", "denied", "policy"),
    _write("toolu_write", "denied", "policy", asked=True, untold=_ASK_HIDDEN),
    _UNKNOWN,
)


def _mode(mode: str, rm: Step, write: Step) -> Scene:
    echo = _bash("toolu_echo", "echo hello", "executed", "policy")
    return Scene(one_by_one(echo, rm, write, _UNKNOWN), arguments=("--permission-mode", mode))


_RAN_TOUCH: Final = _bash("toolu_touch", "touch made", "executed", "policy")
_RAN_WRITE: Final = _write("toolu_write", "executed", "policy")
SCENES: Final[Mapping[str, Scene]] = {
    "rules": Scene(_USUAL, settings=_RULES),
    "rules_logs_alone": Scene(_USUAL, settings=_RULES, withheld=LOGS_ALONE),
    "rules_bodies": Scene(
        (*_USUAL[:2], (_write("toolu_write", "denied", "policy", asked=True),), (_SEEN,)),
        settings=_RULES,
        environment={"OTEL_LOG_RAW_API_BODIES": "1"},
    ),
    "accept_edits": _mode("acceptEdits", _RAN_TOUCH, _RAN_WRITE),
    "bypass_permissions": _mode("bypassPermissions", _RAN_TOUCH, _RAN_WRITE),
    "dont_ask": _mode(
        "dontAsk",
        _bash("toolu_touch", "touch made", "denied", "policy"),
        _write("toolu_write", "denied", "policy"),
    ),
    "hook": Scene(
        one_by_one(
            _bash("toolu_deny", "touch hook-denies", "denied", "hook"),
            _bash("toolu_allow", "touch hook-allows", "executed", "hook"),
            _bash("toolu_edit", "touch hook-edits", "modified", "hook"),
            _bash("toolu_echo", "echo hello", "executed", "policy"),
        ),
        settings={"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [_HOOK]}]}},
    ),
    "permission_hook": Scene(
        one_by_one(
            _bash("toolu_deny", "touch hook-denies", "denied", "hook"),
            _bash("toolu_allow", "touch hook-allows", "executed", "hook"),
            _bash("toolu_edit", "touch hook-edits", "modified", "hook"),
            _bash("toolu_none", "touch nobody", "denied", "policy", asked=True, untold=_ASK_HIDDEN),
        ),
        settings={"hooks": {"PermissionRequest": [{"matcher": "*", "hooks": [_HOOK]}]}},
    ),
    "prompt_tool": Scene(
        one_by_one(
            _bash("toolu_yes", "touch fine", "executed", "program", asked=True, wait_s=6),
            _bash("toolu_no", "touch refuse", "denied", "program", asked=True, wait_s=6),
            _bash("toolu_edit", "touch rewrite", "modified", "program", asked=True, wait_s=6),
        ),
        arguments=("--permission-prompt-tool", "mcp__tiny__approve", "--mcp-config", json.dumps(_TINY)),
    ),
    "mcp": Scene(
        one_by_one(
            step("toolu_add", "mcp__tiny__add", {"a": 1, "b": 2}, "executed", "policy"),
            step("toolu_broken", "mcp__tiny__broken", {}, "failed", "policy"),
            step(
                "toolu_drop",
                "mcp__tiny__drop_table",
                {"table": "t"},
                "denied",
                "policy",
                asked=True,
                untold=_ASK_HIDDEN,
            ),
        ),
        arguments=("--mcp-config", json.dumps(_TINY)),
        settings={"permissions": {"allow": ["mcp__tiny__add", "mcp__tiny__broken"]}},
    ),
    "parallel": Scene(
        (
            (
                _bash("toolu_one", "echo one", "executed", "policy"),
                _bash("toolu_exit", "exit 4", "failed", "policy"),
                _bash("toolu_rm", "rm -rf build", "denied", "policy"),
                step("toolu_read", "Read", {"file_path": "missing.txt"}, "failed", "policy"),
                _UNKNOWN,
            ),
        ),
        settings={"permissions": {"allow": ["Bash(echo:*)", "Bash(exit:*)"], "deny": ["Bash(rm:*)"]}},
    ),
    "subagent": Scene(
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
        helper=one_by_one(
            _bash("toolu_echo", "echo hello", "executed", "policy"),
            _bash("toolu_rm", "rm -rf build", "denied", "policy"),
        ),
        settings={"permissions": {"allow": ["Bash(echo:*)", "Task", "Agent"], "deny": ["Bash(rm:*)"]}},
    ),
    "resume": Scene(
        one_by_one(_bash("toolu_echo", "echo hello", "executed", "policy")),
        second=one_by_one(_bash("toolu_rm", "rm -rf build", "denied", "policy")),
        settings=_RULES,
    ),
}
_RUNS: Final = {"resume": 2, "subagent": None}
"""The end of a subagent in the background is a prompt of its own, in newer versions."""


_TOLD_BY: Final = {"2.1.197": ("mcp",)}
"""Scenes in which a version tells what others cannot."""


def _agent(scene: str, version: str) -> Agent:
    calls = SCENES[scene].calls
    if scene in _TOLD_BY.get(version, ()):
        calls = tuple(replace(call, untold={}) for call in calls)
    installation = Installation("npm", (f"@anthropic-ai/claude-code@{version}",))
    command = ("{harness}", "-m", "tests.live.cli_agents.play", "claude_code", scene, "{installed}")
    name = f"claude-code/{scene}" if version == VERSIONS[0] else f"claude-code/{scene}_{version}"
    return Agent(
        name,
        installation,
        command,
        calls,
        _RUNS.get(scene, 1),
        environment={"PYTHONPATH": "{live}/../.."},
        needs=("node", "npm"),
        limit_s=child.limit_s(SCENES[scene].processes),
        logs_tools=False,
    )


AGENTS: Final = (
    *(_agent(scene, VERSIONS[0]) for scene in SCENES),
    *(_agent(scene, VERSIONS[1]) for scene in ("hook", "mcp", "prompt_tool", "resume")),
)


def play(scene: Scene, model_url: str, installed: Path) -> None:
    """Run Claude Code, once or with a second process that goes on."""
    program = next(installed.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    home = Path(os.environ["HOME"])
    settings = home / "settings.json"
    settings.write_text(json.dumps(scene.settings), encoding="utf-8")
    environment = {**ENVIRONMENT, **scene.environment, "ANTHROPIC_BASE_URL": model_url}
    environment = {name: value for name, value in environment.items() if name not in scene.withheld}
    common = ("--settings", str(settings), *scene.arguments)
    child.run((str(program), "-p", PROMPT, *common), environment)
    if scene.second:
        child.run((str(program), "-p", PROMPT, "--continue", *common), environment)
