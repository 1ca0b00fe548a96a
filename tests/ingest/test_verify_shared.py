"""verify with several processes finds what one finds, whatever was done to the store and whatever becomes of them."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.served import gone

from aftertrace.ingest.drain import DrainOptions
from aftertrace.store import lookup
from aftertrace.store.errors import Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.processes import Begun, Processes, _Reader
from aftertrace.store.verify import Asked, rows, verify
from aftertrace.store.verify.hashing import Hashed, Piece

from .drain_samples import drain, logs, new_store, send, traces
from .forging import files_of, flip, rewrite, with_value
from .test_erasure import erase

FILES = 6
"""Of each table."""
Change = Callable[[Layout], object]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Files of two receivers, of which one has erased rows; all is signed."""
    layout = new_store(tmp_path_factory.mktemp("ready") / "data")
    for number in range(1, FILES):
        send(layout, traces(number, 3), records=3)
        drain(layout, DrainOptions(fold_at=99))
    send(layout, logs(FILES), logs(FILES + 1), signal="logs", receiver="import")
    drain(layout, DrainOptions(fold_at=99))
    seal(layout)
    erase(layout, ("main", 2, 0))
    return layout


@pytest.fixture
def held(ready: Layout, tmp_path: Path) -> Layout:
    """The same, of this test's own."""
    layout = Layout(tmp_path / "held")
    shutil.copytree(ready.data, layout.data)
    return layout


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Waits for readers that are starting, and leaves all to them; id of the process and file of each piece."""
    pieces: list[tuple[int, str]] = []
    take, finish = Processes._take, Processes._finish

    def taken(self: Processes[Piece, Hashed], reader: _Reader[Piece, Hashed]) -> Begun[Piece, Hashed] | None:
        begun = take(self, reader)
        if begun is not None:
            pieces.append((reader.process.pid, f"{begun.piece.table}/{begun.piece.path}"))
        return begun

    def left(self: Processes[Piece, Hashed], needed: Begun[Piece, Hashed], coming: Any) -> None:
        with self._changed:
            self._changed.wait_for(lambda: needed.told or not self._readers)
        finish(self, needed, coming)

    monkeypatch.setattr(Processes, "_take", taken)
    monkeypatch.setattr(Processes, "_finish", left)
    return pieces


def nothing(_: Layout) -> None:
    """The store as it is."""


def changed_rows(layout: Layout) -> None:
    """Values of a request changed in all tables, and digests made to fit."""
    for table in ("evidence", "spans", "events"):
        rewrite(layout, lambda found: with_value(found, "source", "somebody"), table, seq=3)


def spoiled_files(layout: Layout) -> None:
    """One gone, one that is none, one flipped; a lookup file flipped, one gone and one of another file."""
    for table in ("evidence", "spans", "events"):
        one, two, three, *_ = files_of(layout, table)
        one.unlink()
        two.write_bytes(b"PAR1")
        flip(three, 8 * 99)
    one, two, three, four, *_ = (
        layout.tables_folder / lookup.key_of("spans", str(path.relative_to(layout.tables_folder / "spans")))
        for path in files_of(layout, "spans")
    )
    flip(two, 8 * 20)
    three.unlink()
    shutil.copy(one, four)


def more_rows(layout: Layout) -> None:
    """Rows twice, rows gone, and rows of an erased record put back with another index."""
    rewrite(layout, lambda found: found.take([0, 0, *range(1, found.num_rows)]), "spans", seq=4)
    rewrite(layout, lambda found: found.slice(1), "events", seq=5)
    rewrite(layout, lambda found: with_value(found, "index", 0), "evidence", seq=2)


@pytest.mark.parametrize("change", [nothing, changed_rows, spoiled_files, more_rows])
def test_several_processes_find_what_one_finds(held: Layout, given: list[tuple[int, str]], change: Change) -> None:
    """The same report, value for value; they have worked, and end with it."""
    change(held)
    alone = verify(held, Asked(patience_s=0, readers=0))
    assert given == []
    assert verify(held, Asked(patience_s=0, readers=2)) == alone
    assert ("error" in {found.severity for found in alone.findings}) == (change is not nothing)
    assert {path.partition("/")[0] for _, path in given} >= {"evidence", "spans", "events"}
    gone(list({process for process, _ in given}))


def test_a_part_is_verified_by_several_too(ready: Layout, given: list[tuple[int, str]]) -> None:
    """Some requests, of which one has erased rows."""
    chosen = {("main", 2), ("main", 4), ("import", 1)}
    alone = verify(ready, Asked(requests=chosen, patience_s=0, readers=0))
    assert (alone.requests, alone.records) == (3, 7)
    assert verify(ready, Asked(requests=chosen, patience_s=0, readers=1)) == alone
    assert given != []


def test_progress_is_told_file_by_file(ready: Layout, given: list[tuple[int, str]]) -> None:
    """In the same steps as one process does."""
    alone: list[int] = []
    shared: list[int] = []
    verify(ready, Asked(patience_s=0, readers=0), alone.append)
    verify(ready, Asked(patience_s=0, readers=1), shared.append)
    assert shared == alone == sorted(set(alone))
    assert given != []


def test_it_goes_on_alone_where_no_other_process_stays(
    ready: Layout, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And finds the same."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with caplog.at_level(logging.WARNING):
        assert verify(ready, Asked(patience_s=0, readers=1)) == verify(ready, Asked(patience_s=0, readers=0))


def test_what_a_reader_cannot_reach_is_told_here(held: Layout, given: list[tuple[int, str]]) -> None:
    """It says nothing of what is stored, so it is no finding."""
    first = files_of(held, "evidence")[0]
    first.unlink()
    first.mkdir()
    with pytest.raises(Unavailable, match="Is a directory"):
        verify(held, Asked(patience_s=0, readers=1))
    assert given[0][1] == f"evidence/{first.relative_to(held.tables_folder / 'evidence')}"
    gone(list({process for process, _ in given}))


def test_others_are_started_where_there_is_much_to_read(
    ready: Layout, given: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for what this process has read before they are there."""
    monkeypatch.setattr(rows, "spare_cores", lambda: 1)
    verify(ready, Asked(patience_s=0))
    assert given == []
    monkeypatch.setattr(rows, "WORTH_BYTES", 1)
    verify(ready, Asked(patience_s=0))
    assert given != []
