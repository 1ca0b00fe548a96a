"""`python -m benchmarks`: what `make bench` runs. `README.md` has figures and what they mean.

aftertrace's way in is measured, then other systems with the same clients and bytes, then what the way in costs as load
grows, and where its time goes. The whole takes about a quarter of an hour, and the other systems are installed into
.bench once.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import beside, grid, ingest, stages
from benchmarks.corpus import templates
from benchmarks.processes import end_in_order
from benchmarks.targets import targets
from google.protobuf.internal import api_implementation

from aftertrace.store import memory

PARTS: Final = ("ours", "beside", "grid", "stages")


def main() -> None:
    """Measure what is asked for, and print it."""
    asked = _parser().parse_args()
    end_in_order()
    if api_implementation.Type() != "upb":
        raise SystemExit(f"protobuf parses with {api_implementation.Type()}, expected upb: its rate is the yardstick")
    parts = asked.parts or PARTS
    kept: dict[str, Any] = {"machine": {"cores": os.cpu_count(), "load_before": os.getloadavg()}}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before: it should be near 0", flush=True)
    made_from = templates()
    profile: stages.Profile | None = None
    figures: ingest.Figures | None = None
    peers: list[beside.Outcome] = []
    if "stages" in parts:
        # As the drain of `serve` does: otherwise a twentieth of what is seen is pandas, which Arrow loads once.
        memory.arrange()
        profile = stages.measure(made_from)
        kept["stages"] = asdict(profile)
        _say("Where the time goes, on one core", stages.lines(profile))
    if "ours" in parts:
        durations = replace(ingest.Durations(), burst_s=asked.burst, sustained_s=asked.seconds, half_s=asked.half)
        with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as scratch:
            figures = ingest.measure(Path(scratch), durations, asked.clients)
        kept["ours"] = asdict(figures)
        _say("aftertrace", _flat(kept["ours"]))
    if "beside" in parts:
        others = beside.others(made_from, duration_s=asked.seconds, drain_s=asked.drain, clients=asked.clients)
        for peer in others:
            peers.append(peer)
            # A run takes long: what is measured is kept though a later part is interrupted.
            _keep(asked.json, kept | {"beside": [asdict(each) for each in peers]})
        kept["beside"] = [asdict(peer) for peer in peers]
    if figures is not None:
        _say("Side by side", beside.table([beside.ours(figures), *peers]))
        reached = targets(figures, peers, None if profile is None else profile.columns_to_parse)
        kept["targets"] = [asdict(line) for line in reached]
        rows = [(line.figure, line.wanted, line.found, "met" if line.met else "MISSED") for line in reached]
        _say("To reach", beside.aligned([("", "wanted", "found", ""), *rows]))
    elif peers:
        _say("Side by side", beside.table(peers))
    if "grid" in parts:
        found = grid.cells(asked.cell)
        kept["grid"] = [asdict(cell) for cell in found]
        _say("As load grows", grid.table(found))
    kept["machine"]["load_after"] = os.getloadavg()
    _keep(asked.json, kept)


def _keep(file: Path | None, kept: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *PARTS], help=f"of {', '.join(PARTS)} [all]")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of each system's steady load [60]")
    parser.add_argument(
        "--drain", type=float, default=300.0, metavar="S", help="a peer may then take to store it [300]"
    )
    parser.add_argument("--burst", type=float, default=5.0, metavar="S", help="of ours, before that [5]")
    parser.add_argument("--half", type=float, default=20.0, metavar="S", help="of ours, at half the rate [20]")
    parser.add_argument("--cell", type=float, default=4.0, metavar="S", help="of each combination as load grows [4]")
    parser.add_argument("--clients", type=int, default=8, metavar="N", help="connections, but as load grows [8]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser


def _flat(figures: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, figure in figures.items():
        if isinstance(figure, dict):
            found += _flat(figure, f"{name}_")
        else:
            found.append(f"{prefix + name:38} {figure:>12,.{0 if isinstance(figure, int) or figure >= 1000 else 2}f}")
    return found


def _say(title: str, lines: list[str]) -> None:
    print(f"\n{title}\n", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
