"""Live cases of Codex: `codex exec`, which has nobody to ask, and its app server with a client that answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.live.agent import Agent, Installation

from . import app_server, child
from .scene import PROMPT, Scene, Step, one_by_one, step

_HERE: Final = Path(__file__).parent
VERSIONS: Final = ("0.169.0", "0.145.0")
CONFIGURATION: Final = """\
model = "gpt-5.2-codex"
model_provider = "scripted"
check_for_update_on_startup = false
{top}
[analytics]
enabled = false
[feedback]
enabled = false
[model_providers.scripted]
name = "scripted"
base_url = "{model}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
[otel]
log_user_prompt = true
exporter = {{ otlp-http = {{ endpoint = "{otlp}/v1/logs", protocol = "binary" }} }}
trace_exporter = {{ otlp-http = {{ endpoint = "{otlp}/v1/traces", protocol = "binary" }} }}
{tables}
"""
_TINY: Final = f'[mcp_servers.tiny]\ncommand = "python3"\nargs = ["{_HERE / "tiny_mcp.py"}"]\n'
_HOOK: Final = (
    '[[hooks.PreToolUse]]\nmatcher = ".*"\n[[hooks.PreToolUse.hooks]]\ntype = "command"\n'
    f'command = "python3 {_HERE / "hook.py"}"\n'
)
_FORBIDDEN: Final = (
    'prefix_rule(pattern=["rm"], decision="forbidden", justification="not here")\n'
    'prefix_rule(pattern=["git", "push"], decision="prompt")\n'
)
_WRITES: Final = ("-s", "workspace-write")


def _run(call_id: str, command: str, outcome: str, by: str | None, *, escalated: bool = False, **truth: Any) -> Step:
    arguments: dict[str, Any] = {"cmd": command}
    if escalated:
        arguments |= {"sandbox_permissions": "require_escalated", "justification": "needed"}
    return step(call_id, "exec_command", arguments, outcome, by, **truth)


def _mcp(call_id: str, tool: str, arguments: dict[str, Any], outcome: str, by: str | None, **truth: Any) -> Step:
    return step(call_id, tool, arguments, outcome, by, group="mcp__tiny", **truth)


_ECHO: Final = _run("call_echo", "echo hello", "executed", "policy")
_ESCALATED: Final = _run("call_up", "touch up", "denied", "policy", escalated=True, bases=("inferred",))
_ROCKET: Final = step("call_rocket", "launch_rocket", {"to": "moon"}, "unknown_tool", None)
_FAILING: Final = _run("call_fail", "ls /nonexistent", "failed", "policy")
SCENES: Final[Mapping[str, Scene]] = {
    "exec_never": Scene(
        (*one_by_one(_ECHO, _ESCALATED, _ROCKET, _FAILING), (_run("call_in", "touch inside", "executed", "policy"),)),
        arguments=_WRITES,
    ),
    "exec_read_only": Scene(
        one_by_one(_ECHO, _run("call_in", "touch inside", "failed", "policy")), arguments=("-s", "read-only")
    ),
    "exec_full_access": Scene(
        one_by_one(_ECHO, _run("call_in", "touch inside", "executed", "policy")),
        arguments=("--dangerously-bypass-approvals-and-sandbox",),
    ),
    "exec_rules": Scene(
        one_by_one(
            _run("call_rm", "rm -rf build", "denied", "policy"), _run("call_push", "git push", "denied", "policy")
        ),
        arguments=_WRITES,
        settings={"rules": _FORBIDDEN},
    ),
    "exec_parallel": Scene(((_ECHO, _FAILING, _ESCALATED, _ROCKET),), arguments=_WRITES),
    "exec_hook": Scene(
        one_by_one(
            _run("call_deny", "touch hook-denies", "denied", "hook"),
            _run("call_allow", "touch hook-allows", "executed", "hook", untold={"decided_by": "reads like a setting"}),
            _ECHO,
        ),
        arguments=(*_WRITES, "--dangerously-bypass-hook-trust"),
        settings={"tables": _HOOK},
    ),
    "exec_mcp": Scene(
        one_by_one(
            _mcp("call_add", "add", {"a": 1, "b": 2}, "executed", None),
            _mcp("call_drop", "drop_table", {"table": "t"}, "denied", "policy", asked=True),
        ),
        arguments=_WRITES,
        settings={"tables": _TINY},
    ),
    "exec_resume": Scene(one_by_one(_ECHO), second=one_by_one(_ESCALATED)),
    "app_decisions": Scene(
        one_by_one(
            _run("call_yes", "touch a", "executed", "human", escalated=True, asked=True, wait_s=3),
            _run("call_no", "touch b", "denied", "human", escalated=True, asked=True, wait_s=3),
            _run("call_session", "touch c", "executed", "human", escalated=True, asked=True, wait_s=3),
            _run("call_again", "touch c", "executed", "human", escalated=True),
        ),
        answers=("accept", "decline", "acceptForSession"),
    ),
    "app_mcp": Scene(
        one_by_one(
            _mcp("call_drop", "drop_table", {"table": "t"}, "executed", "human", asked=True, wait_s=3),
            _mcp("call_drop2", "drop_table", {"table": "u"}, "denied", "human", asked=True, wait_s=3),
            _mcp("call_broken", "broken", {}, "failed", "human", asked=True, wait_s=3),
            _mcp("call_cancel", "broken", {}, "denied", "human", asked=True, wait_s=3),
        ),
        answers=("accept", "decline", "accept", "cancel"),
        settings={"tables": _TINY},
    ),
    "app_reviewer_allows": Scene(
        one_by_one(_run("call_up", "touch up", "executed", "guardrail", escalated=True)),
        guardian='{"outcome":"allow","risk_level":"low","user_authorization":"high","rationale":"harmless"}',
        settings={"top": 'approvals_reviewer = "auto_review"'},
    ),
    "app_reviewer_denies": Scene(
        one_by_one(_run("call_up", "touch up", "denied", "guardrail", escalated=True)),
        guardian='{"outcome":"deny","risk_level":"high","user_authorization":"low","rationale":"harmful"}',
        settings={"top": 'approvals_reviewer = "auto_review"'},
    ),
    "app_interrupted": Scene(
        one_by_one(
            _run(
                "call_up",
                "touch up",
                "cancelled",
                "human",
                escalated=True,
                asked=True,
                untold={"asked": "an ask that is interrupted leaves no record"},
            )
        ),
        answers=("interrupt",),
    ),
}
_RUNS: Final = {"exec_resume": 2, "app_reviewer_allows": None, "app_reviewer_denies": None}


def _agent(scene: str, version: str) -> Agent:
    installation = Installation("npm", (f"@openai/codex@{version}",))
    return Agent(
        f"codex/{scene}" if version == VERSIONS[0] else f"codex/{scene}_{version}",
        installation,
        ("{harness}", "-m", "tests.live.cli_agents.play", "codex", scene, "{installed}"),
        SCENES[scene].calls,
        _RUNS.get(scene, 1),
        environment={"PYTHONPATH": "{live}/../.."},
        needs=("node", "npm"),
        limit_s=child.limit_s(SCENES[scene].processes),
        logs_tools=False,
    )


AGENTS: Final = (
    *(_agent(scene, VERSIONS[0]) for scene in SCENES),
    *(_agent(scene, VERSIONS[1]) for scene in ("exec_never", "exec_hook", "app_decisions")),
)


def play(scene: Scene, model_url: str, installed: Path) -> None:
    """Run Codex headless, or its app server where somebody answers."""
    program = str(installed / "node_modules" / ".bin" / "codex")
    home = Path(os.environ["HOME"]) / ".codex"
    (home / "rules").mkdir(parents=True)
    (home / "rules" / "default.rules").write_text(scene.settings.get("rules", ""), encoding="utf-8")
    (home / "config.toml").write_text(
        CONFIGURATION.format(
            model=model_url,
            otlp=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
            top=scene.settings.get("top", ""),
            tables=scene.settings.get("tables", ""),
        ),
        encoding="utf-8",
    )
    environment = {"CODEX_HOME": str(home), "SCRIPTED_KEY": "scripted"}
    if scene.answers or scene.guardian is not None:
        app_server.play(program, environment, scene.answers)
        return
    child.run((program, "exec", "--skip-git-repo-check", *scene.arguments, PROMPT), environment)
    if scene.second:
        child.run((program, "exec", "resume", "--last", "--skip-git-repo-check", PROMPT), environment)
