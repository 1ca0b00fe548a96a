"""Backups of `sealer/` and `ledger/` between which another key came: what goes on by itself, by `--restore`, or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import rotating
from aftertrace.store.ledger.sealer import Sealer, restore, seal
from aftertrace.tlog.keys import VerifierKey

from .drain_samples import drain
from .test_rotating import checked, codes, kept, key_of, more, rotate


@pytest.fixture
def first(layout: Layout) -> VerifierKey:
    """The key of a ledger with one request."""
    more(layout, 1)
    return key_of(layout)


def copied(folder: Path, to: Path) -> Path:
    """A copy of it, as a backup has it."""
    shutil.copytree(folder, to)
    return to


def put_back(folder: Path, backup: Path) -> None:
    """The folder as it was."""
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)


def content_of(*folders: Path) -> dict[Path, bytes]:
    """Every file below some folders, but locks."""
    paths = (path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path: path.read_bytes() for path in paths}


@pytest.mark.parametrize("requests", [0, 1], ids=["at the entry", "behind it"])
def test_a_copy_that_has_the_next_key_is_gone_on_from(
    layout: Layout, first: VerifierKey, tmp_path: Path, requests: int
) -> None:
    """`sealer/` was copied when the other key was made, and the ledger when it was in force: nothing is taken back."""
    second = rotating.ask(layout).after
    backup = copied(layout.sealer, tmp_path / "sealer")
    drain(layout)
    seal(layout)
    for number in range(requests):
        more(layout, 2 + number)
    notes, before = kept(layout), layout.checkpoint.read_bytes()
    put_back(layout.sealer, backup)
    with pytest.raises(Corrupt, match=r"covers .* expected no fewer; put it back, or run `aftertrace seal --restore`"):
        Sealer(layout)
    assert layout.checkpoint.read_bytes() == before
    assert restore(layout)[0] < restore(layout)[1] or layout.sealer_signed.read_bytes() == before
    assert (layout.checkpoint.read_bytes(), layout.sealer_signed.read_bytes()) == (before, before)
    more(layout, 7)
    assert (key_of(layout), layout.sealer_next.exists()) == (second, False)
    for known in (first, second):
        report = checked(layout, (known,), notes)
        assert (codes(report), report.requests) == (["key_rotated"], 2 + requests)
        assert report.verdicts["authenticity"] == "holds"


def test_a_restore_that_was_killed_is_gone_on_with(
    layout: Layout, first: VerifierKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its steps: whoever asks again ends with the other key."""
    second = rotating.ask(layout).after
    backup = copied(layout.sealer, tmp_path / "sealer")
    drain(layout)
    seal(layout)
    more(layout, 2)
    for step in ("write_file", "move"):
        put_back(layout.sealer, backup)

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(f"aftertrace.store.durable.{step}", killed)
            with pytest.raises(KeyboardInterrupt):
                restore(layout)
        restore(layout)
        more(layout, 3 if step == "move" else 4)
        assert codes(checked(layout, (first,))) == ["key_rotated"]
        assert key_of(layout) == second


def test_a_copy_without_the_next_key_signs_no_more(layout: Layout, first: VerifierKey, tmp_path: Path) -> None:
    """Nobody has the key in force: that is a lost key, which is named. It says so, and changes nothing before."""
    backup = copied(layout.sealer, tmp_path / "sealer")
    second = rotate(layout)
    more(layout, 2)
    notes = kept(layout)
    put_back(layout.sealer, backup)
    before = content_of(layout.ledger, layout.sealer)
    for attempt in (lambda: restore(layout), lambda: Sealer(layout), lambda: rotating.ask(layout, is_lost=True)):
        with pytest.raises((Corrupt, Invalid), match=r"signs no more.*`aftertrace seal --lost-key`|move it elsewhere"):
            attempt()
        assert content_of(layout.ledger, layout.sealer) == before
    layout.sealer_key.rename(tmp_path / "key")
    third = rotate(layout, is_lost=True)
    more(layout, 3)
    assert len({first, second, third, key_of(layout)}) == 3
    report = checked(layout, (first, third), notes)
    assert (codes(report), report.requests) == (["key_lost", "key_rotated"], 3)
    assert report.verdicts["authenticity"] == "partial"
    assert checked(layout, (first,), notes).verdicts["authenticity"] == "broken"


@pytest.mark.parametrize("is_rotated", [True, False], ids=["another key", "the same key"])
def test_a_ledger_that_is_older_than_what_was_signed_is_not_gone_on_from(
    layout: Layout, first: VerifierKey, tmp_path: Path, is_rotated: bool
) -> None:
    """What was signed is gone: to go on would be another past. A ledger that is begun anew names what it has not."""
    backup = copied(layout.ledger, tmp_path / "ledger")
    notes = kept(layout)
    if is_rotated:
        rotate(layout)
    more(layout, 2)
    notes += kept(layout)
    last = key_of(layout)
    whole = copied(layout.ledger, tmp_path / "whole")
    put_back(layout.ledger, backup)
    before = content_of(layout.ledger, layout.sealer)
    with pytest.raises(Corrupt, match="seal ledger"):
        Sealer(layout)
    if is_rotated:
        with pytest.raises(Corrupt, match="do not go together, copy both from one backup"):
            restore(layout)
    else:
        assert len(set(restore(layout))) == 1
    assert content_of(layout.ledger, layout.sealer) == before
    without = Layout(copied(layout.data, tmp_path / "without"))
    without.sealer_key.unlink()
    rotating.ask(without, is_lost=True)
    drain(without)
    with pytest.raises(Corrupt, match=r"seal ledger: .*(restore it|is not what the lost key signed)"):
        Sealer(without)
    report = checked(layout, (first, last), notes)
    assert ("ledger_missing" in codes(report), report.verdicts["completeness"]) == (True, "broken")
    # With the ledger of then all is as it was.
    put_back(layout.ledger, whole)
    more(layout, 3)
    report = checked(layout, (first, last), notes)
    assert (codes(report), report.requests) == (["key_rotated"] if is_rotated else [], 3)
    # Without it a new one begins.
    for folder in (layout.ledger, layout.sealer):
        folder.rename(tmp_path / f"old-{folder.name}")
    more(layout, 4)
    report = checked(layout, (key_of(layout),))
    assert (set(codes(report)), report.requests) == ({"uncovered", "commits_uncovered"}, 1)
