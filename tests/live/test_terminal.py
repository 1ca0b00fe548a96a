"""A program in a pseudo terminal: it has a terminal of its own, is answered in order, and leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .cli_agents import terminal
from .cli_agents.terminal import INTERRUPT, Press, Unseen
from .test_child import ends_soon

ASKS = 'stty size < /dev/tty; printf "Name? "; read name; echo "Hello, $name."; printf "Sure? "; read sure'


def test_a_person_reads_waits_and_answers(capfd: pytest.CaptureFixture[str]) -> None:
    """In order, after the time it takes them; the terminal has a size and belongs to the program."""
    begun_s = time.monotonic()
    terminal.play(
        ("/bin/sh", "-c", ASKS), {}, (Press(("50 160", "Name?"), "Ada\r", after_s=1), Press(("Hello, Ada.",), "yes\r"))
    )
    assert time.monotonic() - begun_s >= 1.5
    assert "sh ended with 0" in capfd.readouterr().out


def test_a_press_may_wait_for_a_file_and_ctrl_c_interrupts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A command that has begun, and is stopped through its terminal."""
    monkeypatch.chdir(tmp_path)
    terminal.play(("/bin/sh", "-c", "touch begun; sleep 60"), {}, (Press((), INTERRUPT, made="begun"),))
    assert "sh ended with -2" in capfd.readouterr().out


@pytest.mark.parametrize("scene", ["echo something else", "echo something else; sleep 60"])
def test_what_is_never_shown_is_a_fault_with_the_screen(
    scene: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of a program that ends, and of one that stays."""
    monkeypatch.setattr(terminal, "STEP_LIMIT_S", 1.0)
    with pytest.raises(Unseen, match="Name"):
        terminal.play(("/bin/sh", "-c", scene), {}, (Press(("Name?",), "Ada\r"),))
    assert "something else" in capfd.readouterr().out


def test_all_presses_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long each of them may take."""
    monkeypatch.setattr(terminal, "LIMIT_S", 1.0)
    with pytest.raises(Unseen):
        terminal.play(("/bin/sh", "-c", "sleep 60"), {}, (Press((), "x", after_s=2), Press((), "y", after_s=2)))


def test_a_program_that_does_not_end_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time after the last press is up."""
    monkeypatch.setattr(terminal, "_CLOSES_S", 0.5)
    left = tmp_path / "left"
    terminal.play(("/bin/sh", "-c", 'sleep 60 & echo $! > "$LEFT"; echo Name?; wait'), {"LEFT": str(left)}, ())
    assert ends_soon(left)
