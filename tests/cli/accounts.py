"""Programs under other accounts of the machine, as only root can start them: whoever writes to a store, whoever reads
it, and somebody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
GROUP: Final = 64_010
"""Whose members may read. It has no name on this machine, and needs none."""
_FOLDERS: Final = ("semconv", "exporter", "analyzer", "dashboards")


@dataclass(frozen=True, slots=True)
class Account:
    """An account that nothing on this machine belongs to."""

    uid: int
    groups: tuple[int, ...] = ()

    def started(self, *command: str | Path, **options: Any) -> subprocess.Popen[str]:
        """A program under this account, in a folder that is open to all; options as for `subprocess`."""
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(_path()),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AFTERTRACE_TRACEBACK": "1",
        }
        return subprocess.Popen(
            [_interpreter(), *map(str, command)],
            user=self.uid,
            group=self.uid,
            extra_groups=self.groups,
            cwd="/",
            env=environment | options.pop("env", {}),
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def python(self, text: str, *arguments: str | Path) -> str:
        """What a script writes that ends well."""
        process = self.started("-P", "-c", text, *arguments)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        return out

    def aftertrace(self, *arguments: str | Path, **environment: str) -> tuple[int, str, str]:
        """How a command line ends: its exit code, and what it wrote on standard output and error."""
        process = self.started("-P", "-m", "aftertrace.cli", *arguments, env=environment)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


WRITER: Final = Account(64_000)
"""The account that a store belongs to; it is not in the group of those who read."""
READER: Final = Account(64_001, (GROUP,))
OTHER: Final = Account(64_002)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder of the writer's which other accounts get to; skipped where nobody but root could make one."""
    if os.getuid() != 0:
        pytest.skip("needs root: nobody has tried what another account may do with a store")
    with tempfile.TemporaryDirectory(prefix="aftertrace-") as made:
        Path(made).chmod(0o711)
        os.chown(made, WRITER.uid, WRITER.uid)
        if _is_out_of_reach(Path(made)):
            pytest.skip(f"{made} is out of reach of other accounts: nobody has tried what they may do with a store")
        yield Path(made)


def _is_out_of_reach(folder: Path) -> bool:
    return any(not parent.stat().st_mode & 0o001 for parent in folder.parents)


def _path() -> list[str]:
    named = sysconfig.get_paths()
    return [*(str(ROOT / name) for name in _FOLDERS), *dict.fromkeys((named["purelib"], named["platlib"]))]


@cache
def _interpreter() -> str:
    """A Python of this version that other accounts may run: that of the tests may be in somebody's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    tried = [sys.executable, *(f"{folder}/{version}" for folder in ("/usr/bin", "/usr/local/bin"))]
    environment = {"PYTHONPATH": os.pathsep.join(_path()), "PYTHONDONTWRITEBYTECODE": "1"}
    for candidate in tried:
        try:
            command = [candidate, "-P", "-c", "import aftertrace.cli.root, polars, deltalake, grpc"]
            subprocess.run(command, user=OTHER.uid, group=OTHER.uid, extra_groups=(), cwd="/", env=environment, check=True, capture_output=True)  # fmt: skip  # noqa: E501
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip(f"none of {', '.join(tried)} runs for other accounts: nobody has tried what they may do with a store")
