"""Hostile senders against a real `serve`: it lives, its memory is bounded, and an honest sender is served as well."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.served import Served, serving
from tests.receiver.attacks import ATTACKS, Target
from tests.receiver.honest import TAKEN, Honest

pytestmark = pytest.mark.slow

ATTACK_S = 1.5
GROWTH_BYTES = 300 * 2**20
"""What the receiver may take more than before it was attacked; without limits, any of the bombs takes more at once."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all attacks: what one of them leaves behind, the next one meets."""
    with serving(tmp_path_factory.mktemp("abuse") / "data", "--no-dashboard") as running:
        yield running


def ports(served: Served) -> tuple[int, int]:
    """Of OTLP over HTTP and gRPC."""
    return int(served.ready["http"].rpartition(":")[2]), int(served.ready["grpc"].rpartition(":")[2])


def resident_bytes(served: Served) -> int:
    """Memory of the receiver's process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{served.process.pid}/status").read_text())
    assert found is not None, "the receiver is gone"
    return int(found[1]) * 1024


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_costs_little_and_keeps_nobody_out(served: Served, name: str) -> None:
    """All that the honest sender sends is taken, though it may be told to try again where the port was full."""
    honest, ended = Honest(*ports(served)), threading.Event()
    before = peak = resident_bytes(served)
    sender = threading.Thread(target=honest.send_until, args=(ended,))
    began_s = time.monotonic()
    sender.start()
    target = Target(*ports(served), time.monotonic() + ATTACK_S)
    attacker = threading.Thread(target=ATTACKS[name], args=(target,))
    attacker.start()
    while attacker.is_alive():
        peak = max(peak, resident_bytes(served))
        time.sleep(0.02)
    attacker.join()
    time.sleep(0.1)
    # An attack takes longer than it is let where the machine is busy, and refusals with it.
    attacked_s = time.monotonic() - began_s
    ended.set()
    sender.join()
    assert served.process.poll() is None
    assert peak - before < GROWTH_BYTES
    assert len(honest.refused) <= honest.refused_at_most(attacked_s), (attacked_s, honest.answers)
    assert honest.given_up == []
    assert honest.last == TAKEN
