"""The ledger: it has what is in `evidence`, and whatever is done to the folder afterwards is seen and named."""

from __future__ import annotations

import json
import random
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tlog.go_program import CannotBuild, built

from aftertrace.ingest.covering import source_digest
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.check import verify
from aftertrace.store.ledger.entries import FrameSeal, Gap, Records, decoded, encoded
from aftertrace.store.ledger.leaves import FRAME_COLUMNS, OWN_COLUMNS, sealed
from aftertrace.store.ledger.sealer import Sealer
from aftertrace.store.ledger.verdicts import ASKED_BY, Report
from aftertrace.store.schema import TABLES
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import EMPTY_ROOT
from aftertrace.tlog.note import Note
from aftertrace.tlog.tiles import Bundle, bundled, entries_in

from .drain_samples import drain, logs, send, stored, traces
from .tampering import flip, rewrite, with_value

FORMAT = Path(__file__).parents[2] / "exporter" / "FORMAT.md"
RECORDS, REQUESTS = 8, 4
ENTRIES = "tile/entries/000.p"


def seal(layout: Layout) -> None:
    """As the sealer of `serve` does."""
    with Sealer(layout) as sealer:
        sealer.seal()


@pytest.fixture(scope="module")
def ready(empty: Layout) -> Layout:
    """A store of four requests, drained in two goes and signed after each."""
    layout = Layout(empty.data.with_name("ready"))
    shutil.copytree(empty.data, layout.data)
    send(layout, traces(1), traces(2))
    drain(layout)
    seal(layout)
    send(layout, logs(3), logs(4), signal="logs")
    drain(layout)
    seal(layout)
    return layout


@pytest.fixture
def held(ready: Layout, tmp_path: Path) -> Layout:
    """The same, of this test's own."""
    layout = Layout(tmp_path / "held")
    shutil.copytree(ready.data, layout.data)
    return layout


def errors(report: Report) -> list[tuple[str, str]]:
    """What was found, and where."""
    return [(found.code, found.where) for found in report.findings if found.severity == "error"]


def verdicts(report: Report) -> tuple[str, str, str]:
    """All three."""
    return report.verdict("integrity"), report.verdict("completeness"), report.verdict("authenticity")


def known(layout: Layout) -> VerifierKey:
    """The key of a store, as somebody kept it."""
    return VerifierKey.parse(layout.ledger_verifier.read_text().strip())


def test_what_was_stored_is_in_the_ledger_and_signed(ready: Layout) -> None:
    """Every record; with a key from elsewhere, all three questions are answered."""
    report = verify(ready, [known(ready)], [Note.parse(ready.checkpoint.read_bytes())])
    assert (report.records, report.frames, report.entries, report.signed_entries) == (RECORDS, REQUESTS, 2, 2)
    assert (report.unledgered, report.before, report.elsewhere, report.findings) == (0, 0, 0, ())
    assert verdicts(report) == ("holds", "holds", "holds")
    assert verdicts(verify(ready)) == ("holds", "holds", "unknown")
    assert ready.ledger_key.stat().st_mode & 0o777 == 0o600


def test_anybody_can_follow_it_from_a_row_to_the_checkpoint(ready: Layout) -> None:
    """With SHA-256 and what FORMAT.md says, and nothing of ours; Go's own code finds the log in order."""

    def field(value: object) -> bytes:
        content = value if isinstance(value, bytes) else str(value).encode()
        return b"-," if value is None else b"%d:%b," % (len(content), content)

    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    leaves = []
    for row in stored(ready)["evidence"].filter(seq=1).to_dicts():
        frame = sha256(b"".join(field(row[name]) for name in FRAME_COLUMNS)).digest()
        own = sha256(b"".join(field(row[name]) for name in OWN_COLUMNS)).digest()
        parts = (b"\x00aftertrace/record/v1\n", row["salt"], frame, own, sha256(row["record"]).digest())
        leaves.append(sha256(b"".join(parts)).digest())
    entries = entries_in((ready.ledger / Bundle(0, 2).path).read_bytes(), Bundle(0, 2))
    assert json.loads(entries[0])["frames"][0]["root"] == node(*leaves).hex()
    root = node(*(sha256(b"\x00" + entry).digest() for entry in entries))
    assert ready.checkpoint.read_text().splitlines()[1:3] == ["2", b64encode(root).decode()]


def test_go_verifies_the_ledger(ready: Layout) -> None:
    """Its checkpoint, its tiles, and proofs made from them."""
    try:
        go = built()
    except CannotBuild as reason:
        pytest.skip(f"NO GO PROGRAM, the ledger is not tested against golang.org/x/mod/sumdb: {reason}")
    answer = go.check(ready.ledger, str(known(ready)), [0, 1], 1, [])
    assert (answer.origin, answer.size) == (known(ready).name, 2)


