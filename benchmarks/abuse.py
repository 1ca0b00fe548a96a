"""What hostile senders cost an honest one: `python -m benchmarks.abuse` prints its latency beside each attack.

Starts `aftertrace serve` on a scratch folder. An honest sender sends small requests in turn over both ports, first
alone and then beside each of the attacks of `tests/receiver/attacks.py`, each in a process of its own. What to look at
is its p99 beside the attack against its p99 alone, in the same run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cli.served import Served, serving
from tests.receiver.attacks import ATTACKS
from tests.receiver.honest import Honest


@dataclass(frozen=True, slots=True)
class Cost:
    """What the honest sender saw, and what the receiver took."""

    p50_ms: dict[str, float]
    p99_ms: dict[str, float]
    requests: int
    refused: int
    peak_mb: float


def measure(served: Served, attack: str | None, duration_s: float) -> Cost:
    """Let the honest sender go on for so long, beside the attack of this name or alone."""
    http_port, grpc_port = (int(served.ready[name].rpartition(":")[2]) for name in ("http", "grpc"))
    honest, ended = Honest(http_port, grpc_port), threading.Event()
    sender = threading.Thread(target=honest.send_until, args=(ended,))
    sender.start()
    attacker = None
    if attack is not None:
        arguments = [attack, str(http_port), str(grpc_port), str(duration_s)]
        attacker = subprocess.Popen([sys.executable, "-m", "tests.receiver.attacks", *arguments])
    until_s = time.monotonic() + duration_s
    peak_bytes = 0
    while time.monotonic() < until_s or (attacker is not None and attacker.poll() is None):
        peak_bytes = max(peak_bytes, resident_bytes(served.process.pid))
        time.sleep(0.02)
    ended.set()
    sender.join()
    return Cost(
        {name: quantile(found, 0.5) * 1e3 for name, found in honest.latencies_s.items()},
        {name: quantile(found, 0.99) * 1e3 for name, found in honest.latencies_s.items()},
        len(honest.answers),
        len(honest.refused),
        peak_bytes / 1e6,
    )


def quantile(found: list[float], share: float) -> float:
    """The value that so large a share is not above."""
    return sorted(found)[min(int(len(found) * share), len(found) - 1)]


def resident_bytes(process_id: int) -> int:
    """Memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process_id}/status").read_text())
    return 0 if found is None else int(found[1]) * 1024


def line(name: str, cost: Cost, alone: Cost) -> str:
    """One attack, as it is printed."""
    parts = [
        f"{transport} p50 {cost.p50_ms[transport]:7.1f} ms p99 {cost.p99_ms[transport]:7.1f} ms "
        f"= {cost.p99_ms[transport] / alone.p99_ms[transport]:5.1f} x"
        for transport in ("http", "grpc")
    ]
    return f"{name:36} {'  '.join(parts)}  {cost.requests:5} sent {cost.refused:3} refused  {cost.peak_mb:5.0f} MB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each attack")
    parser.add_argument("--only", metavar="TEXT", default="", help="attacks whose name holds this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "data", "--no-dashboard") as served:
        measure(served, None, 1.0)
        alone = measure(served, None, 2 * arguments.seconds)
        print(line("alone", alone, alone), flush=True)
        for name in ATTACKS:
            if arguments.only in name:
                print(line(name, measure(served, name, arguments.seconds), alone), flush=True)
        print(line("alone again", measure(served, None, arguments.seconds), alone))


if __name__ == "__main__":
    main()
