"""One SQL statement in a process of its own, which has so much time and memory and no more.

A statement that somebody types may ask for anything, such as every call with every other. What it takes is taken from a
process that is ended, and not from whoever shows pages or receives.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.analyzer.inventory import declared
from aftertrace.analyzer.opening import open_analysis
from aftertrace.store.errors import AftertraceError, Invalid, Unavailable

NICENESS: Final = 5
_MEMORY: Final = Path("/proc/self/statm")
"""What a process has, on Linux: elsewhere its time alone is bounded."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a statement may take."""

    rows: int = 100_000
    """Rows that are given; how many there are is told."""
    seconds: float = 30.0
    memory_bytes: int = 4 << 30
    """Beside what the process itself takes."""
    answer_bytes: int = 64 << 20
    """Of the rows that are given."""


DEFAULT: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave."""

    rows: pl.DataFrame
    """The first of them, as many as the bounds let through."""
    height: int
    """How many there are."""
    now_ns: int
    """The time that it was judged at."""
    took_s: float


def ask(
    data: Path,
    text: str,
    inventory: Path | None = None,
    bounds: Bounds = DEFAULT,
    tenants: frozenset[str] | None = None,
) -> Answer:
    """Run one reading statement over a store as it is now.

    Args:
        data: folder of the store.
        text: the statement.
        inventory: file of the declared inventory, if there is one.
        bounds: what it may take.
        tenants: whose records it reads (`open_analysis`); None: all.

    Raises:
        Invalid: it is no reading statement, names what is not there, or takes more than it may.
        AftertraceError: the store cannot be read.
    """
    began_s = time.monotonic()
    told = [
        *("--data", str(data), "--rows", str(bounds.rows)),
        *("--memory-bytes", str(bounds.memory_bytes), "--answer-bytes", str(bounds.answer_bytes)),
        *(["--inventory", str(inventory)] if inventory is not None else []),
        *(["--tenants", json.dumps(sorted(tenants))] if tenants is not None else []),
    ]
    command = [sys.executable, "-P", "-m", __name__, *told]
    try:
        ended = subprocess.run(
            command, input=text.encode(errors="surrogatepass"), capture_output=True, timeout=bounds.seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise Invalid(f"sql: not done in {bounds.seconds:.0f} s, expected less; ask about fewer rows") from None
    head, _, body = ended.stdout.partition(b"\n")
    if not head:
        # Ended by the system, or by itself where it got no more memory.
        raise Invalid(
            f"sql: it took more than {bounds.memory_bytes / 2**30:.1f} GiB of memory, expected less; ask about fewer "
            f"rows or columns (exit code {ended.returncode})"
        )
    found = json.loads(head)
    if "refusal" in found:
        raise (Invalid if found["is_invalid"] else Unavailable)(found["refusal"])
    rows = pl.read_ipc(io.BytesIO(body)) if body else pl.DataFrame()
    return Answer(rows, found["height"], found["now_ns"], time.monotonic() - began_s)


def main(arguments: Sequence[str]) -> None:
    """Run the statement on standard input, and write a line of JSON and the rows as Arrow."""
    parser = ArgumentParser(prog="sql")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--inventory", type=Path)
    parser.add_argument("--tenants", type=lambda told: frozenset(json.loads(told)))
    for name in ("--rows", "--memory-bytes", "--answer-bytes"):
        parser.add_argument(name, type=int, required=True)
    given = parser.parse_args(arguments)
    os.nice(NICENESS)
    _limit(given.memory_bytes)
    out = sys.stdout.buffer
    try:
        text = sys.stdin.buffer.read().decode(errors="surrogatepass")
        inventory = declared.read(given.inventory) if given.inventory is not None else None
        # As finely as times are written, so that it can be asked for again.
        now_ns = time.time_ns() // 1000 * 1000
        rows = open_analysis(given.data, now_ns=now_ns, inventory=inventory, tenants=given.tenants).sql(text)
        some = rows.head(given.rows)
        if some.estimated_size() > given.answer_bytes:
            raise Invalid(
                f"sql: {some.estimated_size() / 2**20:,.0f} MiB of rows, expected at most "
                f"{given.answer_bytes / 2**20:,.0f}; select fewer rows or columns"
            )
    except AftertraceError as refusal:
        told = {"refusal": str(refusal), "is_invalid": isinstance(refusal, Invalid)}
        out.write(json.dumps(told).encode() + b"\n")
        return
    out.write(json.dumps({"height": rows.height, "now_ns": now_ns}).encode() + b"\n")
    some.write_ipc(out)


def _limit(memory_bytes: int) -> None:
    """Let this process take so much more than it has now, as far as the system lets us."""
    # A dump would hold what was read.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if not _MEMORY.exists():
        return
    pages = int(_MEMORY.read_text().split()[0])
    wanted = pages * resource.getpagesize() + memory_bytes
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
