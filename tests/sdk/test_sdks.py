"""The official SDKs against a real `serve` that turns them away, ends, and is killed: what got an OK is there, once."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pytest
from collector.process import free_port
from faults.serve import Serve
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from tests.cli.served import until

from aftertrace.ingest.drain import catch_up
from aftertrace.store.layout import Layout
from aftertrace.store.quotas import Quota, set_quota
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.sources import ANONYMOUS

PROGRAMS = Path(__file__).with_name("programs")
GIVES_UP = "javascript grpc "
"""Exporters that try no request twice (0.223.1), so that what is turned away is lost with them."""
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
def agents(command: list[str], ports: tuple[int, int], log: Path) -> Iterator[Agents]:
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


def turned_away(port: int) -> int:
    """How many requests were told to come again, since they were over the quota."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    told = re.search(rb"aftertrace_quota_refusals_total\S* (\d+)", connection.getresponse().read())
    connection.close()
    return int(told[1]) if told else 0


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


def through_everything(command: list[str], folder: Path, ways: int) -> None:
    """`serve` turns agents away for a while, ends, and is killed: nothing that got an OK is lost, and nothing doubled.

    Who is turned away comes again, so that nothing is given up for that. How long an SDK waits for a server that is not
    there is its own affair; what it then gives up, it says.
    """
    data = folder / "data"
    ports = (free_port(), free_port())
    with Serve(data, http=f"127.0.0.1:{ports[0]}", grpc=f"127.0.0.1:{ports[1]}") as serve:
        serve.start()
        serve.wait_ready()
        with agents(command, ports, folder / "agents.log") as running:
            running.through()
            set_quota(Layout(data), ANONYMOUS, Quota(requests_per_s=5))
            until(lambda: turned_away(ports[0]) > 20)
            set_quota(Layout(data), ANONYMOUS, None)
            notes = running.through()
            patient = [way for way in notes if not way.startswith(GIVES_UP)]
            assert [name for way in patient for name in gave_up(notes, way)] == []
            assert serve.stop() == 0
            serve.start()
            serve.wait_ready()
            running.through()
            serve.kill()
            serve.start()
            serve.wait_ready()
            running.through()
            acted, notes = running.end()
        assert serve.stop() == 0
    assert len(notes) == ways
    compare(acted, notes, stored(data))


def gave_up(notes: Notes, way: str) -> list[str]:
    """What both exporters of an agent gave up."""
    return notes[way]["spans"]["gave_up"] + notes[way]["logs"]["gave_up"]


def compare(acted: int, notes: Notes, found: dict[str, Counter[str]]) -> None:
    """What got an OK is there; what is not there was given up; nothing is there twice."""
    for signal in ("spans", "logs"):
        assert [name for name, times in found[signal].items() if times > 1] == []
        for way, noted in notes.items():
            everything = {f"{way} {number}" for number in range(acted)}
            assert sorted(set(noted[signal]["told"]) - found[signal].keys()) == []
            assert sorted(everything - found[signal].keys() - set(noted[signal]["gave_up"])) == []


@pytest.mark.slow
def test_nothing_of_the_python_sdk_is_lost_or_doubled(tmp_path: Path) -> None:
    """Over gRPC and HTTP, with and without gzip."""
    through_everything([sys.executable, str(PROGRAMS / "agent.py")], tmp_path, ways=4)


@pytest.mark.slow
def test_nothing_of_the_javascript_sdk_is_lost_or_doubled(tmp_path: Path, node_modules: Path) -> None:
    """As JSON, as protobuf and over gRPC, with and without gzip. Modules are looked for beside the program alone."""
    program = shutil.copy(PROGRAMS / "agent.mjs", tmp_path / "agent.mjs")
    (tmp_path / "node_modules").symlink_to(node_modules / "node_modules")
    through_everything(["node", str(program)], tmp_path, ways=6)


@pytest.mark.parametrize(
    ("told", "found", "doubled"),
    [(["a 0", "a 1"], ["a 0"], 1), (["a 0"], ["a 0"], 1), (["a 0", "a 1"], ["a 0", "a 1"], 2)],
)
def test_the_comparison_would_see_what_is_missing_and_what_is_double(
    told: list[str], found: list[str], doubled: int
) -> None:
    """Control: an OK for what is not there, something that nobody has given up, and something twice."""
    notes: Notes = {"a": {signal: {"told": told, "gave_up": []} for signal in ("spans", "logs")}}
    there = Counter(found * doubled)
    with pytest.raises(AssertionError):
        compare(2, notes, {"spans": there, "logs": there})
    whole = Counter(["a 0", "a 1"])
    compare(2, notes, {"spans": whole, "logs": whole})
