"""A packet, the public key and the verifier are enough: in an environment with nothing else of aftertrace in it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import aftertrace.tlog
import aftertrace.verifier

from .packed import Packed

LIMIT_S = 120
NEEDED = ("cryptography", "cffi", "_cffi_backend", "pycparser")
"""`cryptography`, and what it needs."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of a new environment, with `cryptography`, `aftertrace.tlog` and `aftertrace.verifier` in it."""
    folder = tmp_path_factory.mktemp("room")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder / "env"],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"NO CLEAN ROOM, the verifier is not tested by itself: {made.stderr.strip()[-200:]}")
    (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
    for name in NEEDED:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            if name == "cryptography":
                pytest.skip("NO CLEAN ROOM, the verifier is not tested by itself: cryptography cannot be copied")
            continue
        origin = Path(found.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, packages / name)
        else:
            shutil.copy(origin, packages)
    for package in (aftertrace.tlog, aftertrace.verifier):
        (source,) = package.__path__
        shutil.copytree(
            source, packages / "aftertrace" / Path(source).name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder / "env" / "bin" / "python"


def run(room: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the verifier there: without this environment's variables, and from a folder with nothing in it."""
    command = [room, "-I", "-m", "aftertrace.verifier", *arguments]
    empty = room.parents[2] / "empty"
    empty.mkdir(exist_ok=True)
    environment = {"PATH": os.defpath}
    return subprocess.run(
        command, cwd=empty, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def test_the_verifier_verifies_in_an_empty_environment(room: Path, packed: Packed, tmp_path: Path) -> None:
    """All three hold; with a byte that is another, they do not."""
    (tmp_path / "key").write_text(f"{packed.key}\n")
    ended = run(room, packed.file, "--key", tmp_path / "key")
    told = [line.split()[:2] for line in ended.stdout.splitlines()[2:5]]
    assert (ended.returncode, ended.stderr, told) == (
        0, "", [["integrity", "holds"], ["completeness", "holds"], ["authenticity", "holds"]],
    )  # fmt: skip
    content = bytearray(packed.file.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.zip").write_bytes(content)
    assert run(room, tmp_path / "changed.zip", "--key", tmp_path / "key").returncode == 1
    assert run(room, packed.file).returncode == 3


def test_nothing_else_is_there(room: Path) -> None:
    """Negative control: what aftertrace needs otherwise cannot be loaded there."""
    for name in ("polars", "msgspec", "click", "opentelemetry", "aftertrace.store"):
        ended = subprocess.run([room, "-I", "-c", f"import {name}"], capture_output=True, timeout=LIMIT_S, check=False)
        assert ended.returncode == 1, name


def test_the_verifier_loads_nothing_heavy() -> None:
    """In this environment neither, where it could."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom aftertrace.verifier import command\nprint(*sys.modules)"],
        capture_output=True, text=True, timeout=LIMIT_S, check=True,
    ).stdout.split()  # fmt: skip
    ours = {name for name in loaded if name.startswith("aftertrace.")}
    assert {name.split(".")[1] for name in ours} == {"tlog", "verifier"}
    assert [name for name in ("polars", "pyarrow", "msgspec", "click", "opentelemetry") if name in loaded] == []
