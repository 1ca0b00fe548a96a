"""A campaign of kill -9: serve under load, killed at random instants, and what is left of it all."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faults.checker import check
from faults.churn import Churn
from faults.found import Outcome, found, span_ids
from faults.load import Load
from faults.payload import SpanId, spans_of
from faults.serve import Serve

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from faults.payload import RequestId

DRAIN_LIMIT_S: Final = 120.0
"""How long everything acknowledged may take to become queryable after the last start."""
QUIET_S: Final = 90.0
"""A drain that was killed is back after this, on a machine where all else takes long too."""
_WAYS: Final = {
    "all": 4,
    "serve alone": 2,
    "the drain alone": 1,
    "any one child": 1,
    "the drain, then all": 1,
    "a start": 1,
}
"""What is killed, and how often compared with the others. Children are the drain, its readers, and the sealer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed(Outcome):
    """What a campaign showed."""

    kills: Counter[str]
    """By what was killed."""
    churn: Churn

    def __str__(self) -> str:
        """A few lines for people."""
        kills = ", ".join(f"{count} of {what}" for what, count in sorted(self.kills.items()))
        # By name: a class with slots is made anew, and is not the one that `super()` knows.
        return f"{self.kills.total()} kills ({kills}). {self.churn}.\n{Outcome.__str__(self)}"


def campaign(
    data: Path, *, cycles: int, seed: int, clients: int = 4, copies: int = 1, broken: str | None = None
) -> Killed:
    """Kill `serve` `cycles` times at instants that `seed` chooses, let it catch up, and compare.

    Args:
        data: the data folder.
        cycles: how many kills.
        seed: chooses instants, and what is killed.
        clients: how many send.
        copies: how many times every request is sent, each after an OK; 1 lets a tenth of them be sent twice.
        broken: a fault under `broken/`, for negative controls.
    """
    rng = random.Random(seed)
    churn, kills = Churn(), Counter[str]()
    with Serve(data, changes=("small", broken)) as serve:
        with Load(serve, clients=clients, seed=seed, pause_s=0.06, copies=copies) as load:
            for _ in range(cycles):
                if not serve.is_running:
                    serve.start()
                kills[_kill(serve, data, rng)] += 1
                churn.look(data)
            if not serve.is_running:
                serve.start()
            serve.wait_ready()
            time.sleep(1.0)
        acknowledged = spans(load.acknowledged)
        # A broken one is expected to lose some, so there is less to wait for.
        wait_drained(data, acknowledged, quiet_s=QUIET_S if broken is None else 5.0)
        exit_code = serve.stop()
    rows = found(data)
    attempted = spans(load.attempted)
    return Killed(
        kills=kills,
        churn=churn,
        spans=check(attempted, acknowledged, rows.spans),
        evidence=check(attempted, acknowledged, rows.evidence),
        duplicates=rows.duplicates,
        altered=len(rows.altered),
        errors=load.errors + ([f"serve ended with {exit_code}"] if exit_code else []) + fsck(data) + verify(data),
    )


def fsck(data: Path) -> list[str]:
    """What the store's own check says against it."""
    command = [sys.executable, "-m", "aftertrace.cli", "fsck", "--data", str(data)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return [f"fsck: {result.stdout}{result.stderr}"] if result.returncode else []


def verify(data: Path, *others: Path) -> list[str]:
    """What speaks against all of it being signed, and as it was signed; `others` store in the same tables."""
    ledgers = [option for other in others for option in ("--ledger", str(other / "ledger"))]
    keys = [option for each in (data, *others) for option in ("--key", str(each / "ledger" / "key"))]
    command = [sys.executable, "-m", "aftertrace.cli", "verify", "--data", str(data), *ledgers, *keys]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return [f"verify: {result.stdout}{result.stderr}"] if result.returncode else []


def _kill(serve: Serve, data: Path, rng: random.Random) -> str:
    """Kill it at a random instant, in one of several ways; which."""
    what = rng.choices(tuple(_WAYS), tuple(_WAYS.values()))[0]
    if what == "a start":
        # Half-made folders, locks just taken, a replay just begun.
        time.sleep(rng.uniform(0.2, 2.0))
    else:
        serve.wait_ready()
        # Half of the time when the drain is at work, however long its start takes on a busy machine.
        if rng.random() < 0.5:
            _wait_for_fold(data)
        time.sleep(rng.uniform(0.05, 1.5))
    if what.startswith("the drain"):
        serve.kill_children()
        time.sleep(rng.uniform(0.0, 1.0))
    if what == "serve alone":
        serve.kill_alone()
    elif what == "any one child":
        serve.kill_one(rng)
    elif what != "the drain alone":
        serve.kill()
    return what


def _wait_for_fold(data: Path, limit_s: float = 20.0) -> None:
    """Wait until the drain folds."""
    fold, deadline = Churn(), time.monotonic() + limit_s
    fold.look(data)
    before = fold.folds
    while fold.folds == before and time.monotonic() < deadline:
        time.sleep(0.02)
        fold.look(data)


def wait_drained(data: Path, acknowledged: set[SpanId], *, quiet_s: float = QUIET_S) -> None:
    """Wait until all is queryable, or nothing came for `quiet_s`: the check that follows tells which."""
    quiet_since, before = time.monotonic(), -1
    deadline = quiet_since + DRAIN_LIMIT_S
    while time.monotonic() < min(deadline, quiet_since + quiet_s):
        present = span_ids(data)
        if acknowledged <= set(present):
            return
        if len(present) != before:
            quiet_since, before = time.monotonic(), len(present)
        time.sleep(0.3)


def spans(requests: Iterable[RequestId]) -> set[SpanId]:
    """All spans of some requests."""
    return {each for of in requests for each in spans_of(of)}
