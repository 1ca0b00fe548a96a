"""Packets to test with: of a store of recordings and of one request that two runs came in; and ways to forge one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.cli.conftest import RECORDINGS, STORED, command

from aftertrace.tlog.keys import VerifierKey
from aftertrace.verifier import bag, layout
from aftertrace.verifier.archive import Archive
from aftertrace.verifier.members import content
from aftertrace.verifier.verify import PacketReport, verify_packet

MINE, THEIRS = "mine-3f9a", "theirs-77c1"
"""What stands in the records of the two runs of one request."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A packet, and what belongs to it."""

    file: Path
    key: VerifierKey
    data: Path
    run_id: str


def request_of_two_runs() -> str:
    """A line of OTLP/JSON with a call of each of two runs."""
    spans = []
    for number, word in ((1, MINE), (2, THEIRS)):
        told = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": f"pay_{word}",
            "gen_ai.tool.call.id": f"call_{word}",
            "gen_ai.tool.call.arguments": json.dumps({"to": word}),
            "aftertrace.run.id": f"run-{word}",
        }
        attributes = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
        span = {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": f"execute_tool {word}"}
        times = {"startTimeUnixNano": f"176407200000000000{number}", "endTimeUnixNano": f"176407200100000000{number}"}
        spans.append({**span, **times, "attributes": attributes})
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + "\n"


def stored(folder: Path) -> Path:
    """A store of three recordings, and the request of two runs."""
    folder.mkdir(parents=True, exist_ok=True)
    both = folder / "both.jsonl"
    both.write_text(request_of_two_runs())
    recordings = [RECORDINGS / f"{name}.jsonl" for name in STORED]
    ended = command("import", *recordings, both, "--data", folder / "data")
    assert ended.code == 0, ended.err
    return folder / "data"


def exported(data: Path, file: Path, *options: str | Path) -> Packed:
    """A packet of a store."""
    ended = command("packet", *options, "--data", data, "--out", file)
    assert (ended.code, ended.err) == (0, ""), ended.err
    key = VerifierKey.parse((data / "ledger" / "key").read_text().strip())
    about = json.loads(content(Archive(file), layout.ABOUT, 1 << 20)) if file.suffix == ".zip" else {"runs": []}
    return Packed(file, key, data, about["runs"][0]["run_id"] if about["runs"] else "")


def unpacked(file: Path, folder: Path) -> Path:
    """The folder of a packet, as a tool would unpack it."""
    shutil.unpack_archive(file, folder, "zip")
    return folder / "packet"


def verdicts(report: PacketReport) -> tuple[str, ...]:
    """Integrity, completeness, authenticity."""
    return tuple(report.verdicts.values())


def codes(report: PacketReport) -> set[str]:
    """Of errors and warnings."""
    return {found.code for found in report.findings if found.severity != "info"}


def verified(packet: Path, key: VerifierKey) -> PacketReport:
    """Verified with the right key."""
    return verify_packet(packet, [key])


def rebagged(folder: Path) -> None:
    """Manifests made anew over what is there, as whoever forges a packet would."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    digests = {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).digest() for path in paths}
    payload = {name: digest for name, digest in digests.items() if name.startswith(layout.PAYLOAD)}
    (folder / layout.MANIFEST).write_bytes(bag.manifest(payload))
    digests[layout.MANIFEST] = sha256((folder / layout.MANIFEST).read_bytes()).digest()
    (folder / layout.TAG_MANIFEST).write_bytes(bag.manifest({name: digests[name] for name in layout.TAGS}))


def edit_lines(path: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change the objects of a file of lines, and write them as they are to be written."""
    told = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(told)
    path.write_text("".join(_line(each) for each in told))


def edit_about(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what a packet says of itself."""
    path = folder / layout.ABOUT
    told = json.loads(path.read_bytes())
    change(told)
    path.write_text(_line(told))


def _line(told: Mapping[str, Any]) -> str:
    return json.dumps(told, sort_keys=True, separators=(",", ":")) + "\n"
