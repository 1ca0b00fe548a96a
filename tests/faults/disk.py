"""A disk that fails at the n-th call that changes it: `failing_disk.c`, built here and loaded before a process."""

from __future__ import annotations

import errno
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOURCE: Final = Path(__file__).with_name("failing_disk.c")
EIO: Final = str(errno.EIO)
ENOSPC: Final = str(errno.ENOSPC)
KILL: Final = "KILL"
"""The process dies before the call."""
TEAR: Final = "TEAR"
"""The process dies with half of what it was to write written."""
_TAKES_SPACE: Final = frozenset(
    {"write", "writev", "pwrite", "open", "mkdir", "link", "rename", "fallocate", "fsync", "fdatasync"}
)


_ID: Final = re.compile(r"[0-9a-f]{8,}|\d+")


class CannotBuild(Exception):
    """There is no compiler, or it does not take the source; the message says which."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changes the disk, as a process made it."""

    name: str
    path: Path
    """From the folder that is on the failing disk."""

    @property
    def site(self) -> str:
        """What it does to which kind of file, in words that are the same in every run."""
        return f"{self.name} {_ID.sub('N', str(self.path))}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at which call."""

    kind: str
    at: int
    """Number of the first call that fails; 1 is the first of all."""
    count: int = 1
    """How many fail, one after the other."""

    def __str__(self) -> str:
        """A word for people."""
        kind = {EIO: "EIO", ENOSPC: "ENOSPC"}.get(self.kind, self.kind)
        return f"{kind} at call {self.at}" + (f" and {self.count - 1} more" if self.count > 1 else "")


@dataclass(frozen=True, slots=True)
class Met:
    """What came of a fault."""

    fault: Fault
    site: str | None
    """Of the call that failed first; None if the fault did not come."""
    wrong: list[str]

    def __str__(self) -> str:
        """A word for people, on what is wrong."""
        return "\n".join(f"{self.fault}, {self.site}: {each}" for each in self.wrong)


def build(folder: Path) -> Path:
    """Build the library into a folder.

    Raises:
        CannotBuild: see there.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CannotBuild("no C compiler is installed")
    library = folder / "failing_disk.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise CannotBuild(f"{compiler}: {result.stderr.strip()[-500:]}")
    return library


def variables(
    data: Path, *, process: str, fault: Fault | None = None, once: Path | None = None, log: Path | None = None
) -> Mapping[str, str]:
    """What the library is told by its environment.

    Args:
        data: the folder that is on the failing disk.
        process: an argument of the process that it is to fail: `serve` or `drain`.
        fault: what goes wrong; nothing if not given.
        once: a file that gets a line for the call when it does; where it is there, nothing goes wrong any more.
        log: a file that gets a line for each call.
    """
    found = {"FAULT_UNDER": str(data), "FAULT_IN": process, "FAULT_AT": "0"}
    if fault is not None:
        found |= {"FAULT_KIND": fault.kind, "FAULT_AT": str(fault.at), "FAULT_COUNT": str(fault.count)}
    return found | {"FAULT_ONCE": str(once or ""), "FAULT_LOG": str(log or "")}


def calls(log: Path, data: Path) -> list[Call]:
    """What a log tells of a folder, in order."""
    lines = (line.partition(" ") for line in log.read_text().splitlines())
    return [Call(name, Path(path).relative_to(data)) for name, _, path in lines]


def faults(made: Sequence[Call], *, lasting: int = 0) -> list[Fault]:
    """Each error and each death at each of some calls. Of many writes in a row to one file, the first and the last.

    Args:
        made: the calls of a run without a fault.
        lasting: also let the disk fail for so many calls, from each tenth one on.
    """
    found = []
    for at, call in enumerate(made, 1):
        if 1 < at < len(made) and made[at - 2] == call == made[at]:
            continue
        found += [Fault(EIO, at), Fault(KILL, at)]
        found += [Fault(ENOSPC, at)] if call.name in _TAKES_SPACE else []
        found += [Fault(TEAR, at)] if "write" in call.name else []
        found += [Fault(EIO, at, lasting)] if lasting and at % 10 == 0 else []
    return found
