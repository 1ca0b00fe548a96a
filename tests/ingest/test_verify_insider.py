"""verify against somebody who has the key, or whose entries the sealer signs: what a kept checkpoint covers stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from aftertrace.store import durable
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.covering import roots_of, salts_of
from aftertrace.store.ledger.entries import Batch, Tables
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.report import Report
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import EMPTY_ROOT
from aftertrace.tlog.note import Note

from .drain_samples import drain, send, traces
from .forging import commit, entries_of, replaced, tell, with_value, write_entries


@pytest.fixture
def asked(layout: Layout) -> Asked:
    """Two requests are stored and signed; the key and a checkpoint that covers them are kept elsewhere."""
    send(layout, traces(1), traces(2))
    drain(layout)
    seal(layout)
    key = VerifierKey.parse(layout.ledger_key.read_text().strip())
    return Asked(keys=(key,), kept=(("kept", Note.parse(layout.checkpoint.read_bytes())),), patience_s=0)


def codes(report: Report) -> set[str]:
    """What was found."""
    return {found.code for found in report.findings}


def told_again(layout: Layout, value: str) -> None:
    """A request's spans replaced, its commit and its new root told and signed, all digests right."""
    (batch,) = [entry for entry in entries_of(layout) if isinstance(entry, Batch)]
    made, evidence = replaced(layout, "evidence", lambda rows: rows)
    remade, spans = replaced(layout, "spans", lambda rows: with_value(rows, "tool_name", value))
    roots = roots_of("spans", spans, salts_of(evidence))
    frame = msgspec.structs.replace(batch.frames[0], spans=roots[1])
    tell(layout, Batch(receiver="main", day=batch.day, frames=(frame,)), {"evidence": made, "spans": remade})


def test_a_request_that_is_told_again_with_other_rows_is_named(layout: Layout, asked: Asked) -> None:
    """The rows are as the last entry has them, and not as the one that the kept checkpoint covers."""
    told_again(layout, "harmless")
    report = verify(layout, asked)
    assert [(found.code, found.where) for found in report.findings] == [("told_again", "main/1")]
    assert (report.verdicts["integrity"], report.verdicts["authenticity"]) == ("broken", "holds")


def test_a_request_that_is_told_as_of_another_day_than_its_rows_is_named(layout: Layout) -> None:
    """From the first on, before anything was signed: no hold of days would keep it, and its term would be another."""
    send(layout, traces(1), traces(2))
    drain(layout)
    told = [
        msgspec.structs.replace(entry, day="2025-05-25") if isinstance(entry, Batch) else entry
        for entry in entries_of(layout)
    ]
    write_entries(layout, told)
    seal(layout)
    report = verify(layout, Asked(patience_s=0))
    differing = {f"{table} main/{seq}" for table in ("evidence", "spans", "events") for seq in (1, 2)}
    found = [(each.code, each.where) for each in report.findings]
    assert sorted(found) == [("rows_differ", where) for where in sorted(differing)]
    assert {each.message for each in report.findings} == {"rows of 2025-11-25, expected those of 2025-05-25"}
    assert (report.verdicts["integrity"], report.requests) == ("broken", 0)


def test_a_request_that_is_told_again_as_it_was_is_sound(layout: Layout, asked: Asked) -> None:
    """The negative control: the same rows in another file."""
    told_again(layout, "search")
    report = verify(layout, asked)
    assert (report.findings, report.requests) == ((), 2)


@pytest.mark.parametrize("table", ["resources", "scopes"])
def test_resources_and_scopes_that_records_name_are_missed(layout: Layout, asked: Asked, table: str) -> None:
    """Their table has no requests that a ledger could count: a commit that was told and signed took them away."""
    ((path, _),) = Snapshot.of(layout.data).files(table)
    gone = commit(layout, table, [{"remove": {"path": path, "dataChange": True, "deletionTimestamp": 1}}])
    tell(layout, Tables(), {table: gone})
    report = verify(layout, asked)
    assert [(found.code, found.where.partition(":")[0]) for found in report.findings] == [
        ("origin_missing", f"{table} sha256")
    ]
    assert report.verdicts["completeness"] == "broken"


def test_an_origin_that_came_while_it_is_verified_is_not_missed(
    layout: Layout, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resources are pinned first: evidence that is pinned a moment later can name one that came in between."""
    before = Snapshot.of(layout.data)
    send(layout, traces(3, service="another"))
    drain(layout)
    seal(layout)
    after = Snapshot.of(layout.data)
    versions = {**dict(after.versions), "resources": dict(before.versions)["resources"]}
    pinned = Snapshot(layout.data, tuple(versions.items()), after.watermarks, uneven=False)
    assert versions != dict(after.versions)
    monkeypatch.setattr(Snapshot, "of", lambda _: pinned)
    report = verify(layout, asked)
    assert (report.findings, report.requests) == ((), 3)


def test_a_ledger_signed_with_the_key_of_another_is_named(tmp_path: Path) -> None:
    """Receivers of one lake trust each other's keys for what these sign, and for no more."""
    layouts = {}
    for name in ("east", "west"):
        layout = layouts[name] = open_folder(tmp_path / name, str(tmp_path / "lake"))
        durable.make_folder(layout.store_key.parent)
        durable.write_file(layout.store_key, bytes(32), mode=0o600)
        send(layout, traces(ord(name[0])), receiver=name)
        drain(layout)
        seal(layout)
    east, west = layouts["east"], layouts["west"]
    keys = tuple(VerifierKey.parse(layout.ledger_key.read_text().strip()) for layout in (east, west))
    asked = Asked(keys=keys, ledgers=(west.ledger,), patience_s=0)
    assert verify(east, asked).findings == ()
    key = SignerKey.parse(west.sealer_key.read_text().strip())
    shutil.copy(west.sealer_key, east.sealer_key)
    east.sealer_signed.write_bytes(bytes(Checkpoint(key.name, 0, EMPTY_ROOT).signed(key)))
    east.checkpoint.unlink()
    seal(east)
    report = verify(east, asked)
    assert (codes(report), report.verdicts["authenticity"]) == ({"checkpoint_foreign"}, "broken")
