"""The official SDKs against a real `serve` that turns them away, ends, and is killed: what got an OK is there, once."""

from __future__ import annotations

import http.client
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from collector.process import free_port
from faults.serve import Serve
from tests.cli.served import until
from tests.sdk.agents import PROGRAMS, PYTHON, Notes, agents, compare, stored

from aftertrace.store.layout import Layout
from aftertrace.store.quotas import Quota, set_quota
from aftertrace.store.sources import ANONYMOUS

GIVES_UP = "javascript grpc "
"""Exporters that try no request twice (0.223.1), so that what is turned away is lost with them."""


def turned_away(port: int) -> int:
    """How many requests were told to come again, since they were over the quota."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    told = re.search(rb"aftertrace_quota_refusals_total\S* (\d+)", connection.getresponse().read())
    connection.close()
    return int(told[1]) if told else 0


def through_everything(command: Sequence[str], folder: Path, ways: int) -> None:
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


@pytest.mark.slow
def test_nothing_of_the_python_sdk_is_lost_or_doubled(tmp_path: Path) -> None:
    """Over gRPC and HTTP, with and without gzip."""
    through_everything(PYTHON, tmp_path, ways=4)


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
