"""verify: blobs that records refer to are there and hold what was taken, or an order says why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.verify import Asked, verify

from .drain_samples import drain, new_store
from .forging import flip
from .referring import conversation, refer, spans_of, tool_call

DAY = date(2025, 11, 25)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A store whose records refer to two contents."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(tool_call(1), {"gen_ai.operation.name": "chat", "gen_ai.input.messages": conversation()}))
    drain(layout)
    seal(layout)
    return layout


def found(layout: Layout) -> list[tuple[str, str]]:
    """What is found of blobs."""
    report = verify(layout, Asked(patience_s=0.0))
    return [(each.code, each.where) for each in report.findings if each.code != "derived_unverified"]


def blobs_of(layout: Layout) -> list[Path]:
    """The files."""
    return sorted(layout.blobs.rglob("*.blob"))


def test_a_sound_store_has_nothing_to_tell(layout: Layout) -> None:
    """Nor has a blob that nothing refers to: a crash may leave one."""
    blobs_of(layout)[0].with_name(f"{'a' * 32}.blob").write_bytes(b"left behind")
    assert found(layout) == []


@pytest.mark.parametrize("change", [partial(flip, bit=333), Path.unlink, lambda path: path.write_bytes(b"")])
def test_each_change_of_a_blob_is_told(layout: Layout, change: Callable[[Path], object]) -> None:
    """And named rightly."""
    first, _ = blobs_of(layout)
    change(first)
    code = "blob_differs" if first.exists() else "blob_missing"
    assert found(layout) == [(code, f"blobs/{first.parent.name}/{first.stem}")]


def test_swapped_blobs_are_told(layout: Layout) -> None:
    """Each is whole, and not the content of its record."""
    first, second = blobs_of(layout)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert [code for code, _ in found(layout)] == ["blob_differs"] * 2


def test_a_key_that_is_gone_is_told(layout: Layout) -> None:
    """No order destroyed it."""
    layout.blob_key(DAY).unlink()
    assert [code for code, _ in found(layout)] == ["blob_missing"] * 2


def test_all_of_it_gone_is_told(layout: Layout) -> None:
    """Records say that there was content, whatever is left of the folder."""
    for path in blobs_of(layout):
        path.unlink()
    layout.blobs_of(DAY).rmdir()
    layout.blobs.rmdir()
    assert [code for code, _ in found(layout)] == ["blob_missing"] * 2


def test_without_the_stores_key_blobs_are_not_looked_at(layout: Layout) -> None:
    """Which is said: without it a reference cannot be told from a text."""
    layout.store_key.unlink()
    assert [code for code, _ in found(layout)] == ["unchecked"]
