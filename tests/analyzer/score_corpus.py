"""Score the analyzer on the whole corpus and print the tables: `PYTHONPATH=tests python -m analyzer.score_corpus`.

Further options go to the corpus' converter, such as `--limit 200` or `--drop-rate 0.01`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from . import corpus
from .frames import LATER_NS


def score_variant(variant: corpus.Variant, further: list[str]) -> list[corpus.Cell]:
    """Score one variant, and print its table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus.convert(folder, [*variant.options, *further])
        began = time.monotonic()
        stored = corpus.read(folder)
        decoded = time.monotonic()
        calls = stored.analysis(LATER_NS).calls
        analysed = time.monotonic()
        cells, scored = corpus.score(folder, calls)
    print(f"\n### {variant.title}\n\n{corpus.table(cells)}\n")
    print(
        f"{stored.spans.height:,} spans and {stored.events.height:,} events read in {decoded - began:.0f} s, "
        f"{calls.height:,} calls found in {analysed - decoded:.1f} s; "
        f"{scored['missed']} calls missed, {scored['extra']} invented, "
        f"{scored['wrong_and_explicit']} wrong although explicit.",
        flush=True,
    )
    return cells


def main() -> int:
    """Score the variants that are asked for. The exit code is 1 where an outcome misses the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=[variant.title for variant in corpus.VARIANTS], action="append")
    chosen, further = parser.parse_known_args()
    reason = corpus.missing()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 2
    wanted = [variant for variant in corpus.VARIANTS if variant.title in (chosen.variant or [variant.title])]
    scores = {variant.title: score_variant(variant, further) for variant in wanted}
    print(f"\n{corpus.summary(scores)}")
    missed = [
        cell
        for variant in wanted
        for cell in scores[variant.title]
        if not cell.holds and cell.outcome not in variant.blurred
    ]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
