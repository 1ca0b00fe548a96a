"""A real `aftertrace serve` for one case, and what it says afterwards, asked with the commands that users have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.cli.served import serving

from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.wal_reader import WalReader

_ASK_LIMIT_S: Final = 120.0
_RECEIVER: Final = "receiver"


@dataclass(frozen=True, slots=True)
class Station:
    """A store that one case exports to, or exported to."""

    data: Path
    http: str
    grpc: str

    def calls(self) -> list[dict[str, Any]]:
        """Rows of `aftertrace calls`."""
        return _rows(_asked("calls", "--format", "json", "--data", str(self.data)))

    def runs(self) -> list[dict[str, Any]]:
        """Rows of `aftertrace runs`."""
        return _rows(_asked("runs", "--format", "json", "--data", str(self.data)))

    def exported(self) -> Iterator[Frame]:
        """Every request that came, in order, as the log holds it; a case is too small for the log to be retired."""
        for item in WalReader(Layout(self.data), _RECEIVER).poll():
            assert isinstance(item, Frame), item
            yield item


@contextmanager
def station(data: Path) -> Iterator[Station]:
    """Serve for the length of a `with` block. At its end everything that was accepted is stored."""
    with serving(data, "--no-dashboard") as served:
        yield Station(data, served.ready["http"], served.ready["grpc"])


def _asked(*arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "aftertrace.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=_ASK_LIMIT_S,
        check=True,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("AFTERTRACE_")},
    )
    return ended.stdout


def _rows(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]
