"""Making a packet: from what is asked for to the files of a bag. The same from the same store and checkpoint, byte for
byte, but for the receipt that comes last.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.documents import html
from aftertrace.analyzer.inventory.declared import Inventory
from aftertrace.analyzer.packets.asked import Asked
from aftertrace.analyzer.packets.bag_writer import BagWriter
from aftertrace.analyzer.packets.page import page
from aftertrace.analyzer.packets.told import Population, ToldRun, missing_of, population, runs_of_incident, told_run
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.records import record_document, record_json
from aftertrace.analyzer.records.rfc3339 import rfc3339
from aftertrace.analyzer.reports import near_miss_json
from aftertrace.analyzer.reports.near_miss_figures import figures
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.ledger.proving import Prover
from aftertrace.store.ledger.showing import shown
from aftertrace.store.snapshot import Snapshot, collected
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.verifier import layout
from aftertrace.verifier.about import About, Missing, Run, Sample
from aftertrace.verifier.comparing import ORIGINS, origin_line
from aftertrace.verifier.ledgers import consistency_file
from aftertrace.verifier.rows import TABLES

_COUNTS: Final = (
    "period", "filter", "floor", "totals", "before", "rate_changed", "floors", "kinds", "trend", "rates", "autonomy",
    "beside",
)  # fmt: skip
"""Members of the near-miss report that count; the others tell of single calls."""
_MICROSECOND_NS: Final = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """What packets are made from."""

    data: Path
    """Folder of the store."""
    ledgers: tuple[Path, ...]
    """Folders of ledgers, the store's own first."""
    inventory: Inventory | None = None
    policies: Mapping[str, bytes] = field(default_factory=dict)
    """By tagged digest, policies of redaction that are known."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """What else is in force, for `configuration.json`."""
    kept: tuple[Checkpoint, ...] = ()
    """Checkpoints that somebody kept, from which it is to be shown to go on."""
    software: str = "aftertrace"


@dataclass(frozen=True, slots=True)
class Made:
    """A packet that was made."""

    about: About
    digest: bytes
    """Of its last manifest."""
    entries: int
    """Of the store's own ledger, that are signed in it."""


@dataclass(slots=True)
class _Gathered:
    """What was found of the records."""

    counts: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    unproven: Counter[str] = field(default_factory=Counter)
    entries: dict[tuple[int, int], None] = field(default_factory=dict)
    origins: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in ORIGINS})


def make(bag: BagWriter, source: Source, asked: Asked) -> Made:
    """Write a packet, all but its receipt.

    Raises:
        Invalid: what is asked for is not there.
        Corrupt: the store is damaged where it is read.
        Unavailable: it cannot be read, or nothing of it is signed.
    """
    ledgers = [Prover(folder) for folder in source.ledgers]
    as_of_ns, drawn = _as_of(asked, ledgers), None
    if asked.kind == "period":
        seed = asked.seed or b64encode(ledgers[0].checkpoint.root).decode()
        drawn = population(source.data, asked, seed, source.inventory)
    runs = _runs(source, asked, as_of_ns, drawn)
    gathered = _write_records(bag, source, runs, ledgers)
    for told in runs:
        _write_run(bag, told)
    _write_ledgers(bag, source, ledgers, gathered)
    unknown = _write_policies(bag, source, gathered)
    bag.add(layout.CONFIGURATION, _pretty(dict(source.configuration)))
    if drawn is not None:
        _write_population(bag, asked, drawn)
    about = About(
        kind=asked.kind,
        title=asked.title or (f"Run {runs[0].record.run_id}" if len(runs) == 1 else f"{len(runs)} runs"),
        software=source.software,
        as_of=rfc3339(as_of_ns) or "",
        asked=asked.told(),
        runs=tuple(_run(told) for told in runs),
        counts={name: gathered.counts[name] for name in ("requests", *TABLES, *ORIGINS)},
        ledgers=len(ledgers),
        missing=(*_missing(gathered), *unknown, *missing_of(runs)),
        sample=None if drawn is None else Sample(drawn.seed, len(drawn.run_ids), len(drawn.drawn)),
    )
    bag.add(layout.ABOUT, bytes(about))
    checkpoints = tuple(" · ".join(str(ledger.checkpoint).split()) for ledger in ledgers)
    bag.add(layout.INDEX, html.written(page(about, gathered.sources, checkpoints)).encode())
    identifier = f"{asked.kind} {' '.join(run.run_id for run in about.runs[:3])}"
    return Made(about, bag.finish(identifier, source.software), ledgers[0].size)