def test_nothing_of_a_record_is_in_the_ledger(ready: Layout) -> None:
    """Neither a name, nor who sent it: those who may see the ledger learn counts and times."""
    content = b"".join(path.read_bytes() for path in ready.ledger.rglob("*") if path.is_file())
    for told in (b"search", b"agent", b"anonymous", b"session-3", b"test"):
        assert told not in content


CHANGED = {
    "received_date": None,
    "receiver": "other",
    "seq": 77,
    "received_ns": 1,
    "source": "somebody",
    "frame_records": 3,
    "signal": "metrics",
    "redactions": 9,
    "policy_digest": "sha256:00",
    "index": 5,
    "resource_digest": "sha256:00",
    "scope_digest": "sha256:00",
    "record_key": bytes(16),
    "duplicate_of": "main/1/1",
    "record_id": bytes(8),
    "flags": "[]",
    "record": b"another",
    "salt": bytes(16),
    "leaf": bytes(32),
}


def test_every_column_of_evidence_is_covered() -> None:
    """The list of changes below leaves none out; the day is in the path of the file, which is moved instead."""
    assert set(TABLES["evidence"].schema.names) == set(CHANGED)
    assert {*FRAME_COLUMNS, *OWN_COLUMNS, "record", "salt", "leaf"} == set(CHANGED)


@pytest.mark.parametrize("is_null", [False, True])
@pytest.mark.parametrize("column", [name for name in CHANGED if name != "received_date"])
def test_a_changed_field_is_seen(held: Layout, column: str, is_null: bool) -> None:
    """In one record of a file whose digests fit: named as changed, or as gone where its place is another."""
    if is_null and column in ("duplicate_of", "record_id", "flags"):
        empty = b"" if column == "record_id" else ""
        rewrite(held, lambda rows: with_value(rows, column, empty, row=1))
    else:
        rewrite(held, lambda rows: with_value(rows, column, None if is_null else CHANGED[column], row=1))
    report = verify(held)
    found = dict(errors(report))
    if column in ("receiver", "seq"):
        assert set(found) == {"record_missing", "record_added"}
        assert verdicts(report)[:2] == ("broken", "broken")
    else:
        assert "record_edited" in found
        assert verdicts(report)[0] == "broken"
    is_frame_broken = column in ("receiver", "seq", "leaf") or (column == "index" and is_null)
    assert report.records == RECORDS - (2 if is_frame_broken else 1)


def test_the_record_that_was_changed_is_named(held: Layout) -> None:
    """And no other."""
    rewrite(held, lambda rows: with_value(rows, "record", b"another", row=1))
    report = verify(held)
    ((code, where),) = errors(report)
    assert (code, where.count("/")) == ("record_edited", 2)
    assert report.records == RECORDS - 1


def test_new_salts_and_leaves_do_not_help(held: Layout) -> None:
    """Whoever changes a record and makes its leaf anew has another root than the ledger."""
    rewrite(held, lambda rows: sealed(with_value(rows, "record", b"another")))
    report = verify(held)
    assert {code for code, _ in errors(report)} == {"records_edited"}
    assert report.records == RECORDS - 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.slice(1), {"record_missing"}),
        (lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]), {"record_added"}),
        (lambda rows: rows.slice(0, 0), {"frame_missing"}),
        (lambda rows: rows.filter(pc.not_equal(rows["seq"], rows["seq"][0])), {"frame_missing"}),
        (lambda rows: rows.take([1, 0, 2, 3]), set()),
    ],
    ids=["one gone", "one twice", "all gone", "a request gone", "another order in the file"],
)
def test_rows_that_went_or_came_are_seen(
    held: Layout, change: Callable[[pa.Table], pa.Table], expected: set[str]
) -> None:
    """What order they have in a file says nothing: `index` does, and it is covered."""
    rewrite(held, change)
    assert {code for code, _ in errors(verify(held))} == expected


def test_records_that_changed_places_are_seen(held: Layout) -> None:
    """Two of a request."""
    rewrite(held, lambda rows: with_value(with_value(rows, "index", 1, row=0), "index", 0, row=1))
    report = verify(held)
    assert {code for code, _ in errors(report)} == {"record_edited", "records_edited"}


