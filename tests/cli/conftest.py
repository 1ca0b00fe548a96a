"""A store with real recordings in it, and the command, run in this process."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import pytest

from aftertrace.cli.root import run

RECORDINGS = Path(str(files("aftertrace.cli") / "recordings"))
STORED = ("claude-code.v2_1_329_hook_deny", "copilot-cli.tty_approve_twice", "langchain.openinference_reject_edit")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str


Command: TypeAlias = Callable[..., Ended]


def command(*arguments: str | Path) -> Ended:
    """Run `aftertrace` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of whoever runs the tests, and a working directory that is empty."""
    import os

    for name in os.environ:
        if name.startswith("AFTERTRACE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def aftertrace() -> Command:
    """The command."""
    return command


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that three recordings were imported into; only read it."""
    data = tmp_path_factory.mktemp("store") / "data"
    ended = command("import", *(RECORDINGS / f"{name}.jsonl" for name in STORED), "--data", data)
    assert (ended.code, ended.out, ended.err) == (0, "", "imported 7 requests with 55 records\n")
    return data


@pytest.fixture
def data(aftertrace: Command, tmp_path: Path) -> Path:
    """A store of an import, which signs what it has stored; its key and checkpoint are kept beside it."""
    lines = tmp_path / "traces.jsonl"
    span = {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "name": "execute_tool pay",
        "startTimeUnixNano": "1764072000000000000",
        "endTimeUnixNano": "1764072000000000001",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}}],
    }
    lines.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    assert aftertrace("import", "--data", tmp_path / "data", lines).code == 0
    for name in ("key", "checkpoint"):
        shutil.copy(tmp_path / "data" / "ledger" / name, tmp_path / name)
    return tmp_path / "data"
