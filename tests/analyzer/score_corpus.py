"""Score the analyzer on the whole corpus and print the tables: `PYTHONPATH=tests python -m analyzer.score_corpus`.

The telemetry is sent twice in part, out of order, and with traces that are split; `--loss` drops one span or record of
a hundred as well, `--clean` leaves everything as it was made. Further options go to the corpus' converter, such as
`--limit 200` or `--seed 7`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from . import corpus
from .frames import LATER_NS, Frames


@dataclass(frozen=True, slots=True)
class Score:
    """What came of one variant."""

    variant: corpus.Variant
    cells: list[corpus.Cell]
    calls: int
    missed: int
    """True calls that were not found."""
    invented: int
    """Calls that were found and are none."""
    wrong_although_explicit: int
    unresolved: int
    """Calls that are said to be unknowable."""
    ran: int
    """Calls of runs in which every call ran."""
    false_near_misses: int
    """Near misses among those."""

    @property
    def misses(self) -> list[corpus.Cell]:
        """The outcomes that do not reach the bar."""
        return [cell for cell in self.cells if not cell.holds and cell.outcome not in self.variant.blurred]


def score_variant(variant: corpus.Variant, further: Sequence[str]) -> Score:
    """Score one variant, and print its table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus.convert(folder, [*variant.options, *further])
        began = time.monotonic()
        stored = corpus.read(folder)
        print(
            f"\n{variant.title}: {stored.spans.height:,} spans and {stored.events.height:,} events read "
            f"in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        return scored(variant, folder, stored)


def scored(variant: corpus.Variant, folder: Path, stored: Frames) -> Score:
    """The score of what is stored of a converted corpus, and its table."""
    calls = stored.analysis(LATER_NS).calls
    cells, told = corpus.score(folder, calls, variant.scoring)
    ran = corpus.of_runs_that_all_ran(folder, calls)
    print(f"\n{corpus.table(cells)}", flush=True)
    return Score(
        variant=variant,
        cells=cells,
        calls=calls.height,
        missed=told["missed"],
        invented=told["extra"],
        wrong_although_explicit=told["wrong_and_explicit"],
        unresolved=calls.filter(pl.col("outcome") == "unresolved").height,
        ran=ran.height,
        false_near_misses=ran.filter("near_miss").height,
    )


def counts(scores: Sequence[Score]) -> str:
    """What precision and recall do not show, as a Markdown table."""
    heads = ("calls", "missed", "invented", "wrong although explicit", "unresolved", "in runs where all ran")
    lines = [f"| telemetry | {' | '.join(heads)} | near misses there |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {score.variant.title} | {score.calls:,} | {score.missed} | {score.invented} "
        f"| {score.wrong_although_explicit} | {score.unresolved} | {score.ran:,} | {score.false_near_misses} |"
        for score in scores
    ]
    return "\n".join(lines)


def main() -> int:
    """Score the variants that are asked for. The exit code is 1 where an outcome misses the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=[variant.title for variant in corpus.VARIANTS], action="append")
    parser.add_argument("--clean", action="store_true", help="nothing is repeated, out of order or split")
    parser.add_argument("--loss", action="store_true", help="one span or record of a hundred is lost")
    chosen, further = parser.parse_known_args()
    reason = corpus.missing()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 2
    options = [*(() if chosen.clean else corpus.NOISE), *(corpus.LOSS if chosen.loss else ()), *further]
    wanted = [variant for variant in corpus.VARIANTS if variant.title in (chosen.variant or [variant.title])]
    scores = [score_variant(variant, options) for variant in wanted]
    print(f"\n{corpus.summary({score.variant.title: score.cells for score in scores})}\n\n{counts(scores)}")
    wrong = any(score.wrong_although_explicit or score.false_near_misses for score in scores)
    return int(wrong or (not chosen.loss and any(score.misses for score in scores)))


if __name__ == "__main__":
    sys.exit(main())
