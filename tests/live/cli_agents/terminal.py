"""A program in a pseudo terminal, and a scripted person in front of it who reads the screen and presses keys."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import child
from .screen import COLUMNS, ROWS, Screen

ENTER: Final = "\r"
ESCAPE: Final = "\x1b"
INTERRUPT: Final = "\x03"
"""Ctrl-C."""
SHIFT_TAB: Final = "\x1b[Z"
DOWN: Final = "\x1b[B"
LIMIT_S: Final = 240.0
"""For all presses."""
STEP_LIMIT_S: Final = 60.0
"""For what a press waits for."""
_CLOSES_S: Final = 10.0
"""For the program to close its terminal after the last press, and then to end."""
_KEY_S: Final = 0.03
"""Between two characters: faster ones are taken for pasted text."""
_KEY: Final = re.compile(r"\x1b(?:\[[A-Z])?|[^\x1b]")
_POLL_S: Final = 0.05
_TAKES_TERMINAL: Final = (
    "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""The leader of a session that opens a terminal gets it as its own: job control and `/dev/tty` then work."""
_ANSWERS: Final = {"c": "\x1b[?62;c", "0c": "\x1b[?62;c", ">c": "\x1b[>0;0;0c", "5n": "\x1b[0n"}
"""What a terminal says of itself."""


class Unseen(Exception):
    """What a press waits for did not come."""


@dataclass(frozen=True, slots=True)
class Press:
    """What the person waits for, and what they do then."""

    shown: tuple[str, ...]
    """All of these are on the screen, however they are wrapped or spaced."""
    keys: str
    after_s: float = 0.5
    """How long they think, from when it is shown."""
    made: str | None = None
    """A file in the working folder that is waited for, too: a command that has begun."""


def play(command: Sequence[str], environment: Mapping[str, str], presses: Sequence[Press]) -> None:
    """Run a program to its end, pressing keys in this order; it is ended when its time is up.

    Raises:
        Unseen: the screen never showed what a press waits for; the last screen is printed.
    """
    inside, outside = pty.openpty()
    try:
        fcntl.ioctl(outside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        streams = {"stdin": outside, "stdout": outside, "stderr": outside}
        terminal = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS), **environment}
        process = child.started((sys.executable, "-c", _TAKES_TERMINAL, *command), terminal, **streams)
    finally:
        os.close(outside)
    person = _Person(inside, time.monotonic() + LIMIT_S)
    try:
        for press in presses:
            person.does(press)
        person.reads(time.monotonic() + _CLOSES_S)
        print(f"{Path(command[0]).name} ended with {_code(process)}", flush=True)
    except Unseen as reason:
        print(f"{person.screen.text}\n[{reason}]", flush=True)
        raise
    finally:
        child.end(process)
        os.close(inside)


def _code(process: subprocess.Popen[str]) -> int | None:
    """The exit code: what a program still has to send it may send after it closed its terminal."""
    try:
        return process.wait(_CLOSES_S)
    except subprocess.TimeoutExpired:
        return None


class _Person:
    """Reads the screen all the time: a program whose output nobody takes stops."""

    def __init__(self, terminal: int, end_s: float) -> None:
        self.screen = Screen()
        self._terminal, self._end_s = terminal, end_s
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_closed = False

    def does(self, press: Press) -> None:
        """Wait for what is shown, think, and press the keys one by one.

        Raises:
            Unseen: it is not shown in time.
        """
        end_s = min(time.monotonic() + STEP_LIMIT_S, self._end_s)
        while time.monotonic() <= end_s and not self._is_closed and not self._sees(press):
            self._read(_POLL_S)
        if time.monotonic() > end_s or not self._sees(press):
            raise Unseen(f"not seen: {', '.join((*press.shown, press.made or ''))}")
        self.reads(time.monotonic() + press.after_s)
        shown = "\n".join(line for line in self.screen.text.splitlines() if line.strip())
        print(f"{shown}\n[{press.keys!r} is pressed]", flush=True)
        for key in _KEY.findall(press.keys):
            self._send(key)
            self.reads(time.monotonic() + _KEY_S)

    def reads(self, end_s: float) -> None:
        """Read until then, or until the program closes its terminal."""
        while not self._is_closed and (left_s := end_s - time.monotonic()) > 0:
            self._read(left_s)

    def _sees(self, press: Press) -> bool:
        return self.screen.shows(*press.shown) and (press.made is None or Path(press.made).exists())

    def _read(self, limit_s: float) -> None:
        if not select.select([self._terminal], [], [], limit_s)[0]:
            return
        try:
            told = os.read(self._terminal, 65536)
        except OSError:
            told = b""
        self._is_closed = not told
        for question in self.screen.write(self._decoder.decode(told)):
            row, column = self.screen.cursor
            answer = f"\x1b[{row};{column}R" if question.endswith("6n") else _ANSWERS.get(question)
            if answer is not None:
                self._send(answer)

    def _send(self, keys: str) -> None:
        try:
            os.write(self._terminal, keys.encode())
        except OSError:
            self._is_closed = True
