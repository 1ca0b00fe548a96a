"""`erase`: a run, a span or a user, out of the store at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.ingest.canaries import files_with
from tests.ingest.drain_samples import drain, new_store, send, traces

from aftertrace.store.ledger.sealer import seal

from .conftest import Command

_FIRST = "select run_id from calls where tool_call_id = 'call_1_0'"
WHY = ("--why", "asked for", "--by", "ann")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with two runs."""
    layout = new_store(tmp_path / "data")
    send(layout, traces(1, service="first-program"), traces(2, service="second-program"))
    drain(layout)
    seal(layout)
    return layout.data


def runs(aftertrace: Command, data: Path) -> list[str]:
    """Ids of runs."""
    listed = aftertrace("runs", "--data", data, "--format", "json").out.splitlines()
    return [json.loads(line)["run_id"] for line in listed]


def test_a_run_is_erased(aftertrace: Command, data: Path) -> None:
    """After a look at how much it is; verify still holds; the other one stays."""
    (one,) = json.loads(aftertrace("sql", _FIRST, "--data", data, "--format", "json").out.splitlines()[0]).values()
    dry = aftertrace("erase", "--run", one, "--dry-run", "--data", data, *WHY)
    assert (dry.code, dry.out, len(runs(aftertrace, data))) == (0, "2 records would be erased\n", 2)
    done = aftertrace("erase", "--run", one, "--data", data, *WHY)
    assert (done.code, done.out.partition(" ")[2]) == (0, "2 records were destroyed\n")
    certified = aftertrace("retention", "certificate", done.out.partition(":")[0], "--data", data)
    data.with_name("certificate").write_text(certified.out)
    checked = aftertrace("retention", "check", data.with_name("certificate"), "--key", data / "ledger" / "key")
    assert (checked.code, "2 records received on 1 days" in checked.out) == (0, True)
    assert (len(runs(aftertrace, data)), one in runs(aftertrace, data)) == (1, False)
    assert (files_with(data, b"call_1_"), bool(files_with(data, b"call_2_"))) == ([], True)
    report = json.loads(aftertrace("verify", "--data", data, "--format", "json").out)
    assert (report["integrity"], {each["code"] for each in report["findings"]} - {"derived_unverified"}) == (
        "holds",
        {"erased"},
    )


def test_packets_of_what_came_with_it_hold_before_and_after(aftertrace: Command, data: Path, tmp_path: Path) -> None:
    """The one that was exported before, and one of a run of which a span is gone."""
    (run,) = json.loads(aftertrace("sql", _FIRST, "--data", data, "--format", "json").out.splitlines()[0]).values()
    key = data / "ledger" / "key"
    for name in ("before", "after"):
        packet = tmp_path / f"{name}.zip"
        assert aftertrace("packet", run, "--out", packet, "--data", data).code == 0
        done = aftertrace("erase", "--span", f"{1:032x}/{101:016x}", "--data", data, *WHY)
        assert done.code == (0 if name == "before" else 2)
    for name in ("before", "after"):
        told = aftertrace("verify", tmp_path / f"{name}.zip", "--key", key)
        assert (told.code, [line.split()[1] for line in told.out.splitlines()[2:5]]) == (0, ["holds"] * 3), told


def test_a_span_is_erased_alone(aftertrace: Command, data: Path) -> None:
    """By its two ids."""
    span = f"{1:032x}/{101:016x}"
    done = aftertrace("erase", "--span", span, "--data", data, *WHY)
    assert (done.code, done.out.partition(" ")[2]) == (0, "1 records were destroyed\n")
    assert (files_with(data, b"call_1_0"), bool(files_with(data, b"call_1_1"))) == ([], True)
    assert aftertrace("fsck", "--data", data).code == 0


def test_what_is_held_is_refused(aftertrace: Command, data: Path) -> None:
    """With the hold that keeps it."""
    run = runs(aftertrace, data)[0]
    aftertrace("hold", "add", "--run", run, "--data", data, *WHY)
    done = aftertrace("erase", "--run", run, "--data", data, *WHY)
    assert (done.code, f"of run {run}" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "expected one of"),
        (("--run", ""), "not an empty one"),
        (("--user", ""), "not an empty one"),
        (("--span", "x"), "no span"),
        (("--run", "x"), "x"),
        (("--user", "nobody"), "no such"),
    ],
)
def test_what_is_not_there_is_refused(aftertrace: Command, data: Path, options: tuple[str, ...], said: str) -> None:
    """And nothing goes."""
    done = aftertrace("erase", "--data", data, *options, *WHY)
    assert (done.code, said in done.err, len(runs(aftertrace, data))) == (2, True, 2)
