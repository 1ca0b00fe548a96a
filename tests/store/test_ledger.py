"""The ledger on disk: entries that grow in any steps, signed as they come, with no more files than are needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt, Held
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import sealer as sealing
from aftertrace.store.ledger.entries import Gap
from aftertrace.store.ledger.log import LedgerLog
from aftertrace.store.ledger.opening import open_ledger
from aftertrace.store.ledger.sealer import Sealer


def gaps(start: int, count: int) -> list[Gap]:
    """Entries, each another one."""
    return [
        Gap("main", "frame_damaged", f"at {number}", "sha256:00", {"main": number})
        for number in range(start, start + count)
    ]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 300), st.booleans()), min_size=1, max_size=5))
def test_a_ledger_grown_in_any_steps_is_whole(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[int, bool]]
) -> None:
    """Whenever it is signed, and by whom: everything can be read back, and old partial forms go."""
    monkeypatch.setattr(sealing, "KEEP_S", -60.0)
    layout = open_folder(tmp_path_factory.mktemp("ledger") / "data")
    log, expected = LedgerLog(layout), 0
    for count, again in steps:
        log.append(gaps(expected, count))
        expected += count
        if again:
            log = LedgerLog(layout)
        assert (log.size, log.last_seq("main"), log.last_seq("other")) == (expected, expected - 1, None)
        with Sealer(layout) as sealer:
            assert (sealer.seal(), sealer.size, sealer.seal()) == (True, expected, False)
        found = open_ledger(layout, [], [])
        assert (found.findings, found.signed, found.entries) == ([], expected, gaps(0, expected))
    with Sealer(layout) as sealer:
        log.append(gaps(expected, 1))
        sealer.seal()
        log.append(gaps(expected + 1, 1))
        sealer.seal()
    # Of each of three files at the edge, this form and the one before.
    assert len(partial_forms(layout)) <= 2 * 3 + 1


def partial_forms(layout: Layout) -> list[Path]:
    """What is there of tiles and bundles that are not whole."""
    return list(layout.ledger.rglob("*.p/*"))


def test_partial_forms_stay_for_whoever_reads_by_them(layout: Layout) -> None:
    """Some minutes: a reader got a checkpoint, and comes for the tiles that it needs."""
    log = LedgerLog(layout)
    with Sealer(layout) as sealer:
        for number in range(5):
            log.append(gaps(number, 1))
            sealer.seal()
    assert sorted(path.name for path in partial_forms(layout)) == sorted("12345" * 2)


def test_entries_that_are_not_signed_yet_are_read_too(layout: Layout) -> None:
    """By whoever verifies: what is stored is covered before it is signed."""
    log = LedgerLog(layout)
    log.append(gaps(0, 300))
    with Sealer(layout) as sealer:
        sealer.seal()
    log.append(gaps(300, 300))
    found = open_ledger(layout, [], [])
    assert (found.signed, found.entries, found.findings) == (300, gaps(0, 600), [])


def test_there_is_one_sealer(layout: Layout) -> None:
    """Two that sign could sign two histories."""
    with Sealer(layout), pytest.raises(Held):
        Sealer(layout)
    Sealer(layout).close()


def test_entries_that_were_signed_and_are_gone_have_none_put_in_their_place(layout: Layout) -> None:
    """The drain adds nothing to a log that is shorter than its checkpoint says."""
    log = LedgerLog(layout)
    with Sealer(layout) as sealer:
        for number in range(2):
            log.append(gaps(number, 1))
            sealer.seal()
    (layout.ledger / "tile/entries/000.p/2").unlink()
    with pytest.raises(Corrupt, match="1 entries, expected the 2 that were signed"):
        LedgerLog(layout)


def test_a_key_is_not_made_twice(layout: Layout) -> None:
    """A ledger that was signed and whose key is gone waits for a person; so does one with a key that is none."""
    Sealer(layout).close()
    secret = layout.ledger_key.read_bytes()
    layout.ledger_key.unlink()
    with pytest.raises(Corrupt, match="expected the key that signed its checkpoint"):
        Sealer(layout)
    layout.ledger_key.write_bytes(secret[:-5])
    with pytest.raises(Corrupt, match="not a key"):
        Sealer(layout)
    layout.ledger_key.write_bytes(secret)
    Sealer(layout).close()


def test_what_was_signed_is_known_beside_the_key(layout: Layout) -> None:
    """Whoever takes away checkpoint and hashes gets no signature for entries that were changed meanwhile."""
    LedgerLog(layout).append(gaps(0, 1))
    with Sealer(layout) as sealer:
        sealer.seal()
    checkpoint = layout.checkpoint.read_bytes()
    layout.checkpoint.unlink()
    Sealer(layout).close()
    assert layout.checkpoint.read_bytes() == checkpoint
    layout.checkpoint.unlink()
    shutil.rmtree(layout.ledger / "tile")
    LedgerLog(layout).append(gaps(7, 1))
    with pytest.raises(Corrupt, match=r"no .*tile/0/000"):
        Sealer(layout)
    layout.ledger_signed.unlink()
    with pytest.raises(Corrupt, match=r"no .*ledger\.checkpoint"):
        Sealer(layout)


def test_a_first_start_that_was_killed_is_made_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the first checkpoint and the key that signed it, nothing was signed yet."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(durable, "create_file", killed)
        with pytest.raises(KeyboardInterrupt):
            Sealer(layout)
    assert (layout.ledger_signed.exists(), layout.ledger_key.exists()) == (True, False)
    LedgerLog(layout).append(gaps(0, 1))
    with Sealer(layout) as sealer:
        assert sealer.seal()
    assert open_ledger(layout, [], []).findings == []
