"""verify: what is stored is in the ledger, and whatever is done to the folder afterwards is seen and named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import get_args

import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from aftertrace.ingest.drain import DrainOptions
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Batch, Begin, Entry, encoded
from aftertrace.store.ledger.files import open_bundle
from aftertrace.store.ledger.sealer import Sealer, seal
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.report import CODES, Report
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.note import Note
from aftertrace.verifier.verdicts import Verdict

from .drain_samples import DAY_NS, NOON_NS, drain, logs, new_store, send, traces
from .forging import Actions, edit, entries_of, files_of, flip, log_of, rewrite, with_value, write_entries

RECORDS, REQUESTS, ROWS = 14, 7, 38
NOW = 0.0
"""Nobody seals: there is nothing to wait for."""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Seven requests of two days through two receivers; some files are folded, some are not; all is signed."""
    layout = new_store(tmp_path_factory.mktemp("ready") / "data")
    for number in (1, 2):
        send(layout, traces(number))
        drain(layout)
        seal(layout)
    send(layout, logs(3), logs(4), signal="logs")
    drain(layout, DrainOptions(fold_at=1))
    send(layout, traces(5), receiver="import")
    drain(layout)
    send(layout, traces(6), received_ns=NOON_NS + DAY_NS)
    send(layout, traces(7), received_ns=NOON_NS + DAY_NS)
    drain(layout)
    seal(layout)
    return layout


@pytest.fixture
def held(ready: Layout, tmp_path: Path) -> Layout:
    """The same, of this test's own."""
    layout = Layout(tmp_path / "held")
    shutil.copytree(ready.data, layout.data)
    return layout


def key_of(layout: Layout) -> VerifierKey:
    """The key of a store, as somebody kept it."""
    return VerifierKey.parse(layout.ledger_key.read_text().strip())


def kept(layout: Layout) -> tuple[str, Note]:
    """Its checkpoint, as somebody kept it."""
    return "kept", Note.parse(layout.checkpoint.read_bytes())


def verdicts(report: Report) -> tuple[str, ...]:
    """All three."""
    return tuple(report.verdicts.values())


def found(report: Report) -> dict[str, set[str]]:
    """What was found, and where, by code."""
    places: dict[str, set[str]] = {}
    for each in report.findings:
        assert CODES[each.code][1] == each.severity
        places.setdefault(each.code, set()).add(each.where)
    return places


def checked(layout: Layout, known: Layout) -> Report:
    """Verified with the key that somebody kept."""
    return verify(layout, Asked(keys=(key_of(known),), patience_s=NOW))


def test_what_was_stored_holds(ready: Layout) -> None:
    """Every record, row, file and request; and all three questions with what was kept elsewhere."""
    assert len(files_of(ready, "spans")) == 3
    report = verify(ready, Asked(keys=(key_of(ready),), kept=(kept(ready),)))
    assert (report.requests, report.records, report.rows, report.uncovered) == (REQUESTS, RECORDS, ROWS, 0)
    assert (verdicts(report), report.findings, report.has_outside) == (("holds",) * 3, (), True)
    (log,) = report.logs
    assert (log.unsealed, log.compared, log.origin) == (0, 1, key_of(ready).name)
    own = verify(ready)
    assert (verdicts(own), own.findings, own.has_outside) == (("holds", "holds", "unknown"), (), False)


def test_a_part_is_verified_alone(ready: Layout, held: Layout) -> None:
    """A day, or some requests; what is beside it may be damaged."""
    asked = Asked(keys=(key_of(ready),), since=date(2025, 11, 26))
    report = verify(held, asked)
    assert (report.requests, report.records, report.findings) == (2, 4, ())
    requests = {("main", 3), ("import", 1)}
    report = verify(held, Asked(keys=(key_of(ready),), requests=requests))
    assert (report.requests, report.records, report.findings) == (2, 4, ())
    rewrite(held, lambda rows: with_value(rows, "source", "somebody"))
    assert "rows_differ" not in found(verify(held, asked))
    assert verify(held, Asked(requests={("main", 99)})).requests == 0


