"""When retention was run last by itself, and what came of it: `<data>/retention.json`, which may be thrown away."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from aftertrace.store import durable
from aftertrace.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Run:
    """One run."""

    at_ns: int
    """When it ended."""
    requests: int = 0
    """How many were ordered to be destroyed."""
    contents: int = 0
    """The same of large contents."""
    orders: tuple[str, ...] = ()
    """Ids of the orders; none: nothing was over, or it failed."""
    problem: str | None = None
    """Why nothing was ordered although something may be over."""


def write(layout: Layout, run: Run) -> None:
    """Know a run as the last one.

    Raises:
        OSError: the disk does not take it.
    """
    durable.write_file(layout.retention_run, msgspec.json.encode(run))


def last(layout: Layout) -> Run | None:
    """The last run; None where there was none, or nobody can tell."""
    try:
        return msgspec.json.decode(layout.retention_run.read_bytes(), type=Run)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
