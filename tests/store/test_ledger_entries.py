"""Entries: written in one way, read in no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.store.errors import Corrupt
from aftertrace.store.ledger.batches import FRAMES, batches
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import (
    Batch,
    Begin,
    Entry,
    ErasedRow,
    Erasure,
    Export,
    FrameEntry,
    Gap,
    Hold,
    Quarantine,
    Release,
    Retained,
    Retention,
    Rotation,
    Tables,
    Withdrawn,
    decoded,
    digest_of,
    encoded,
    rows_of,
    text_of,
)
from aftertrace.store.ledger.state import CommitRange
from aftertrace.tlog.merkle import EMPTY_ROOT, leaf_hash, root_of
from aftertrace.tlog.tiles import MAX_ENTRY_BYTES

DIGEST = text_of(bytes(range(32)))
STATE: dict[str, Any] = {
    "time_ns": "1764072000000000000",
    "upto": {"main": 2},
    "versions": {"evidence": 1},
    "commits": {"evidence": CommitRange(0, 1, DIGEST)},
}
ACT: dict[str, Any] = {"id": "0f" * 16, "uid": 1000}
TEXTS = ("receiver", "code", "where", "name", "by", "why", "note")
SAID: dict[str, Any] = {"by": "ann", "why": "case 7"}


def frame(seq: int, leaves: int = 1) -> FrameEntry:
    """A request with some rows of evidence."""
    rows = rows_of([leaf_hash(b"%d" % number) for number in range(leaves)])
    return FrameEntry(seq=seq, digest=DIGEST, evidence=rows, spans=rows_of([]), events=rows)


ENTRIES: list[Entry] = [
    Begin(receiver="main", after_seq=0, **STATE),
    Batch(receiver="main", day="2025-11-25", frames=(frame(1), frame(2, 3)), **STATE),
    Gap(receiver="main", first_seq=3, last_seq=4, **STATE),
    Quarantine(receiver="main", code="frame_damaged", where="wal/main/x", digest=DIGEST, name="x-1", **STATE),
    Tables(**STATE),
    Export(id="0f" * 16, of="run", runs=1, digest=DIGEST, uid=1000, **STATE),
    Hold(**ACT, of="days", name="2025-11-25/2025-11-26", **SAID, **STATE),
    Release(**ACT, hold="1f" * 16, **SAID, **STATE, last_act=5),
    Retention(
        **ACT,
        **SAID,
        policy=DIGEST,
        plan=DIGEST,
        term_days=400,
        floor_days=183,
        receiver="main",
        day="2024-01-01",
        requests=((1, 7), (9, 9)),
        rows={"events": 3, "evidence": 4, "spans": 1},
        **STATE,
    ),
    Retained(**ACT, files=3, **STATE),
    Withdrawn(**ACT, hold="1f" * 16, day="2024-01-01", gone=("spans", "events"), **STATE),
    ContentRetention(
        **ACT, **SAID, plan=DIGEST, term_days=30, day="2025-11-25", blobs=("a2" * 16, "b3" * 16), compared=3, **STATE
    ),
    Erasure(
        **ACT,
        **SAID,
        receiver="main",
        day="2024-01-01",
        rows={"spans": (ErasedRow(1, 0, 0, DIGEST), ErasedRow(1, 1, 0, DIGEST))},
        **STATE,
    ),
    Rotation(**ACT, note="a note\n\n", **STATE),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    """Canonical JSON, of which every member has its kind."""
    content = encoded(entry)
    assert decoded(content) == entry
    assert json.dumps(json.loads(content), sort_keys=True, separators=(",", ":")).encode() == content


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_nothing_else_is_an_entry(entry: Entry) -> None:
    """Another kind of value in any place, one more member, one less, another spelling of the same."""
    told = json.loads(encoded(entry))

    def refused(content: bytes) -> None:
        with pytest.raises(Corrupt):
            decoded(content)

    for name in told.keys() - {"last_act"}:
        refused(json.dumps({key: value for key, value in told.items() if key != name}).encode())
        for wrong in (True, None, -1, 1.5, "x", [], [1], {"x": -1}, {"x": [2, 1, DIGEST]}, {"x": [0, 1, "x"]}):
            if type(wrong) is not type(told[name]) or wrong in (-1, "x", [1]):
                changed = {**told, name: wrong}
                if changed != told and not (name in TEXTS and wrong == "x"):
                    refused(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())
    refused(json.dumps({**told, "more": 1}, sort_keys=True, separators=(",", ":")).encode())
    refused(json.dumps(told, sort_keys=True).encode())
    refused(encoded(entry) + b"\n")
    refused(encoded(entry)[:-1])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_the_same_way(content: bytes) -> None:
    """A torn entry is no crash."""
    with pytest.raises(Corrupt):
        decoded(content)


def test_requests_of_an_entry_are_in_order_and_of_one_day() -> None:
    """Not one twice, and not too many for an entry."""
    with pytest.raises(Corrupt):
        decoded(encoded(Batch(receiver="main", day="2025-11-25", frames=(frame(2), frame(1)), **STATE)))
    with pytest.raises(Corrupt):
        decoded(encoded(Batch(receiver="main", day="2025-11-25", frames=(), **STATE)))
    with pytest.raises(Corrupt):
        decoded(encoded(Batch(receiver="main", day="2025-11-5", frames=(frame(1),), **STATE)))
    told = [("2025-11-25", frame(seq)) for seq in range(1, FRAMES + 2)] + [("2025-11-26", frame(999))]
    assert [(held.day, len(held.frames)) for held in batches("main", told)] == [
        ("2025-11-25", FRAMES),
        ("2025-11-25", 1),
        ("2025-11-26", 1),
    ]
    most = Batch(receiver="r" * 32, day="2025-11-25", frames=tuple(frame(10**18 + seq, 9) for seq in range(FRAMES)))
    assert len(encoded(most)) < MAX_ENTRY_BYTES - 4096


def test_a_note_has_an_end() -> None:
    """It names two keys, and nothing else fits into it."""
    assert decoded(encoded(Rotation(**ACT, note="n" * 2000, **STATE)))
    with pytest.raises(Corrupt):
        decoded(encoded(Rotation(**ACT, note="n" * 2001, **STATE)))


def test_rows_are_told_by_count_and_root() -> None:
    """The root of RFC 6962 over their leaves."""
    leaves = [leaf_hash(b"1"), leaf_hash(b"2")]
    assert (rows_of(leaves).count, digest_of(rows_of(leaves).root)) == (2, root_of(leaves))
    assert (rows_of([]).count, digest_of(rows_of([]).root)) == (0, EMPTY_ROOT)
    with pytest.raises(Corrupt):
        digest_of("A" * 43)