Forging = Callable[[Layout], object]


def first_row(column: str, value: object, table: str = "evidence") -> Forging:
    """A value changed, and digests made to fit."""

    def change(rows: pa.Table) -> pa.Table:
        row = rows["seq"].to_pylist().index(1) if "seq" in rows.column_names else 0
        return with_value(rows, column, value, row)

    return lambda layout: rewrite(layout, change, table)


def swapped(layout: Layout) -> None:
    """Rows of one file put in place of another's, and the other way."""
    one, two = files_of(layout, "spans")[:2]
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


def without_add(actions: Actions) -> Actions:
    """A commit that adds no file."""
    return [action for action in actions if "add" not in action]


def hidden_by_bounds(layout: Layout) -> None:
    """Bounds in the log that make readers skip a file's rows."""

    def lie(actions: Actions) -> Actions:
        for action in actions:
            if "add" in action:
                told = json.loads(action["add"]["stats"])
                told["maxValues"]["received_ns"] = told["minValues"]["received_ns"] = 1
                action["add"]["stats"] = json.dumps(told)
        return actions

    edit(log_of(layout, "evidence")[-1], lie)


def doubled_file(layout: Layout) -> None:
    """A copy of a file that another commit adds too."""
    commit = log_of(layout, "events")[-1]
    (path,) = {json.loads(line)["add"]["path"] for line in commit.read_text().splitlines() if '"add"' in line[:8]}
    file = layout.tables_folder / "events" / path
    twin = file.with_name(file.name.replace("main.", "main.0"))
    shutil.copy(file, twin)
    further = commit.with_name(f"{int(commit.stem) + 1:020d}.json")
    further.write_text(commit.read_text().replace(file.name, twin.name))


def rolled_back_table(layout: Layout) -> None:
    """The newest commit of a table taken away."""
    log_of(layout, "spans")[-1].unlink()


def forged_checkpoint(layout: Layout) -> None:
    """A checkpoint of Delta's that leaves a file out."""
    table = layout.tables_folder / "spans"
    commit = log_of(layout, "spans")[-1]
    content = commit.read_bytes()
    edit(commit, without_add)
    DeltaTable(str(table)).create_checkpoint()
    commit.write_bytes(content)


def emptied(layout: Layout) -> None:
    """A commit that takes all files away, and says that nothing was ever stored."""
    commits = log_of(layout, "events")
    further = commits[-1].with_name(f"{int(commits[-1].stem) + 1:020d}.json")
    shutil.copy(commits[-1], further)

    def nothing(actions: Actions) -> Actions:
        (info,) = [action for action in actions if "commitInfo" in action]
        info["commitInfo"]["aftertrace"] = {"schema": 1, "files": {}, "stored": {}}
        paths = [path.relative_to(layout.tables_folder / "events").as_posix() for path in files_of(layout, "events")]
        gone = [{"remove": {"path": path, "dataChange": True, "deletionTimestamp": 1}} for path in paths]
        return [info, *gone]

    edit(further, nothing)


