"""The work on a span is seen by module, and what it leaves on disk by kind."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

from benchmarks import stages
from benchmarks.corpus import requests, templates
from benchmarks.footprint import footprint

from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.store.folder import open_folder, store_key
from aftertrace.store.request import Request
from aftertrace.store.wal import WalWriter


def test_each_stage_is_seen_at_work() -> None:
    """All shares together are the whole, and reading is a part of the drain."""
    profile = stages.measure(templates(64)[:4], count=stages.REQUESTS)
    assert [round(sum(shares.values()), 6) for shares in (profile.prepare, profile.drain)] == [1.0, 1.0]
    assert profile.drain["ingest.records"] > 0
    assert profile.columns_spans_per_s > profile.drain_spans_per_s


def test_files_of_a_store_are_told_apart(tmp_path: Path) -> None:
    """What stays is what its tables hold now; the rest was replaced, or waits in the log."""
    layout = open_folder(tmp_path / "data")
    prepare = make_prepare(RedactionPolicy(), limits=Limits(), key=store_key(layout))
    with WalWriter(layout, "main") as log:
        for body, _ in islice(requests(templates(64)[:1]), 3):
            request = Request("traces", "protobuf", body, "bench", time.time_ns())
            log.append(request, prepare(request)).result()
    with Drain(layout, DrainOptions(batch_bytes=1)) as drain:
        drain.once()
    assert footprint(layout.data).most_small_files == 3
    with WalWriter(layout, "main") as log:
        request = Request("traces", "protobuf", body, "bench", time.time_ns())
        log.append(request, prepare(request)).result()
    with Drain(layout, DrainOptions(fold_at=2)) as drain:
        drain.once()
    before = footprint(layout.data)
    (layout.data / "tables" / "spans" / "left.parquet").write_bytes(bytes(40_960))
    after = footprint(layout.data)
    assert before.replaced_bytes > 0
    assert 0 < before.evidence_bytes < before.live_bytes
    assert (after.live_bytes, after.replaced_bytes) == (before.live_bytes, before.replaced_bytes + 40_960)
    # What a fold has made is not small, however few bytes it has. The one scope came with the first request.
    assert before.most_small_files == 1
    lookups = list((layout.data / "tables" / "_lookup").rglob("*.parquet"))
    assert lookups
    for each in lookups:  # some are of files that were replaced
        each.write_bytes(bytes(81_920))
    assert footprint(layout.data).live_bytes > before.live_bytes
