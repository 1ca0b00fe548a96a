"""What was to be reached on the way in, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.beside import Outcome
from benchmarks.ingest import Figures


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table."""

    figure: str
    wanted: str
    found: str
    met: bool


def targets(figures: Figures, peers: Sequence[Outcome], decode_to_parse: float | None) -> list[Target]:
    """Each target whose figures were measured in this run."""
    rate = figures.sustained.queryable_spans_per_s
    lines = []
    for name, times in (("MLflow", 20), ("Phoenix", 200)):
        for peer in peers:
            if peer.system.startswith(name) and peer.counted:
                ratio = rate / peer.queryable_per_s
                lines.append(
                    Target(f"queryable against {name}, all on", f"≥ {times} x", f"{ratio:.1f} x", ratio >= times)
                )
    burst = figures.acknowledged_to_parse
    lines.append(Target("durable ack rate in a burst against parsing", "≥ 0.4 x", f"{burst:.3f} x", burst >= 0.4))
    if decode_to_parse is not None:
        found = f"{decode_to_parse:.3f} x"
        lines.append(Target("records to columns against parsing", "≥ 0.35 x", found, decode_to_parse >= 0.35))
    p50, p99 = figures.half.ack_p50_ms, figures.half.ack_p99_ms
    lines.append(
        Target(
            "ack at half the rate: p50, p99", "≤ 3 ms, ≤ 25 ms", f"{p50:.1f} ms, {p99:.1f} ms", p50 <= 3 and p99 <= 25
        )
    )
    fresh = figures.sustained.queryable_p99_s
    lines.append(Target("acknowledged to queryable, p99", "≤ 2 s", f"{fresh:.2f} s", fresh <= 2))
    peak = figures.receiver_peak_mb + figures.drain_peak_mb
    lines.append(Target("memory of receiver and drain", "≤ 1,000 MB", f"{peak:,.0f} MB", peak <= 1000))
    size = figures.bytes_per_span
    lines.append(Target("bytes per span, all tables", "≤ 400", f"{size:,.0f}", size <= 400))
    lines.append(Target("acknowledged and not counted", "0", f"{figures.lost}", figures.lost == 0))
    return lines
