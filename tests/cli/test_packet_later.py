"""Packets beside a `serve` that runs, and after what they are from was destroyed."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.cli.served import serving
from tests.cli.test_retaining import WHY, run_of
from tests.ingest.drain_samples import DAY_NS, NOON_NS, drain, new_store, send

from aftertrace.store.ledger.sealer import seal
from aftertrace.verifier.verify import verify_packet

SEEN_S = 30.0


@pytest.mark.slow
def test_a_running_serve_enters_and_signs_the_export(aftertrace: Command, tmp_path: Path) -> None:
    """What was accepted a moment ago is in it, and all three hold."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        assert served.post("now") == 200
        deadline = time.monotonic() + SEEN_S
        while "now" not in (listed := aftertrace("runs", "--data", data, "--format", "json").out):
            assert time.monotonic() < deadline, listed
            time.sleep(0.2)
        done = aftertrace("packet", "last", "--data", data, "--out", tmp_path / "p.zip")
        assert (done.code, done.err) == (0, "")
        ended = aftertrace("verify", tmp_path / "p.zip", "--key", data / "ledger" / "key", "--format", "json")
        report = json.loads(ended.out)
        assert (ended.code, report["records"], report["findings"]) == (0, 1, [])
        assert served.stop()[0] == 0
    assert aftertrace("verify", "--data", data, "--key", data / "ledger" / "key").code == 0


def test_a_packet_still_verifies_after_retention(
    aftertrace: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is gone from the store, and the packet is as good as it was; the ledger goes on from its checkpoint."""
    monkeypatch.setenv("AFTERTRACE_RETENTION_EVIDENCE_DAYS", "183")
    layout = new_store(tmp_path / "data")
    for number in range(3):
        send(layout, run_of(number + 1, "a"), received_ns=NOON_NS + number * DAY_NS, records=1)
    drain(layout)
    seal(layout)
    lines = aftertrace("runs", "--data", layout.data, "--format", "json").out.splitlines()
    # The first with a configuration stays.
    run = json.loads(lines[1])["run_id"]
    assert aftertrace("packet", run, "--data", layout.data, "--out", "p.zip").code == 0
    key = layout.ledger_key.read_text().strip()
    plan = json.loads(aftertrace("retention", "plan", "--data", layout.data, "--format", "json").out)
    assert (
        aftertrace(
            "retention", "apply", "--plan", plan["plan"], *WHY, "--today", plan["today"], "--data", layout.data
        ).code
        == 0
    )
    gone = aftertrace("packet", run, "--data", layout.data, "--out", "q.zip")
    assert (gone.code, Path("q.zip").exists()) == (2, False)
    assert aftertrace("verify", "p.zip", "--key", key).code == 0
    with zipfile.ZipFile("p.zip") as packet:
        Path("kept").write_bytes(packet.read("packet/data/ledgers/1/checkpoint"))
    ended = aftertrace("verify", "--data", layout.data, "--key", key, "--checkpoint", "kept", "--format", "json")
    assert (ended.code, json.loads(ended.out)["logs"][0]["compared"]) == (0, 1)
    assert verify_packet(Path("p.zip")).requests == 1
