"""verify: files beside the tables that lead to what is stored, or tell people of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.whole_store import NEW, OLD, lake_store, whole_store

from aftertrace.store import durable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.verify import Asked, verify

from .drain_samples import drain, new_store
from .forging import flip
from .referring import refer, spans_of, tool_call

RECORDED = {"gap", "put_aside", "contents_destroyed", "derived_unverified", "key_rotated", "receiver_uncovered"}


def found(layout: Layout) -> list[tuple[str, str]]:
    """What is found beside what was recorded."""
    report = verify(layout, Asked(patience_s=0))
    return [(each.code, each.where) for each in report.findings if each.code not in RECORDED]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A store with files of every class."""
    return whole_store(tmp_path_factory.mktemp("whole") / "data")[0]


@pytest.fixture
def whole(made: Layout) -> Layout:
    """As it was made."""
    assert found(made) == []
    return made


def changed(path: Path, content: bytes | None, look: Callable[[], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """What is found while a file holds something else, or nothing is there."""
    before = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    try:
        return look()
    finally:
        path.write_bytes(before)


def test_another_key_of_the_store_is_told(whole: Layout) -> None:
    """No reference is known by it, so blobs that are gone would not be missed; and a key that is none is named, too."""
    (blob, *_) = whole.blobs_of(NEW).iterdir()

    def without_blob() -> list[tuple[str, str]]:
        return changed(blob, None, lambda: found(whole))

    assert [code for code, _ in without_blob()] == ["blob_missing"]
    assert changed(whole.store_key, b"x" * 32, without_blob) == [("store_key_differs", "keys/store.key")]
    assert changed(whole.store_key, b"x", lambda: found(whole)) == [("unchecked", "blobs")]


def test_of_records_that_were_all_changed_a_likeness_of_a_reference_is_told(tmp_path: Path) -> None:
    """Whoever sends could have written it: it is a warning."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(tool_call(1)))
    drain(layout)
    seal(layout)
    assert found(layout) == []
    flip(layout.store_key, 5)
    assert found(layout) == [("unchecked", "keys/store.key")]


@pytest.mark.parametrize("said", [None, b"", b"2024-01-01", b"2999-01-01", b"\xff"])
def test_when_contents_were_destroyed_is_as_the_ledger_has_it(whole: Layout, said: bytes | None) -> None:
    """People read it where a content was."""
    told = changed(whole.blobs_destroyed(OLD), said, lambda: found(whole))
    assert told == [("destroyed_differs", f"blobs/{OLD}.destroyed")]


def test_contents_that_no_order_destroyed_are_not_told_as_destroyed(whole: Layout) -> None:
    """Whoever takes blobs away may say so."""
    path = whole.blobs_destroyed(NEW)
    durable.write_file(path, b"2026-11-22")
    assert found(whole) == [("destroyed_differs", f"blobs/{NEW}.destroyed")]
    path.unlink()


def test_what_is_known_of_damage_is_as_the_ledger_has_it(whole: Layout) -> None:
    """By its code and place `fsck` and the pages name it; how it is put is for people."""
    path = min(whole.quarantine.glob("*.json"))
    known, where = json.loads(path.read_bytes()), f"quarantine/{path.name}"
    others = [
        {**known, "code": "record_unreadable"},
        {**known, "where": "evidence main/1/0"},
        [],
        {**known, "severity": 1},
    ]
    for other in others:
        told = changed(path, json.dumps(other).encode(), lambda: found(whole))
        assert told == [("quarantine_differs", where)]
    assert changed(path, None, lambda: found(whole)) == [("quarantine_missing", where)]
    assert changed(path, json.dumps({**known, "message": "else"}).encode(), lambda: found(whole)) == []


def test_a_hold_in_a_lake_is_as_the_ledger_has_it(tmp_path: Path) -> None:
    """The others would take it over as it is there; released, nobody needs it."""
    layout = lake_store(tmp_path)
    (path,) = (layout.tables_folder / "_holds").iterdir()
    where = f"tables/_holds/{path.name}"
    assert found(layout) == []
    other = path.read_bytes().replace(b'"anonymous"', b'"nobody"')
    assert changed(path, other, lambda: found(layout)) == [("hold_differs", where)]
    assert changed(path, b"{}", lambda: found(layout)) == [("hold_differs", where)]
    assert changed(path, None, lambda: found(layout)) == [("hold_missing", where)]
    acts.ask_release(layout, path.name, "bob", "closed")
    drain(layout)
    seal(layout)
    assert changed(path, None, lambda: found(layout)) == []
