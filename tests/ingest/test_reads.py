"""Who read what: left by whoever reads, taken by the drain, and committed to by the ledger."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from aftertrace.analyzer.ledger.reading import reads as shown
from aftertrace.store import reads
from aftertrace.store.errors import Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.covering import Ledger
from aftertrace.store.ledger.entries import AnyAct, Reads, text_of
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.verify import Asked, verify

from .drain_samples import drain, send, traces
from .forging import entries_of
from .test_retention_forged import ordered


def leave(layout: Layout, what: str, at_ns: int) -> None:
    """Somebody asks in SQL."""
    reads.leave(layout, how="sql", what=what, at_ns=at_ns)


def batches(layout: Layout) -> list[Reads]:
    """What the ledger has."""
    return [entry for entry in entries_of(layout) if isinstance(entry, Reads)]


def found(layout: Layout) -> dict[str, str]:
    """What a verification names."""
    seal(layout)
    return {finding.code: finding.where for finding in verify(layout, Asked(patience_s=0)).findings}


@pytest.fixture
def read(layout: Layout) -> Layout:
    """A store of which two reads were taken."""
    send(layout, traces(1))
    drain(layout)
    leave(layout, "select 2", 2)
    leave(layout, "select 1", 1)
    drain(layout)
    return layout


def test_of_long_texts_the_beginning_is_kept(layout: Layout) -> None:
    """What was asked, and who had signed in: neither is refused, and the entry is no longer than a read may be."""
    send(layout, traces(1))
    drain(layout)
    reads.leave(layout, how="page", what="w" * 9_999, at_ns=1, by="b" * 9_999)
    drain(layout)
    (entry,) = batches(layout)
    assert [(each.what, each.by) for each in reads.of_batch(layout, entry.id)] == [("w" * 500, "b" * 512)]


def test_reads_are_entered_once_with_their_account(read: Layout) -> None:
    """In order of their times; what is left later is in a batch of its own, and before that in none."""
    (entry,) = batches(read)
    assert (entry.reads, entry.uid) == (2, os.getuid())
    assert [(each.what, each.how, each.uid) for each in reads.of_batch(read, entry.id)] == [
        ("select 1", "sql", os.getuid()),
        ("select 2", "sql", os.getuid()),
    ]
    assert list(read.reads_new.iterdir()) == []
    drain(read)
    assert batches(read) == [entry]
    leave(read, "select 3", 3)
    told = shown(read.data)
    assert told["what"].to_list() == ["select 3", "select 2", "select 1"]
    assert told["entry"].is_null().to_list() == [True, False, False]
    drain(read)
    assert [each.reads for each in batches(read)] == [2, 1]
    assert found(read) == {}


def test_reads_that_were_changed_are_named(read: Layout) -> None:
    """With the file; one that is gone, too."""
    (entry,) = batches(read)
    path = read.reads / f"{entry.id}.jsonl"
    content = path.read_text()
    path.write_text(content.replace("select 1", "select 9"))
    assert found(read) == {"reads_differ": f"reads/{path.name}"}
    path.unlink()
    assert found(read) == {"reads_missing": f"reads/{path.name}"}
    path.write_text(content)
    assert found(read) == {}


def test_a_crash_between_entry_and_removal_enters_nothing_twice(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was left is still there, and the last batch has it."""
    send(layout, traces(1))
    drain(layout)
    leave(layout, "select 1", 1)
    with monkeypatch.context() as crash:
        crash.setattr(reads.Batch, "clear", lambda _: None)
        drain(layout)
    assert len(list(layout.reads_new.iterdir())) == 1
    assert shown(layout.data)["what"].to_list() == ["select 1"]
    drain(layout)
    assert ([each.reads for each in batches(layout)], list(layout.reads_new.iterdir())) == ([1], [])
    # The negative control: a drain that did not look would enter it again.
    leave(layout, "select 1", 1)
    drain(layout)
    assert [each.reads for each in batches(layout)] == [1, 1]


