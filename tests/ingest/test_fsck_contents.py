"""fsck of what lies beside the tables: large contents with their keys, and batches of reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from aftertrace.store import reads
from aftertrace.store.fsck import Repaired, fsck, repair
from aftertrace.store.fsck.contents import check_contents
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.snapshot import Snapshot

from .drain_samples import DAY_NS, NOON_NS, drain, new_store
from .forging import flip
from .referring import order_contents, refer, spans_of, tool_call

OVER, DAY = date(2025, 11, 25), date(2025, 11, 26)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Contents of two days, of which those of the first are destroyed by their term; and two batches of reads."""
    layout = new_store(tmp_path_factory.mktemp("made") / "data")
    for number in range(2):
        contents = [spans_of(tool_call(1, f"{number}{each}, " * 90), trace=number * 2 + each) for each in (1, 2)]
        refer(layout, *contents, received_ns=NOON_NS + number * DAY_NS)
        drain(layout)
        reads.leave(layout, how="sql", what=f"select {number}", at_ns=number)
        drain(layout)
    order_contents(layout, date(2025, 12, 26))
    for _ in range(2):
        drain(layout)
        seal(layout)
    return layout


@pytest.fixture
def layout(made: Layout, tmp_path: Path) -> Layout:
    """A copy, to be damaged: its files are an hour and a day old."""
    layout = Layout(tmp_path / "data")
    shutil.copytree(made.data, layout.data)
    return layout


def found(layout: Layout) -> list[tuple[str, str, str]]:
    """What fsck finds."""
    return [(each.severity, each.code, each.where) for each in fsck(layout)]


def blobs_of(layout: Layout) -> list[Path]:
    """The files, in order."""
    return sorted(layout.blobs.rglob("*.blob"))


def aged(path: Path, content: bytes = b"left") -> Path:
    """A file that has been there for a day."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (0, 0))
    return path


def test_a_sound_store_has_nothing_to_tell(layout: Layout) -> None:
    """Contents that an order destroyed are no loss."""
    assert [path.parent.name for path in blobs_of(layout)] == [DAY.isoformat()] * 2
    assert found(layout) == []


def test_contents_that_are_gone_or_others_are_named(layout: Layout) -> None:
    """Each for itself; without their key, all at once."""
    first, second = blobs_of(layout)
    flip(first, 333)
    second.unlink()
    assert found(layout) == [
        ("error", "blob_differs", f"blobs/{DAY}/{first.stem}"),
        ("error", "blob_missing", f"blobs/{DAY}/{second.stem}"),
    ]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"short")])
def test_a_key_that_is_gone_or_none_is_named_once(layout: Layout, change: Callable[[Path], object]) -> None:
    """Whatever number of contents it is of."""
    change(layout.blob_key(DAY))
    assert found(layout) == [("error", "blob_key", f"keys/blobs/{DAY}.key")]


def test_where_all_contents_are_gone_with_their_folders_it_is_told(layout: Layout) -> None:
    """Those that no order destroyed."""
    shutil.rmtree(layout.blobs)
    shutil.rmtree(layout.blob_key(DAY).parent)
    assert [(code, where.rpartition("/")[0]) for _, code, where in found(layout)] == [
        ("blob_missing", f"blobs/{DAY}")
    ] * 2


def test_what_orders_have_destroyed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many days had contents destroyed."""
    layout = new_store(tmp_path / "data")
    for day in range(3):
        refer(layout, spans_of(tool_call(1, f"{day}, " * 150), trace=day + 1), received_ns=NOON_NS + day * DAY_NS)
        drain(layout)
    order_contents(layout, date(2026, 12, 26))
    for _ in range(2):
        drain(layout)
        seal(layout)
    recorded, read = acts.recorded, list[Layout]()

    def counted(layout: Layout) -> tuple[acts.Recorded, ...]:
        read.append(layout)
        return recorded(layout)

    monkeypatch.setattr(acts, "recorded", counted)
    assert list(check_contents(layout, Snapshot.of(layout.data), set())) == []
    assert (blobs_of(layout), len(read)) == ([], 1)


def test_an_order_that_came_while_other_days_were_looked_at_is_known(layout: Layout) -> None:
    """Its contents are not lost."""
    days = check_contents(layout, Snapshot.of(layout.data), set())
    aged(layout.blobs_of(OVER) / f"{'a' * 32}.blob")
    assert [(each.code, each.where) for each in (next(days),)] == [("blob_unused", f"blobs/{OVER}")]
    order_contents(layout, date(2025, 12, 27))
    for _ in range(2):
        drain(layout)
        seal(layout)
    assert (list(days), blobs_of(layout)) == ([], [])