FORGINGS: dict[str, tuple[Forging, dict[str, str]]] = {
    "a record": (first_row("record", b"other"), {"rows_differ": "evidence main/1"}),
    "who sent it": (first_row("source", "somebody"), {"rows_differ": "evidence main/1"}),
    "what they showed": (first_row("credential", "token 0"), {"rows_differ": "evidence main/1"}),
    "a salt": (first_row("salt", bytes(16)), {"rows_differ": "evidence main/1", "unchecked": "spans main/1"}),
    "a time": (first_row("start_ns", 1, "spans"), {"rows_differ": "spans main/1"}),
    "a decision": (first_row("state", "granted", "events"), {"rows_differ": "events main/1"}),
    "a text set to null": (first_row("tool_name", None, "events"), {"rows_differ": "events main/1"}),
    "a row less": (
        lambda layout: rewrite(layout, lambda rows: rows.slice(1), "spans"),
        {"rows_missing": "spans main/"},
    ),
    "a request less": (
        lambda layout: rewrite(layout, lambda rows: rows.filter(pa.compute.field("seq") != 2), "events"),
        {"rows_missing": "events main/2"},
    ),
    "a row twice": (
        lambda layout: rewrite(layout, lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]), "events"),
        {"rows_added": "events main/"},
    ),
    "a row of another request": (first_row("seq", 2, "spans"), {"rows_missing": "spans main/1"}),
    "a row of no receiver": (first_row("receiver", "nobody"), {"receiver_unknown": "evidence nobody/1"}),
    "a row behind the last": (first_row("seq", 99), {"unledgered": "evidence main/99"}),
    "a row without a seq": (first_row("seq", None), {"rows_added": "evidence main/None"}),
    "a row without an index": (first_row("index", None), {"rows_differ": "tables/evidence"}),
    "another resource": (first_row("bytes", b"x", "resources"), {"origin_differs": "resources sha256:"}),
    "files swapped": (swapped, {"file_digest": "tables/spans"}),
    "a file away": (lambda layout: files_of(layout, "events")[0].unlink(), {"file_missing": "tables/events"}),
    "a file flipped": (lambda layout: flip(files_of(layout, "events")[0], 333), {"file_digest": "tables/events"}),
    "a file cut": (
        lambda layout: files_of(layout, "events")[0].write_bytes(b"PAR1"),
        {"file_digest": "tables/events", "file_unreadable": "tables/events"},
    ),
    "a file dropped from the log": (
        lambda layout: edit(log_of(layout, "spans")[-1], without_add),
        {"commit_altered": "tables/spans", "rows_missing": "spans main/"},
    ),
    "a file doubled": (doubled_file, {"rows_added": "events main/", "commits_uncovered": "tables/events"}),
    "bounds": (hidden_by_bounds, {"commit_altered": "tables/evidence"}),
    "a commit away": (
        lambda layout: log_of(layout, "spans")[1].unlink(),
        {"commit_missing": "tables/spans", "commit_altered": "tables/spans"},
    ),
    "a table rolled back": (rolled_back_table, {"table_rolled_back": "tables/spans"}),
    "a checkpoint of Delta": (forged_checkpoint, {"table_differs": "tables/spans"}),
    "a commit that no ledger has": (emptied, {"rows_missing": "events", "commits_uncovered": "tables/events"}),
    "a table": (
        lambda layout: shutil.rmtree(layout.tables_folder / "spans"),
        {"table_rolled_back": "tables/spans", "rows_missing": "spans main/"},
    ),
    "all tables": (
        lambda layout: [shutil.rmtree(path) for path in layout.tables_folder.iterdir()],
        {"table_rolled_back": "tables/evidence", "rows_missing": "evidence main/"},
    ),
    "the end of the entries": (
        lambda layout: (path := open_bundle(layout.ledger, 0)).write_bytes(path.read_bytes()[:-500]),
        {"ledger_missing": "ledger/tile/entries/000"},
    ),
    "the entries": (
        lambda layout: open_bundle(layout.ledger, 0).unlink(),
        {"ledger_missing": "ledger/tile/entries/000"},
    ),
    "the tiles": (
        lambda layout: shutil.rmtree(layout.ledger / "tile" / "0"),
        {"ledger_missing": "ledger/"},
    ),
    "the last commit": (lambda layout: log_of(layout, "spans")[-1].write_text("{"), {"commit_altered": "tables"}),
}


@pytest.mark.parametrize("name", FORGINGS)
def test_what_was_forged_is_named(ready: Layout, held: Layout, name: str) -> None:
    """With digests in commits that fit again; and the verdict that it breaks."""
    forge, expected = FORGINGS[name]
    forge(held)
    report = checked(held, ready)
    places = found(report)
    for code, where in expected.items():
        assert any(place.startswith(where) for place in places.get(code, ())), places
    broken = {CODES[code][0] for code in places if CODES[code][1] == "error"}
    assert {question for question, verdict in report.verdicts.items() if verdict == "broken"} == broken != set()


