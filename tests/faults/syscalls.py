"""System calls as `strace -f -yy` writes them down: one value per call, and where it began and ended."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TRACED: Final = (
    "openat,mkdir,write,pwrite64,writev,pwritev,pwritev2,ftruncate,fsync,fdatasync,rename,renameat,renameat2,"
    "link,linkat,unlink,unlinkat,sendto,sendmsg,recvfrom,recvmsg"
)
WRITES: Final = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate"})
SYNCS: Final = frozenset({"fsync", "fdatasync"})
RENAMES: Final = frozenset({"rename", "renameat", "renameat2", "link", "linkat"})
UNLINKS: Final = frozenset({"unlink", "unlinkat"})
SENDS: Final = frozenset({"sendto", "sendmsg", "write", "writev"})
RECEIVES: Final = frozenset({"recvfrom", "recvmsg"})

_LINE: Final = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_WHOLE: Final = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>.*)")
_UNFINISHED: Final = re.compile(r"(?P<name>\w+)\((?P<arguments>.*?),? *<unfinished \.\.\.>")
_RESUMED: Final = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<arguments>.*)\) += (?P<result>.*)")
_DESCRIPTOR: Final = re.compile(r"(?:\d+|AT_FDCWD)<(TCP(?:v6)?:\[.*?\](?=>)|[^>]*)>")
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded."""

    name: str
    arguments: str
    result: str
    begin: int
    """Line of the log on which it was entered."""
    end: int
    """Line on which it returned; the same line if nothing came between."""

    @property
    def descriptor(self) -> str:
        """What the call's first argument refers to: a path, or `TCP:[here->there]`; else empty."""
        match = _DESCRIPTOR.match(self.arguments)
        return match[1] if match else ""

    @property
    def opened(self) -> str:
        """Path of the descriptor that the call returned."""
        match = _DESCRIPTOR.match(self.result)
        return match[1] if match else ""

    @property
    def texts(self) -> list[str]:
        """The quoted arguments: paths, or bytes with escapes."""
        return _TEXT.findall(self.arguments)


def command(log: Path, *, text_bytes: int) -> list[str] | None:
    """The strace command to put before another one, which adds to `log`; None where there is no strace."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    options = ["-A", "-f", "-yy", "-qq", "-s", str(text_bytes), "-e", f"trace={TRACED}", "-e", "signal=none"]
    return [strace, *options, "-o", str(log), "--"]


def parse(lines: Iterable[str]) -> list[Call]:
    """Calls that succeeded, in the order in which they ended. Other lines (exits, failures) are left out."""
    calls: list[Call] = []
    entered: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        outer = _LINE.match(line)
        if outer is None:
            continue
        pid, rest = outer["pid"], outer["rest"]
        if resumed := _RESUMED.match(rest):
            begin, arguments = entered.pop(pid, (number, ""))
            call = Call(resumed["name"], arguments + resumed["arguments"], resumed["result"], begin, number)
        elif unfinished := _UNFINISHED.match(rest):
            entered[pid] = (number, unfinished["arguments"])
            continue
        elif whole := _WHOLE.match(rest):
            call = Call(whole["name"], whole["arguments"], whole["result"], number, number)
        else:
            continue
        if not call.result.startswith(("-1", "?")):
            calls.append(call)
    return calls