def test_without_a_ledger_to_be_read_no_content_is_told_as_lost(layout: Layout) -> None:
    """Nobody can tell what was ordered: that is said once, whatever is missing."""
    blobs_of(layout)[0].unlink()
    (entries,) = layout.ledger.rglob("*.open")
    entries.write_bytes(entries.read_bytes().replace(b'"kind"', b'"kinx"'))
    of_contents = [each for each in found(layout) if "blobs" in each[2]]
    assert of_contents == [("warning", "unchecked", "blobs")]


def test_what_nothing_refers_to_is_counted(layout: Layout) -> None:
    """Once it has been there for a while, and no frame that waits has it; so is a key of nothing."""
    folder = layout.blobs_of(DAY)
    (folder / f"{'b' * 32}.blob").write_bytes(b"about to be referred to")
    assert found(layout) == []
    for name in (f"{'a' * 32}.blob", f"{'c' * 32}.going", ".draft.new"):
        aged(folder / name)
    aged(layout.blob_key(date(2025, 11, 1)), bytes(32))
    refer(layout, spans_of(tool_call(9, "waits, " * 90), trace=9), received_ns=NOON_NS + DAY_NS)
    for path in blobs_of(layout):
        os.utime(path, (0, 0))
    os.utime(folder / f"{'b' * 32}.blob")
    unused = [each for each in fsck(layout) if each.code == "blob_unused"]
    assert [(each.where, each.message.partition(" that")[0]) for each in unused] == [
        (f"blobs/{DAY}", "3 files of 12 bytes"),
        ("keys/blobs/2025-11-01.key", "a key of a day"),
    ]


def test_batches_of_reads_that_are_gone_or_others_are_named(layout: Layout) -> None:
    """And put back, nothing is."""
    first, second = sorted(layout.reads.glob("*.jsonl"))
    content = first.read_bytes()
    first.write_bytes(content.replace(b"select", b"delete"))
    second.rename(layout.data / "elsewhere")
    assert sorted(found(layout)) == sorted(
        [("error", "reads_differ", f"reads/{first.name}"), ("error", "reads_missing", f"reads/{second.name}")]
    )
    first.write_bytes(content)
    (layout.data / "elsewhere").rename(second)
    assert found(layout) == []


def test_a_batch_that_a_crash_left_goes_where_others_have_it(layout: Layout) -> None:
    """And stays where any of its reads is nowhere else, or told otherwise, or where it is damaged."""
    first, second = sorted(layout.reads.glob("*.jsonl"))
    twice = aged(layout.reads / f"{'a' * 32}.jsonl", first.read_bytes() + second.read_bytes())
    other = first.read_bytes().replace(b'"id":"', b'"id":"f')
    alone = aged(layout.reads / f"{'b' * 32}.jsonl", other)
    otherwise = aged(layout.reads / f"{'c' * 32}.jsonl", first.read_bytes().replace(b"select", b"delete"))
    damaged = aged(layout.reads / f"{'d' * 32}.jsonl", b"no read")
    aged(layout.reads_new / "strange", b"{}")
    left = [
        ("warning", "reads_otherwise", f"reads/{otherwise.name}"),
        ("info", "reads_left", f"reads/{twice.name}"),
        ("info", "reads_left", f"reads/{alone.name}"),
        ("info", "reads_left", f"reads/{damaged.name}"),
        ("info", "reads_left", "reads/new"),
    ]
    assert found(layout) == left
    assert repair(layout) == Repaired(lookups=0, reads=1)
    assert found(layout) == [each for each in left if each[2] != f"reads/{twice.name}"]
    assert repair(layout) == Repaired(lookups=0, reads=0)


def test_without_a_ledger_to_be_read_nothing_is_removed(layout: Layout) -> None:
    """Nobody can tell what was entered."""
    (first, *_) = layout.reads.glob("*.jsonl")
    aged(layout.reads / f"{'a' * 32}.jsonl", first.read_bytes())
    (entries,) = layout.ledger.rglob("*.open")
    entries.write_bytes(entries.read_bytes().replace(b'"kind"', b'"kinx"'))
    assert ("warning", "unchecked", "reads") in found(layout)
    assert repair(layout).reads == 0