def test_rows_under_another_day_are_seen(held: Layout) -> None:
    """The day is part of what is covered."""
    (path, *_) = (held.tables_folder / "evidence").rglob("*.parquet")
    day = date(2020, 1, 1)
    for commit in (held.tables_folder / "evidence" / "_delta_log").glob("*.json"):
        told = commit.read_text()
        if path.name in told:
            commit.write_text(told.replace(path.parent.name.partition("=")[2], day.isoformat()))
            moved = path.parents[1] / f"received_date={day}"
            moved.mkdir()
            path.rename(moved / path.name)
    assert "record_edited" in {code for code, _ in errors(verify(held))}


def test_a_table_that_was_put_back_by_a_commit_is_seen(held: Layout) -> None:
    """The rows of the last commit are missing, however well the others fit together."""
    log = held.tables_folder / "evidence" / "_delta_log"
    max(log.glob("*.json")).unlink()
    assert {code for code, _ in errors(verify(held))} >= {"frame_missing"}


@pytest.mark.parametrize("table", ["evidence", "resources", "spans"])
def test_a_log_of_a_table_that_nobody_can_read_is_told_of(held: Layout, table: str) -> None:
    """As a finding, and not as an error of verifying."""
    (held.tables_folder / table / "_delta_log" / f"{0:020}.json").write_text("{}\n")
    assert verify(held).verdict("integrity") == "broken"


def test_a_changed_resource_is_seen(held: Layout) -> None:
    """Where its digest was left, and where it was changed with it."""
    rewrite(held, lambda rows: with_value(rows, "bytes", b"another"), "resources")
    assert {code for code, _ in errors(verify(held))} == {"origin_edited"}
    rewrite(held, lambda rows: rows.slice(1), "resources")
    assert {code for code, _ in errors(verify(held))} == {"origin_missing"}


def test_a_changed_ledger_is_seen(held: Layout) -> None:
    """An entry, a tile, a checkpoint that were changed; entries that are gone; a key of somebody else."""
    key, bundle = known(held), Bundle(0, 2)
    path = held.ledger / bundle.path
    whole = path.read_bytes()
    path.write_bytes(bundled([entries_in(whole, bundle)[0]] * 2))
    assert errors(verify(held, [key]))[0][0] == "ledger_altered"
    path.unlink()
    assert errors(verify(held, [key]))[0][0] == "ledger_truncated"
    path.write_bytes(whole)
    checkpoint = held.checkpoint.read_bytes()
    held.checkpoint.write_bytes(checkpoint.replace(b"\n2\n", b"\n1\n"))
    assert "signature_forged" in dict(errors(verify(held, [key])))
    held.checkpoint.unlink()
    assert [code for code, _ in errors(verify(held, [key]))] == ["checkpoint_missing"]
    held.checkpoint.write_bytes(checkpoint)
    held.ledger_verifier.write_text(f"{SignerKey(key.name, bytes(32)).verifier}\n")
    assert errors(verify(held, [key])) == []
    assert [code for code, _ in errors(verify(held))] == ["signature_forged"]


def test_a_store_put_back_to_an_older_state_is_seen_with_a_kept_checkpoint(held: Layout, tmp_path: Path) -> None:
    """And without one it looks sound: that is said of it."""
    before = Layout(tmp_path / "before")
    shutil.copytree(held.data, before.data)
    send(held, traces(5))
    drain(held)
    seal(held)
    kept = Note.parse(held.checkpoint.read_bytes())
    assert errors(verify(held, kept=[kept])) == []
    assert errors(verify(before)) == []
    assert [code for code, _ in errors(verify(before, kept=[kept]))] == ["rolled_back"]


def test_a_history_that_was_written_anew_with_the_key_is_seen(held: Layout) -> None:
    """Whoever has the key can sign anything; not something that goes on from a checkpoint that somebody kept."""
    kept = Note.parse(held.checkpoint.read_bytes())
    key = SignerKey.parse(held.ledger_key.read_text().strip())
    bundle = Bundle(0, 2)
    entries = entries_in((held.ledger / bundle.path).read_bytes(), bundle)
    shutil.rmtree(held.ledger / "tile")
    for path in (held.checkpoint, held.ledger_signed):
        path.write_bytes(bytes(Checkpoint(key.name, 0, EMPTY_ROOT).signed(key)))
    (held.ledger / ENTRIES).mkdir(parents=True)
    (held.ledger / bundle.path).write_bytes(bundled(entries[::-1]))
    seal(held)
    report = verify(held, [key.verifier], [kept])
    assert "history_rewritten" in dict(errors(report))
    assert report.verdict("authenticity") == "holds"


