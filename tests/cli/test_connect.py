"""`connect`: complete switches, and an honest word about what came."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from aftertrace.analyzer.emitters.emitter import QUESTIONS, Emitter
from aftertrace.analyzer.emitters.registry import EMITTERS, of
from aftertrace.cli import connect, recording
from aftertrace.cli.connect import Heard

from .conftest import RECORDINGS, Command
from .served import serving

CLAUDE = next(emitter for emitter in EMITTERS if emitter.name == "claude-code")


@pytest.mark.parametrize("emitter", EMITTERS, ids=lambda emitter: emitter.name)
def test_every_emitter_has_switches_that_name_the_receiver(aftertrace: Command, emitter: Emitter) -> None:
    """Ready to paste: the address is filled in, and no placeholder is left."""
    ended = aftertrace("connect", emitter.name, "--no-wait")
    assert ended.code == 0
    assert "http://127.0.0.1:4318" in ended.out or "http://127.0.0.1:4317" in ended.out
    assert "{http}" not in ended.out
    assert "{grpc}" not in ended.out
    assert set(emitter.gives) <= set(QUESTIONS)


def test_the_help_lists_every_emitter(aftertrace: Command) -> None:
    """In a text of its own, since the list is short."""
    help_text = aftertrace("connect", "--help").out
    assert [emitter.name for emitter in EMITTERS if emitter.name not in help_text] == []


@pytest.mark.parametrize(
    ("service", "scope", "name"),
    [
        ("claude-code", "com.anthropic.claude_code.events", "claude-code"),
        ("github-copilot", "github.copilot", "copilot-cli"),
        ("codex_exec", "codex_otel.log_only", "codex"),
        ("dbbot-service", "openinference.instrumentation.langchain", "langgraph"),
        ("dbbot-service", "opentelemetry.instrumentation.langchain", "openllmetry"),
        ("dbbot-service", "langsmith", "langsmith"),
        ("unknown_service:python", "logfire.openai_agents", "logfire"),
        ("dbbot-service", "pydantic-ai", "pydantic-ai"),
        ("my-agent", "aiohttp", "any-otel"),
        (None, None, "any-otel"),
    ],
)
def test_a_record_is_known_by_its_service_or_its_scope(service: str | None, scope: str | None, name: str) -> None:
    """As the real recordings have them; what nobody knows is anybody's."""
    assert of(service, scope).name == name


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        (Heard({"logs": "x", "traces": "y"}, 1.0), "connected: see"),
        (Heard({"logs": "x"}, 1.0), "connected, but no traces yet: look at the switches that mention TRACES"),
        (Heard(others={"zebra", "ant"}), "nothing from Claude Code and the Claude Agent SDK yet; ant, zebra reported"),
    ],
)
def test_the_verdict_says_what_is_missing(heard: Heard, says: str) -> None:
    """An agent that sends half of it looks connected and is not."""
    assert connect.verdict(CLAUDE, heard).startswith(says)


def test_it_hears_the_first_event_of_a_running_agent(aftertrace: Command, tmp_path: Path) -> None:
    """Logs and traces of one emitter, while another one reports too."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        assert served.ready["http"] in aftertrace("connect", "codex", "--no-wait", "--data", data).out
        names = ["claude-code.deny_rule.jsonl", "copilot-cli.tty_approve_twice.jsonl"]
        told: list[str] = []
        sender = threading.Timer(0.3, replay, [served.ready["http"], names])
        sender.start()
        heard = connect.listen(CLAUDE, data, since_ns=0, timeout_s=20, tell=told.append)
        sender.join()
    assert sorted(told) == [
        "first of its logs: claude-code (com.anthropic.claude_code.events)",
        "first of its traces: claude-code (com.anthropic.claude_code.tracing)",
    ]
    assert connect.verdict(CLAUDE, heard).startswith("connected: see")


def test_without_serve_it_says_so(aftertrace: Command) -> None:
    """The switches are printed all the same; the code says to try again."""
    ended = aftertrace("connect", "claude-code", "--timeout", "1")
    assert ended.code == 75
    assert "CLAUDE_CODE_ENABLE_TELEMETRY=1" in ended.out
    assert "run `aftertrace serve --data aftertrace-data`" in ended.err


def test_silence_ends_with_the_timeout(aftertrace: Command, tmp_path: Path) -> None:
    """And names who did report."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        served.post("claude")
        ended = aftertrace("connect", "gemini-cli", "--timeout", "1.5", "--data", data)
    assert ended.code == 75
    assert "nothing from Gemini CLI yet" in ended.out


def replay(http: str, names: list[str]) -> None:
    """Send recordings as they are."""
    from http.client import HTTPConnection

    connection = HTTPConnection(http.removeprefix("http://"), timeout=10)
    for name in names:
        for export in recording.moved(RECORDINGS / name, 1_900_000_000_000_000_000):
            connection.request("POST", f"/v1/{export.signal}", export.body, {"Content-Type": "application/x-protobuf"})
            assert connection.getresponse().read() == b""
    connection.close()


def test_agents_elsewhere_are_given_a_name_and_not_every_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificate is for 0.0.0.0."""
    monkeypatch.setattr(socket, "getfqdn", lambda: "audit.example.com")
    urls = ("https://0.0.0.0:4318", "https://[::]:4317", "http://127.0.0.1:4318")
    assert [connect.reachable(url) for url in urls] == [
        "https://audit.example.com:4318",
        "https://audit.example.com:4317",
        "http://127.0.0.1:4318",
    ]