def crashed(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is written, and its entry is not: a crash came in between."""
    whole = Ledger.record

    def crash(ledger: Ledger, entries: Sequence[AnyAct]) -> None:
        if any(isinstance(entry, Reads) for entry in entries):
            raise OSError("a crash")
        whole(ledger, entries)

    with monkeypatch.context() as crashing:
        crashing.setattr(Ledger, "record", crash)
        with pytest.raises(Unavailable):
            drain(layout)


def aged(layout: Layout) -> None:
    """All batches are of some minutes ago: none is about to be entered."""
    for path in layout.reads.glob("*.jsonl"):
        os.utime(path, (1, 1), follow_symlinks=False)


def test_a_batch_that_a_crash_left_without_an_entry_is_entered(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next drain, as it is, and what is in it is not taken once more; until then it is named."""
    send(layout, traces(1))
    drain(layout)
    leave(layout, "select 1", 1)
    crashed(layout, monkeypatch)
    (path,) = layout.reads.glob("*.jsonl")
    assert (batches(layout), found(layout)) == ([], {})
    aged(layout)
    assert found(layout) == {"reads_uncovered": f"reads/{path.name}"}
    leave(layout, "select 2", 2)
    drain(layout)
    assert [(each.id == path.stem, each.reads) for each in batches(layout)] == [(True, 1), (False, 1)]
    assert list(layout.reads_new.iterdir()) == []
    assert shown(layout.data)["what"].to_list() == ["select 2", "select 1"]
    assert found(layout) == {}


def test_a_batch_whose_reads_were_all_entered_since_is_not_entered(layout: Layout) -> None:
    """As an aftertrace left it that took what was left once more; nor one that has them otherwise."""
    send(layout, traces(1))
    drain(layout)
    leave(layout, "select 1", 1)
    (left,) = layout.reads_new.iterdir()
    drain(layout)
    (entry,) = batches(layout)
    content = (layout.reads / f"{entry.id}.jsonl").read_bytes()
    (layout.reads / f"{'0' * 32}.jsonl").write_bytes(content)
    (layout.reads / f"{'1' * 32}.jsonl").write_bytes(content.replace(b"select 1", b"select 9"))
    drain(layout)
    assert batches(layout) == [entry]
    assert left.exists() is False
    aged(layout)
    seal(layout)
    named = {each.code: each.where for each in verify(layout, Asked(patience_s=0)).findings}
    assert named == {
        "reads_uncovered": f"reads/{'0' * 32}.jsonl",
        "reads_otherwise": f"reads/{'1' * 32}.jsonl",
    }


def test_reads_that_are_newer_than_a_ledger_that_was_put_back_are_entered_again(read: Layout, tmp_path: Path) -> None:
    """A backup of `ledger/` and `sealer/` is older than `reads/`: nothing of what was read since is uncovered."""
    seal(read)
    for folder in (read.ledger, read.sealer):
        shutil.copytree(folder, tmp_path / folder.name)
    leave(read, "select 3", 3)
    drain(read)
    before, last = batches(read)
    for folder in (read.ledger, read.sealer):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / folder.name, folder)
    assert batches(read) == [before]
    aged(read)
    assert found(read) == {"reads_uncovered": f"reads/{last.id}.jsonl"}
    drain(read)
    told = [(each.id, each.reads, each.digest) for each in batches(read)]
    assert told == [(each.id, each.reads, each.digest) for each in (before, last)]
    assert found(read) == {}


def test_what_is_no_batch_is_not_entered_and_is_named(read: Layout) -> None:
    """Somebody may have put anything there."""
    for number, content in enumerate((b"", b"{}\n", b'{"at_ns":"1","how":"sql","what":""}\n', b"\xff")):
        (read.reads / f"{number:032x}.jsonl").write_bytes(content)
    (read.reads / f"{4:032x}.jsonl").symlink_to(read.store_key)
    aged(read)
    before = batches(read)
    drain(read)
    assert batches(read) == before
    seal(read)
    named = [each.where for each in verify(read, Asked(patience_s=0)).findings if each.code == "reads_uncovered"]
    assert named == [f"reads/{number:032x}.jsonl" for number in range(5)]


