"""What is told of the runs of a packet: their records, and the places that those rest on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.analyzer.analysis import Analysis
from aftertrace.analyzer.inventory.declared import Inventory
from aftertrace.analyzer.opening import open_analysis, open_run
from aftertrace.analyzer.packets.asked import Asked
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.records.run_record import RunRecord
from aftertrace.store.errors import Invalid
from aftertrace.verifier.about import Missing
from aftertrace.verifier.verify import sample

PLACE: Final = ("receiver", "seq", "index", "received_date")


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run."""

    record: RunRecord
    records: pl.DataFrame
    """`receiver`, `seq`, `index`, `received_date` of the records that it is told from."""


@dataclass(frozen=True, slots=True)
class Population:
    """The runs of a period, and those that were drawn."""

    run_ids: tuple[str, ...]
    drawn: tuple[str, ...]
    seed: str
    analysis: Analysis


def told_run(data: Path, text: str, as_of_ns: int, inventory: Inventory | None) -> ToldRun:
    """A run by itself: what other runs tell beside it is left out, as they are not to be disclosed with it.

    Raises:
        Invalid: none or several runs answer to the text.
        Corrupt: a file of a table is damaged.
    """
    analysis, run_id = open_run(data, text, as_of_ns=as_of_ns, inventory=inventory)
    alone = replace(analysis, beside=lambda: None)
    identified = alone.of(run_id).identified
    records = [rows.filter(pl.col("run_id") == run_id).select(PLACE) for rows in (identified.spans, identified.events)]
    record = alone.record(run_id)
    findings = tuple(finding for finding in record.findings if not finding.other_runs)
    return ToldRun(replace(record, findings=findings), pl.concat(records).unique(PLACE[:3]).sort(PLACE[:3]))


def runs_of_incident(data: Path, asked: Asked, as_of_ns: int, inventory: Inventory | None) -> list[str]:
    """The runs that an incident names, and those that its texts lead to.

    Raises:
        Invalid: a text leads to none.
    """
    runs = list(asked.runs)
    if asked.find:
        analysis = open_analysis(data, as_of_ns=as_of_ns, inventory=inventory)
        for texts in asked.find:
            within = Filter(since_ns=asked.since_ns, until_ns=asked.until_ns)
            found = analysis.finds(texts, within)["run_id"].drop_nulls().unique().sort().to_list()
            if not found:
                raise Invalid(f"packet: nothing on record names {' '.join(texts)!r}, expected a run that does")
            runs += found
    return runs


def population(data: Path, asked: Asked, seed: str, inventory: Inventory | None) -> Population:
    """The runs that began in a period, and those that the seed draws.

    Raises:
        Invalid: none is asked for.
    """
    if asked.period is None:
        raise Invalid("packet: no period, expected one")
    analysis = open_analysis(data, as_of_ns=asked.period.as_of_ns, inventory=inventory)
    runs = analysis.select("runs", asked.period.within(Filter()))
    run_ids = sorted(runs["run_id"].to_list())
    return Population(tuple(run_ids), tuple(sample(seed, run_ids, asked.sample)), seed, analysis)


def missing_of(runs: list[ToldRun]) -> Iterator[Missing]:
    """What the telemetry of some runs does not tell, and why."""
    for told in runs:
        record = told.record
        for answer in (*record.answers, *record.more_answers):
            if answer.state != "known":
                why = answer.switch_on or "the telemetry does not tell it"
                yield Missing(f"answer about {answer.question} of run {record.run_id} ({answer.state})", why)
        if record.missing:
            why = "other records name them, and they were never received"
            yield Missing(f"records of run {record.run_id}", why, record.missing)
    yield Missing("what other runs tell beside these", "they are not disclosed: changes before, races, shared objects")
    yield Missing(
        "proof that nothing else happened", "what was never sent was never stored, and no ledger can tell of it"
    )
