"""`verify` and `seal`: what they print, with which exit code, and what they are given."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.analyzer.test_told_anew import forge
from tests.ingest.drain_samples import drain, new_store, send, traces
from tests.ingest.forging import rewrite, with_value

from aftertrace.ingest import dialects
from aftertrace.store.layout import Layout
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import SignerKey

from .conftest import Command


def test_all_three_hold_with_what_was_kept(aftertrace: Command, data: Path) -> None:
    """The key as a file or as text, checkpoints as a file or a folder of them."""
    folder = data.with_name("kept")
    folder.mkdir()
    shutil.copy(data.with_name("checkpoint"), folder / "2026-01-01")
    key = data.with_name("key")
    for told, kept in ((key, data.with_name("checkpoint")), (key.read_text().strip(), folder)):
        done = aftertrace("verify", "--data", data, "--key", told, "--checkpoint", kept)
        lines = [line.split()[:2] for line in done.out.splitlines()]
        assert (done.code, lines) == (
            0,
            [["integrity", "holds"], ["completeness", "holds"], ["authenticity", "holds"]],
        )
    done = aftertrace("verify", "--data", data, "--key", key, "--format", "json")
    report = json.loads(done.out)
    assert (report["integrity"], report["completeness"], report["authenticity"]) == ("holds",) * 3
    assert (report["records"], report["requests"], report["findings"]) == (1, 1, [])


@pytest.fixture
def kept(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path | str, ...]:
    """How to verify that store in an hour, when its run is over and what it tells is kept."""
    now_ns = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    assert "what 1 runs tell is kept" in aftertrace("derive", "--data", data).out
    return "--data", data, "--key", data.with_name("key"), "--checkpoint", data.with_name("checkpoint")


def test_kept_answers_are_compared_if_that_is_asked_for(
    aftertrace: Command, data: Path, kept: tuple[Path | str, ...]
) -> None:
    """Otherwise it is said that they are not, which changes no verdict."""
    done = aftertrace("verify", *kept)
    assert done.code == 0
    assert done.out.splitlines()[-1].split()[:3] == ["info", "derived_unverified", "derived:"]
    run_id = json.loads(aftertrace("runs", "--data", data, "--format", "json").out.splitlines()[0])["run_id"]
    for asked in (("--derived",), ("--run", run_id), ("--derived", "--since", "2000-01-01")):
        done = aftertrace("verify", *kept, *asked)
        assert (done.code, done.out.splitlines()[0].partition("; ")[2], len(done.out.splitlines())) == (
            0,
            "so are kept answers about 1 runs",
            3,
        )


def test_kept_answers_that_were_forged_end_with_1(
    aftertrace: Command, data: Path, kept: tuple[Path | str, ...]
) -> None:
    """With a file and a state that fit; the table, the run and the day are named."""
    forge(Layout(data), "runs", lambda rows: rows.with_columns(agent_name=pl.lit("nobody")))
    told = json.loads(aftertrace("runs", "--data", data, "--format", "json").out.splitlines()[0])
    assert (told["agent_name"], aftertrace("verify", *kept).code) == ("nobody", 0)
    done = aftertrace("verify", *kept, "--derived")
    assert (done.code, done.out.split()[:2]) == (1, ["integrity", "broken"])
    day = datetime.now(UTC).date()
    assert f"derived_differs  derived runs run {told['run_id']}, of {day}: other values of agent_name" in done.out
    assert aftertrace("verify", *kept, "--run", told["run_id"]).code == 1
    # The way out: nothing is in there that cannot be made again.
    shutil.rmtree(data / "derived")
    assert aftertrace("derive", "--data", data).code == 0
    assert aftertrace("verify", *kept, "--derived").code == 0


def test_without_a_key_from_elsewhere_not_all_is_shown(aftertrace: Command, data: Path) -> None:
    """Exit code 3; and that a store put back as a whole would go unseen is said."""
    done = aftertrace("verify", "--data", data)
    assert done.code == 3
    assert "authenticity  unknown" in done.out
    assert "a store put back whole looks sound" in done.out


def test_a_part_is_asked_for(aftertrace: Command, data: Path) -> None:
    """A run, or days."""
    run_id = json.loads(aftertrace("runs", "--data", data, "--format", "json").out.splitlines()[0])["run_id"]
    for options in (("--run", run_id), ("--since", "2000-01-01"), ("--until", "9999-01-01")):
        report = json.loads(aftertrace("verify", "--data", data, "--format", "json", *options).out)
        assert (report["integrity"], report["requests"]) == ("holds", 1)
    report = json.loads(aftertrace("verify", "--data", data, "--format", "json", "--until", "2000-01-01").out)
    assert (report["integrity"], report["requests"]) == ("holds", 0)


def test_what_was_forged_ends_with_1_and_is_named(aftertrace: Command, data: Path) -> None:
    """On a line of its own, with its place."""
    (file,) = (data / "tables" / "events").rglob("received_date=*/*.parquet")
    receiver = file.name.partition(".")[0]
    rewrite(Layout(data), lambda rows: with_value(rows, "source", "\x1b[31mme"), "events", receiver=receiver)
    done = aftertrace("verify", "--data", data, "--key", data.with_name("key"))
    assert done.code == 1
    assert "integrity     broken" in done.out
    assert f"rows_differ  events {receiver}/1: " in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--key", "nonsense"), "read --key"),
        (("--since", "yesterday"), "not a day"),
        (("--run", "nobody"), "nobody"),
        (("--checkpoint", "/nowhere"), "does not exist"),
    ],
)
def test_what_cannot_be_used_is_refused(aftertrace: Command, data: Path, options: tuple[str, str], said: str) -> None:
    """With what was expected."""
    done = aftertrace("verify", "--data", data, *options)
    assert (done.code, said in done.err) == (2, True)


def test_checkpoints_that_were_kept_are_compared(
    aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ledger.anchor` is written to and read: a store that was put back as a whole is found."""
    anchor = data.with_name("anchor")
    monkeypatch.setenv("AFTERTRACE_LEDGER_ANCHOR", str(anchor))
    shutil.copytree(data, data.with_name("older"))
    (line,) = data.parent.glob("*.jsonl")
    assert aftertrace("import", "--data", data, line).code == 0
    for _ in range(2):
        assert aftertrace("seal", "--data", data).code == 0
    (kept,) = anchor.iterdir()
    assert kept.read_bytes() == (data / "ledger" / "checkpoint").read_bytes()
    key = ("--key", data.with_name("key"))
    sound = aftertrace("verify", "--data", data, *key)
    assert (sound.code, "put back whole" in sound.out) == (0, False)
    older = aftertrace("verify", "--data", data.with_name("older"), *key)
    assert (older.code, "rolled_back" in older.out) == (1, True)