def test_a_batch_that_is_told_again_otherwise_is_named(read: Layout) -> None:
    """Whoever can act as the drain changes the file, and enters its new digest."""
    (entry,) = batches(read)
    path = read.reads / f"{entry.id}.jsonl"
    path.write_text(path.read_text().replace("select 1", "select 9"))
    number = len(entries_of(read))
    digest = text_of(sha256(path.read_bytes()).digest())
    ordered(read, msgspec.structs.replace(entry, digest=digest))
    assert found(read) == {"ledger_contradicts": f"ledger entry {number}", "reads_differ": f"reads/{path.name}"}


def test_what_is_no_read_is_never_entered(layout: Layout) -> None:
    """Whoever may leave a read may leave anything; and a name that tells of another account tells nothing."""
    send(layout, traces(1))
    drain(layout)
    folder = layout.reads_new
    (folder / ("0" * 32 + ".json")).write_text("{}")
    (folder / ("1" * 32 + ".json")).symlink_to(layout.store_key)
    os.mkfifo(folder / ("2" * 32 + ".json"))
    (folder / ("3" * 32 + ".json")).write_text('{"at_ns":"x","how":"sql","what":""}')
    (folder / ("4" * 32 + ".json")).write_text('{"at_ns":"1","how":"sql","what":"' + "x" * 501 + '"}')
    (folder / ("5" * 32 + ".json")).write_text('{"at_ns":"1","how":"sql","what":"","uid":4711,"id":"other"}')
    drain(layout)
    (entry,) = batches(layout)
    (only,) = reads.of_batch(layout, entry.id)
    assert (only.uid, only.id) == (os.getuid(), "5" * 32)
    assert list(folder.iterdir()) == []


def test_a_folder_by_the_name_of_a_read_stops_nothing(layout: Layout) -> None:
    """Whoever may leave reads could keep all others from being entered, and the drain from its work."""
    send(layout, traces(1))
    drain(layout)
    folder = layout.reads_new / ("0" * 32 + ".json")
    folder.mkdir()
    leave(layout, "select 1", 1)
    drain(layout)
    assert ([each.reads for each in batches(layout)], list(layout.reads_new.iterdir())) == ([1], [folder])


def test_a_read_can_be_taken_whatever_the_umask(layout: Layout) -> None:
    """Of an account that hides what it writes: the drain of another account could not read it, and would drop it."""
    send(layout, traces(1))
    drain(layout)
    before = os.umask(0o077)
    try:
        leave(layout, "select 1", 1)
    finally:
        os.umask(before)
    (left,) = layout.reads_new.iterdir()
    assert left.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to leave a read as another account")
def test_an_account_that_may_only_leave_reads_is_told_by_the_file_system(read: Layout) -> None:
    """It can neither change what was taken, nor see or remove what others left."""
    read.data.chmod(0o711)
    read.reads.chmod(0o711)
    read.reads_new.chmod(0o1733)
    leave(read, "of root", 4)
    (of_root,) = read.reads_new.iterdir()
    (entry,) = batches(read)
    child = os.fork()
    if child == 0:
        done = 1
        try:
            # From within: the folders above are those of the account that runs the tests.
            os.chdir(read.data)
            read = Layout(Path())
            of_root = read.reads_new / of_root.name
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            leave(read, "of nobody", 5)
            refused = 0
            for attempt in (
                lambda: list(read.reads_new.iterdir()),
                of_root.unlink,
                lambda: of_root.write_text("{}"),
                lambda: (read.reads / f"{entry.id}.jsonl").write_text(""),
                (read.reads / f"{entry.id}.jsonl").read_text,
                (read.reads / f"{entry.id}.jsonl").unlink,
            ):
                try:
                    attempt()
                except PermissionError:
                    refused += 1
            done = 0 if refused == 6 else 2
        finally:
            os._exit(done)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    drain(read)
    told = shown(read.data).select("what", "uid").rows()
    assert told[:2] == [("of nobody", 65534), ("of root", 0)]
