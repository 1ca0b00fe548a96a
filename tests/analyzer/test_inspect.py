"""Logs of Inspect: what became of every call, who decided, and that nothing of a log is lost."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from aftertrace.ingest import files
from aftertrace.store.errors import Invalid

from . import frames

LOG: Final = frames.LOGS / "inspect" / "approvals.json"
"""Recorded with Inspect 0.3.285, a scripted model and three approvers: `auto` for `ls`, then `limiter`, then `human`,
who took 0.4 s each time. Two samples; raw requests and states were taken out."""
COLUMNS: Final = ("tool_call_id", "tool_name", "outcome", "decided_by", "basis", "reviewer")
TIDY: Final = [
    ("c1", "ls", "executed", "policy", "explicit", "auto"),
    ("c2", "rm", "denied", "human", "explicit", None),
    ("c3", "pay", "modified", "policy", "explicit", "limiter"),
    ("c4", "pay", "executed", "human", "explicit", None),
    ("c5", "pay", "denied", "policy", "explicit", "limiter"),
    ("c6", "nope", "unknown_tool", None, "explicit", None),
    ("c7", "ls", "invalid_arguments", None, "explicit", "auto"),
    ("c8", "ls", "denied", "target", "explicit", "auto"),
    ("c9", "ls", "failed", "policy", "explicit", "auto"),
]
ROB: Final = [("c1", "pay", "denied", "policy", "explicit", "limiter")]


def archived(log: dict[str, Any], folder: Path, compression: int) -> Path:
    """The log as Inspect's archive; by default it compresses with Zstandard, which has the number 93."""
    head = {key: value for key, value in log.items() if key != "samples"}
    members = {"_journal/start.json": head}
    members |= {f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in log["samples"]}
    members["header.json"] = head
    path = folder / f"log.{compression}.eval"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression if compression != ZSTANDARD else zipfile.ZIP_STORED) as archive:
        for name, value in members.items():
            text = json.dumps(value).encode()
            archive.writestr(name, text if compression != ZSTANDARD else packed(text))
    written = bytearray(file.getvalue())
    if compression == ZSTANDARD:
        for magic, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            begin = -1
            while (begin := written.find(magic, begin + 1)) >= 0:
                written[begin + at : begin + at + 2] = ZSTANDARD.to_bytes(2, "little")
    path.write_bytes(written)
    return path


ZSTANDARD: Final = 93


def packed(text: bytes) -> bytes:
    """Two frames of Zstandard, as Inspect writes long members."""
    half = len(text) // 2
    return b"".join(bytes(pa.Codec("zstd").compress(part, asbytes=True)) for part in (text[:half], text[half:]))


def read_log() -> dict[str, Any]:
    """The recorded log."""
    log: dict[str, Any] = json.loads(LOG.read_text())
    return log


def calls(*paths: Path) -> list[tuple[Any, ...]]:
    """The calls of the files' samples, in order."""
    found = frames.of_files(*paths).analysis().calls
    return found.sort("agent_name", "conversation_id", "ordinal").select(COLUMNS).rows()


def by_sample(paths: tuple[Path, ...]) -> list[list[tuple[Any, ...]]]:
    """The calls of each run, by its prompt."""
    analysis = frames.of_files(*paths).analysis()
    runs = analysis.runs.sort("prompt")["run_id"]
    return [
        analysis.calls.filter(analysis.calls["run_id"] == run).sort("ordinal").select(COLUMNS).rows() for run in runs
    ]


@pytest.mark.parametrize("compression", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, ZSTANDARD])
def test_every_call_of_every_sample_is_judged(tmp_path: Path, compression: int | None) -> None:
    """A sample is a run. The same log in its two forms, imported twice, is the same log."""
    path = LOG if compression is None else archived(read_log(), tmp_path, compression)
    assert by_sample((path,)) == [ROB, TIDY]
    assert by_sample((path, LOG, path)) == [ROB, TIDY]


def test_an_approval_tells_who_was_shown_what_and_how_long_it_took() -> None:
    """An edit is kept as its difference. The ask began when the approver before passed the call on."""
    analysis = frames.of_files(LOG).analysis()
    asked = analysis.approvals.sort("tool_call_id").filter(analysis.approvals["decided_by"].is_not_null())
    assert asked.select("tool_call_id", "decision", "decided_by", "reason", "edits").rows() == [
        ("c2", "rejected", "human", "never remove", None),
        ("c3", "modified", "policy", "at most 100", '[{"path":"/eur","before":900,"after":100}]'),
        ("c4", "granted", "human", "fine", None),
    ]
    assert asked["shown"][0] == "```python\nrm(path='/x')\n```\n"
    assert [0.38e9 < wait < 0.44e9 for wait in asked["wait_ns"].gather([0, 2])] == [True, True]


