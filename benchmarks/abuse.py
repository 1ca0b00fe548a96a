"""What hostile senders cost an honest one: `python -m benchmarks.abuse` prints its latency beside each attack.

Starts `aftertrace serve` on a scratch folder. An honest sender sends small requests in turn over both ports: alone,
then beside a neighbour that only counts, then beside each of the attacks of `tests/receiver/attacks.py`, for as long
each. The neighbour and each attack are a process of their own. What to look at is the p99 beside an attack against the
p99 alone in the same run, and against that beside the neighbour: it takes a core and touches nothing of the receiver's,
so what it costs the sender is the machine's doing, and only what an attack costs beyond that is the receiver's.
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

_PAUSE_S = 0.002
"""Between two rounds of the honest sender: a thousand rounds in ten seconds, so that ten are over their p99."""
_COUNTS = "import time\nuntil_s = time.monotonic() + {}\nwhile time.monotonic() < until_s: pass"


@dataclass(frozen=True, slots=True)
class Cost:
    """What the honest sender saw, and what the receiver took."""

    p50_ms: dict[str, float]
    p99_ms: dict[str, float]
    requests: int
    refused: int
    peak_mb: float


def measure(served: Served, duration_s: float, *beside: str) -> Cost:
    """Let the honest sender go on for so long, beside a process of Python with these arguments or alone."""
    honest, ended = Honest(*ports(served), pause_s=_PAUSE_S), threading.Event()
    sender = threading.Thread(target=honest.send_until, args=(ended,))
    sender.start()
    other = subprocess.Popen([sys.executable, *beside]) if beside else None
    until_s = time.monotonic() + duration_s
    peak_bytes = 0
    while time.monotonic() < until_s or (other is not None and other.poll() is None):
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


def ports(served: Served) -> tuple[int, int]:
    """Of OTLP over HTTP and gRPC."""
    return int(served.ready["http"].rpartition(":")[2]), int(served.ready["grpc"].rpartition(":")[2])


def quantile(found: list[float], share: float) -> float:
    """The value that so large a share is not above."""
    return sorted(found)[min(int(len(found) * share), len(found) - 1)]


def resident_bytes(process_id: int) -> int:
    """Memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process_id}/status").read_text())
    return 0 if found is None else int(found[1]) * 1024


def line(name: str, cost: Cost, alone: Cost, floor: Cost) -> str:
    """One attack, as it is printed."""
    parts = [
        f"{transport} p50 {cost.p50_ms[transport]:5.1f} ms p99 {cost.p99_ms[transport]:6.1f} ms "
        f"= {cost.p99_ms[transport] / alone.p99_ms[transport]:4.1f} x alone "
        f"{cost.p99_ms[transport] / floor.p99_ms[transport]:4.1f} x floor"
        for transport in ("http", "grpc")
    ]
    return f"{name:36} {'  '.join(parts)}  {cost.requests:5} sent {cost.refused:3} refused  {cost.peak_mb:5.0f} MB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each line")
    parser.add_argument("--only", metavar="TEXT", default="", help="attacks whose name holds this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "data", "--no-dashboard") as served:
        seconds, target = arguments.seconds, [str(port) for port in ports(served)]
        measure(served, 1.0)
        alone = measure(served, seconds)
        floor = measure(served, seconds, "-c", _COUNTS.format(seconds))
        print(line("alone", alone, alone, floor), flush=True)
        print(line("a neighbour that counts: the floor", floor, alone, floor), flush=True)
        for name in ATTACKS:
            if arguments.only in name:
                attack = ["-m", "tests.receiver.attacks", name, *target, str(seconds)]
                print(line(name, measure(served, seconds, *attack), alone, floor), flush=True)
        print(line("alone again", measure(served, seconds), alone, floor))


if __name__ == "__main__":
    main()
