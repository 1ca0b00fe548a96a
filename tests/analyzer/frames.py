"""Export requests as the frames that the analyzer reads: the drain's own steps, without a disk.

Receive times and pointers are counted up from fixed values, so that the same requests give the same frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from aftertrace.analyzer import Analysis, Tables, analyse
from aftertrace.analyzer.reading.tables import EVIDENCE, Noted
from aftertrace.ingest import files
from aftertrace.ingest.batch import Known, read_batch
from aftertrace.ingest.duplicates import DuplicateWindow
from aftertrace.ingest.opened import Opened
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.readers import Readers
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.ingest.same_ids import SameIds
from aftertrace.store import schema
from aftertrace.store.frame import Frame
from aftertrace.store.request import Request

if TYPE_CHECKING:
    from datetime import date

    from aftertrace.ingest.places import Place
    from aftertrace.ingest.tellings import Telling
    from aftertrace.store.quarantine import PutAside
    from aftertrace.store.refusals import Refusals
    from aftertrace.store.request import Encoding, Signal

RECEIVED_NS: Final = 1_800_000_000 * 10**9
"""When the first request was received; each later one a microsecond after."""
LATER_NS: Final = RECEIVED_NS + 1_000 * 10**9
"""When an analysis looks: minutes later, so that a run without a closed root is still open."""
RECORDINGS: Final = Path(__file__).parents[1] / "testdata" / "otlp"
LOGS: Final = Path(__file__).parents[1] / "testdata" / "logs"
"""Files that are imported, each in a folder of its format."""

_KEY: Final = bytes(32)
_FRAMES_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Frames:
    """The rows of `spans`, `events` and `evidence`."""

    spans: pl.DataFrame
    events: pl.DataFrame
    evidence: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EVIDENCE))

    def analysis(self, now_ns: int = LATER_NS) -> Analysis:
        """An analysis of them."""
        return analyse(self.tables(), version="test", now_ns=now_ns)

    def tables(self, *refused: Refusals, put_aside: tuple[PutAside, ...] = ()) -> Tables:
        """What an analysis reads, with what is noted beside it."""
        lazy = (frame.lazy() for frame in (self.spans, self.events, self.evidence))
        return Tables(*lazy, lambda: Noted(refused, put_aside))


def of_requests(requests: Iterable[tuple[Signal, Encoding, bytes]], policy: RedactionPolicy | None = None) -> Frames:
    """What is stored of export requests: prepared, split, read by the dialects, duplicates left out."""
    prepare = make_prepare(policy or RedactionPolicy(), limits=Limits(), key=_KEY)
    tellings: dict[Place, Telling] = {}
    known = Known(
        DuplicateWindow(_nothing_before, RECORDINGS),
        SameIds(_nothing_before, lambda _, places: {place: tellings[place] for place in places}, RECORDINGS),
    )
    stored = {name: [schema.TABLES[name].schema.empty_table()] for name in ("spans", "events", "evidence")}
    for some in _batches(_frames(prepare, requests)):
        opened = Opened("main", _KEY, Readers(0), lambda _: ())
        opened.add(some)
        batch = read_batch(opened, known, {})
        tellings |= {item.place: item.telling for item in batch.items}
        assert batch.findings == []
        for table, found in stored.items():
            found.append(batch.rows(table, 0))
    return Frames(*(_polars(stored[name]) for name in ("spans", "events", "evidence")))


@cache
def of_recording(path: Path) -> Frames:
    """What is stored of a recording: a request per line, as `{"signal": ..., "request": ...}`."""
    return of_requests(lines(path))


@cache
def told_of(path: Path) -> Analysis:
    """The analysis of a recording: the same one for all tests, which change nothing of it."""
    return of_recording(path).analysis()


def of_files(*paths: Path) -> Frames:
    """What is stored of files that are imported one after the other. Nothing of them is refused."""
    items: list[files.Item] = []
    for path in paths:
        with files.opened(path) as source:
            for item in files.read(source):
                assert isinstance(item, files.Item), item
                items.append(item)
    return of_requests((item.signal, item.encoding, item.body) for item in items)


def recording(emitter: str, case: str) -> Frames:
    """What is stored of a recording in `tests/testdata`."""
    return of_recording(RECORDINGS / emitter / f"{case}.otlp.jsonl")


def lines(path: Path) -> Iterator[tuple[Signal, Encoding, bytes]]:
    """The requests of a recording."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            exported: dict[str, Any] = json.loads(line)
            yield exported["signal"], "json", json.dumps(exported["request"]).encode()


def _frames(prepare: Any, requests: Iterable[tuple[Signal, Encoding, bytes]]) -> Iterator[Frame]:
    for seq, (signal, encoding, body) in zip(count(1), requests, strict=False):
        received_ns = RECEIVED_NS + seq * 1_000
        prepared = prepare(Request(signal, encoding, body, "anonymous", received_ns))
        if prepared.store:
            yield Frame(
                receiver="main",
                seq=seq,
                previous=b"",
                digest=b"",
                salt=bytes(16),
                received_ns=received_ns,
                signal=signal,
                source="anonymous",
                records=prepared.records,
                keys=prepared.keys,
                redactions=sum(times for _, times in prepared.redactions),
                policy=prepared.policy,
                payload=prepared.payload,
            )


def _nothing_before(_: date) -> tuple[pl.DataFrame, ...]:
    return ()


def _polars(tables: list[pa.Table]) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while some := list(islice(frames, _FRAMES_AT_ONCE)):
        yield some
