"""The page to begin with: what a packet is, what is in it, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aftertrace.analyzer.documents.document import (
    Code,
    Document,
    Fact,
    Facts,
    Line,
    Paragraph,
    Part,
    Points,
    Table,
)
from aftertrace.verifier.about import About

_SHOWN: Final = 200


def page(about: About, sources: Mapping[str, int], checkpoints: tuple[str, ...]) -> Document:
    """The page of a packet.

    Args:
        about: what it says of itself.
        sources: who sent its records, and how many.
        checkpoints: what was signed, a text for each ledger.
    """
    counts = about.counts
    parts = [
        Part(
            "",
            (
                Paragraph(
                    "Evidence that was taken out of an aftertrace store, with proofs that it is what was stored. What "
                    "people wrote about it later is not in it."
                ),
                Facts(
                    (
                        Fact("Runs", f"{len(about.runs):,}"),
                        Fact("Records", f"{counts['evidence']:,}"),
                        Fact("Requests", f"{counts['requests']:,}"),
                    )
                ),
            ),
        ),
        Part("Runs", (_runs(about),)),
        Part("What is not in it, and why", (_missing(about),)),
        Part("Who sent it", (Points(tuple(f"{name}: {count:,} records" for name, count in sorted(sources.items()))),)),
        *_sample(about),
        Part(
            "How to check it",
            (
                Points(
                    (
                        ("Get ", Code("aftertrace-verify"), " from elsewhere: what came with a packet proves nothing."),
                        ("Get the key from elsewhere, such as from who was told it when the store was set up."),
                        ("Run ", Code("aftertrace-verify PACKET --key KEY"), "."),
                    ),
                    ordered=True,
                ),
                Paragraph("What was signed:"),
                Points(checkpoints),
            ),
        ),
    ]
    return Document(about.title, tuple(parts), ("by what was received before ", Code(about.as_of)))


def _runs(about: About) -> Table:
    rows: list[tuple[Line, ...]] = []
    for run in about.runs[:_SHOWN]:
        known = sum(state == "known" for state in run.answers.values())
        told = f"{known} of {len(run.answers)}"
        rows.append((run.agent or "not told", run.state, told, f"{run.records:,}", f"runs/{run.run_id}/record.html"))
    left = len(about.runs) - _SHOWN
    return Table(
        ("agent", "state", "answers known", "records:", "page"),
        tuple(rows),
        more=f"{left:,} more are in packet.json" if left > 0 else "",
    )


def _missing(about: About) -> Table:
    rows = [("" if each.count is None else f"{each.count:,}", each.what, each.why) for each in about.missing[:_SHOWN]]
    left = len(about.missing) - _SHOWN
    return Table(("count:", "what", "why"), tuple(rows), more=f"{left:,} more are in packet.json" if left > 0 else "")


def _sample(about: About) -> tuple[Part, ...]:
    if about.sample is None:
        return ()
    told = about.sample
    text = (
        f"{told.chosen:,} of {told.runs:,} runs that began in the period: those whose SHA-256 of the seed, a line end "
        "and the id of the run is least. The ids of all are in population/runs.txt, the counts of the period in "
        "population/near-misses.json."
    )
    return (Part("How the runs were drawn", (Paragraph(text), Facts((Fact("Seed", told.seed),), small=True))),)