def test_the_sealer_signs_nothing_that_does_not_go_on_from_what_it_signed(held: Layout) -> None:
    """Other entries, fewer, other tiles, another checkpoint: it ends, and the last checkpoint stays."""
    send(held, traces(5))
    drain(held)
    checkpoint = held.checkpoint.read_bytes()
    path = held.ledger / Bundle(0, 3).path
    whole = path.read_bytes()
    entries = entries_in(whole, Bundle(0, 3))
    path.write_bytes(bundled([entries[1], entries[0], entries[2]]))
    with pytest.raises(Corrupt, match="other entries than were signed"):
        seal(held)
    shutil.move(held.ledger / ENTRIES, held.ledger / "elsewhere")
    with pytest.raises(Corrupt, match="0 entries, expected the 2 that were signed"):
        seal(held)
    shutil.move(held.ledger / "elsewhere", held.ledger / ENTRIES)
    path.write_bytes(whole)
    tile = held.ledger / "tile/0/000.p/2"
    flip(tile, 3)
    with pytest.raises(Corrupt, match="another root than was signed"):
        seal(held)
    flip(tile, 3)
    signed = held.ledger_signed.read_bytes()
    held.ledger_signed.write_bytes(signed.replace(b"\n2\n", b"\n1\n"))
    with pytest.raises(Corrupt, match="not one by key"):
        seal(held)
    held.ledger_signed.write_bytes(signed)
    assert held.checkpoint.read_bytes() == checkpoint == signed
    seal(held)
    assert errors(verify(held)) == []


def test_no_flipped_bit_of_evidence_or_ledger_goes_unseen(held: Layout) -> None:
    """Anywhere in any of their files; the clean store is sound before and after."""
    draw = random.Random(6)
    key = known(held)
    files = [path for path in (held.tables_folder / "evidence").rglob("*.parquet") if path.is_file()]
    files += [path for path in held.ledger.rglob("*") if path.is_file() and path.name not in ("lock", "key")]
    assert errors(verify(held, [key])) == []
    for path in files:
        for _ in range(6):
            bit = draw.randrange(8 * path.stat().st_size)
            flip(path, bit)
            assert errors(verify(held, [key])) != [], (path.name, bit)
            flip(path, bit)
    assert errors(verify(held, [key])) == []


def test_every_finding_is_documented() -> None:
    """In the table of exporter/README.md, beside the question that it answers."""
    table = FORMAT.with_name("README.md").read_text(encoding="utf-8").partition("\n## The ledger\n")[2]
    rows = [line.split("|") for line in table.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    questions = list(accumulate((row[1].strip() for row in rows), lambda last, told: told or last))
    told = {
        code: question.partition(":")[0].strip("*")
        for row, question in zip(rows, questions, strict=True)
        for code in re.findall("`([a-z_]+)`", row[3])
    }
    assert {code: told.get(code) for code in ASKED_BY} == ASKED_BY


def test_an_entry_is_as_documented() -> None:
    """The example of FORMAT.md, made and read; nothing that is written otherwise is read."""
    example = re.search(r"<!-- entry -->\n```json\n(.*?)\n```", FORMAT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    content = example[1].encode()
    seal = FrameSeal(17, "1" * 64, 1_767_355_200 * 10**9, source_digest(bytes(32), "anonymous"), 2, "2" * 64)
    assert encoded(Records("main", "sha256:00", (seal,), {"main": 17})) == content
    assert encoded(decoded(content)) == content
    gap = Gap("main", "frame_damaged", "wal/main/1.wal at byte 5", "sha256:00", {})
    assert decoded(encoded(gap)) == gap
    for changed in (
        content + b"\n",
        content.replace(b'"1767', b'"01767'),
        content.replace(b"records", b"others"),
        b"[]",
        b"",
    ):
        with pytest.raises(Corrupt):
            decoded(changed)


def test_a_store_that_is_older_than_its_ledger_says_so(held: Layout) -> None:
    """Rows without a leaf are counted, and the ledger begins with the next request."""
    for number in range(2):
        rewrite(held, with_nulls, number=number)
    shutil.rmtree(held.ledger)
    held.ledger_key.unlink()
    held.ledger_signed.unlink()
    send(held, traces(5))
    drain(held)
    seal(held)
    report = verify(held)
    assert (report.records, report.before, report.frames) == (2, RECORDS, 1)
    assert errors(report) == []


def with_nulls(rows: pa.Table) -> pa.Table:
    """As an older version wrote them."""
    for column in ("salt", "leaf"):
        rows = rows.set_column(
            rows.schema.get_field_index(column), rows.schema.field(column), pa.nulls(rows.num_rows, pa.binary())
        )
    return rows