def forged_tail(layout: Layout, entries: list[Entry]) -> None:
    """Rows of the last request changed, and its entry made to fit: whoever is not signed can be anybody."""
    rewrite(layout, lambda rows: with_value(rows, "source", "somebody"), seq=7)
    last = entries[-1]
    assert isinstance(last, Batch)
    write_entries(layout, [*entries[:-1], msgspec.structs.replace(last, time_ns=str(int(last.time_ns) + 1))])


def rolled_back(layout: Layout, tmp_path: Path) -> Layout:
    """A store whose ledger was put back to an older checkpoint, with what came later forged."""
    send(layout, traces(8))
    drain(layout)
    old = tmp_path / "old"
    shutil.copytree(layout.ledger, old)
    seal(layout)
    newest = Layout(tmp_path / "newest")
    shutil.copytree(layout.data, newest.data)
    shutil.rmtree(layout.ledger)
    shutil.copytree(old, layout.ledger)
    forged_tail(layout, entries_of(layout))
    return newest


def test_an_old_checkpoint_put_back_proves_nothing_of_what_came_later(
    ready: Layout, held: Layout, tmp_path: Path
) -> None:
    """Not with the sealer's own last checkpoint there, nor without it; with a newer one from elsewhere it is named."""
    newest = rolled_back(held, tmp_path)
    places = found(checked(held, ready))
    assert {"ledger_missing"} <= places.keys() or {"ledger_altered"} <= places.keys()
    held.sealer_signed.unlink()
    report = checked(held, ready)
    assert found(report)["unsealed"] >= {"evidence main/7", "ledger"}
    assert report.verdicts["integrity"] != "holds"
    known = verify(held, Asked(keys=(key_of(ready),), kept=(kept(newest),), patience_s=NOW))
    assert ("rolled_back" in found(known), known.verdicts["completeness"]) == (True, "broken")


def test_a_whole_store_put_back_is_found_by_a_checkpoint_from_elsewhere(ready: Layout, held: Layout) -> None:
    """Without one nothing can show it, and the report says so."""
    send(held, traces(8))
    drain(held)
    seal(held)
    report = verify(ready, Asked(keys=(key_of(ready),), kept=(kept(held),)))
    assert (found(report).keys(), report.verdicts["completeness"]) == ({"rolled_back"}, "broken")
    assert not verify(ready, Asked(keys=(key_of(ready),))).has_outside


def test_another_past_is_found_by_a_checkpoint_from_elsewhere(ready: Layout, held: Layout, tmp_path: Path) -> None:
    """A log that was signed anew by whoever has the key."""
    send(held, traces(8))
    other = Layout(tmp_path / "other")
    shutil.copytree(held.data, other.data)
    drain(held)
    seal(held)
    send(other, traces(9))
    drain(other)
    seal(other)
    report = verify(held, Asked(keys=(key_of(ready),), kept=(kept(other),)))
    assert found(report).keys() == {"history_differs"}


def test_a_new_ledger_with_a_new_key_is_not_signed_by_the_one_that_was_kept(ready: Layout, held: Layout) -> None:
    """Without that, nobody can tell: authenticity stays unknown."""
    shutil.rmtree(held.sealer)
    for path in (held.checkpoint, held.ledger_key):
        path.unlink()
    seal(held)
    report = checked(held, ready)
    assert ("not_signed" in found(report), report.verdicts["authenticity"]) == (True, "broken")
    assert (report.requests, report.verdicts["integrity"]) == (0, "unknown")
    assert verify(held).verdicts["authenticity"] == "unknown"


