"""A real `aftertrace serve` for one case, and what it says afterwards, asked with the commands that users have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.cli.served import serving

from aftertrace.cli import root
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.wal_reader import WalReader

_RECEIVER: Final = "receiver"


@dataclass(frozen=True, slots=True)
class Station:
    """A store that one case exports to, or exported to."""

    data: Path
    http: str
    grpc: str

    def calls(self) -> list[dict[str, Any]]:
        """Rows of `aftertrace calls`."""
        return self._asked("calls")

    def runs(self) -> list[dict[str, Any]]:
        """Rows of `aftertrace runs`."""
        return self._asked("runs")

    def _asked(self, command: str) -> list[dict[str, Any]]:
        """What a command prints, run in this process: a new one would load everything again for each case."""
        out = self.data.parent / f"{command}.jsonl"
        code = root.run([command, "--format", "json", "--data", str(self.data), "--out", str(out)])
        assert code == 0, f"aftertrace {command} ended with {code}"
        return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]

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
