"""`comment`: an incident is written up, corrected and verified; the evidence does not change by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Command


@pytest.fixture
def data(aftertrace: Command, tmp_path: Path) -> Path:
    """A store with one run of one call."""
    lines = tmp_path / "traces.jsonl"
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund", "gen_ai.tool.call.id": "call_1"}
    span = {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "name": "execute_tool refund",
        "startTimeUnixNano": "1764072000000000000",
        "endTimeUnixNano": "1764072000000000001",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in told.items()],
    }
    lines.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    assert aftertrace("import", "--data", tmp_path / "data", lines).code == 0
    return tmp_path / "data"


def listed(aftertrace: Command, data: Path, *options: object) -> list[dict[str, object]]:
    """Comments as `list` tells them."""
    done = aftertrace("comment", "list", "--data", data, "--format", "json", *options)
    assert done.code == 0
    return [json.loads(line) for line in done.out.splitlines()]


def test_an_incident_is_written_up(aftertrace: Command, data: Path) -> None:
    """What happened is listed by when it did; what was taken back is there for those who ask for it."""
    (call,) = [json.loads(line) for line in aftertrace("calls", "--data", data, "--format", "json").out.splitlines()]
    before = {path: path.read_bytes() for name in ("tables", "ledger") for path in (data / name).rglob("*.json")}
    about = ("--data", data, "--incident", "INC-42", "--author", "Ana Ruiz")
    said = [
        ("Refund seen by finance", "--at", "2025-11-25T13:00:00Z"),
        ("Agent paid twice", "--at", "2025-11-25T12:00:00Z", "--call", call["call_key"]),
        ("No approval was asked for", "--finding", "--run", "last"),
        ("high", "--label", "severity"),
        ("Wrong incident", "--run", "last"),
    ]
    assert [aftertrace("comment", "add", *each, *about).out for each in said] == [f"{n}\n" for n in range(1, 6)]
    assert aftertrace("comment", "retract", 5, "Meant INC-43.", "--data", data).out == "6\n"
    assert aftertrace("comment", "add", "critical", "--label", "severity", "--replaces", 4, *about).out == "7\n"
    keys = ("number", "kind", "text", "calls", "runs", "replaced_by")
    run, key = [call["run_id"]], [call["call_key"]]
    assert [tuple(row[name] for name in keys) for row in listed(aftertrace, data, "--incident", "INC-42")] == [
        (2, "event", "Agent paid twice", key, run, None),
        (1, "event", "Refund seen by finance", [], [], None),
        (3, "finding", "No approval was asked for", [], run, None),
        (7, "label", "critical", [], [], None),
    ]
    everything = listed(aftertrace, data, "--all")
    assert [(row["number"], row["replaces"], row["replaced_by"]) for row in everything] == [
        *((n, None, None) for n in (1, 2, 3)),
        (4, None, 7),
        (5, None, 6),
        (6, 5, None),
        (7, 4, None),
    ]
    assert [row["number"] for row in listed(aftertrace, data, "--run", call["run_id"])] == [2, 3]
    assert [row["number"] for row in listed(aftertrace, data, "--call", call["call_key"])] == [2]
    assert [row["text"] for row in listed(aftertrace, data, "--label", "severity")] == ["critical"]
    assert {path: path.read_bytes() for path in before} == before


def test_it_keeps_who_wrote_it_and_what_evidence_there_was(aftertrace: Command, data: Path) -> None:
    """The account as the system knows it, whatever the author says; the size and root that were signed."""
    aftertrace("comment", "add", "Mine.", "--run", "last", "--author", "Somebody Else", "--data", data)
    (row,) = listed(aftertrace, data)
    _, size, root = (data / "ledger" / "checkpoint").read_text().splitlines()[:3]
    assert (row["author"], row["ledger_size"], row["ledger_root"]) == ("Somebody Else", int(size), root)
    assert row["account"] != "Somebody Else"


def test_a_secret_is_not_written_down(aftertrace: Command, data: Path) -> None:
    """In no file; and as the control, the words beside it are."""
    done = aftertrace("comment", "add", "It used password=hunter2hunter2 then", "--run", "last", "--data", data)
    assert (done.code, "replaced 1 that look like secrets" in done.err) == (0, True)
    written = b"".join(path.read_bytes() for path in (data / "commentary").iterdir())
    assert (b"hunter2" in written, b"It used password=" in written) == (False, True)


def test_comments_are_verified(aftertrace: Command, data: Path, tmp_path: Path) -> None:
    """With the key and a checkpoint that were kept; a log that was begun anew is told from the one that was."""
    assert (aftertrace("comment", "verify", "--data", data).out) == "no comments\n"
    aftertrace("comment", "add", "One.", "--run", "last", "--data", data)
    for name in ("key", "checkpoint"):
        shutil.copy(data / "commentary" / name, tmp_path / name)
    aftertrace("comment", "add", "Two.", "--run", "last", "--data", data)
    asked = ("comment", "verify", "--data", data)
    kept = ("--key", tmp_path / "key", "--checkpoint", tmp_path / "checkpoint")
    assert aftertrace(*asked).code == 3
    done = aftertrace(*asked, *kept)
    assert (done.code, done.out) == (0, f"2 comments are as they were signed, by {(tmp_path / 'key').read_text()}")
    comments = data / "commentary" / "comments"
    sound = comments.read_bytes()
    comments.write_bytes(sound.replace(b"One.", b"Eno."))
    done = aftertrace(*asked, *kept)
    assert (done.code, done.err) == (
        1,
        "error: read commentary: other comments than the 2 that are signed; put commentary/ back from a backup\n",
    )
    assert aftertrace("verify", "--data", data, "--key", data / "ledger" / "key").code == 0, "it reads no commentary"
    shutil.rmtree(data / "commentary")
    aftertrace("comment", "add", "Three.", "--run", "last", "--data", data)
    assert aftertrace(*asked, "--key", tmp_path / "key").code == 1


def test_what_is_wrong_is_said_in_one_line(aftertrace: Command, data: Path) -> None:
    """With the way out; and nothing is written."""
    ended = [
        aftertrace("comment", "add", "x", "--data", data),
        aftertrace("comment", "add", "x", "--run", "nope", "--data", data),
        aftertrace("comment", "add", "x", "--call", "nope", "--data", data),
        aftertrace("comment", "add", " ", "--run", "last", "--data", data),
        aftertrace("comment", "add", "x", "--run", "last", "--finding", "--label", "a", "--data", data),
        aftertrace("comment", "retract", 1, "x", "--data", data),
        aftertrace("comment", "add", "caf\udce9", "--run", "last", "--data", data),
        aftertrace("comment", "add", "x", "--run", "last", "--author", "caf\udce9", "--data", data),
        aftertrace("comment", "list", "--data", data / "nowhere"),
    ]
    assert [(each.code, each.out, each.err.count("\n")) for each in ended] == [(2, "", 1)] * 9
    assert not (data / "commentary" / "comments").exists()
