"""Somebody who edits a packet makes its manifests anew too: then the ledger tells, and names what was done."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.verifier import layout

from .packed import Packed, codes, edit_about, edit_lines, exported, rebagged, stored, unpacked, verified

EVIDENCE, SPANS, EVENTS = (layout.table(name) for name in ("evidence", "spans", "events"))


def set_column(name: str, value: object) -> Callable[[list[dict[str, Any]]], None]:
    """Another value in the first row."""
    return lambda rows: rows[0]["row"].update({name: value})


def drop_column(name: str) -> Callable[[list[dict[str, Any]]], None]:
    """A value less in the first row."""
    return lambda rows: rows[0]["row"].pop(name)


def forge(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change lines of a file, and hide it in the manifests."""
    edit_lines(folder / name, change)
    rebagged(folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (SPANS, set_column("tool_name", "read_only")),
        (SPANS, set_column("source", "somebody else")),
        (SPANS, set_column("start_ns", 1)),
        (SPANS, set_column("received_date", "2026-01-01")),
        (SPANS, drop_column("tool_name")),
        (EVENTS, set_column("arguments", "{}")),
        (EVENTS, set_column("decided_by", "human")),
        (EVENTS, drop_column("run_key")),
        (EVIDENCE, set_column("record", b64encode(b"another").decode())),
        (EVIDENCE, set_column("redactions", 7)),
        (EVIDENCE, set_column("policy_digest", f"sha256:{'0' * 64}")),
        (EVENTS, lambda rows: rows[0].update(own=b64encode(bytes(32)).decode())),
        (SPANS, lambda rows: rows[0].update(position=1)),
        (layout.REQUESTS, lambda rows: rows[0]["hashes"]["spans"].reverse() or rows[0]["hashes"]["spans"].pop()),
        (layout.REQUESTS, lambda rows: rows[0]["hashes"]["events"].append(b64encode(bytes(32)).decode())),
        (layout.REQUESTS, lambda rows: rows[0].update(seq=rows[0]["seq"] + 1)),
    ],
)
def test_a_row_that_is_another_is_found(packed: Packed, folder: Path, name: str, change: Callable[..., Any]) -> None:
    """Each field of it, its salt, its place, and the hashes beside it."""
    forge(folder, name, change)
    report = verified(folder, packed.key)
    assert report.verdicts["integrity"] == "broken"
    assert codes(report) & {"rows_differ", "rows_added", "ledger_missing"}
    assert "file_differs" not in codes(report)


def test_rows_that_are_left_out_are_found(packed: Packed, folder: Path) -> None:
    """Of one table, or of all with what the packet says of itself: the hashes do not fit, nor does the receipt."""
    forge(folder, EVENTS, lambda rows: rows.pop())
    edit_about(folder, lambda told: told["counts"].update(events=told["counts"]["events"] - 1))
    rebagged(folder)
    assert {"rows_missing", "receipt_differs"} <= codes(verified(folder, packed.key))
    for name in (EVIDENCE, SPANS, EVENTS, layout.REQUESTS):
        forge(folder, name, lambda rows: rows.clear())
    assert {"rows_missing", "origin_missing"} & codes(verified(folder, packed.key))


def test_rows_of_another_packet_are_found(packed: Packed, folder: Path, tmp_path: Path) -> None:
    """Whole files of another store, which are right by themselves."""
    other = exported(stored(tmp_path / "store"), tmp_path / "other.zip", "last")
    theirs = unpacked(other.file, tmp_path / "other")
    for name in (EVIDENCE, SPANS, EVENTS, layout.REQUESTS):
        (folder / name).write_bytes((theirs / name).read_bytes())
    rebagged(folder)
    report = verified(folder, packed.key)
    assert report.verdicts["integrity"] == "broken"


def test_pages_and_answers_are_covered_by_the_receipt(packed: Packed, folder: Path) -> None:
    """They are made of the rows, and in no leaf: without the receipt nothing is said to hold of them."""
    page = folder / "data" / "runs" / packed.run_id / "record.html"
    page.write_text(page.read_text().replace("execute", "observe"))
    rebagged(folder)
    assert codes(verified(folder, packed.key)) == {"receipt_differs"}
    (folder / layout.RECEIPT).unlink()
    report = verified(folder, packed.key)
    assert (report.verdicts["integrity"], codes(report)) == ("partial", {"no_receipt"})


