"""Acts: what somebody asks for comes into the ledger once, and is signed like all else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from aftertrace.store import durable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import exports
from aftertrace.store.ledger.entries import Export, text_of
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
    exports.ask(layout, "period", 20, DIGEST)

    def crash(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(durable, "remove", crash)
        with pytest.raises(KeyboardInterrupt):
            drain(layout)
    assert len(list(layout.reads_new.iterdir())) == 1
    drain(layout)
    assert (len(entered(layout)), list(layout.reads_new.iterdir())) == (1, [])


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
