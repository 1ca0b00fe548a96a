"""Another key takes the place of the one that signs: whoever has one of them is led on, and no other key counts."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tlog.go_program import CannotBuild, Refused, built

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, rotating
from aftertrace.store.ledger.entries import Entry, Rotation, encoded
from aftertrace.store.ledger.sealer import Sealer, seal
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.report import Report
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.edge import Edge
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.verifier import rotations

from .drain_samples import drain, send, traces
from .forging import entries_of, write_entries

Kept = tuple[tuple[str, Note], ...]


def key_of(layout: Layout) -> VerifierKey:
    """The one that is shown."""
    return VerifierKey.parse(layout.ledger_key.read_text().strip())


def kept(layout: Layout) -> Kept:
    """A copy of what is signed now."""
    return (("kept", Note.parse(layout.checkpoint.read_bytes())),)


def more(layout: Layout, number: int) -> None:
    """One more request is stored and signed."""
    send(layout, traces(number))
    drain(layout)
    seal(layout)


def rotate(layout: Layout, *, is_lost: bool = False) -> VerifierKey:
    """Put another key in place, which is returned."""
    asked = rotating.ask(layout, is_lost=is_lost)
    drain(layout)
    seal(layout)
    return asked.after


def checked(layout: Layout, keys: tuple[VerifierKey, ...], notes: Kept = ()) -> Report:
    """Verified with keys and checkpoints from elsewhere."""
    return verify(layout, Asked(keys=keys, kept=notes, patience_s=0))


def codes(report: Report) -> list[str]:
    """Of all that was found."""
    return sorted(found.code for found in report.findings)


def told(layout: Layout) -> list[Entry]:
    """The entries that name another key."""
    return [entry for entry in entries_of(layout) if isinstance(entry, Rotation)]


@pytest.fixture
def first(layout: Layout) -> VerifierKey:
    """The key of a ledger with one request."""
    more(layout, 1)
    return key_of(layout)


def test_whoever_has_one_key_is_led_to_those_after_it(layout: Layout, first: VerifierKey) -> None:
    """And who has the last one verifies all that was before: by checkpoints of every time, too."""
    notes = kept(layout)
    second = rotate(layout)
    handed_over = Note.parse(layout.checkpoint.read_bytes())
    assert [each.key_id for each in handed_over.verified(first, second)] == [first.key_id, second.key_id]
    notes += kept(layout)
    more(layout, 2)
    third = rotate(layout)
    more(layout, 3)
    notes += kept(layout)
    assert (key_of(layout), {first.name, second.name, third.name}) == (third, {first.name})
    ledger = layout.ledger.name
    for known, led_by in ((first, (first, second)), (second, (second,)), (third, ())):
        report = checked(layout, (known,), notes)
        (log,) = report.logs
        assert (log.key, log.led_by, log.compared) == (str(third), tuple(map(str, led_by)), 3)
        assert report.verdicts == dict.fromkeys(("integrity", "completeness", "authenticity"), "holds")
        assert [(found.code, found.where.rpartition(" ")[0], found.message) for found in report.findings] == [
            ("key_rotated", f"{ledger} entry", f"from {before} to {after}, as both have signed")
            for before, after in ((first, second), (second, third))
        ]
    with pytest.raises(Exception, match="no signature by a key that is trusted"):
        Note.parse(layout.checkpoint.read_bytes()).verified(first, second)
    stranger = SignerKey(first.name, bytes(32)).verifier
    assert checked(layout, (stranger,)).verdicts["authenticity"] == "broken"


def test_go_follows_from_key_to_key(layout: Layout, first: VerifierKey) -> None:
    """Its own sumdb opens the note in the entry with both, the checkpoint that ends with it, and the log behind it."""
    try:
        go = built()
    except CannotBuild as reason:
        pytest.skip(f"NO GO PROGRAM, rotations are not tested against golang.org/x/mod/sumdb: {reason}")
    second = rotate(layout)
    size = len(entries_of(layout))
    for key in (first, second):
        assert go.check(layout.ledger, str(key), [size - 1], 1, []).size == size
    more(layout, 2)
    assert go.check(layout.ledger, str(second), [size - 1, size], size, []).size == size + 1
    with pytest.raises(Refused, match="no verifiable signatures"):
        go.check(layout.ledger, str(first), [], 0, [])


def interrupted(
    monkeypatch: pytest.MonkeyPatch, call: int, *, is_after: bool, failure: BaseException | None = None
) -> Callable[[], None]:
    """Let the process end before, or behind, the n-th file that it writes or moves; or let that fail."""
    calls = iter(range(1, 1000))
    for name in ("write_file", "create_file", "move", "remove"):
        real: Callable[..., Any] = getattr(durable, name)

        def write(*told: Any, real: Callable[..., Any] = real, **also: Any) -> Any:
            if (number := next(calls)) == call and not is_after:
                raise failure or KeyboardInterrupt
            done = real(*told, **also)
            if number == call:
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(durable, name, write)
    return monkeypatch.undo


@pytest.mark.parametrize("is_lost", [False, True], ids=["rotated", "lost"])
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("call", range(1, 13))
def test_a_rotation_that_was_killed_is_gone_on_with(
    layout: Layout, first: VerifierKey, monkeypatch: pytest.MonkeyPatch, call: int, is_after: bool, is_lost: bool
) -> None:
    """Before and behind each step: whoever asks again, or signs what came meanwhile, ends with one other key."""
    if is_lost:
        layout.sealer_key.unlink()
    undo = interrupted(monkeypatch, call, is_after=is_after)
    with suppress(KeyboardInterrupt):
        rotate(layout, is_lost=is_lost)
    undo()
    shown = kept(layout)
    send(layout, traces(2))
    drain(layout)
    seal(layout)
    if not told(layout) or layout.sealer_next.exists():
        rotate(layout, is_lost=is_lost)
    more(layout, 3)
    assert (len(told(layout)), layout.sealer_next.exists(), list(layout.acts.glob("*"))) == (1, False, [])
    second = key_of(layout)
    assert second != first
    report = checked(layout, (first, second), shown)
    assert (codes(report), report.requests) == (["key_lost" if is_lost else "key_rotated"], 3)


@pytest.mark.parametrize("call", range(1, 9))
def test_a_disk_that_takes_nothing_for_a_while_costs_nothing(
    layout: Layout, first: VerifierKey, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """The sealer that saw it goes on by itself, and signs nothing with the key that went."""
    second = rotating.ask(layout).after
    drain(layout)
    with Sealer(layout) as sealer:
        undo = interrupted(monkeypatch, call, is_after=False, failure=OSError(errno.ENOSPC, "full"))
        with suppress(OSError):
            sealer.seal()
        undo()
        send(layout, traces(2))
        drain(layout)
        assert sealer.seal()
    report = checked(layout, (first,), kept(layout))
    assert (codes(report), report.logs[0].key, report.requests) == (["key_rotated"], str(second), 2)


def test_asking_twice_is_asking_once(layout: Layout, first: VerifierKey) -> None:
    """While it waits, when it is entered, and when it is signed: then it is another rotation."""
    asked = rotating.ask(layout)
    assert rotating.ask(layout) == asked
    drain(layout)
    assert rotating.ask(layout) == rotating.Asked(asked.after, None)
    seal(layout)
    assert (key_of(layout), rotating.ask(layout).after == asked.after) == (asked.after, False)


def entered(layout: Layout, note: Note) -> None:
    """An entry that names another key, put into the ledger by somebody who may write there."""
    entries = entries_of(layout)
    last = entries[-1]
    entry = Rotation(id="a" * 32, uid=0, note=bytes(note).decode())
    state = {"time_ns": "1", "upto": last.upto, "versions": last.versions, "last_act": last.last_act}
    write_entries(layout, [*entries, msgspec.structs.replace(entry, **state)])


STRANGER = bytes(range(32))


def forgings(first: VerifierKey) -> dict[str, Note]:
    """Notes that name another key, as far as they can be made without the one that signs."""
    stranger, other = SignerKey(first.name, STRANGER), SignerKey(first.name, bytes(32))
    found = rotations.Rotation(first, stranger.verifier)
    return {
        "signed by the key that comes": found.note(stranger),
        "signed by two others": found.note(stranger, other),
        "from another key": rotations.Rotation(other.verifier, stranger.verifier).note(other, stranger),
        "of a key that was not lost": rotations.Rotation(first, stranger.verifier, is_break=True).note(stranger),
        "about something else": Note("aftertrace/other/v1\n").signed(stranger),
    }


NAMES = tuple(forgings(SignerKey("aftertrace/0", bytes(32)).verifier))


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_the_one_before_has_not_named_is_not_entered(layout: Layout, first: VerifierKey, name: str) -> None:
    """Whoever may write to `acts/` asks for it; the ledger goes on without it."""
    ident = acts.ask_rotation(layout, bytes(forgings(first)[name]).decode())
    drain(layout)
    more(layout, 2)
    assert acts.refusal(layout, ident)
    report = checked(layout, (first,), kept(layout))
    assert (told(layout), report.findings, report.requests) == ([], (), 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_the_one_before_has_not_named_is_not_signed(layout: Layout, first: VerifierKey, name: str) -> None:
    """Whoever may write to the ledger enters it; the sealer signs nothing behind it."""
    shown = layout.checkpoint.read_bytes()
    entered(layout, forgings(first)[name])
    with Sealer(layout) as sealer, pytest.raises(Corrupt, match=r"expected the one in sealer/next.*nothing more is"):
        sealer.seal()
    assert (layout.checkpoint.read_bytes(), key_of(layout)) == (shown, first)


@pytest.mark.parametrize("name", NAMES)
def test_a_ledger_signed_by_such_a_key_is_named(layout: Layout, first: VerifierKey, name: str) -> None:
    """All of it is made to fit, by somebody who may write to the data folder and has a key of his own."""
    entered(layout, forgings(first)[name])
    signed_by(layout, SignerKey(first.name, STRANGER))
    layout.ledger_key.write_text(f"{SignerKey(first.name, STRANGER).verifier}\n")
    shutil.rmtree(layout.sealer)
    report = checked(layout, (first,))
    is_sound = name in ("from another key", "of a key that was not lost")
    assert {found.code for found in report.findings if found.severity == "error"} == {
        "not_signed",
        *(() if is_sound else ("key_forged",)),
    }
    assert report.verdicts["authenticity"] == "broken"


def signed_by(layout: Layout, key: SignerKey) -> None:
    """What is there, signed by a key, whatever it says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotating, "signers", lambda *_: (key,))
        patch.setattr(rotating, "finish", lambda _, signer, __: signer)
        seal(layout)


