"""Live cases of Gemini CLI, Copilot CLI, opencode and Qwen Code, headless."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.live.agent import Agent, Call, Installation

from . import child, terminal
from .scene import PROMPT, Scene, Step, one_by_one, step

GEMINI: Final = Installation("npm", ("@google/gemini-cli@0.61.0",))
COPILOT: Final = Installation("npm", ("@github/copilot@1.0.102",))
OPENCODE: Final = Installation("npm", ("opencode-ai@1.18.33",))
QWEN: Final = Installation("npm", ("@qwen-code/qwen-code@0.24.4", "node@22"))

_POLICY: Final = "".join(
    f'[[rule]]\ntoolName = "run_shell_command"\ncommandPrefix = "{prefix}"\ndecision = "{decision}"\npriority = 200\n'
    for prefix, decision in (("echo", "allow"), ("ls", "allow"), ("rm", "deny"), ("touch", "ask_user"))
)
_PERMISSIONS: Final = {"bash": {"*": "allow", "rm *": "deny"}, "edit": "ask"}


def _shell(call_id: str, tool: str, command: str, outcome: str, by: str | None, **truth: Any) -> Step:
    arguments: dict[str, Any] = {"command": command, "description": "run it"}
    if tool == "run_shell_command" and call_id.startswith("qwen"):
        arguments["is_background"] = False
    return step(call_id, tool, arguments, outcome, by, **truth)


def _rocket(call_id: str) -> Step:
    return step(call_id, "launch_rocket", {"to": "moon"}, "unknown_tool", None)


_GEMINI_STEPS: Final = one_by_one(
    _shell("gemini_echo", "run_shell_command", "echo hello", "executed", "policy"),
    _shell("gemini_rm", "run_shell_command", "rm -rf build", "denied", "policy"),
    _shell("gemini_touch", "run_shell_command", "touch made", "denied", "policy", asked=True),
    _shell("gemini_fail", "run_shell_command", "ls /nonexistent", "failed", "policy"),
    _rocket("gemini_rocket"),
)
_NO_EXIT_CODE: Final = Call(
    "run_shell_command",
    "failed",
    "policy",
    untold={"outcome": "exit codes are withheld with the prompts"},
    told={"outcome": "executed"},
)
_COPILOT_STEPS: Final = one_by_one(
    _shell("copilot_echo", "bash", "echo hello", "executed", "policy"),
    _shell("copilot_rm", "bash", "rm -rf build", "denied", "policy"),
    _shell("copilot_touch", "bash", "touch made", "denied", "policy", asked=True),
    _shell("copilot_fail", "bash", "ls /nonexistent", "failed", "policy"),
    _rocket("copilot_rocket"),
)
_QWEN_STEPS: Final = one_by_one(
    _shell("qwen_echo", "run_shell_command", "echo hello", "executed", "policy"),
    _shell("qwen_fail", "run_shell_command", "exit 3", "failed", "policy"),
    _rocket("qwen_rocket"),
)
_HIDDEN: Final = "without content every error reads alike"
_NO_MESSAGE: Final = Call("launch_rocket", "unknown_tool", untold={"outcome": _HIDDEN, "decided_by": _HIDDEN})
SCENES: Final[Mapping[str, Scene]] = {
    "gemini": Scene(_GEMINI_STEPS),
    "gemini_no_prompts": Scene(
        (*_GEMINI_STEPS[:3], (replace(_GEMINI_STEPS[3][0], truth=_NO_EXIT_CODE),), _GEMINI_STEPS[4]),
        environment={"GEMINI_TELEMETRY_LOG_PROMPTS": "false"},
    ),
    "gemini_yolo": Scene(
        (
            (
                _shell("gemini_one", "run_shell_command", "echo one", "executed", "policy"),
                _shell("gemini_two", "run_shell_command", "exit 3", "failed", "policy"),
            ),
        ),
        arguments=("--approval-mode", "yolo"),
    ),
    "copilot": Scene(_COPILOT_STEPS, arguments=("--deny-tool", "shell(rm:*)")),
    "copilot_metadata": Scene(
        (*_COPILOT_STEPS[:4], (replace(_COPILOT_STEPS[4][0], truth=_NO_MESSAGE),)),
        arguments=("--deny-tool", "shell(rm:*)"),
        withheld=("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",),
    ),
    "opencode": Scene(
        (
            (
                _shell("opencode_echo", "bash", "echo hello", "executed", "policy"),
                _shell("opencode_rm", "bash", "rm -rf build", "denied", "policy"),
                _shell("opencode_exit", "bash", "exit 4", "failed", "policy"),
            ),
        ),
        settings={"permission": _PERMISSIONS, "experimental": {"openTelemetry": True}},
    ),
    "qwen": Scene(_QWEN_STEPS, arguments=("--approval-mode", "yolo")),
    "qwen_default": Scene(
        one_by_one(_shell("qwen_touch", "run_shell_command", "touch made", "denied", "policy"), _rocket("qwen_rocket"))
    ),
}


def _agent(name: str, installation: Installation, scene: str) -> Agent:
    return Agent(
        name,
        installation,
        ("{harness}", "-m", "tests.live.cli_agents.play", "other_clis", scene, "{installed}"),
        SCENES[scene].calls,
        environment={"PYTHONPATH": "{live}/../.."},
        needs=("node", "npm"),
        logs_tools=False,
    )


AGENTS: Final = (
    _agent("gemini-cli/policies", GEMINI, "gemini"),
    _agent("gemini-cli/policies_no_prompts", GEMINI, "gemini_no_prompts"),
    _agent("gemini-cli/yolo", GEMINI, "gemini_yolo"),
    _agent("copilot-cli/rules", COPILOT, "copilot"),
    _agent("copilot-cli/rules_metadata", COPILOT, "copilot_metadata"),
    _agent("opencode/rules_parallel", OPENCODE, "opencode"),
    _agent("qwen-code/yolo", QWEN, "qwen"),
    _agent("qwen-code/default", QWEN, "qwen_default"),
)


def play(scene: Scene, model_url: str, installed: Path) -> None:
    """Run the one program that is installed there."""
    programs = installed / "node_modules" / ".bin"
    start = next(start for name, start in _STARTS.items() if (programs / name).exists())
    start(scene, model_url, installed)


def _run(scene: Scene, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """With whoever is at the terminal, or headless."""
    if scene.presses:
        terminal.play(command, environment, scene.presses)
    else:
        child.run((*command, "-p", PROMPT), environment)


def _gemini(scene: Scene, model_url: str, installed: Path) -> None:
    otlp, home = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], Path(os.environ["HOME"]) / ".gemini"
    (home / "policies").mkdir(parents=True)
    (home / "policies" / "rules.toml").write_text(_POLICY, encoding="utf-8")
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    (home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    environment = {
        "GEMINI_API_KEY": "scripted",
        "GOOGLE_GEMINI_BASE_URL": model_url,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
        "GEMINI_TELEMETRY_ENABLED": "true",
        "GEMINI_TELEMETRY_TRACES_ENABLED": "true",
        "GEMINI_TELEMETRY_TARGET": "local",
        "GEMINI_TELEMETRY_OTLP_PROTOCOL": "http",
        "GEMINI_TELEMETRY_OTLP_ENDPOINT": otlp,
        **scene.environment,
    }
    _run(scene, (str(installed / "node_modules/.bin/gemini"), *scene.arguments, "-m", "gemini-2.5-pro"), environment)


def _copilot(scene: Scene, model_url: str, installed: Path) -> None:
    environment = {
        "COPILOT_OFFLINE": "true",
        "COPILOT_PROVIDER_BASE_URL": f"{model_url}/v1",
        "COPILOT_MODEL": "scripted-1",
        "COPILOT_AUTO_UPDATE": "false",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
    }
    environment = {name: value for name, value in environment.items() if name not in scene.withheld}
    _run(scene, (str(installed / "node_modules/.bin/copilot"), *scene.arguments), environment)


def _opencode(scene: Scene, model_url: str, installed: Path) -> None:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "scripted",
        "options": {"baseURL": f"{model_url}/v1", "apiKey": "scripted"},
        "models": {"scripted-1": {"name": "scripted"}},
    }
    configuration = {
        "autoupdate": False,
        "share": "disabled",
        "provider": {"scripted": provider},
        "model": "scripted/scripted-1",
        "small_model": "scripted/scripted-1",
        **scene.settings,
    }
    Path("opencode.json").write_text(json.dumps(configuration), encoding="utf-8")
    found = sorted(installed.glob("node_modules/**/opencode-*/bin/opencode"), key=lambda path: len(str(path)))
    environment = {"OPENCODE_DISABLE_AUTOUPDATE": "true", "OPENCODE_DISABLE_MODELS_FETCH": "true"}
    child.run((str(found[0]), "run", PROMPT), environment)


def _qwen(scene: Scene, model_url: str, installed: Path) -> None:
    otlp, home = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], Path(os.environ["HOME"]) / ".qwen"
    home.mkdir()
    settings = {
        "security": {"auth": {"selectedType": "openai"}},
        "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
        "privacy": {"usageStatisticsEnabled": False},
    }
    (home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    environment = {
        "OPENAI_API_KEY": "scripted",
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "OPENAI_MODEL": "scripted-1",
        "QWEN_TELEMETRY_ENABLED": "true",
        "QWEN_TELEMETRY_OTLP_PROTOCOL": "http",
        "QWEN_TELEMETRY_OTLP_ENDPOINT": otlp,
        "QWEN_TELEMETRY_INCLUDE_SENSITIVE_SPAN_ATTRIBUTES": "true",
    }
    programs = installed / "node_modules" / ".bin"
    _run(
        scene, (str(programs / "node"), str(programs / "qwen"), "--auth-type", "openai", *scene.arguments), environment
    )


_STARTS: Final = {"gemini": _gemini, "copilot": _copilot, "opencode": _opencode, "qwen": _qwen}
"""By the name of the program."""