def test_a_receipt_of_another_packet_is_none(packed: Packed, folder: Path, tmp_path: Path) -> None:
    """It names the manifest of that."""
    other = exported(packed.data, tmp_path / "other.zip", "last")
    receipt = unpacked(other.file, tmp_path / "other") / layout.RECEIPT
    (folder / layout.RECEIPT).write_bytes(receipt.read_bytes())
    report = verified(folder, packed.key)
    assert (report.verdicts["integrity"], codes(report)) == ("broken", {"receipt_differs"})


def test_a_ledger_of_somebody_else_is_no_ledger(packed: Packed, folder: Path) -> None:
    """Signed by a key of the same name, over one entry that tells what the forger wants."""
    name = packed.key.name
    forger = SignerKey(name, bytes(32))
    (proof,) = (folder / "data" / "ledgers" / "1").glob("*.tlog-proof")
    entry = json.loads(b"{}")
    checkpoint = bytes(Checkpoint(name, 1, leaf_hash(json.dumps(entry).encode())).signed(forger))
    (folder / "data" / "ledgers" / "1" / "checkpoint").write_bytes(checkpoint)
    proof.write_bytes(b"c2sp.org/tlog-proof@v1\nextra e30=\nindex 0\n\n" + checkpoint)
    proof.rename(proof.with_name("000000000000.tlog-proof"))
    (folder / "data" / "ledgers" / "1" / "key").write_text(f"{forger.verifier}\n")
    rebagged(folder)
    report = verified(folder, packed.key)
    assert (report.verdicts["authenticity"], "not_signed" in codes(report)) == ("broken", True)


@pytest.mark.parametrize("told", ["gone", "altered", "of another entry"])
def test_a_proof_that_is_none_is_found(packed: Packed, folder: Path, told: str) -> None:
    """Taken away, changed in a hash, or that of another index."""
    (proof,) = (folder / "data" / "ledgers" / "1").glob("*.tlog-proof")
    content = proof.read_bytes()
    if told == "gone":
        proof.unlink()
    elif told == "altered":
        lines = content.split(b"\n")
        lines[3] = b64encode(bytes(32))
        proof.write_bytes(b"\n".join(lines))
    else:
        index = int(proof.stem)
        proof.write_bytes(content.replace(f"index {index}\n".encode(), f"index {index - 1}\n".encode()))
    rebagged(folder)
    report = verified(folder, packed.key)
    assert codes(report) >= {"ledger_missing" if told == "gone" else "ledger_altered"}
    assert "broken" in report.verdicts.values()


def test_what_says_that_nothing_is_proven_cannot_pass_for_proof(packed: Packed, folder: Path) -> None:
    """A forger may take the proof away: then it is said that there is none, and no verdict holds in full."""
    forge(folder, SPANS, set_column("tool_name", "harmless"))

    def unprove(rows: list[dict[str, Any]]) -> None:
        rows[:] = [{"receiver": row["receiver"], "seq": row["seq"], "unproven": "trust me"} for row in rows]

    forge(folder, layout.REQUESTS, unprove)
    for proof in (folder / "data" / "ledgers" / "1").glob("*.tlog-proof"):
        proof.unlink()
    (folder / layout.RECEIPT).unlink()
    rebagged(folder)
    report = verified(folder, packed.key)
    assert (report.verdicts["integrity"], codes(report)) == ("partial", {"uncovered", "no_receipt"})


def test_origins_are_those_that_records_name(packed: Packed, folder: Path) -> None:
    """A resource that is another, or one more, or none."""

    def rename(rows: list[dict[str, Any]]) -> None:
        rows[0]["schema_url"] = "https://example.com/other"

    content = (folder / layout.table("resources")).read_bytes()
    forge(folder, layout.table("resources"), rename)
    assert "origin_differs" in codes(verified(folder, packed.key))
    (folder / layout.table("resources")).write_bytes(b"")
    rebagged(folder)
    assert "origin_missing" in codes(verified(folder, packed.key))
    (folder / layout.table("resources")).write_bytes(content)
    rebagged(folder)
    assert codes(verified(folder, packed.key)) == set()
