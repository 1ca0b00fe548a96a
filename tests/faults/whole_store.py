"""A store that has a file of every class that there can be, made in the ways in which they come to be."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.ingest.drain_samples import DAY_NS, NOON_NS, drain, logs, new_store, send, traces
from tests.ingest.forging import flip
from tests.ingest.referring import order_contents, refer, spans_of, tool_call

from aftertrace.analyzer.derived.deriving import derive
from aftertrace.ingest.drain import DrainOptions
from aftertrace.store import reads, tables
from aftertrace.store.commentary.comments import Comment, Subject
from aftertrace.store.commentary.log import add
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout, segments
from aftertrace.store.ledger import acts, exports, rotating
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.refusals import RefusalLog

OLD, NEW = date(2025, 11, 25), date(2025, 11, 26)
"""Days of contents: those of the first are destroyed by their term."""


PACKETS = 240


def turn(layout: Layout) -> None:
    """What was sent and asked for is stored, entered and signed."""
    drain(layout, DrainOptions(fold_at=2))
    seal(layout)


def whole_store(data: Path) -> tuple[Layout, dict[Path, bytes]]:
    """A store with all that one folder can have; and what its files held before the last requests came."""
    layout = new_store(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "CHECKPOINT_EVERY", 3)
        for number in range(1, 6):
            send(layout, traces(number))
            turn(layout)
        _contents(layout)
        _damage(layout)
        _packets(layout)
        _people(layout, "2025-11-24")
        older = {path: path.read_bytes() for path in files_in(layout)}
        _people(layout, "2025-11-25")
        rotating.ask(layout)
        turn(layout)
        send(layout, logs(6), signal="logs", receiver="import")
        turn(layout)
        derive(data, now_ns=NOON_NS + 2 * DAY_NS)
    return layout, older


def lake_store(folder: Path) -> Layout:
    """A data folder whose tables are in a lake, with a hold that others are to keep, too."""
    layout = open_folder(folder / "west", str(folder / "lake"))
    send(layout, traces(1), receiver="west")
    turn(layout)
    acts.ask_hold(layout, "source", "anonymous", "bob", "case 7")
    turn(layout)
    return layout


def files_in(layout: Layout) -> list[Path]:
    """All files of a store with something in them, also of the lake that it shares."""
    folders = [layout.data, layout.tables_folder] if layout.is_shared else [layout.data]
    found = (path for folder in folders for path in folder.rglob("*"))
    return sorted(path for path in found if path.is_file() and not path.is_symlink() and path.stat().st_size)


def _contents(layout: Layout) -> None:
    """Large contents of two days, of which the first is over."""
    for number, day in enumerate((OLD, NEW)):
        results = (f"result {number}, " * 60, f"another {number}, " * 60)
        told = (spans_of(tool_call(1, each), trace=70 + 2 * number + at) for at, each in enumerate(results))
        refer(layout, *told, received_ns=NOON_NS + (day - OLD).days * DAY_NS)
        turn(layout)
    order_contents(layout, date(2025, 12, 26))
    for _ in range(2):
        turn(layout)


def _damage(layout: Layout) -> None:
    """A request that the disk lost before it was stored; its segment goes with the next one."""
    send(layout, traces(8), traces(9), traces(10))
    flip(segments(layout.wal("main"))[-1], 8 * 900)
    turn(layout)
    send(layout, traces(11))
    turn(layout)


def _packets(layout: Layout) -> None:
    """So many were made that a bundle of entries is full."""
    for number in range(PACKETS):
        exports.ask(layout, "run", 1, number.to_bytes(32, "big"))
    turn(layout)


def _people(layout: Layout, day: str) -> None:
    """Who read and commented, and who was refused on a day."""
    RefusalLog(layout, "main").update(day, [("agent", "traces", 413, 2), ("unknown", "logs", 401, 7)])
    for number in range(3):
        reads.leave(layout, how="sql", what=f"select {number}", at_ns=NOON_NS + number)
        comment = Comment(
            time_ns=str(NOON_NS), author="Ana", account="ana", kind="note", about=(Subject("run", "5ca1"),),
            text=f"Note {number}.",
        )  # fmt: skip
        add(layout, comment)
    turn(layout)
