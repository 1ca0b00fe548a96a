"""One fault of the disk on the way to an OK: what `serve` answers, how it goes on, and what is left after a restart."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Final

from faults.disk import KILL, TEAR, Fault, Met, calls, variables
from faults.found import compare
from faults.kill import spans
from faults.load import Grpc, Http, NoAnswer
from faults.payload import RequestId, request
from faults.serve import Endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from faults.disk import Call
    from faults.forks import Forks, Running
    from faults.load import Wire

REQUESTS: Final = tuple(RequestId(0, number) for number in range(18))
"""They fill two segments and begin a third."""
EARLIER: Final = tuple(RequestId(1, number) for number in range(18))
"""Those of a `serve` before."""
PATIENCE_S: Final = 20.0
"""How long a client repeats what it got no OK for."""


def served_before(data: Path, forks: Forks) -> None:
    """Make a store with a life behind it: `EARLIER` is in its tables, and of its segments there are spares."""
    serve = forks.start(_serve(data))
    assert deliver(serve, EARLIER) == set(EARLIER)
    assert serve.end().code == forks.run(["drain", "--data", str(data)]).code == 0
    assert list(data.glob("wal/*/*.spare"))


def acked_calls(before: Path | None, forks: Forks, scratch: Path) -> list[Call]:
    """The calls of a `serve` that takes `REQUESTS` and meets no fault, from its start to its end.

    Args:
        before: a copy of this store is served; a new one is made if not given.
        forks: runs it.
        scratch: for the store, and what is told of it.
    """
    data, log = scratch / "sound", scratch / "calls.log"
    if before is not None:
        shutil.copytree(before, data)
    log.unlink(missing_ok=True)
    serve = forks.start(_serve(data), variables(data, process="serve", log=log))
    assert deliver(serve) == set(REQUESTS)
    assert serve.end().code == 0
    shutil.rmtree(data)
    return calls(log, data)


def judge(before: Path | None, fault: Fault, forks: Forks, scratch: Path) -> Met:
    """Meet a fault in `serve`, start again without it, store everything, and say what is wrong then."""
    data, once = scratch / "data", scratch / "fault.came"
    once.unlink(missing_ok=True)
    if before is not None:
        shutil.copytree(before, data)
    serve = forks.start(_serve(data), variables(data, process="serve", fault=fault, once=once))
    acknowledged = deliver(serve)
    goes_on = serve.ended() is None
    struck = serve.end()
    site = calls(once, data)[0].site if once.exists() else None
    wrong = [] if site else ["the fault did not come"]
    if fault.kind in (KILL, TEAR):
        wrong += [] if struck.code == -9 else [f"not killed: {struck}"]
    elif goes_on and acknowledged != set(REQUESTS):
        wrong.append(f"it goes on and took {len(acknowledged)} of {len(REQUESTS)} requests: {struck}")
    elif not (struck.code == 0 or (struck.code in (2, 75) and "error: " in struck.said)):
        wrong.append(f"it ended: {struck}")
    # The drain that stores what was taken is not what is tried here: readers of its own would take longer than it.
    no_fault = {**variables(data, process="serve"), "AFTERTRACE_DRAIN_PROCESSES": "1"}
    serve = forks.start(_serve(data), no_fault)
    # What got its OK is not sent again: it is there, or it is lost.
    resent = deliver(serve, [of for of in REQUESTS if of not in acknowledged])
    after = [serve.end()]
    wrong += [] if acknowledged | resent == set(REQUESTS) else [f"the next serve took {len(resent)}"]
    after += [forks.run([command, "--data", str(data)], no_fault) for command in ("drain", "fsck")]
    wrong += [f"afterwards: {each}" for each in after if each.code]
    wrong += [f"a defect: {each}" for each in (struck, *after) if each.is_defect]
    sent = spans(REQUESTS if before is None else (*EARLIER, *REQUESTS))
    wrong += compare(data, sent, sent)
    shutil.rmtree(data)
    return Met(fault, site, wrong)


def deliver(serve: Running, requests: Sequence[RequestId] = REQUESTS) -> set[RequestId]:
    """Send requests one after the other, each until its OK; those that got one before `serve` ended."""
    ports = serve.ports()
    if ports is None:
        return set()
    endpoints = Endpoints(http=ports[0], grpc=ports[1])
    wires: tuple[Wire, Wire] = (Http(), Grpc())
    acknowledged: set[RequestId] = set()
    deadline = time.monotonic() + PATIENCE_S
    try:
        for of in requests:
            while of not in acknowledged and time.monotonic() < deadline:
                try:
                    wires[of.number % 2].send(endpoints, request(of))
                    acknowledged.add(of)
                except NoAnswer:
                    if serve.ended() is not None:
                        return acknowledged
                    time.sleep(0.05)
    finally:
        for wire in wires:
            wire.close()
    return acknowledged


def _serve(data: Path) -> list[str]:
    return ["serve", "--data", str(data), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--no-dashboard"]
