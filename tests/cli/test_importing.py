"""Importing more than the log may hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl

from aftertrace.cli import gate
from aftertrace.cli.config import Config
from aftertrace.cli.draining import until_stored
from aftertrace.cli.importing import RECEIVER, Log, take, wal_of
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal import WalOptions, WalWriter

from .served import log_of

REQUESTS = 24
NARROW = WalOptions(segment_bytes=4096, backlog_bytes=2 * 4096)
"""Room for about a dozen of the requests below."""


def test_an_import_that_is_longer_than_the_log_may_be_is_stored_as_it_goes(tmp_path: Path) -> None:
    """It stores what the log holds and goes on; senders over the network are told to wait instead."""
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(json.dumps(log_of(f"s-{number}")) + "\n" for number in range(REQUESTS)))
    layout = open_folder(tmp_path / "data")
    with WalWriter(layout, RECEIVER, NARROW) as writer:
        tally = take([file], None, Log(layout, writer, gate.prepare_for(layout, Config())))
        early = Snapshot.of(layout.data).scan("events").select(pl.len()).collect().item()
    until_stored(layout, RECEIVER, tally.last_seq, lambda: None)
    whole = Snapshot.of(layout.data).scan("events").select("conversation_id").collect()["conversation_id"]
    assert (tally.requests, tally.last_seq, tally.stopped) == (REQUESTS, REQUESTS, None)
    assert 0 < early < REQUESTS
    assert sorted(whole) == sorted(f"s-{number}" for number in range(REQUESTS))


def test_in_a_lake_each_receiver_has_imports_of_its_own() -> None:
    """Also those with names so long that there is no room behind them."""
    names = ["east", "e" * 25, "e" * 26, "e" * 31 + "1", "e" * 31 + "2"]
    assert [wal_of(name) for name in names] == [
        "east-import",
        f"{'e' * 25}-import",
        f"{'e' * 16}-3ffe94b1-import",
        f"{'e' * 16}-aa9621bf-import",
        f"{'e' * 16}-0ed592f5-import",
    ]
    assert [Layout(Path("data")).wal(wal_of(name)).name for name in names] == [wal_of(name) for name in names]


def test_a_file_that_breaks_its_reader_does_not_keep_the_others_out(tmp_path: Path) -> None:
    """It is refused by its name; and standard input may be named twice, and has nothing more to give then."""
    good, deep, far = tmp_path / "good.jsonl", tmp_path / "deep.json", tmp_path / "far.jsonl"
    good.write_text(json.dumps(log_of("s-1")) + "\n")
    deep.write_text('{"data":[' * 450 + "{}" + "]}" * 450)
    far.write_text('{"role":"user","content":"x","timestamp":"9999-12-31T23:59:59Z"}\n')
    data = tmp_path / "data"
    command = [
        sys.executable,
        "-m",
        "aftertrace.cli",
        "import",
        *map(str, (deep, far, "-", "-", good)),
        "--data",
        str(data),
    ]
    given = (json.dumps(log_of("s-2")) + "\n").encode()
    ended = subprocess.run(command, input=given, capture_output=True, env=os.environ, timeout=120)
    said = ended.stderr.decode()
    assert (ended.returncode, "imported 3 requests with 3 records" in said, str(deep) in said) == (2, True, True), said
    stored = Snapshot.of(open_folder(data).data).scan("events").select("conversation_id").collect()["conversation_id"]
    assert {"s-1", "s-2"} <= set(stored)
