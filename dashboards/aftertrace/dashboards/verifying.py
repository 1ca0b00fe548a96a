"""Verifying the store in a process of its own, of which everybody who looks at the dashboard sees how far it is."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from aftertrace.analyzer.ledger import verification
from aftertrace.analyzer.ledger.verification import Progress, Report
from aftertrace.dashboards.data import Invalid


@dataclass(slots=True)
class Verification:
    """The last verification of a store that this dashboard has begun; at most one goes on at a time."""

    began_ns: int | None = None
    """When it began; None: none was begun."""
    ended_ns: int | None = None
    """When it ended; None: it goes on, or none was begun."""
    progress: Progress = field(default_factory=lambda: Progress(0, 0))
    report: Report | None = None
    """What it found; None: it goes on, was stopped, or could not be done."""
    refusal: str | None = None
    """Why it could not be done."""
    _process: subprocess.Popen[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.began_ns is not None and self.ended_ns is None

    def begin(self, data: Path, anchor: Path | None, key: str) -> None:
        """Begin to verify, unless that goes on already; parameters as for `verification.verified`."""
        with self._lock:
            if self.is_running:
                return
            told = verification.command(data, anchor, key.replace("\0", ""))
            # Nothing goes on where it cannot be started.
            process = self._process = subprocess.Popen(told, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.began_ns, self.ended_ns, self.report, self.refusal = time.time_ns(), None, None, None
            self.progress = Progress(0, 0)
        threading.Thread(target=self._follow, args=(process,), daemon=True, name="verifying").start()

    def stop(self) -> None:
        """End it, if it goes on."""
        if self._process is not None and self.is_running:
            self._process.terminate()

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        with process:
            for line in process.stdout or ():
                with suppress(Invalid):
                    told = verification.read(line)
                    self.progress = told.progress or self.progress
                    self.report, self.refusal = told.report, told.refusal
        if self.report is None and self.refusal is None:
            self.refusal = f"it was ended (exit code {process.returncode}) before it had read all"
        self.ended_ns = time.time_ns()


@st.cache_resource(show_spinner=False)
def of(data: str) -> Verification:  # noqa: ARG001  # the key under which it is kept
    """The verification of one store, shared by everybody who looks at it."""
    return Verification()
