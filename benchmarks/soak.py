"""Does it stay as it is? `python -m benchmarks.soak --minutes 30` sends at half the saturating rate, and looks.

First a burst says what that rate is. Then each minute: memory of the receiver, of the drain with its readers, and of
the others, latencies, small files in the fullest partition, disk. A least-squares line through the minutes says whether
memory or latency grew; the first quarter is left out, since processes fill their caches in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.beside import aligned
from benchmarks.corpus import SPANS, requests, templates
from benchmarks.footprint import footprint
from benchmarks.ingest import DRAIN_LIMIT_S, SHARES, quantile
from benchmarks.processes import end_in_order
from benchmarks.readers import Watch
from benchmarks.senders import Http, Senders, Sent
from benchmarks.served import Served
from benchmarks.trend import trend

from aftertrace.store.compaction import FOLD_AT

MEMORY_SHARE: Final = 0.1
LATENCY_SHARE: Final = 0.5
"""A shared machine moves a p99 by more than its half within the hour."""
DISK_SHARE: Final = 0.1
"""How far the disk may be from what the first half of the minutes predicts."""
MOST_SMALL_FILES: Final = 2 * FOLD_AT + 8
"""The drain folds at twice as many at the latest; a commit may bring a few."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What was seen in one minute, or one step of another length."""

    receiver_mb: float
    drain_mb: float
    others_mb: float
    """Of what seals and derives."""
    p50_ms: float
    p99_ms: float
    queryable_p99_s: float
    most_small_files: int
    live_mb: float
    """What stays on disk."""
    disk_mb: float
    """With files that were replaced within the hour, and the write-ahead log."""
    spans: int
    """Acknowledged since the start."""


def faults(minutes: Sequence[Minute]) -> list[str]:
    """What did not stay as it should; nothing where all is well. At least four minutes."""
    late = minutes[len(minutes) // 4 :]
    found = []
    memory = dict.fromkeys(("receiver_mb", "drain_mb", "others_mb"), MEMORY_SHARE)
    for name, share in (memory | {"p50_ms": LATENCY_SHARE}).items():
        line = trend([getattr(minute, name) for minute in late])
        if line.grows(share):
            found.append(f"{name} grew by {line.growth:.1f} ± {line.error:.1f} from a mean of {line.mean:.1f}")
    most = max(minute.most_small_files for minute in minutes)
    if most > MOST_SMALL_FILES:
        found.append(f"{most} small files in a partition, expected at most {MOST_SMALL_FILES}")
    half, last = minutes[len(minutes) // 2 - 1], minutes[-1]
    predicted = half.live_mb / half.spans * last.spans
    if abs(last.live_mb - predicted) > DISK_SHARE * predicted:
        found.append(f"{last.live_mb:,.0f} MB on disk, {predicted:,.0f} MB predicted from the first half")
    return found


def soak(scratch: Path, *, minutes: int, step_s: float, clients: int, rate: float | None) -> list[Minute]:
    """Send for so many steps, and look at the end of each. `rate` is in requests per second; None finds it."""
    with Served(scratch) as served, Watch(served.data) as watch:
        senders, sent = Senders(Http(served.http_port), requests(templates())), Sent()
        half = (_kept_up_with(senders, watch, clients) if rate is None else rate) / 2
        print(f"{half * SPANS:,.0f} spans/s", flush=True)
        whole = {"clients": clients, "duration_s": minutes * step_s, "rate": half}
        thread = threading.Thread(target=senders.run, args=(sent,), kwargs=whole, daemon=True)
        began = time.monotonic()
        thread.start()
        found: list[Minute] = []
        done = 0
        traces: list[str] = []
        for number in range(1, minutes + 1):
            time.sleep(max(0.0, began + number * step_s - time.monotonic()))
            latencies_s, done = sent.latencies_s[done:], len(sent.latencies_s)
            # Those of the last seconds may not be queryable yet.
            now, own = time.perf_counter(), dict(sent.acknowledged)
            traces = [trace for trace, moment in own.items() if now - step_s - 5 < moment < now - 5]
            waits = [max(0.0, watch.seen.get(trace, now) - own[trace]) for trace in traces]
            memory, held = served.meter.look(), footprint(served.data)
            found.append(
                Minute(
                    receiver_mb=memory["receiver"] / 1e6,
                    drain_mb=memory["drain"] / 1e6,
                    others_mb=memory["others"] / 1e6,
                    p50_ms=1000 * quantile(latencies_s, 0.5),
                    p99_ms=1000 * quantile(latencies_s, 0.99),
                    queryable_p99_s=quantile(waits, 0.99) if waits else 0.0,
                    most_small_files=held.most_small_files,
                    live_mb=held.live_bytes / 1e6,
                    disk_mb=held.total_bytes / 1e6,
                    spans=SPANS * done,
                )
            )
            print(*_lines(found)[0 if number == 1 else -1 :], sep="\n", flush=True)
        thread.join()
        if sent.failed:
            raise SystemExit(f"aftertrace answered {dict(sent.failed)}")
        watch.wait_for(set(sent.acknowledged), DRAIN_LIMIT_S)
    return found


def _kept_up_with(senders: Senders, watch: Watch, clients: int) -> float:
    """Requests per second at which tables saturate: somewhat below what a burst was stored at."""
    burst = senders.closed(clients=clients, duration_s=5.0)
    stored = watch.wait_for(set(burst.acknowledged), DRAIN_LIMIT_S)
    return SHARES[0] * len(burst.latencies_s) / (stored - burst.began)


def _lines(minutes: Sequence[Minute]) -> list[str]:
    head = ("", *Minute.__slots__)
    rows = [
        (str(number), *(f"{value:,.{0 if isinstance(value, int) else 1}f}" for value in asdict(minute).values()))
        for number, minute in enumerate(minutes, 1)
    ]
    return aligned([head, *rows])


def main() -> None:
    """Soak, print, and say what did not stay as it should; exit code 1 where there is something."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=30, metavar="N", help="how often to look, at least 4 [30]")
    parser.add_argument("--step", type=float, default=60.0, metavar="S", help="seconds that a minute has [60]")
    parser.add_argument("--clients", type=int, default=8, metavar="N", help="connections [8]")
    parser.add_argument(
        "--rate", type=float, metavar="R", help="requests/s that saturate; half is sent [found by a burst]"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the minutes here too")
    asked = parser.parse_args()
    end_in_order()
    with tempfile.TemporaryDirectory(prefix="aftertrace-soak-") as scratch:
        minutes = soak(Path(scratch), minutes=asked.minutes, step_s=asked.step, clients=asked.clients, rate=asked.rate)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(minute) for minute in minutes], indent=2) + "\n", encoding="utf-8")
    found = faults(minutes)
    print(*found or ["memory and latency are flat, files are bounded, the disk is as predicted"], sep="\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
