"""Prompts whole, as the evidence holds them: the tables have how they begin, and what they are compared by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer import Analysis
    from aftertrace.analyzer.records.call_record import Reference
    from aftertrace.analyzer.records.run_record import RunRecord
    from aftertrace.store.snapshot import Snapshot

CHARACTERS: Final = 262_144
"""Of a prompt as much is compared."""
LINES: Final = 5_000
"""And so many lines: to compare takes the longer the more there are of both."""


@dataclass(frozen=True, slots=True)
class WholePrompt:
    """The prompt of one run, without what differs from run to run."""

    text: str
    is_cut: bool
    """Whether it is longer than what is compared."""
    is_set_apart: bool
    """Whether it is known which of its values differ from run to run."""


def whole_prompt(analysis: Analysis, snapshot: Snapshot, run_id: str, whose: dict[str, Any]) -> WholePrompt | None:
    """The whole prompt of an agent in a run; None where the evidence does not hold it, or wording, not values, differs
    from run to run, so that only what is common can be compared.

    Args:
        analysis: of the store.
        snapshot: of the store.
        run_id: the run.
        whose: the agent: columns of `sightings.ROLE`.

    Raises:
        Corrupt: what is stored is damaged.
    """
    import polars as pl

    from aftertrace.analyzer.configurations.sightings import ROLE
    from aftertrace.cli.evidence_lines import evidence_parts
    from aftertrace.ingest.contents import content_of
    from aftertrace.semconv.wording import split

    mine = analysis.versioned.filter(
        pl.col("run_id") == run_id, *(pl.col(name).eq_missing(pl.lit(whose[name])) for name in ROLE)
    )
    if not mine.height or "wording" in mine["set_apart"][0]:
        return None
    row = mine.row(0, named=True)
    for place, digest in _told(analysis, run_id, row):
        ((signal, part),) = evidence_parts(snapshot, pl.DataFrame({"record": [place]}))
        text = content_of(signal, part, digest)
        if text is not None:
            begins = "\n".join(text[:CHARACTERS].split("\n")[:LINES])
            told = split(begins)
            settings = range(len(told.values)) if row["settings"] is None else row["settings"]
            return WholePrompt(told.rendered(frozenset(settings)), len(begins) < len(text), row["settings"] is not None)
    return None


def with_whole_texts(record: RunRecord, other: RunRecord, snapshot: Snapshot) -> RunRecord:
    """The record with its system prompts and inputs whole, but for those that another record has as well: where the
    evidence holds what the tables have the beginning of, and it is no longer than what is compared. Raises `Corrupt`.
    """
    made = record.configuration
    same = {text.digest for text in (*other.configuration.system_prompts, *(each.text for each in other.inputs))}

    def whole(text: Reference) -> Reference:
        return text if text.digest in same else _whole(text, snapshot)

    prompts = tuple(whole(each) for each in made.system_prompts)
    inputs = tuple(replace(each, text=whole(each.text)) for each in record.inputs)
    return replace(record, configuration=replace(made, system_prompts=prompts), inputs=inputs)


def _whole(text: Reference, snapshot: Snapshot) -> Reference:
    import polars as pl

    from aftertrace.analyzer.configurations.sightings import KEPT_CHARACTERS
    from aftertrace.cli.evidence_lines import evidence_parts
    from aftertrace.ingest.contents import content_of

    if text.begins is None or text.digest is None or len(text.begins) != KEPT_CHARACTERS:
        return text
    ((signal, part),) = evidence_parts(snapshot, pl.DataFrame({"record": [text.evidence]}))
    whole = content_of(signal, part, text.digest)
    if whole is None or len(whole) > CHARACTERS or whole.count("\n") >= LINES:
        return text
    return replace(text, begins=whole)


def _told(analysis: Analysis, run_id: str, row: dict[str, Any]) -> list[tuple[str, str]]:
    """Where the prompt of a run is told, and the digest of what is told there: one place is enough."""
    import polars as pl

    events: pl.DataFrame = analysis.of(run_id).identified.events
    return (
        events.filter(
            pl.col("run_id") == run_id,
            pl.col("event") == "input.resolved",
            pl.col("state") == "system_prompt",
            pl.col("content").is_not_null(),
            pl.coalesce("system_prompt_digest", "content_digest") == row["system_prompt_digest"],
        )
        .sort("time_ns", "pointer")
        .select("pointer", "content_digest")
        .drop_nulls()
        .head(1)
        .rows()
    )