def test_a_restore_is_one_command_that_says_what_it_does(aftertrace: Command, data: Path) -> None:
    """The sealer's folder was copied before the ledger: without it, it refuses; twice is once."""
    shutil.copytree(data / "sealer", data.with_name("sealer"))
    (line,) = data.parent.glob("*.jsonl")
    assert aftertrace("import", "--data", data, line).code == 0
    shutil.rmtree(data / "sealer")
    shutil.copytree(data.with_name("sealer"), data / "sealer")
    refused = aftertrace("seal", "--data", data)
    assert (refused.code, "`aftertrace seal --restore`" in refused.err) == (1, True)
    done = aftertrace("seal", "--data", data, "--restore")
    assert done.code == 0
    assert done.out.startswith("sealer/signed covered 3 entries, and ledger/checkpoint 4, which its key signed")
    done = aftertrace("seal", "--data", data, "--restore")
    assert (done.code, done.out.partition(":")[0]) == (0, "nothing to restore")
    assert aftertrace("verify", "--data", data, "--key", data.with_name("key")).code == 0


def test_a_restore_says_which_requests_have_other_rows(
    aftertrace: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are put back, and another aftertrace reads what the WAL has of them."""
    layout, kept = new_store(tmp_path / "data"), tmp_path / "kept"
    data, tables = layout.data, tmp_path / "tables"
    send(layout, traces(1))
    drain(layout)
    shutil.copytree(layout.tables_folder, tables)
    with monkeypatch.context() as patch:
        patch.setattr(dialects, "DIALECTS", dialects.DIALECTS[-1:])
        send(layout, traces(2))
        assert aftertrace("drain", "--data", data).code == 0
    shutil.copy(layout.ledger_key, kept)
    shutil.rmtree(layout.tables_folder)
    shutil.copytree(tables, layout.tables_folder)
    assert aftertrace("drain", "--data", data).code == 0
    refused = aftertrace("seal", "--data", data)
    assert (refused.code, "`aftertrace seal --restore` signs it and names it" in refused.err) == (1, True)
    done = aftertrace("seal", "--data", data, "--restore")
    assert (done.code, done.out.partition(";")[0]) == (
        0,
        "1 requests have other rows since tables were put back: main/2",
    )
    again = aftertrace("seal", "--data", data, "--restore")
    assert (again.code, again.out.partition(":")[0]) == (0, "nothing to restore")
    report = aftertrace("verify", "--data", data, "--key", kept)
    assert (report.code, "restored_otherwise  main/2" in report.out) == (3, True)


@pytest.mark.parametrize("what", ["of another store", "with another past"])
def test_a_restore_takes_nothing_that_does_not_go_together(
    aftertrace: Command, data: Path, tmp_path: Path, what: str
) -> None:
    """A checkpoint of another key; or one of this key, over hashes that are not those of the sealer's note."""
    (line,) = tmp_path.glob("*.jsonl")
    if what == "of another store":
        assert aftertrace("import", "--data", tmp_path / "other", line, line).code == 0
        shutil.copy(tmp_path / "other" / "ledger" / "checkpoint", data / "ledger" / "checkpoint")
    else:
        key = SignerKey.parse((data / "sealer" / "key").read_text().strip())
        (data / "ledger" / "checkpoint").write_bytes(bytes(Checkpoint(key.name, 9, bytes(32)).signed(key)))
    before = (data / "sealer" / "signed").read_bytes()
    done = aftertrace("seal", "--data", data, "--restore")
    assert (done.code, "copy both from" in done.err, (data / "sealer" / "signed").read_bytes()) == (1, True, before)


def test_seal_signs_what_is_not(aftertrace: Command, data: Path) -> None:
    """By hand, after something that does not."""
    for folder in ("sealer", "ledger"):
        path = data / folder
        for name in ("key", "signed", "checkpoint"):
            (path / name).unlink(missing_ok=True)
    assert aftertrace("seal", "--data", data).code == 0
    assert json.loads(aftertrace("verify", "--data", data, "--format", "json").out)["integrity"] == "holds"
