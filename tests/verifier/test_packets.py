"""A packet proves what it shows, down to each field, and shows nothing else."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from tests.ingest.forging import entries_of

from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Export, digest_of
from aftertrace.store.ledger.leaves import SALT, leaves_of
from aftertrace.store.schema import TABLES
from aftertrace.tlog.keys import SignerKey
from aftertrace.tlog.note import Note
from aftertrace.verifier import bag, layout
from aftertrace.verifier.archive import Archive
from aftertrace.verifier.leaf import CONTENT, Kind, own_salt, row_leaf
from aftertrace.verifier.members import Folder
from aftertrace.verifier.rows import KINDS, parse_row, row_line
from aftertrace.verifier.verify import verify_packet

from .packed import MINE, THEIRS, Packed, codes, exported, stored, unpacked, verdicts, verified

STRANGER = SignerKey("aftertrace/0123456789abcdef", bytes(32))


def test_all_three_hold_for_a_file_and_for_its_folder(packed: Packed, folder: Path) -> None:
    """With the key from elsewhere."""
    for packet in (packed.file, folder):
        report = verified(packet, packed.key)
        assert (verdicts(report), report.findings) == (("holds",) * 3, ())
        assert (report.requests, report.records, report.withheld) == (1, 1, 1)


def test_only_the_run_that_was_asked_for_is_in_it(packed: Packed, folder: Path) -> None:
    """Of the other run of the same request there are hashes; not even the salt with which to try guesses."""
    whole = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert (MINE.encode() in whole, THEIRS.encode() in whole) == (True, False)
    (records,) = [json.loads(line) for line in (folder / layout.REQUESTS).read_bytes().splitlines()]
    assert {table: len(hashes) for table, hashes in records["hashes"].items()} == {
        "evidence": 1, "events": 1, "spans": 1,
    }  # fmt: skip
    assert b'"salt"' not in whole
    (missing,) = [each for each in about(folder)["missing"] if each["what"].startswith("records that came")]
    assert missing["count"] == 1


def test_without_a_key_from_elsewhere_authenticity_is_unknown(packed: Packed) -> None:
    """And with another one it is broken."""
    assert verdicts(verify_packet(packed.file)) == ("holds", "holds", "unknown")
    report = verify_packet(packed.file, [STRANGER.verifier])
    assert (report.verdicts["authenticity"], "not_signed" in codes(report)) == ("broken", True)


def test_its_export_is_an_entry_and_the_receipt_proves_it(packed: Packed, folder: Path) -> None:
    """The entry names the last manifest, from which all of the packet follows."""
    entry = next(each for each in entries_of(Layout(packed.data)) if isinstance(each, Export))
    manifest = (folder / layout.TAG_MANIFEST).read_bytes()
    assert (digest_of(entry.digest), entry.of, entry.runs) == (bag.sha256(manifest).digest(), "run", 1)
    receipt = verified(folder, packed.key).receipt
    assert receipt is not None
    (folder / layout.RECEIPT).unlink()
    report = verified(folder, packed.key)
    assert (verdicts(report), codes(report)) == (("partial", "holds", "holds"), {"no_receipt"})


def test_other_tools_read_it(packed: Packed, folder: Path) -> None:
    """A ZIP file of Python's own; a bag by the letter of RFC 8493."""
    with zipfile.ZipFile(packed.file) as archive:
        assert archive.testzip() is None
        names = [name.removeprefix("packet/") for name in archive.namelist()]
    assert names == sorted(Archive(packed.file).sizes) == list(Folder(folder).sizes)
    assert (folder / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    oxum = f"{sum(path.stat().st_size for path in (folder / 'data').rglob('*') if path.is_file())}"
    count = sum(path.is_file() for path in (folder / "data").rglob("*"))
    assert f"Payload-Oxum: {oxum}.{count}\n" in (folder / "bag-info.txt").read_text()


def test_the_same_state_of_the_ledger_gives_the_same_bytes(packed: Packed, tmp_path: Path) -> None:
    """All but the receipt: two copies of a store export what is the same to the byte."""
    data = stored(tmp_path / "store")
    shutil.copytree(data, tmp_path / "copy")
    first = exported(data, tmp_path / "a.zip", f"run-{MINE}")
    second = exported(tmp_path / "copy", tmp_path / "b.zip", f"run-{MINE}")
    told = [unpacked(each.file, tmp_path / f"{each.file.stem}-unpacked") for each in (first, second)]
    files = [{path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()} for top in told]
    differs = {str(path) for path, content in files[0].items() if files[1].get(path) != content}
    assert (differs <= {layout.RECEIPT}, files[0].keys() == files[1].keys()) == (True, True)


def test_the_page_and_the_answers_are_in_it(packed: Packed, folder: Path) -> None:
    """One file each, that needs no network."""
    run = folder / "data" / "runs" / packed.run_id
    page = (run / "record.html").read_text()
    assert MINE in page
    assert json.loads((run / "record.json").read_text())["run_id"] == packed.run_id
    for told in (page, (folder / layout.INDEX).read_text()):
        assert not any(each in told for each in ("http://", "https://", "<script", "src="))
    policies = list((folder / "data" / "policies").iterdir())
    assert [bag.sha256(path.read_bytes()).hexdigest() for path in policies] == [path.stem for path in policies]


def test_columns_and_kinds_are_those_of_the_store() -> None:
    """A column that comes to be is told to the verifier too, or this fails."""
    kinds: dict[str, Kind] = {"string": "text", "binary": "bytes", "double": "float", "date32[day]": "date"}
    for table, known in KINDS.items():
        columns = {
            field.name: kinds.get(str(field.type), "int") for field in TABLES[table].schema if field.name != SALT
        }
        assert columns == dict(known)
        assert CONTENT[table] <= set(known)


@pytest.mark.parametrize("table", list(KINDS))
def test_a_row_as_a_line_has_the_leaf_of_the_row_that_is_stored(table: str) -> None:
    """Whatever is in it: one implementation is pyarrow's, for many rows, the other is the verifier's."""
    made = {
        "text": ["", "a", "ä\u202e\x00\n", None], "bytes": [b"", b"\x00\xff", None, b"x" * 70_000],
        "int": [0, 1, 127, 3], "float": [float("nan"), -0.0, float("-inf"), 1e-300],
        "date": [None, 0, 20_000, 1],
    }  # fmt: skip
    columns = {}
    for field in TABLES[table].schema:
        kind = KINDS[table].get(field.name, "bytes")
        values = list(range(4)) if field.name in ("index", "ordinal", "seq") else made[kind]
        values = ["main"] * 4 if field.name == "receiver" else values
        columns[field.name] = pa.array(values, pa.int32() if kind == "date" else field.type).cast(field.type)
    rows = pa.table(columns, TABLES[table].schema)
    salt = bytes(range(16))
    for row, leaf in zip(rows.drop_columns([SALT] if table == "evidence" else []).to_pylist(),
                         leaves_of(table, rows, [salt] * 4), strict=True):  # fmt: skip
        own = own_salt(salt, table, row["index"], row.get("ordinal", 0))
        told = {name: value for name, value in row.items() if value is not None}
        assert row_leaf(table, own, told) == leaf
        assert parse_row(table, row_line(own, 5, row).encode()).leaf == leaf


def test_a_checkpoint_that_was_kept_is_compared(tmp_path: Path) -> None:
    """The packet goes on from it where a proof was asked for; says so where none was; and finds another past."""
    data = stored(tmp_path / "store")
    kept = tmp_path / "kept"
    shutil.copy(data / "ledger" / "checkpoint", kept)
    exported(data, tmp_path / "first.zip", f"run-{THEIRS}")
    with_proof = exported(data, tmp_path / "with.zip", f"run-{MINE}", "--checkpoint", kept)
    without = exported(data, tmp_path / "without.zip", f"run-{MINE}")
    notes = [("kept", Note.parse(kept.read_bytes()))]
    report = verify_packet(with_proof.file, [with_proof.key], notes)
    assert (verdicts(report), report.logs[0].compared) == (("holds",) * 3, 1)
    report = verify_packet(without.file, [without.key], notes)
    assert (verdicts(report), codes(report)) == (("partial", "holds", "holds"), {"unchecked"})
    other = stored(tmp_path / "other")
    foreign = [("foreign", Note.parse((other / "ledger" / "checkpoint").read_bytes()))]
    assert codes(verify_packet(with_proof.file, [with_proof.key], foreign)) == {"checkpoint_foreign"}


def about(folder: Path) -> dict[str, list[dict[str, object]]]:
    """What a packet says of itself."""
    told: dict[str, list[dict[str, object]]] = json.loads((folder / layout.ABOUT).read_bytes())
    return told
