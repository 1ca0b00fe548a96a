"""Blobs: what was put is got, damage is told, and none can be read without its key."""

from __future__ import annotations

import os
import random
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.store import durable
from aftertrace.store.blobs import blobs, reference
from aftertrace.store.blobs.blobs import Content
from aftertrace.store.blobs.reference import SPELLINGS, Reference
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout

KEY = bytes(32)
DAY = date(2026, 11, 22)
TEXT = "a result of some length, " * 40


def content_of(text: str, day: date = DAY) -> Content:
    """A content that was taken out."""
    data = text.encode()
    return Content(Reference(day, reference.digest_of(KEY, data), len(data)), data)


def test_what_was_put_is_got_until_its_key_is_gone(tmp_path: Path) -> None:
    """Twice the same is one file; without the key of the day there is nothing to read."""
    layout, content = Layout(tmp_path), content_of(TEXT)
    blobs.put(layout, [content, content])
    blobs.put(layout, [content])
    (path,) = layout.blobs_of(DAY).iterdir()
    assert blobs.get(layout, content.reference, KEY) == TEXT
    assert TEXT[:20].encode() not in path.read_bytes()
    layout.blob_key(DAY).unlink()
    with pytest.raises(blobs.Gone, match=r"2026-11-22\.key"):
        blobs.get(layout, content.reference, KEY)


def test_every_flipped_bit_and_every_cut_is_seen() -> None:
    """Of each byte one bit."""
    content, key = content_of(TEXT[:60]), os.urandom(32)
    blob = blobs.encoded(content, key)
    assert blobs.decoded(blob, content.reference, key, KEY) == TEXT[:60]
    rng = random.Random(7)
    changed = [blob[:at] + bytes([blob[at] ^ 1 << rng.randrange(8)]) + blob[at + 1 :] for at in range(len(blob))]
    for other in [*changed, *(blob[:at] for at in range(len(blob))), blob + b"x"]:
        with pytest.raises(Corrupt, match="expected its content"):
            blobs.decoded(other, content.reference, key, KEY)


@pytest.mark.parametrize(
    "of",
    [
        Reference(DAY, content_of("x" * 10).reference.digest, len(TEXT)),
        Reference(date(2026, 11, 23), content_of(TEXT).reference.digest, len(TEXT)),
        Reference(DAY, content_of(TEXT).reference.digest, len(TEXT) - 1),
    ],
)
def test_a_blob_is_bound_to_its_reference(of: Reference) -> None:
    """One that was put in the place of another, or of another day, is none."""
    key = os.urandom(32)
    with pytest.raises(Corrupt):
        blobs.decoded(blobs.encoded(content_of(TEXT), key), of, key, KEY)


@given(st.dates(), st.integers(0, 10**9 - 1), st.sampled_from(sorted(SPELLINGS)), st.text(max_size=40))
def test_a_reference_is_read_as_it_was_written(day: date, size: int, spelling: str, around: str) -> None:
    """In any text, and with the key of the store alone; JSON has nothing to escape in it."""
    of = Reference(day, "a2" * 16, size, spelling)
    written = reference.written(of, KEY)
    assert dict(reference.found(f"{around}{written}{around}", KEY)) == {written: of}
    assert list(reference.found(written, b"another")) == []
    assert {spell(written) for spell in SPELLINGS.values()} == {written}


@given(st.text(alphabet="[]:-by-reference0123456789abcdefutf2json", max_size=160))
def test_no_other_text_is_one(text: str) -> None:
    """However it looks."""
    assert list(reference.found(text, KEY)) == []
    assert list(reference.found(f"[[by-reference:2026-02-31:{text}", KEY)) == []


def test_a_crash_at_any_step_leaves_whole_blobs_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call that changes the disk fails in turn; what is there then can be read, and the next try stores it."""
    names = ("write_all", "sync_folder", "_sync", "_draft")
    contents = [content_of(f"{number} {TEXT}") for number in range(3)]
    failed = 0
    for name in names:
        for at in range(12):
            layout = Layout(tmp_path / f"{name}-{at}")
            layout.data.mkdir()
            calls = 0
            real = getattr(durable, name)

            def failing(*arguments: object, **more: object) -> object:
                nonlocal calls
                calls += 1
                if calls == at + 1:  # noqa: B023 - called within this turn
                    raise OSError(5, "Input/output error")
                return real(*arguments, **more)  # noqa: B023

            with monkeypatch.context() as patched:
                patched.setattr(durable, name, failing)
                try:
                    blobs.put(layout, contents)
                except OSError:
                    failed += 1
            there = {path.stem for path in layout.blobs.rglob("*.blob")}
            for content in contents:
                if content.reference.digest in there:
                    assert blobs.get(layout, content.reference, KEY).encode() == content.text
            blobs.put(layout, contents)
            assert [blobs.get(layout, each.reference, KEY).encode() for each in contents] == [
                each.text for each in contents
            ]
    assert failed > 20


def test_a_damaged_key_is_told(tmp_path: Path) -> None:
    """Nothing is written with it."""
    layout, content = Layout(tmp_path), content_of(TEXT)
    blobs.put(layout, [content])
    layout.blob_key(DAY).write_bytes(b"short")
    for act in (lambda: blobs.put(layout, [content]), lambda: blobs.get(layout, content.reference, KEY)):
        with pytest.raises(Corrupt, match="5 bytes, expected 32"):
            act()
