"""`store.readers`: an account that may read a store and write nothing of it; what it reads is recorded all the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ingest.drain_samples import drain, new_store
from tests.ingest.referring import CANARY, refer, spans_of, tool_call

from aftertrace.analyzer.ledger.reading import reads as shown
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import seal

from .accounts import GROUP, OTHER, READER, WRITER, open_folder
from .conftest import RECORDINGS, STORED, Command

READING = (
    ("runs", "--limit", "1"),
    ("run", "last"),
    ("sql", "select count(*) as n from calls"),
    ("report", "near-misses"),
    ("find", "pay"),
    ("status",),
    ("reads",),
    ("comment", "list"),
)
WRITING = (
    ("drain",),
    ("import", RECORDINGS / f"{STORED[0]}.jsonl"),
    ("comment", "add", "seen", "--incident", "INC-1"),
    ("hold", "add", "--days", "2026-01-01", "--why", "case 7"),
    ("serve", "--no-dashboard", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"),
)
OF_THE_OWNER = (("fsck",), ("source", "list"), ("derive",), ("seal",))
TRY_ALL = """
import fcntl, os, sys
done, top = [], sys.argv[1]
def tried(what, path, attempt):
    try:
        attempt()
    except OSError:
        return
    done.append((what, os.path.relpath(path, top)))
def put(folder):
    path = os.path.join(folder, "a" * 32 + ".json")
    open(path, "x").close()
    os.unlink(path)
for folder, folders, files in os.walk(top):
    # Among them what cannot be listed.
    for path in (folder, *(os.path.join(folder, name) for name in folders)):
        tried("put", path, lambda: put(path))
        tried("mode", path, lambda: os.chmod(path, 0o777))
    for name in files:
        path = os.path.join(folder, name)
        tried("write", path, lambda: os.close(os.open(path, os.O_WRONLY)))
        tried("mode", path, lambda: os.chmod(path, 0o666))
        tried("move", path, lambda: (os.rename(path, path + ".moved"), os.rename(path + ".moved", path)))
        if name.endswith("lock") or name.endswith(".wal"):
            tried("hold", path, lambda: fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB))
for what, path in sorted(set(done)):
    print(what, path)
"""
TRY_KNOWN = """
import os, sys
for path in sys.argv[1:]:
    try:
        (os.listdir if os.path.isdir(path) else open)(path)
        print(path)
    except OSError:
        pass
"""
LEAVE_ANOTHERS = """
import os, sys
with open(os.path.join(sys.argv[1], "0" * 32 + ".json"), "x") as file:
    os.fchmod(file.fileno(), 0o644)
    file.write('{"at_ns":"1","how":"sql","what":"","uid":0,"by":"root"}')
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder with a store, `data`, that was brought to its readers."""
    with open_folder() as folder:
        data = folder / "data"
        stored = (RECORDINGS / f"{name}.jsonl" for name in STORED)
        assert WRITER.aftertrace("import", *stored, "--data", data)[0] == 0
        assert WRITER.aftertrace("comment", "add", "refunded", "--incident", "INC-1", "--data", data)[0] == 0
        yield folder


@pytest.fixture
def read(place: Path, aftertrace: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    """The store, which the group may read."""
    monkeypatch.setenv("AFTERTRACE_STORE_READERS", str(GROUP))
    before = os.umask(0o022)
    assert aftertrace("readers", "--data", place / "data").code == 0
    yield Layout(place / "data")
    os.umask(before)


def test_a_reader_is_told_all_and_another_account_nothing(read: Layout) -> None:
    """By the same commands."""
    for command in READING:
        code, out, err = READER.aftertrace(*command, "--data", read.data)
        assert (command, code, err, bool(out)) == (command, 0, "", True)
        code, out, err = OTHER.aftertrace(*command, "--data", read.data)
        assert (command, code, out) == (command, 2, "")
        assert err.startswith("error: ")


def test_a_reader_verifies_what_it_may_read(read: Layout) -> None:
    """All three hold; what it could not compare is said."""
    told = READER.aftertrace("verify", "--key", read.ledger_key, "--format", "json", "--data", read.data)
    assert (told[0], told[2]) == (0, "")
    report = json.loads(told[1])
    assert [report[question] for question in ("integrity", "completeness", "authenticity")] == ["holds"] * 3
    assert {found["code"] for found in report["findings"]} == {"wal_unread"}


def test_pages_are_told_as_to_the_owner(read: Layout) -> None:
    """What they ask for, but for requests that wait."""
    ask = """
