"""A campaign of kill -9: serve under load, killed at random instants, and what is left of it all."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faults.checker import Verdict, check
from faults.found import found, span_ids
from faults.load import Load
from faults.payload import SpanId, spans_of
from faults.serve import Serve

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from faults.payload import RequestId

DRAIN_LIMIT_S: Final = 120.0
"""How long everything acknowledged may take to become queryable after the last start."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign showed."""

    kills: int
    spans: Verdict[SpanId]
    evidence: Verdict[SpanId]
    """Rows of `evidence` that are not marked as duplicates."""
    duplicates: int
    """Rows of `evidence` that are: resends that were recognised."""
    altered: int
    errors: list[str]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.spans.holds and self.evidence.holds and not self.altered and not self.errors

    def __str__(self) -> str:
        """A few lines for people."""
        return (
            f"{self.kills} kills. spans: {self.spans}. evidence: {self.evidence},"
            f" {self.duplicates} resends recognised, {self.altered} altered. errors: {self.errors[:3]}"
        )


def campaign(data: Path, *, cycles: int, seed: int, clients: int = 4, broken: str | None = None) -> Outcome:
    """Kill `serve` `cycles` times at instants that `seed` chooses, let it catch up, and compare."""
    rng = random.Random(seed)
    with Serve(data, broken=broken) as serve:
        with Load(serve, clients=clients, seed=seed) as load:
            for _ in range(cycles):
                serve.start()
                _kill(serve, rng)
            serve.start()
            serve.wait_ready()
            time.sleep(1.0)
        acknowledged = spans(load.acknowledged)
        # A broken one is expected to lose some, so there is less to wait for.
        wait_drained(data, acknowledged, quiet_s=30.0 if broken is None else 5.0)
        exit_code = serve.stop()
    rows = found(data)
    attempted = spans(load.attempted)
    return Outcome(
        kills=cycles,
        spans=check(attempted, acknowledged, rows.spans),
        evidence=check(attempted, acknowledged, rows.evidence),
        duplicates=rows.duplicates,
        altered=len(rows.altered),
        errors=load.errors + ([f"serve ended with {exit_code}"] if exit_code else []) + fsck(data),
    )


def fsck(data: Path) -> list[str]:
    """What the store's own check says against it."""
    command = [sys.executable, "-m", "aftertrace.cli", "fsck", "--data", str(data)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return [f"fsck: {result.stdout}{result.stderr}"] if result.returncode else []


def _kill(serve: Serve, rng: random.Random) -> None:
    """Kill it at a random instant, in one of four ways."""
    way = rng.choices(("all", "alone", "drain first", "starting"), (4, 2, 2, 2))[0]
    if way == "starting":
        # Half-made folders, locks just taken, a replay just begun.
        time.sleep(rng.uniform(0.2, 2.0))
    else:
        serve.wait_ready()
        time.sleep(rng.uniform(0.05, 1.5))
    if way == "drain first":
        serve.kill_children()
        time.sleep(rng.uniform(0.0, 1.0))
    if way == "alone":
        serve.kill_alone()
    else:
        serve.kill()


def wait_drained(data: Path, acknowledged: set[SpanId], *, quiet_s: float = 30.0) -> None:
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
