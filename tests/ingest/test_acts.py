"""Acts: what somebody asks for comes into the ledger once, and is signed like all else."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from aftertrace.ingest.drain import Drain
from aftertrace.store import durable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, exports
from aftertrace.store.ledger.entries import Export, Hold, text_of
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.quarantine import kept
from aftertrace.store.verify import Asked, verify

from .drain_samples import drain, send, traces
from .forging import entries_of

DIGEST = hashlib.sha256(b"a packet").digest()


def entered(layout: Layout) -> list[Export]:
    """Those in the ledger."""
    return [entry for entry in entries_of(layout) if isinstance(entry, Export)]


def test_an_export_that_is_asked_for_is_entered_once_and_signed(layout: Layout) -> None:
    """With who asked, as the file system has it; commits of the same turn are told with it."""
    send(layout, traces(1))
    ident = exports.ask(layout, "run", 1, DIGEST)
    drain(layout)
    drain(layout)
    (entry,) = entered(layout)
    told = (entry.id, entry.of, entry.runs, entry.digest, entry.uid)
    assert told == (ident, "run", 1, text_of(DIGEST), os.getuid())
    assert list(layout.reads_new.iterdir()) == []
    seal(layout)
    assert verify(layout, Asked(patience_s=0)).findings == ()


def test_a_crash_before_its_file_is_removed_enters_nothing_twice(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next drain knows the id."""
    send(layout, traces(1))
    drain(layout)
    exports.ask(layout, "period", 20, DIGEST)

    def crash(_: Path, *, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            drain(layout)
    assert len(list(layout.reads_new.iterdir())) == 1
    drain(layout)
    assert (len(entered(layout)), list(layout.reads_new.iterdir())) == (1, [])


def test_an_export_takes_nothing_from_an_act_by_its_id(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may only read sees the names of acts, and chooses that of an export: while the drain is between its look
    at acts and that at exports, and while an act is still being written. Both come whole into the ledger.
    """
    send(layout, traces(1))
    export = b'{"of":"run","runs":1,"digest":"' + text_of(DIGEST).encode() + b'"}'
    draft = "e" * 32
    asked: list[str] = []
    listed = acts.waiting

    def busy(of: Layout) -> Iterator[acts.Waiting]:
        yield from list(listed(of))
        if not asked:
            asked.append(acts.ask_hold(of, "tenant", "acme", "ana", "case 7"))
            (of.acts / f".{draft}.json.1.00.new").touch()
            for ident in (asked[0], draft):
                (of.reads_new / f"{ident}.export").write_bytes(export)

    layout.reads_new.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(acts, "waiting", busy)
    with Drain(layout) as draining:
        draining.once()
    told = [(type(each.act), each.act.id) for each in acts.recorded(layout)]
    assert (told, list(layout.reads_new.iterdir())) == ([(Hold, asked[0])], [])
    # Nor later, when its file is gone; the control: with an id of its own it is entered.
    for ident in (asked[0], "f" * 32):
        (layout.reads_new / f"{ident}.export").write_bytes(export)
    drain(layout)
    assert [(type(each.act), each.act.id) for each in acts.recorded(layout)] == [*told, (Export, "f" * 32)]


def test_an_act_is_entered_beside_an_export_with_its_id(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a ledger of an aftertrace that took such exports: what counts are entries of what was asked for."""
    send(layout, traces(1))
    ident = exports.ask(layout, "run", 1, DIGEST)
    drain(layout)
    with monkeypatch.context() as chosen:
        chosen.setattr(secrets, "token_hex", lambda _: ident)
        assert acts.ask_hold(layout, "tenant", "acme", "ana", "case 7") == ident
    drain(layout)
    drain(layout)
    assert [(type(each.act), each.act.id) for each in acts.recorded(layout)] == [(Export, ident), (Hold, ident)]


def test_exports_are_entered_together_and_so_many_a_minute(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many an account leaves that may only read, the drain syncs once for them, and then stores on."""
    send(layout, traces(1))
    drain(layout)
    now = [1000.0]
    monkeypatch.setattr(exports, "time", SimpleNamespace(monotonic=lambda: now[0]))
    synced: list[int] = []
    sync = durable.sync_data
    with Drain(layout) as draining:
        for number in range(305):
            exports.ask(layout, "run", 1, hashlib.sha256(str(number).encode()).digest())
        monkeypatch.setattr(durable, "sync_data", lambda fd: (synced.append(fd), sync(fd)))
        for later_s, expected in ((0.0, 300), (59.0, 300), (1.0, 305)):
            now[0] += later_s
            draining.once()
            assert len(acts.recorded(layout)) == expected
    # Of two bundles of entries, and of the open one.
    assert len(synced) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 5_000,
        b'{"kind":"hold","of":"all","name":"1","by":"ana","why":"x"}',
        b'{"kind":"hold","of":"run","name":"1","by":"","why":"x"}',
        b'{"kind":"export","of":"run","runs":1,"digest":"' + text_of(DIGEST).encode() + b'"}',
        b'{"kind":"retention","of":"run","runs":1,"digest":"' + text_of(DIGEST).encode() + b'"}',
    ],
)
def test_what_is_no_act_is_put_aside(layout: Layout, content: bytes) -> None:
    """And the drain goes on."""
    layout.acts.mkdir()
    (layout.acts / f"{'0' * 32}.json").write_bytes(content)
    drain(layout)
    assert (entered(layout), [found.code for found in kept(layout)]) == ([], ["act_unreadable"])
    assert list(layout.acts.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 5_000,
        b'{"of":"all","runs":1,"digest":"' + text_of(DIGEST).encode() + b'"}',
        b'{"of":"run","runs":-1,"digest":"' + text_of(DIGEST).encode() + b'"}',
        b'{"of":"run","runs":1,"digest":"../../x"}',
        b'{"kind":"hold","of":"run","name":"1","by":"ana","why":"x"}',
        b'{"of":"run","runs":1,"uid":0,"digest":"' + text_of(DIGEST).encode() + b'"}',
    ],
)
def test_what_is_no_export_is_never_entered(layout: Layout, content: bytes) -> None:
    """Whoever may leave what they read can ask for nothing else; and it goes."""
    layout.reads_new.mkdir(parents=True, exist_ok=True)
    (layout.reads_new / f"{'0' * 32}.export").write_bytes(content)
    drain(layout)
    assert (entries_of(layout)[1:], list(layout.reads_new.iterdir())) == ([], [])


def test_another_name_of_a_file_of_somebody_else_is_no_export(layout: Layout, tmp_path: Path) -> None:
    """It would be entered as theirs; as the one name of it, it is."""
    told = tmp_path / "told"
    told.write_bytes(b'{"of":"run","runs":1,"digest":"' + text_of(DIGEST).encode() + b'"}')
    layout.reads_new.mkdir(parents=True, exist_ok=True)
    (layout.reads_new / f"{'1' * 32}.export").hardlink_to(told)
    (layout.reads_new / f"{'2' * 32}.export").symlink_to(told)
    (layout.reads_new / f"{'3' * 32}.export").mkdir()
    drain(layout)
    assert (entered(layout), [path.name[:1] for path in layout.reads_new.iterdir()]) == ([], ["3"])
    told.rename(layout.reads_new / f"{'4' * 32}.export")
    drain(layout)
    assert [entry.id for entry in entered(layout)] == ["4" * 32]


def test_links_folders_and_other_names_are_not_followed(layout: Layout, tmp_path: Path) -> None:
    """A link to a file of somebody else is not read, and that file stays."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    layout.acts.mkdir()
    (layout.acts / f"{'1' * 32}.json").symlink_to(secret)
    (layout.acts / f"{'2' * 32}.json").mkdir()
    os.mkfifo(layout.acts / f"{'3' * 32}.json")
    (layout.acts / "note.json").write_text("{}")
    drain(layout)
    assert (entered(layout), secret.read_text()) == ([], "mine")
    assert sorted(path.name for path in layout.acts.iterdir()) == [f"{'2' * 32}.json", "note.json"]