def _as_of(asked: Asked, ledgers: Sequence[Prover]) -> int:
    """Until when what was received counts: what the checkpoints cover, or what a period counts."""
    if asked.period is not None:
        return asked.period.as_of_ns
    if asked.as_of_ns is not None:
        return asked.as_of_ns
    signed_ns = [int(last.time_ns) for ledger in ledgers if (last := ledger.last()) is not None]
    if not signed_ns:
        raise Invalid("packet: nothing is stored yet, expected a run")
    return (max(signed_ns) // _MICROSECOND_NS + 1) * _MICROSECOND_NS


def _runs(source: Source, asked: Asked, as_of_ns: int, drawn: Population | None) -> list[ToldRun]:
    if drawn is not None:
        named: Sequence[str] = drawn.drawn
    else:
        named = runs_of_incident(source.data, asked, as_of_ns, source.inventory)
    found: dict[str, ToldRun] = {}
    for text in dict.fromkeys(named):
        told = told_run(source.data, text, as_of_ns, source.inventory)
        found[told.record.run_id] = told
    return [found[run_id] for run_id in sorted(found)]


def _write_records(bag: BagWriter, source: Source, runs: Sequence[ToldRun], ledgers: Sequence[Prover]) -> _Gathered:
    """Write the rows of all runs, each once, with what proves them, and what they have in common."""
    gathered = _Gathered()
    snapshot = Snapshot.of(source.data)
    with ExitStack() as files:
        of = {table: files.enter_context(bag.opened(layout.table(table))) for table in TABLES}
        requests = files.enter_context(bag.opened(layout.REQUESTS))
        records = pl.concat([told.records for told in runs]) if runs else None
        for each in shown(snapshot, records, ledgers) if records is not None else ():
            requests.write(str(each.request))
            for table, lines in each.lines.items():
                of[table].writelines(lines)
                gathered.counts[table] += len(lines)
            gathered.counts.update(requests=1, withheld=each.withheld, otherwise=each.is_otherwise)
            gathered.policies.update(filter(None, each.records["policy_digest"]))
            gathered.sources.update(source or "not told" for source in each.records["source"])
            for table, column in ORIGINS.items():
                gathered.origins[table].update(each.records[column])
            if each.request.place is None:
                gathered.unproven[each.request.unproven or ""] += 1
            else:
                gathered.entries[each.request.place.ledger, each.request.place.entry] = None
    for table, digests in gathered.origins.items():
        gathered.counts[table] = _write_origins(bag, snapshot, table, digests)
    return gathered


def _write_origins(bag: BagWriter, snapshot: Snapshot, table: str, digests: set[str]) -> int:
    wanted = pl.Series("digest", sorted(digests), pl.String)
    rows = snapshot.scan(table, columns=("digest", "bytes", "schema_url"))
    (found,) = collected(rows.filter(pl.col("digest").is_in(wanted.implode())))
    origins = found.unique("digest").sort("digest")
    if origins.height != len(wanted):
        raise Corrupt(f"packet: {len(wanted) - origins.height} {table} are not stored; run `aftertrace verify`")
    with bag.opened(layout.table(table)) as file:
        for row in origins.iter_rows(named=True):
            file.write(origin_line(row["bytes"] or b"", row["schema_url"] or ""))
    return origins.height


def _write_run(bag: BagWriter, told: ToldRun) -> None:
    record = told.record
    document = record_document.document(record, is_packed=True)
    bag.add(layout.run(record.run_id, "record.html"), html.written(document).encode())
    bag.add(layout.run(record.run_id, "record.json"), record_json.document(record).encode())
    places = (f"{receiver}/{seq}/{index}\n" for receiver, seq, index, _ in told.records.iter_rows())
    bag.add(layout.run(record.run_id, "records.txt"), "".join(places).encode())


def _write_ledgers(bag: BagWriter, source: Source, ledgers: Sequence[Prover], gathered: _Gathered) -> None:
    for number, ledger in enumerate(ledgers, 1):
        bag.add(layout.ledger(number, "checkpoint"), bytes(ledger.note))
        bag.add(layout.ledger(number, "key"), f"{ledger.key}\n".encode())
        for entry in ledger.rotations():
            bag.add(layout.rotation(number, entry), bytes(ledger.proof(entry)))
        for older in source.kept:
            if older.origin == ledger.checkpoint.origin and older.size < ledger.size:
                content = consistency_file(ledger.goes_on_from(older))
                bag.add(layout.consistency(number, older.size), content)
    for number, entry in sorted(gathered.entries):
        bag.add(layout.proof(number, entry), bytes(ledgers[number - 1].proof(entry)))


def _write_policies(bag: BagWriter, source: Source, gathered: _Gathered) -> list[Missing]:
    """Write the policies that were in force and are known; returns the others."""
    unknown = []
    for digest, count in sorted(gathered.policies.items()):
        if digest in source.policies:
            bag.add(layout.policy(digest), source.policies[digest])
        else:
            why = "it is not the one that is configured now, and the text of earlier ones is not kept"
            unknown.append(Missing(f"policy of redaction {digest}, in force when records came", why, count))
    return unknown


def _write_population(bag: BagWriter, asked: Asked, drawn: Population) -> None:
    bag.add(layout.POPULATION, "".join(f"{run_id}\n" for run_id in drawn.run_ids).encode())
    if asked.period is not None:
        counted = json.loads(near_miss_json.written(figures(drawn.analysis, asked.period, Filter())))
        bag.add(layout.COUNTS, _pretty({name: counted[name] for name in _COUNTS}))


def _missing(gathered: _Gathered) -> list[Missing]:
    found = [
        Missing("requests of which nothing is proven", why, count) for why, count in sorted(gathered.unproven.items())
    ]
    if otherwise := gathered.counts["otherwise"]:
        why = (
            "restored_otherwise: tables were put back from a backup, and `aftertrace seal --restore` signed other rows "
            "than before; they are as they have been since"
        )
        found.append(Missing("requests of which nothing proves that their rows are as they were", why, otherwise))
    if withheld := gathered.counts["withheld"]:
        why = "they are of other runs, or nothing was read from them: of these the packet has hashes alone"
        found.append(Missing("records that came in the same requests", why, withheld))
    return found


def _run(told: ToldRun) -> Run:
    record = told.record
    answers = {answer.question: answer.state for answer in record.answers}
    return Run(record.run_id, record.agent_name, record.state, answers, told.records.height)


def _pretty(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, indent=1).encode() + b"\n"