import sys
from pathlib import Path
from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.ledger.standing import ledger_standing
found, standing = open_analysis(Path(sys.argv[1])), ledger_standing(Path(sys.argv[1]))
print(found.runs.height, found.near_misses().height, standing.signed, standing.store.waiting)
"""
    told = WRITER.python(ask, read.data).split()
    assert READER.python(ask, read.data).split() == [*told[:3], "None"]


def test_a_reader_can_write_nothing_of_it(read: Layout) -> None:
    """But leave what it read. The control: where others may write, the same attempts are seen to succeed."""
    assert READER.python(TRY_ALL, read.data).splitlines() == ["put reads/new"]
    read.ledger.chmod(0o777)
    read.checkpoint.chmod(0o666)
    read.drain_lock.chmod(0o644)
    try:
        found = READER.python(TRY_ALL, read.data).splitlines()
        assert {"put ledger", "write ledger/checkpoint", "move ledger/checkpoint", "hold drain.lock"} <= set(found)
    finally:
        read.ledger.chmod(0o2750)
        read.checkpoint.chmod(0o640)
        read.drain_lock.chmod(0o600)


def test_commands_that_write_say_whose_they_are(read: Layout) -> None:
    """Instead of a path that cannot be written."""
    for command in WRITING:
        code, out, err = READER.aftertrace(*command, "--data", read.data)
        message = f"error: write to {read.data}: uid {READER.uid} may only read it, expected uid {WRITER.uid}, "
        assert (command, code, out, err.startswith(message)) == (command, 2, "", True)
    for command in OF_THE_OWNER:
        code, out, err = READER.aftertrace(*command, "--data", read.data)
        assert (command, code, out) == (command, 2, "")
        assert err.endswith("Permission denied; run this as the account that it belongs to\n")


def test_keys_and_what_waits_stay_the_owners(read: Layout) -> None:
    """By their paths, which a reader may know. What stands in the folder beside it too, whatever its mode was."""
    beside = read.data / "sealer.2025"
    beside.mkdir()
    (beside / "key").write_text("secret")
    for path, mode in ((beside, 0o755), (beside / "key", 0o644)):
        os.chown(path, WRITER.uid, WRITER.uid)
        path.chmod(mode)
    secret = [read.store_key, read.sealer_key, read.sealer, read.drain_lock, *read.wal("import").glob("*")]
    secret += [beside / "key", read.reads_new, read.commentary / "signer", read.commentary / "lock"]
    assert READER.python(TRY_KNOWN, *secret).splitlines() == [str(beside / "key")]
    before = os.environ["AFTERTRACE_STORE_READERS"]
    code, _, err = WRITER.aftertrace("readers", "--data", read.data, AFTERTRACE_STORE_READERS=before)
    assert (code, err) == (0, "")
    assert READER.python(TRY_KNOWN, *secret, read.checkpoint).splitlines() == [str(read.checkpoint)]


def test_large_contents_stay_the_owners(place: Path, read: Layout, aftertrace: Command) -> None:
    """Which are kept by reference: whoever has the keys could test guesses of what was redacted."""
    layout = new_store(place / "by-reference")
    refer(layout, spans_of(tool_call(1)))
    drain(layout)
    seal(layout)
    for path in (layout.data, *layout.data.rglob("*")):
        os.chown(path, WRITER.uid, WRITER.uid)
    at = ("--format", "json", "--data", layout.data)
    assert aftertrace("readers", "--data", layout.data).code == 0
    (blob,) = layout.blobs.glob("*/*.blob")
    assert READER.python(TRY_KNOWN, blob, blob.parent, layout.blobs).split() == [str(layout.blobs)]
    shown_to = [account.aftertrace("run", "last", *at) for account in (WRITER, READER)]
    assert [(code, CANARY in out) for code, out, _ in shown_to] == [(0, True), (0, False)]
    code, out, _ = READER.aftertrace("verify", "--key", layout.ledger_key, *at)
    found = {(each["code"], each["where"]) for each in json.loads(out)["findings"]}
    assert (code, found) == (3, {("unchecked", "blobs"), ("wal_unread", "wal/main")})
    assert WRITER.aftertrace("verify", "--key", layout.ledger_key, *at)[0] == 0


def test_what_a_reader_reads_is_recorded_as_its_own(read: Layout) -> None:
    """Whatever it says of itself; and it may leave a folder that only it may read."""
    READER.python(LEAVE_ANOTHERS, read.reads_new)
    READER.python("import os, sys; os.mkdir(sys.argv[1], 0o700)", read.reads_new / ("1" * 32 + ".json"))
    assert READER.aftertrace("sql", "select 1 as n", "--data", read.data)[0] == 0
    assert WRITER.aftertrace("readers", "--data", read.data, AFTERTRACE_STORE_READERS=str(GROUP))[0] == 0
    assert WRITER.aftertrace("drain", "--data", read.data)[0] == 0
    told = shown(read.data).filter(how="sql")
    assert told.filter(at_ns=1).select("uid", "by").rows() == [(READER.uid, None)]
    assert told.height >= 2
    assert (told["uid"].unique().to_list(), told["entry"].null_count()) == ([READER.uid], 0)
    assert WRITER.aftertrace("verify", "--key", read.ledger_key, "--data", read.data)[0] == 0
