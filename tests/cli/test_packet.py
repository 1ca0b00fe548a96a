"""`packet` and `verify PACKET`: what they are asked, what they write, and with which exit code they end."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.verifier.packed import MINE, THEIRS, stored, unpacked

from aftertrace.store.layout import Layout
from aftertrace.store.ledger.proving import Prover
from aftertrace.verifier.verify import sample


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store of three recordings and a request of two runs."""
    return stored(tmp_path / "store")


def about(packet: Path) -> dict[str, Any]:
    """What a packet says of itself."""
    folder = packet if packet.is_dir() else unpacked(packet, packet.with_suffix(".unpacked"))
    told: dict[str, Any] = json.loads((folder / "data" / "packet.json").read_bytes())
    return told


def run_ids(aftertrace: Command, data: Path, *filters: str) -> list[str]:
    """The runs of a store."""
    lines = aftertrace("runs", "--data", data, "--format", "json", *filters).out.splitlines()
    return sorted(json.loads(line)["run_id"] for line in lines)


def test_runs_are_exported_and_verified(aftertrace: Command, data: Path, tmp_path: Path) -> None:
    """Several at once; to a file of a name of its own, or to a folder."""
    done = aftertrace("packet", f"run-{MINE}", "last", "--data", data)
    assert (done.code, done.out, done.err) == (0, "aftertrace-run.zip: 2 runs, 18 records\n", "")
    folder = aftertrace("packet", f"run-{MINE}", "--data", data, "--out", tmp_path / "folder")
    assert folder.code == 0
    key = data / "ledger" / "key"
    for packet in ("aftertrace-run.zip", tmp_path / "folder"):
        ended = aftertrace("verify", packet, "--key", key)
        told = [line.split()[1] for line in ended.out.splitlines()[2:5]]
        assert (ended.code, told) == (0, ["holds"] * 3)
    report = json.loads(aftertrace("verify", tmp_path / "folder", "--format", "json").out)
    assert (report["integrity"], report["authenticity"], report["records"]) == ("holds", "unknown", 1)
    assert aftertrace("verify", tmp_path / "folder").code == 3


def test_the_store_stays_as_it_was_but_for_the_entry(aftertrace: Command, data: Path) -> None:
    """And verifies; the account that exported is on record."""
    before = Prover(Layout(data).ledger).size
    assert aftertrace("packet", "last", "--data", data).code == 0
    ledger = Prover(Layout(data).ledger)
    entry = ledger.entry(before)
    assert (ledger.size, type(entry).__name__, getattr(entry, "uid", None)) == (before + 1, "Export", os.getuid())
    assert aftertrace("verify", "--data", data, "--key", data / "ledger" / "key").code == 0
    assert list((data / "reads" / "new").iterdir()) == []


def test_an_incident_is_a_file(aftertrace: Command, data: Path, tmp_path: Path) -> None:
    """Runs by their names, and by what leads to them, each once."""
    file = tmp_path / "incident.toml"
    find = f'["{THEIRS}", ["pay_{MINE}", "{MINE}"]]'
    file.write_text(f'title = "Paid twice"\nruns = ["run-{MINE}"]\nfind = {find}\nsince = 2025-01-01\n')
    done = aftertrace("packet", "--incident", file, "--data", data, "--out", "i.zip")
    assert (done.code, done.out) == (0, "i.zip: 2 runs, 2 records\n")
    told = about(Path("i.zip"))
    assert (told["kind"], told["title"], len(told["runs"])) == ("incident", "Paid twice", 2)
    assert told["asked"]["since"] == "2025-01-01"
    assert aftertrace("verify", "i.zip", "--key", data / "ledger" / "key").code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no title"),
        ('title = "x"', "neither runs nor find"),
        ('title = "x"\nruns = "last"', "runs is no list"),
        ('title = "x"\nruns = [1]', "expected texts"),
        ('title = "x"\nfind = [[]]\nrun = []', "'run'"),
        ('title = "x"\nruns = ["a"]\nsince = "now"', "since is no time"),
        ("title", "no TOML"),
        ('title = "x"\nfind = ["nobody wrote this"]', "nothing on record names"),
        ('title = "x"\nruns = ["nobody"]', "nobody"),
    ],
)
def test_a_file_that_describes_no_incident_is_refused(
    aftertrace: Command, data: Path, tmp_path: Path, content: str, said: str
) -> None:
    """With what was found and what was expected; nothing is left behind."""
    (tmp_path / "incident.toml").write_text(content)
    done = aftertrace("packet", "--incident", tmp_path / "incident.toml", "--data", data)
    assert (done.code, said in done.err) == (2, True), done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["incident.toml", "store"]


