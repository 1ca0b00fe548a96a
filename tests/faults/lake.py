"""Two `serve`s on one lake under one load: what a client sends, and sends again, goes to either of them."""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from faults.checker import check
from faults.found import Outcome, found
from faults.kill import fsck, spans, verify, wait_drained
from faults.load import Load
from faults.serve import Endpoints, Serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


RECEIVERS: Final = ("east", "west")
_BETWEEN_S: Final = (1.0, 3.0)
"""How long both run before the next is killed, and how long one is alone before it is started again."""


class Either:
    """Any of some `serve`s that is ready, as a load balancer finds it: another one at each request."""

    def __init__(self, serves: Sequence[Serve], seed: int) -> None:
        """Choose by a seed."""
        self._serves = serves
        self._rng = random.Random(seed)

    @property
    def endpoints(self) -> Endpoints | None:
        """Of one that is ready; None while none is."""
        ready = [found for serve in self._serves if (found := serve.endpoints) is not None]
        return self._rng.choice(ready) if ready else None


def campaign(folder: Path, *, seed: int, settings: Mapping[str, str]) -> Outcome:
    """Kill each once while the other goes on, then both at once; start them again, and compare.

    Args:
        folder: for the two data folders.
        seed: chooses the instants.
        settings: environment of both, that says where their lake is.
    """
    rng = random.Random(seed)
    data = {name: folder / name for name in RECEIVERS}
    with ExitStack() as running:
        serves = []
        for name in RECEIVERS:
            with environment({**settings, "AFTERTRACE_RECEIVER_NAME": name}):
                serves.append(running.enter_context(Serve(data[name])))
        east, west = serves
        east.start()
        east.wait_ready()
        # What an operator does once: the receivers of a lake have one key.
        (data["west"] / "keys").mkdir(parents=True)
        (data["west"] / "keys" / "store.key").write_bytes((data["east"] / "keys" / "store.key").read_bytes())
        west.start()
        west.wait_ready()
        with Load(Either(serves, seed), clients=6, seed=seed) as load:
            for killed in ([east], [west], [east, west]):
                time.sleep(rng.uniform(*_BETWEEN_S))
                for serve in killed:
                    serve.kill()
                time.sleep(rng.uniform(*_BETWEEN_S))
                for serve in killed:
                    serve.start()
                for serve in killed:
                    serve.wait_ready()
            time.sleep(rng.uniform(*_BETWEEN_S))
        acknowledged = spans(load.acknowledged)
        wait_drained(data["east"], acknowledged)
        codes = [serve.stop() for serve in serves]
    rows = found(data["west"])
    attempted = spans(load.attempted)
    return Outcome(
        spans=check(attempted, acknowledged, rows.spans),
        evidence=check(attempted, acknowledged, rows.evidence),
        duplicates=rows.duplicates,
        altered=len(rows.altered),
        errors=[
            *load.errors,
            *(f"serve ended with {code}" for code in codes if code),
            *(said for name in RECEIVERS for said in fsck(data[name])),
            *verify(data[RECEIVERS[0]], *(data[name] for name in RECEIVERS[1:])),
        ],
    )


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """What a process that is made inside is told."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in settings:
            os.environ.pop(name)
        os.environ.update({name: before[name] for name in settings if name in before})
