"""Packets for whoever looks at a run: the command `aftertrace packet`, run for them in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECONDS_AT_MOST: Final = 120.0
"""How long a page waits for a packet; a longer one is made at a terminal."""
BYTES_AT_MOST: Final = 256 << 20
"""What a page hands on; it is held in memory for as long as the run is looked at."""
KEY: Final = "packet"
"""Where a session has it until then."""

_AT_WORK: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Packed:
    """A packet that was made, or why there is none."""

    run_id: str
    content: bytes = b""
    refusal: str | None = None


def packed(data: Path, run_id: str) -> Packed:
    """The packet of one run; its export is an entry of the ledger. One is made at a time, whoever asks."""
    if not _AT_WORK.acquire(blocking=False):
        return Packed(run_id, refusal="another packet is being made; try again when it is done")
    try:
        return _packed(data, run_id)
    except OSError as error:
        return Packed(run_id, refusal=f"no room to make it in: {error.strerror}; make it at a terminal")
    finally:
        _AT_WORK.release()


def _packed(data: Path, run_id: str) -> Packed:
    name = f"aftertrace-run-{run_id}.zip"
    with tempfile.TemporaryDirectory(prefix="aftertrace-") as folder:
        target = Path(folder) / name
        told = ["-P", "-m", "aftertrace.cli", "packet", run_id, "--data", str(data.absolute()), "--out", str(target)]
        try:
            done = subprocess.run(
                [sys.executable, *told], capture_output=True, timeout=SECONDS_AT_MOST, check=False, text=True
            )
        except subprocess.TimeoutExpired:
            return Packed(run_id, refusal=f"not made in {SECONDS_AT_MOST:.0f} s; make it at a terminal")
        if done.returncode:
            return Packed(run_id, refusal=done.stderr.strip() or f"exit code {done.returncode}")
        if (size_bytes := target.stat().st_size) > BYTES_AT_MOST:
            size_mib = size_bytes >> 20
            return Packed(run_id, refusal=f"{size_mib} MiB are more than a page hands on; make it at a terminal")
        return Packed(run_id, target.read_bytes())