def test_a_ledger_that_was_taken_away_is_missed(ready: Layout, held: Layout) -> None:
    """Rows have salts, which nothing but a ledger gives them; and the key from elsewhere has signed nothing."""
    shutil.rmtree(held.ledger)
    shutil.rmtree(held.sealer)
    report = checked(held, ready)
    assert report.verdicts["authenticity"] == "broken"
    assert {"no_ledger", "not_signed", "receiver_unknown"} <= found(report).keys()


@pytest.mark.parametrize("name", ["checkpoint", "key"])
def test_a_damaged_checkpoint_or_key_is_named(ready: Layout, held: Layout, name: str) -> None:
    """Also where the sealer has another copy."""
    flip(held.ledger / name, 8 * 30)
    places = found(verify(held, Asked(patience_s=NOW)))
    assert any(f"ledger/{name}" in where for wheres in places.values() for where in wheres), places


def test_the_sealer_goes_on_from_nothing_else_than_what_it_signed(held: Layout) -> None:
    """An entry changed, tiles cut, its own last checkpoint put back or away, the key away: it signs no more."""
    from aftertrace.store.errors import Corrupt

    def refuses(change: Callable[[Layout], object]) -> None:
        shutil.rmtree(held.data.with_name("spoilt"), ignore_errors=True)
        spoilt = Layout(held.data.with_name("spoilt"))
        shutil.copytree(held.data, spoilt.data)
        send(spoilt, traces(8))
        change(spoilt)
        drain(spoilt)
        before = spoilt.checkpoint.read_bytes()
        with pytest.raises(Corrupt):
            Sealer(spoilt).seal()
        assert spoilt.checkpoint.read_bytes() == before

    def other_entry(layout: Layout) -> None:
        entries = entries_of(layout)
        entries[-1] = msgspec.structs.replace(entries[-1], time_ns="1")
        write_entries(layout, entries)

    def older_state(layout: Layout) -> None:
        signed = layout.sealer_signed.read_bytes()
        drain(layout)
        seal(layout)
        layout.sealer_signed.write_bytes(signed)

    refuses(other_entry)
    refuses(older_state)
    refuses(lambda layout: layout.sealer_signed.unlink())
    refuses(lambda layout: layout.sealer_key.unlink())
    refuses(lambda layout: flip(next((layout.ledger / "tile" / "0").rglob("*.p/*")), 5))


def test_entries_are_believed_when_the_root_covers_them(ready: Layout, held: Layout) -> None:
    """A signed entry that was changed is named, and what it spoke of is not called sound."""
    entries = entries_of(held)
    number = next(number for number, entry in enumerate(entries) if isinstance(entry, Begin))
    entries[number] = msgspec.structs.replace(entries[number], after_seq=99)
    write_entries(held, entries)
    places = found(checked(held, ready))
    assert places["ledger_altered"] >= {f"ledger/tile/entries/000 entry {number}"}
    assert encoded(entries[number])


def test_every_code_is_documented() -> None:
    """In the table of docs/EVIDENCE.md, with its question and its severity, and no other."""
    page = (Path(__file__).parents[2] / "docs" / "EVIDENCE.md").read_text()
    # Packets have a table of their own.
    page = page.partition("\n## What is found\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in page.splitlines() if line.startswith("| `")]
    told = {
        code: (question, severity) for codes, question, severity in rows for code in re.findall("`([a-z_]+)`", codes)
    }
    assert {code: each for code, each in told.items() if code not in get_args(Verdict)} == CODES


def test_the_wal_must_have_the_requests_that_the_ledger_has(ready: Layout, held: Layout) -> None:
    """What waits in it is counted; what was changed in it is named."""
    send(held, traces(8))
    report = checked(held, ready)
    assert (report.waiting, report.findings) == (1, ())
    segment = min(held.wal("main").glob("*.wal"))
    flip(segment, 8 * 300)
    assert "frame_damaged" in found(checked(held, ready))
    shutil.rmtree(held.wal_folder)
    report = checked(held, ready)
    assert (found(report), report.verdicts["completeness"]) == ({"wal_behind": {"wal/main", "wal/import"}}, "partial")