def test_a_key_that_went_signs_nothing_more(layout: Layout, first: VerifierKey, tmp_path: Path) -> None:
    """Somebody has a copy of it, and goes on with the ledger, or shows a checkpoint to others."""
    old = SignerKey.parse(layout.sealer_key.read_text().strip())
    second = rotate(layout)
    more(layout, 2)
    gone = Note(kept(layout)[0][1].text).signed(old)
    place = len(entries_of(layout)) - 2
    report = checked(layout, (second,), (("shown", gone),))
    assert [(found.code, found.where) for found in report.findings if found.severity == "error"] == [
        ("key_retired", "shown")
    ]
    layout.checkpoint.write_bytes(bytes(gone))
    layout.sealer_signed.write_bytes(bytes(gone))
    for known in ((first,), (second,), (first, second)):
        report = checked(layout, known)
        assert report.verdicts["authenticity"] == "broken"
        assert f"signed by {first}, which entry {place} put away; expected {second}" in str(
            [found.message for found in report.findings if found.code == "key_retired"]
        )


def test_a_store_put_back_to_before_a_rotation_is_found(layout: Layout, first: VerifierKey, tmp_path: Path) -> None:
    """By a checkpoint of later, or by the later key alone."""
    backup = tmp_path / "backup"
    shutil.copytree(layout.data, backup)
    second = rotate(layout)
    more(layout, 2)
    notes = kept(layout)
    older = Layout(backup)
    for known, named in (((first, second), "rolled_back"), ((second,), "not_signed"), ((first,), "checkpoint_foreign")):
        report = checked(older, known, notes)
        assert (named in codes(report), "broken" in report.verdicts.values()) == (True, True)


