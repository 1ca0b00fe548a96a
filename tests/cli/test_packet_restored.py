"""Packets of a store whose tables were put back, and became other rows: whoever gets one is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.ingest.drain_samples import drain, new_store, send, traces

from aftertrace.ingest import dialects
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.proving import Prover
from aftertrace.store.ledger.showing import shown
from aftertrace.store.snapshot import Snapshot
from aftertrace.tlog.keys import VerifierKey
from aftertrace.verifier import layout as inside
from aftertrace.verifier.archive import Archive
from aftertrace.verifier.members import content
from aftertrace.verifier.verify import verify_packet

OTHERWISE = "requests of which nothing proves that their rows are as they were"
TRACES = {seq: f"{seq:032x}" for seq in (1, 2, 3)}


def put_back(aftertrace: Command, folder: Path, *, is_otherwise: bool) -> Layout:
    """Three requests; tables were put back from before the second, which another dialect read before, or the same."""
    layout = new_store(folder / "data")
    send(layout, traces(1))
    drain(layout)
    shutil.copytree(layout.tables_folder, folder / "backup")
    with pytest.MonkeyPatch.context() as patch:
        if is_otherwise:
            patch.setattr(dialects, "DIALECTS", dialects.DIALECTS[-1:])
        send(layout, traces(2))
        drain(layout)
    assert aftertrace("seal", "--data", layout.data).code == 0
    shutil.move(layout.tables_folder, folder / "before")
    shutil.copytree(folder / "backup", layout.tables_folder)
    drain(layout)
    assert aftertrace("seal", "--data", layout.data, "--restore").code == 0
    send(layout, traces(3))
    drain(layout)
    assert aftertrace("seal", "--data", layout.data).code == 0
    return layout


def packet(aftertrace: Command, layout: Layout, seq: int, file: Path) -> dict[str, Any]:
    """What a packet of the run of a request says of itself; it verifies."""
    done = aftertrace("packet", TRACES[seq], "--data", layout.data, "--out", file)
    assert (done.code, done.err) == (0, "")
    key = VerifierKey.parse(layout.ledger_key.read_text().strip())
    assert tuple(verify_packet(file, [key]).verdicts.values()) == ("holds",) * 3
    told: dict[str, Any] = json.loads(content(Archive(file), inside.ABOUT, 1 << 20))
    return told


@pytest.mark.parametrize("is_otherwise", [True, False], ids=["otherwise", "control"])
def test_a_packet_says_which_of_its_rows_were_others_before_a_restore(
    aftertrace: Command, tmp_path: Path, is_otherwise: bool
) -> None:
    """Of the run whose rows they are; not of others in the same store, nor where they became what they were."""
    layout = put_back(aftertrace, tmp_path, is_otherwise=is_otherwise)
    said = {
        seq: [
            (each["why"].partition(":")[0], each["count"])
            for each in packet(aftertrace, layout, seq, tmp_path / f"{seq}.zip")["missing"]
            if each["what"] == OTHERWISE
        ]
        for seq in TRACES
    }
    assert said == {1: [], 2: [("restored_otherwise", 1)] if is_otherwise else [], 3: []}
    said_of_it = aftertrace("verify", tmp_path / "2.zip", "--key", layout.ledger_key).out
    assert (f"not in it     1 {OTHERWISE}: restored_otherwise" in said_of_it) == is_otherwise


def test_rows_that_an_earlier_entry_had_are_not_proven_by_it(aftertrace: Command, tmp_path: Path) -> None:
    """Put in the place of those that the last one has: what it tells counts, as for `verify` of the store."""
    layout = put_back(aftertrace, tmp_path, is_otherwise=True)

    def told() -> list[tuple[bool, str | None, bool]]:
        snapshot = Snapshot.of(layout.data)
        records = snapshot.scan("evidence").select("receiver", "seq", "index", "received_date").collect()
        found = shown(snapshot, records.filter(records["seq"] < 3), [Prover(layout.ledger)])
        return [(each.request.place is not None, each.request.unproven, each.is_otherwise) for each in found]

    assert told() == [(True, None, False), (True, None, True)]
    shutil.rmtree(layout.tables_folder)
    shutil.copytree(tmp_path / "before", layout.tables_folder)
    why = "its rows are others than the ledger has: run `aftertrace verify`"
    assert told() == [(True, None, False), (False, why, False)]
