"""Agents on an official SDK, in a process of their own, and whether all that they were told OK for is stored once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from aftertrace.ingest.catching_up import catch_up
from aftertrace.store.snapshot import Snapshot

PROGRAMS: Final = Path(__file__).with_name("programs")
PYTHON: Final = (sys.executable, str(PROGRAMS / "agent.py"))
"""The command of the Python SDK's: one over gRPC and one over HTTP, both with and without gzip."""

Notes: TypeAlias = dict[str, dict[str, dict[str, list[str]]]]
"""By way and by `spans` or `logs`: names of what was `told` OK, and of what the exporter `gave_up`."""


class Agents:
    """A program with an agent for each way to export, at work."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Ask this one."""
        self._process = process

    def through(self) -> Notes:
        """Wait until each exporter has had another OK; what they have noted until then."""
        return self._ask("through")[1]

    def end(self) -> tuple[int, Notes]:
        """Let them flush and end: how often each acted, and all that they noted."""
        return self._ask("end")

    def _ask(self, line: str) -> tuple[int, Notes]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        return found["acted"], found["notes"]


@contextmanager
def agents(command: Sequence[str], ports: tuple[int, int], log: Path) -> Iterator[Agents]:
    """The program for the length of a `with` block."""
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        with process:
            try:
                yield Agents(process)
            finally:
                process.kill()


def stored(data: Path) -> dict[str, Counter[str]]:
    """Names of spans, and bodies of log records, as a reader sees them."""
    catch_up(data)
    tables = Snapshot.of(data)
    bodies = (
        tables.scan("evidence")
        .filter(pl.col("signal") == "logs", pl.col("duplicate_of").is_null())
        .collect()["record"]
        .map_elements(lambda record: LogRecord.FromString(record).body.string_value, pl.String)
    )
    return {"spans": Counter(tables.scan("spans").collect()["name"]), "logs": Counter(bodies)}


def compare(acted: int, notes: Notes, found: dict[str, Counter[str]]) -> None:
    """What got an OK is there; what is not there was given up; nothing is there twice."""
    for signal in ("spans", "logs"):
        assert [name for name, times in found[signal].items() if times > 1] == []
        for way, noted in notes.items():
            everything = {f"{way} {number}" for number in range(acted)}
            assert sorted(set(noted[signal]["told"]) - found[signal].keys()) == []
            assert sorted(everything - found[signal].keys() - set(noted[signal]["gave_up"])) == []
