"""A record that comes late joins runs that are kept, by each kind of key, and nothing else is read for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer import Corrupt, open_analysis
from aftertrace.analyzer.derived import leads
from aftertrace.store import derived, key_index
from aftertrace.store.folder import open_folder

from .frames import RECEIVED_NS, Frames
from .stories import COMPLETED, PROPOSED, event, span, stored
from .test_deriving import HOUR_NS, Growing, arriving, assert_told_alike, kept_in
from .test_one_run import DRAWN, GATE, STORIES, moved, of

EVERY_NS: Final = 30 * HOUR_NS
"""Between two arrivals: whatever came before is final by then."""
OTHERS: Final = 3
"""Runs that have nothing to do with it, each kept in files of its own."""
PARENT: Final = {"attributes": '{"run_parent_id":"k-1"}'}
LATE: Final = {
    **STORIES,
    "trace": stored(moved(PROPOSED, 0, **of("1")), moved(COMPLETED, 9, **of("1"))),
    "link to what comes later": stored(
        moved(PROPOSED, 0, **of("1")),
        spans=(
            span("invoke_agent", links=json.dumps([["2" * 32, "a" * 16]]), **of("1")),
            span("invoke_agent", s=9, **of("2")),
        ),
    ),
    "parent": stored(
        event("run.created", tool_name=None, **of("1", run_key="k-1", call_id=None)),
        event("run.created", s=5, tool_name=None, **of("2", run_key="k-2", call_id=None), **PARENT),
    ),
    "call that a gateway names": stored(
        moved(PROPOSED, 0, **of("1", "s-1", call_id=DRAWN.format(1))),
        event("policy.evaluated", "deny", s=60, call_id=DRAWN.format(1), **of("2"), **GATE),
    ),
}
"""The record that was received last is the one that comes late."""


def amid(whole: Frames) -> Frames:
    """A story whose last record comes after it and other runs are over, long after one another."""
    count = whole.spans.height + whole.events.height
    others: list[dict[str, Any]] = [
        moved(each, 3600 * number, **of(f"{number:x}", f"s-{number}", call_id=f"o-{number}"))
        for number in range(9, 9 + OTHERS)
        for each in (PROPOSED, COMPLETED)
    ]
    last = stored(*others).events.with_columns(pl.col("seq") + count)
    joined = Frames(whole.spans, pl.concat([whole.events, last]))
    # The story but its last record, the others, and that one.
    seqs = [*range(1, count), *range(count + 1, count + len(others) + 1), count]
    return arriving(joined, seqs, [RECEIVED_NS + number * EVERY_NS for number in range(len(seqs))])


def until_the_last(folder: Path, whole: Frames) -> tuple[Growing, int]:
    """A store to which all but the last record came, and the number of that; runs were derived when they were over."""
    store, last = Growing(open_folder(folder), whole), whole.spans.height + whole.events.height
    story, before = last - 1 - 2 * OTHERS, 0
    for seq in range(story, last, 2):
        store.receive(before, seq)
        store.derive(over_ns(seq))
        before = seq
    return store, last


def over_ns(seq: int) -> int:
    """When what came with a record is final."""
    return RECEIVED_NS + (seq - 1) * EVERY_NS + 26 * HOUR_NS


@pytest.mark.parametrize("kind", LATE)
def test_what_a_late_record_joins_is_told_anew(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all had been derived at once; before the step too, from what is kept and the record. Other runs stay in
    their files, and even what leads to them is not read.
    """
    store, last = until_the_last(tmp_path / "data", amid(LATE[kind]))
    before = kept_in(store)
    assert before.opened == ()
    expected = store.told(last, over_ns(last))
    store.receive(last - 1, last)
    # The control: an index that knows of no run, and no file, would have what is kept stand beside it, or stay.
    with monkeypatch.context() as blind:
        blind.setattr(key_index, "places", lambda *_: {})
        with pytest.raises(AssertionError):
            assert_told_alike(open_analysis(store.layout.data, now_ns=over_ns(last)), expected)
    assert_told_alike(open_analysis(store.layout.data, now_ns=over_ns(last)), expected)
    others = of_others(store)
    assert len(others) == OTHERS
    for part in others:
        (store.layout.derived / part.files["leads"]).unlink()
    store.derive(over_ns(last))
    assert_told_alike(open_analysis(store.layout.data, now_ns=over_ns(last)), expected)
    assert [part for part in kept_in(store).parts if part in others] == others


def of_others(store: Growing) -> list[derived.Part]:
    """The parts that hold runs of no story."""
    parts = kept_in(store).parts
    traces = [pl.read_parquet(store.layout.derived / part.files["runs"])["traces"].explode() for part in parts]
    return [part for part, of_part in zip(parts, traces, strict=True) if of_part[0][0] not in "12"]


def test_what_leads_to_a_run_that_is_kept_is_told_where_it_is_damaged(tmp_path: Path) -> None:
    """Keys of the run itself, or the index; where the index of stored files is, lookup files are read in its place."""
    for damaged in ("leads", "index-of-leads", "index-of-events"):
        store, last = until_the_last(tmp_path / damaged, amid(LATE["trace"]))
        state = kept_in(store)
        if damaged == "leads":
            files = [store.layout.derived / part.files["leads"] for part in state.parts if part not in of_others(store)]
        else:
            levels = state.indexes[leads.INDEX if damaged == "index-of-leads" else "events"]
            files = [store.layout.derived_index / level.path for level in levels]
        for file in files:
            content = file.read_bytes()
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        store.receive(last - 1, last)
        if damaged == "index-of-events":
            assert_told_alike(open_analysis(store.layout.data, now_ns=over_ns(last)), store.told(last, over_ns(last)))
            store.derive(over_ns(last))
        else:
            with pytest.raises(Corrupt, match=r"expected what was derived there; `aftertrace derive --anew`"):
                store.derive(over_ns(last))
            store.derive(over_ns(last), anew=True)
        assert_told_alike(open_analysis(store.layout.data, now_ns=over_ns(last)), store.told(last, over_ns(last)))