def test_a_sealer_put_back_from_before_a_rotation_signs_nothing(
    layout: Layout, first: VerifierKey, tmp_path: Path
) -> None:
    """Its key has itself said that it signs no more; nothing that was shown is taken back, also where the later one is
    lost.
    """
    shutil.copytree(layout.sealer, tmp_path / "sealer")
    rotate(layout)
    more(layout, 2)
    shown = layout.checkpoint.read_bytes()
    shutil.rmtree(layout.sealer)
    shutil.copytree(tmp_path / "sealer", layout.sealer)
    with pytest.raises(Corrupt, match=r"signs no more, since .* took its place"):
        Sealer(layout)
    assert layout.checkpoint.read_bytes() == shown
    # The later key is nowhere any more: that is said, and goes on from what was shown.
    later = key_of(layout)
    layout.sealer_key.unlink()
    rotate(layout, is_lost=True)
    more(layout, 3)
    report = checked(layout, (first, later, key_of(layout)), (("shown", Note.parse(shown)),))
    assert (codes(report), report.requests) == (["key_lost", "key_rotated"], 3)


def test_nothing_is_gone_on_from_that_contradicts_what_the_sealer_knew(layout: Layout, first: VerifierKey) -> None:
    """Somebody has made another ledger meanwhile, with a key of his own, and waits until the right one is lost."""
    forger = SignerKey(first.name, STRANGER)
    entries = entries_of(layout)
    write_entries(layout, [*entries[:-1], msgspec.structs.replace(entries[-1], time_ns="1")])
    content = [leaf_hash(encoded(entry)) for entry in entries_of(layout)]
    edge, tiles = Edge().extended(content)
    for tile, hashes in tiles.items():
        (layout.ledger / tile.path).write_bytes(hashes)
    layout.checkpoint.write_bytes(bytes(Checkpoint(first.name, edge.size, edge.root()).signed(forger)))
    layout.ledger_key.write_text(f"{forger.verifier}\n")
    layout.sealer_key.unlink()
    rotate(layout, is_lost=True)
    with pytest.raises(Corrupt, match="is not what the lost key signed"):
        Sealer(layout)


