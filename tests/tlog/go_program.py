"""The program of Go that checks logs of ours and makes logs for us to check, built once from `go/`.

It is kept under `.cache/interop/<digest of its source>/`. Go is needed, and for the first build the Go module proxy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).with_name("go")
CACHE: Final = Path(__file__).parents[2] / ".cache" / "interop"
BUILD_LIMIT_S: Final = 180
RUN_LIMIT_S: Final = 60


class CannotBuild(Exception):
    """There is no such program, and none can be made here; the message says why."""


class Refused(Exception):
    """The program found a fault; the message says which."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of a leaf at an index; or, where `old` is given, that the log begins with that root of `index` leaves."""

    index: int
    hashes: Sequence[bytes]
    leaf: bytes = b""
    old: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program says of a log."""

    origin: str
    size: int
    root: bytes
    proofs: list[Proof]


@dataclass(frozen=True, slots=True)
class GoProgram:
    """The program."""

    binary: Path

    def check(self, folder: Path, verifier: str, entries: Sequence[int], old: int, proofs: Sequence[Proof]) -> Answer:
        """Check the log in a folder, and proofs of ours about it; with it come proofs of Go's, made from the tiles.

        Raises:
            Refused: the log or a proof is not right.
        """
        told = [{name: _coded(getattr(proof, name)) for name in ("index", "hashes", "leaf", "old")} for proof in proofs]
        told = [{name: value for name, value in proof.items() if value != ""} for proof in told]
        return self._asked(Folder=str(folder), Verifier=verifier, Entries=entries, Old=old, Proofs=told)

    def build(self, folder: Path, signer: str, size: int, entries: Sequence[int], old: int) -> Answer:
        """Make a log of a size in a folder, with a signed checkpoint, and proofs about it."""
        return self._asked(Folder=str(folder), Signer=signer, Size=size, Entries=entries, Old=old)

    def check_packet(self, folder: Path, verifier: str) -> Answer:
        """Check a packet that was unpacked: `size` is how many rows it has, `root` that of the ledger.

        Raises:
            Refused: it is not right.
        """
        return self._asked(Packet=str(folder), Verifier=verifier)

    def _asked(self, **question: Any) -> Answer:
        ended = subprocess.run(
            [self.binary], input=json.dumps(question), capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False
        )
        if ended.returncode:
            raise Refused(ended.stderr.strip())
        answer = json.loads(ended.stdout)
        proofs = [
            Proof(
                proof["Index"],
                [b64decode(hashed) for hashed in proof["Hashes"] or ()],
                b64decode(proof["Leaf"]),
                b64decode(proof["Old"]),
            )
            for proof in answer["Proofs"] or ()
        ]
        return Answer(answer["Origin"], answer["Size"], b64decode(answer["Root"]), proofs)


def built(cache: Path = CACHE) -> GoProgram:
    """The program, built if it is not in `cache` yet.

    Raises:
        CannotBuild: Go is missing, or its module cannot be had.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))).hexdigest()[:16]
    binary = cache.absolute() / digest / "interop"
    if not binary.exists():
        if shutil.which("go") is None:
            raise CannotBuild("Go is not installed")
        binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
            _build(Path(scratch, "interop")).rename(binary)
    return GoProgram(binary)


def _build(binary: Path) -> Path:
    # A toolchain of another version would be fetched from elsewhere; the one that is here has to do.
    environment = os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly"}
    try:
        ended = subprocess.run(
            ["go", "build", "-o", str(binary), "."],
            cwd=SOURCE,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotBuild(f"go build was not done within {BUILD_LIMIT_S} s") from None
    if ended.returncode:
        raise CannotBuild(f"go build failed: {ended.stderr.strip()[-400:]}")
    return binary


def _coded(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return [_coded(part) for part in value] if isinstance(value, Sequence) else value