def test_a_period_has_its_counts_and_a_sample_that_anybody_can_draw_again(
    aftertrace: Command, data: Path, tmp_path: Path
) -> None:
    """By a seed that somebody else gave, or by the root that was signed; other runs are named and not shown."""
    late = aftertrace("packet", "--period", "2025-11-25", "--data", data, "--out", "late.zip")
    assert (late.code, about(Path("late.zip"))["runs"]) == (0, [])
    options = ("--period", "2025-11-25", "--as-of", "now", "--data", data)
    done = aftertrace("packet", *options, "--sample", "1", "--seed", "auditor's word", "--out", "p.zip")
    assert done.code == 0, done.err
    told = about(Path("p.zip"))
    folder = Path("p.unpacked/packet")
    population = (folder / "data/population/runs.txt").read_text().split()
    assert len(population) == 2
    drawn = [run["run_id"] for run in told["runs"]]
    assert (drawn, told["sample"]["seed"]) == (sample("auditor's word", population, 1), "auditor's word")
    counts = json.loads((folder / "data/population/near-misses.json").read_text())
    assert (counts["totals"]["calls"], "near_misses" in counts) == (2, False)
    shown = MINE if drawn == run_ids(aftertrace, data, "--tool", f"pay_{MINE}") else THEIRS
    hidden = {MINE: THEIRS, THEIRS: MINE}[shown]
    whole = b"".join(path.read_bytes() for path in (folder / "data" / "evidence").iterdir())
    assert (shown.encode() in whole, hidden.encode() in whole) == (True, False)
    assert aftertrace("verify", "p.zip", "--key", data / "ledger" / "key").code == 0
    assert aftertrace("packet", *options, "--out", "q.zip").code == 0
    assert len(about(Path("q.zip"))["runs"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected one of RUN"),
        (("last", "--period", "2026"), "expected one of RUN"),
        (("last", "--seed", "x"), "expected --period with them"),
        (("--period", "soon"), "is no period"),
        (("nobody",), "nobody"),
        (("last", "--out", "there"), "there already"),
        (("last", "--checkpoint", "there/x"), "read checkpoint"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    aftertrace: Command, data: Path, arguments: tuple[str, ...], said: str
) -> None:
    """With what was expected."""
    Path("there").mkdir()
    Path("there/x").write_text("x")
    done = aftertrace("packet", *arguments, "--data", data)
    assert (done.code, said in done.err) == (2, True), done.err


def test_a_packet_and_a_part_of_a_store_are_not_verified_at_once(aftertrace: Command, data: Path) -> None:
    """One or the other."""
    assert aftertrace("packet", "last", "--data", data, "--out", "p.zip").code == 0
    for option in (("--run", "last"), ("--since", "2026-01-01"), ("--ledger", data / "ledger")):
        done = aftertrace("verify", "p.zip", *option)
        assert (done.code, "expected one of them" in done.err) == (2, True)


def test_a_store_that_was_changed_is_exported_as_unproven(aftertrace: Command, data: Path) -> None:
    """An incident does not wait for repair: of what the ledger has otherwise it is said that nothing is proven."""
    from tests.ingest.forging import rewrite, with_value

    (receiver,) = {path.name.partition(".")[0] for path in (data / "tables" / "events").rglob("received_date=*/*")}
    rewrite(Layout(data), lambda rows: with_value(rows, "rule", "forged"), "events", receiver=receiver)
    run = run_ids(aftertrace, data)[0]
    done = aftertrace("packet", run, "--data", data, "--out", "p.zip")
    assert done.code == 0, done.err
    ended = aftertrace("verify", "p.zip", "--key", data / "ledger" / "key", "--format", "json")
    report = json.loads(ended.out)
    codes = {found["code"] for found in report["findings"]}
    assert (ended.code in (0, 3), codes <= {"uncovered"}) == (True, True)


def test_a_packet_outlives_its_store(aftertrace: Command, data: Path) -> None:
    """It needs nothing of it."""
    assert aftertrace("packet", "last", "--data", data, "--out", "p.zip").code == 0
    key = (data / "ledger" / "key").read_text().strip()
    shutil.rmtree(data)
    assert aftertrace("verify", "p.zip", "--key", key).code == 0