def test_a_sample_tells_its_run() -> None:
    """Task, model, prompts, tools, tokens, and how it ended. A long argument stands where it is referred to."""
    analysis = frames.of_files(LOG).analysis()
    assert analysis.runs.sort("prompt").select(
        "prompt", "agent_name", "model", "service_name", "tools_available", "input_tokens", "state"
    ).rows() == [
        ("please rob", "clerk", "mockllm/model", "inspect_ai", ["ls", "pay", "rm"], 7, "completed"),
        ("please tidy", "clerk", "mockllm/model", "inspect_ai", ["ls", "pay", "rm"], 65, "completed"),
    ]
    prompts = analysis.of().identified.events.filter(analysis.of().identified.events["state"] == "system_prompt")
    assert prompts["content"].to_list() == ["Be careful.", "Be careful."]
    (long,) = analysis.calls.filter(analysis.calls["tool_call_id"] == "c4")["executed_arguments"]
    assert json.loads(long) == {"eur": 5, "to": "y" * 150}


def test_what_an_agent_ran_by_itself_is_told_by_the_next_input(tmp_path: Path) -> None:
    """An agent inside a sandbox leaves no tool events: its results stand in the messages that the model is given."""
    log = read_log()
    for sample in log["samples"]:
        sample["events"] = [each for each in sample["events"] if each["event"] not in ("tool", "approval")]
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log, indent=1))
    outcomes = [
        (call_id, outcome, decided_by, basis) for call_id, _, outcome, decided_by, basis, _ in by_sample((path,))[1]
    ]
    assert outcomes == [
        ("c1", "executed", None, "inferred"),
        ("c2", "denied", "policy", "inferred"),
        ("c3", "executed", None, "inferred"),
        ("c4", "executed", None, "inferred"),
        ("c5", "denied", "policy", "inferred"),
        ("c6", "unknown_tool", None, "inferred"),
        ("c7", "invalid_arguments", None, "inferred"),
        ("c8", "denied", "target", "inferred"),
        ("c9", "failed", None, "inferred"),
    ]


@pytest.mark.parametrize(
    ("decision", "approver", "expected"),
    [
        ("approve", "human", ("executed", "human", "explicit")),
        ("approve", "pkg/monitor", ("executed", "policy", "explicit")),
        ("reject", "pkg/human", ("executed", "human", "explicit")),
    ],
)
def test_a_run_outweighs_what_was_decided(
    tmp_path: Path, decision: str, approver: str, expected: tuple[str | None, ...]
) -> None:
    """Inspect never runs a call that was rejected; a log that says so was changed, and what ran, ran."""
    log = read_log()
    (tidy,) = [sample for sample in log["samples"] if sample["id"] == "tidy"]
    approval = next(event for event in tidy["events"] if event["event"] == "approval")
    approval["decision"], approval["approver"] = decision, approver
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log))
    assert by_sample((path,))[1][0][2:5] == expected


def texts(path: Path) -> tuple[str, list[str]]:
    """The bodies of all records of a file, one after the other, and the places that were refused."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    kept, refused = [], []
    with files.opened(path) as source:
        for item in files.read(source):
            if isinstance(item, files.Refused):
                refused.append(item.where.removeprefix(str(path)))
                continue
            for told in ExportLogsServiceRequest.FromString(item.body).resource_logs:
                kept += [log.body.string_value for log in told.scope_logs[0].log_records]
    return "\n".join(kept), refused


def test_nothing_of_a_log_is_lost(tmp_path: Path) -> None:
    """Events, what they refer to, and everything beside them; NaN too, as a text, and members that are null."""
    log = read_log()
    log["samples"][0] |= {
        "scores": {"s": {"value": float("nan")}},
        "store": {"canary": "CANARY-1"},
        "attachments": None,
    }
    log["eval"]["metadata"] = {"canary": "CANARY-2"}
    log["samples"][1]["attachments"]["0" * 32] = "CANARY-3"
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log))
    kept, refused = texts(path)
    assert refused == []
    assert [word for word in ("CANARY-1", "CANARY-2", "CANARY-3", '"NaN"', "far too much") if word not in kept] == []
    events = [event["uuid"] for sample in log["samples"] for event in sample["events"]]
    assert [uuid for uuid in events if uuid not in kept] == []


def test_a_damaged_member_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    """And an archive that is cut short is told, as is one that is something else."""
    path = archived(read_log(), tmp_path, zipfile.ZIP_STORED)
    whole = path.read_bytes()
    at = whole.index(b'"epoch"')
    path.write_bytes(whole[:at] + b"!" + whole[at + 1 :])
    kept, refused = texts(path)
    assert refused == ["!samples/rob_epoch_1.json"]
    assert "never remove" in kept
    path.write_bytes(whole[:-30])
    with pytest.raises(Invalid, match="the zip file is damaged or cut short"):
        texts(path)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("notes.txt", "x")
    with pytest.raises(Invalid, match="of no known format"):
        texts(other)
