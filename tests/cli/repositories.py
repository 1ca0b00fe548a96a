"""Real git repositories, and runs that say what they did in them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

QUIET: Final = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}
"""Nothing of whoever runs the tests."""
BEGAN_S: Final = 1_790_000_000
"""When the first commit was made."""


def git(repo: Path, *arguments: str, given: str | None = None, **environment: str) -> str:
    """What git answers."""
    ran = subprocess.run(
        ["git", "-C", str(repo), *arguments], env={**QUIET, **environment}, capture_output=True, text=True,
        check=False, input=given,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def made(folder: Path, *messages: str) -> tuple[Path, list[str]]:
    """A repository with a commit for each message, a minute apart, and their digits."""
    repo = folder / "repo"
    git(folder, "init", "-q", "-b", "main", str(repo))
    git(repo, "remote", "add", "origin", "git@github.com:octo/demo.git")
    return repo, [commit(repo, message, nth * 60) for nth, message in enumerate(messages)]


def commit(repo: Path, message: str, s: int, **environment: str) -> str:
    """The digits of a commit, so many seconds after the first."""
    when = f"{BEGAN_S + s} +0000"
    git(repo, "commit", "-q", "--allow-empty", "-m", message,
        **{"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, **environment})  # fmt: skip
    return git(repo, "rev-parse", "HEAD")


def did(run: str, nth: int, result: str, *, s: int = 0, **told: str) -> list[dict[str, Any]]:
    """The span of a call by which a run changed something, with its receipt where `told` has parts of one."""
    start_ns = (BEGAN_S + s) * 10**9
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "Bash",
        "gen_ai.tool.call.id": f"c-{nth}",
        "gen_ai.tool.call.arguments": json.dumps({"command": "git commit -qam x && git push"}),
        "gen_ai.tool.call.result": result,
        "gen_ai.agent.name": "coder",
        "aftertrace.run.id": run,
    }
    receipt = {
        "timeUnixNano": str(start_ns + 1),
        "name": "aftertrace.effect.applied",
        "attributes": _attributes({f"aftertrace.effect.{part.replace('_', '.')}": text for part, text in told.items()}),
    }
    span = {
        "traceId": run.encode().hex().rjust(32, "0"),
        "spanId": f"{nth:016x}",
        "name": "execute_tool Bash",
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + 10**9),
        "attributes": _attributes(attributes),
        "events": [receipt] if told else [],
    }
    return [span]


def exported(spans: list[dict[str, Any]]) -> str:
    """Spans as a line of OTLP/JSON."""
    resource = {"attributes": _attributes({"service.name": "coder"})}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}) + "\n"


def _attributes(told: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
