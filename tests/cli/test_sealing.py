"""`seal`: the one process with the key."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Command

PROGRAM = """
import sys
from aftertrace.cli import sealing
sys.addaudithook(sealing._without_network)
import socket
for ask in (socket.socket, lambda: socket.create_connection(("127.0.0.1", 1)), lambda: socket.gethostbyname("a")):
    try:
        ask()
    except PermissionError as refusal:
        print(refusal)
"""


def test_the_sealer_is_refused_a_socket() -> None:
    """Whatever it would be for: in a process of its own, since nothing takes that back."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["the sealer uses no network"] * 3


def test_another_key_takes_the_place_of_the_one_that_signs(aftertrace: Command, data: Path) -> None:
    """By one command, after which the old key leads to the new one; verify says so."""
    kept, old = data.with_name("key"), (data / "ledger" / "key").read_text().strip()
    done = aftertrace("seal", "--data", data, "--rotate")
    new = (data / "ledger" / "key").read_text().strip()
    assert (done.code, done.out) == (
        0,
        f"{new} signs as the key before it has signed: keep it elsewhere, beside the one before\n",
    )
    (line,) = data.parent.glob("*.jsonl")
    assert aftertrace("import", "--data", data, line).code == 0
    checkpoint = ("--checkpoint", data.with_name("checkpoint"))
    for key, said in ((kept, f"signed by {new}, to which {old} led"), (new, f"signed by {new}")):
        report = aftertrace("verify", "--data", data, "--key", key, *checkpoint)
        assert (report.code, report.out.splitlines()[2].split(maxsplit=2)) == (0, ["authenticity", "holds", said])
    report = json.loads(aftertrace("verify", "--data", data, "--key", kept, "--format", "json").out)
    assert (report["logs"][0]["led_by"], [found["code"] for found in report["findings"]]) == ([old], ["key_rotated"])


def test_a_key_that_was_lost_is_said_to_be(aftertrace: Command, data: Path) -> None:
    """Nothing is healed: with the old key nothing that came later is proven, and verify names it with the new one."""
    assert "is there, expected none" in aftertrace("seal", "--data", data, "--lost-key").err
    shutil.rmtree(data / "sealer")
    refused = aftertrace("seal", "--data", data)
    assert (refused.code, "`aftertrace seal --lost-key`" in refused.err) == (1, True)
    done = aftertrace("seal", "--data", data, "--lost-key")
    new = (data / "ledger" / "key").read_text().strip()
    assert (done.code, done.out.partition(":")[0]) == (
        0,
        f"{new} signs from here on, and nothing of that is by the key before it",
    )
    checkpoint = ("--checkpoint", data.with_name("checkpoint"))
    codes = [
        aftertrace("verify", "--data", data, *keys, *checkpoint).code
        for keys in (("--key", data.with_name("key")), ("--key", new), ("--key", data.with_name("key"), "--key", new))
    ]
    assert codes == [1, 3, 3]


@pytest.mark.parametrize("options", [("--rotate", "--restore"), ("--rotate", "--lost-key"), ("--follow", "--rotate")])
def test_one_thing_at_a_time(aftertrace: Command, data: Path, options: tuple[str, ...]) -> None:
    """Each is done by itself."""
    refused = aftertrace("seal", "--data", data, *options)
    assert (refused.code, "expected one of" in refused.err) == (2, True)
