"""One fault of the disk in one drain, and what is left when the next drain has run."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faults.disk import KILL, TEAR, Fault, Met, calls, variables
from faults.found import compare
from faults.kill import spans
from faults.payload import RequestId, request

from aftertrace.cli.config import Config
from aftertrace.cli.gate import prepare_for
from aftertrace.store.folder import open_folder
from aftertrace.store.request import Request
from aftertrace.store.wal import WalOptions, WalWriter

if TYPE_CHECKING:
    from pathlib import Path

    from faults.disk import Call
    from faults.forks import Forks

SEGMENT_BYTES: Final = 64 << 10
"""As of `broken/small.py`: room for seven requests."""
A_TURN: Final = 9
"""Requests of one start of the receiver: a full segment, and one that is cut short at its end."""
LONG_AGO_S: Final = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A store with requests in its WAL, to be copied for each fault."""

    data: Path
    acknowledged: frozenset[RequestId]


def first_drain(data: Path) -> Waiting:
    """A store that was never drained: the drain makes all tables."""
    requests = [RequestId(0, number) for number in range(A_TURN)]
    _receive(data, [*requests, requests[2]])
    return Waiting(data, frozenset(requests))


def later_drain(data: Path, forks: Forks) -> Waiting:
    """A store whose next drain commits, folds, makes checkpoints, makes a spare of a segment, and removes others and
    what a crash left. It also finds resends of what was stored by then.
    """
    requests = [RequestId(0, number) for number in range(3 * A_TURN)]
    for turn in range(3):
        _receive(data, requests[A_TURN * turn : A_TURN * turn + A_TURN])
        if turn < 2:
            assert forks.run(["drain", "--data", str(data)]).code == 0
    _receive(data, [requests[0], requests[-1]])
    (spans_file, *_) = sorted((data / "tables" / "spans").glob("*/*.parquet"))
    left = spans_file.with_name(f"receiver.{'0' * 32}.parquet")
    shutil.copyfile(spans_file, left)
    os.utime(left, (LONG_AGO_S, LONG_AGO_S))
    return Waiting(data, frozenset(requests))


def _receive(data: Path, requests: list[RequestId]) -> None:
    """Write requests as `serve` does, without a network."""
    layout = open_folder(data)
    prepare = prepare_for(layout, Config())
    with WalWriter(layout, "receiver", WalOptions(segment_bytes=SEGMENT_BYTES)) as writer:
        for number, of in enumerate(requests):
            received = Request("traces", "protobuf", request(of), "anonymous", LONG_AGO_S * 10**9 + number)
            writer.append(received, prepare(received)).result(30)


def drained_calls(waiting: Waiting, forks: Forks, scratch: Path) -> list[Call]:
    """The calls of a drain that meets no fault."""
    case, log = scratch / "sound", scratch / "calls.log"
    shutil.copytree(waiting.data, case)
    log.unlink(missing_ok=True)
    assert forks.run(["drain", "--data", str(case)], variables(case, process="drain", log=log)).code == 0
    shutil.rmtree(case)
    return calls(log, case)


def judge(waiting: Waiting, fault: Fault, forks: Forks, scratch: Path) -> Met:
    """Drain a copy with a fault, drain it again without, and say what is wrong with it then."""
    case, once = scratch / "case", scratch / "fault.came"
    once.unlink(missing_ok=True)
    shutil.copytree(waiting.data, case)
    drain = ["drain", "--data", str(case)]
    struck = forks.run(drain, variables(case, process="drain", fault=fault, once=once))
    again = forks.run(drain, variables(case, process="drain"))
    checked = forks.run(["fsck", "--data", str(case)], variables(case, process="drain"))
    site = calls(once, case)[0].site if once.exists() else None
    wrong = [] if site else ["the fault did not come"]
    if fault.kind in (KILL, TEAR):
        wrong += [] if struck.code == -9 else [f"not killed: {struck}"]
    elif struck.code not in (0, 75) or (struck.code and "error: " not in struck.said):
        wrong.append(f"the drain said: {struck}")
    wrong += [f"the next drain said: {again}"] if again.code else []
    wrong += [f"fsck said: {checked}"] if checked.code else []
    wrong += [f"a defect: {ended.said}" for ended in (struck, again, checked) if ended.is_defect]
    wrong += compare(case, spans(waiting.acknowledged), spans(waiting.acknowledged))
    shutil.rmtree(case)
    return Met(fault, site, wrong)
