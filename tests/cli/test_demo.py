"""`demo`: from nothing to a report, again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from aftertrace.cli import demo, demo_agent
from aftertrace.semconv.instrument import AuditTrail
from aftertrace.semconv.instrument.emitter import Emitter
from aftertrace.store.errors import Invalid

LIMIT_S = 120


def demonstrate(folder: Path) -> subprocess.CompletedProcess[str]:
    """`aftertrace demo --once` without a terminal."""
    command = [sys.executable, "-m", "aftertrace.cli", "demo", "--once", "--folder", str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL
    )


def test_it_shows_what_happened_and_what_nearly_did_and_does_so_again(tmp_path: Path) -> None:
    """A second demo begins from a clean store: the same counts, not twice as many."""
    counts = []
    for _ in range(2):
        ended = demonstrate(tmp_path / "demo")
        assert ended.returncode == 0, ended.stderr
        lines = ended.stdout.splitlines()
        assert "1. 25 recorded runs of real agents, replayed over OTLP" in lines
        assert "# Near misses" in lines
        assert any(line.startswith("+ reviewer") and "modified by scripted-reviewer" in line for line in lines)
        assert any("delete" in line and "denied" in line and "policy" in line for line in lines)
        counts += [line for line in lines if "requests: " in line]
    assert counts[0] == counts[1]


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    """Nothing is removed from it."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("ten years of work")
    with pytest.raises(Invalid, match="it is not the demo's"):
        demo.clean(tmp_path)
    assert (tmp_path / "store" / "thesis.txt").read_text() == "ten years of work"


def test_only_the_store_of_a_demo_is_removed(tmp_path: Path) -> None:
    """What somebody kept beside it stays, and a link out of it is not followed."""
    folder, outside = tmp_path / "demo", tmp_path / "outside"
    outside.mkdir()
    data = demo.clean(folder)
    data.mkdir()
    (data / "old").write_text("x")
    (folder / "notes.txt").write_text("mine")
    assert demo.clean(folder) == data
    assert (data.exists(), (folder / "notes.txt").read_text()) == (False, "mine")
    data.symlink_to(outside)
    with pytest.raises(Invalid, match="a symbolic link"):
        demo.clean(folder)


@pytest.mark.parametrize(
    ("answers", "events"),
    [
        (["y"], ["approval.granted", "tool.called", "effect.applied", "tool.called"]),
        (["what?", "n"], ["approval.rejected"]),
        (["75"], ["approval.modified", "tool.called", "effect.applied", "tool.called"]),
        ([""], ["approval.modified", "tool.called", "effect.applied", "tool.called"]),
        ([], ["approval.rejected"]),
    ],
)
def test_the_live_agent_does_as_its_reviewer_says(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], events: list[str]
) -> None:
    """Yes, no, another amount, Enter, and the end of input: a refund follows only where it was allowed."""
    replies = iter(answers)

    def reply(_prompt: str) -> str:
        try:
            return next(replies)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", reply)
    exporter = InMemoryLogRecordExporter()
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    demo_agent.run(AuditTrail(emitter=Emitter(logger_provider=logs)), demo_agent.at_terminal)
    sent = [str(log.log_record.event_name).removeprefix("aftertrace.") for log in exporter.get_finished_logs()]
    asked, deleted = sent.index("approval.requested"), len(sent) - 3
    assert sent[asked + 1 : deleted] == events
    assert sent[deleted:] == ["action.proposed", "policy.evaluated", "run.completed"]


@pytest.mark.parametrize("moment", ["APPROVAL NEEDED", "Ctrl-C ends the demo"])
def test_ctrl_c_ends_everything(tmp_path: Path, moment: str) -> None:
    """While the live agent waits for an answer, or while there is time to look around: nothing of it stays."""
    command = [sys.executable, "-m", "aftertrace.cli", "demo", "--folder", str(tmp_path / "demo")]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "AFTERTRACE_DASHBOARD_ADDRESS": "127.0.0.1:0", "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "APPROVAL NEEDED" in line and moment not in line:
                assert process.stdin is not None
                process.stdin.write("n\n")
                process.stdin.flush()
            if moment in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "The demo has ended." in out
    assert not (tmp_path / "demo" / "store" / "serving.json").exists()
    assert "Traceback" not in err