def test_a_lost_key_is_a_break_that_is_named(layout: Layout, first: VerifierKey) -> None:
    """Nobody is led over it: who has the key of before has what that signed, and who has both has all, by name."""
    notes = kept(layout)
    shutil.rmtree(layout.sealer)
    with pytest.raises(Corrupt, match="`aftertrace seal --lost-key`"):
        Sealer(layout)
    with pytest.raises(Invalid, match="begin with another one"):
        rotating.ask(layout)
    second = rotate(layout, is_lost=True)
    more(layout, 2)
    assert (key_of(layout), layout.checkpoint.read_bytes() == notes[0][1]) == (second, False)
    for known, verdict, found in (
        ((first,), "broken", ["not_signed"]),
        ((second,), "partial", ["key_lost"]),
        ((first, second), "partial", ["key_lost"]),
    ):
        report = checked(layout, known, notes)
        assert (report.verdicts["authenticity"], [code for code in codes(report) if code in found]) == (verdict, found)
    assert (report.logs[0].led_by, report.logs[0].compared, report.requests) == ((), 1, 2)
    third = rotate(layout)
    (log,) = checked(layout, (second,)).logs
    assert (log.key, log.led_by) == (str(third), (str(second),))


def test_a_key_that_is_there_is_not_lost(layout: Layout, first: VerifierKey) -> None:
    """It signs that it goes."""
    with pytest.raises(Invalid, match="put it away with `aftertrace seal --rotate`"):
        rotating.ask(layout, is_lost=True)
    assert not layout.sealer_next.exists()
