"""A reader that watches the tables: when did which trace become queryable?"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

POLL_S = 0.1


class Watch:
    """Reads each new file of `spans` once; a context manager that watches while it is open.

    `spans` is the last table but `events` that a drain commits.
    """

    def __init__(self, data: Path) -> None:
        """Watch a data folder."""
        self.seen: dict[str, float] = {}
        """When each trace was first found, by trace id."""
        self._folder = data / "tables" / "spans"
        self._files: set[str] = set()
        self._table: DeltaTable | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def wait_for(self, traces: set[str], limit_s: float) -> float:
        """When the last of some traces was found; `SystemExit` if it takes longer than `limit_s`."""
        deadline = time.perf_counter() + limit_s
        while missing := len(traces) - len(traces & self.seen.keys()):
            if time.perf_counter() > deadline:
                raise SystemExit(f"{missing} of {len(traces)} acknowledged traces did not become queryable")
            time.sleep(POLL_S)
        return max(self.seen[trace] for trace in traces)

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            # Not there yet, or folded while it was read: the next look finds what it holds.
            with suppress(TableNotFoundError, DeltaError, FileNotFoundError):
                self._look()

    def _look(self) -> None:
        now = time.perf_counter()
        # Held, as by a reader that stays: to open it takes longer the longer its log is.
        if self._table is None:
            self._table = DeltaTable(self._folder)
        else:
            self._table.update_incremental()
        files = set(self._table.file_uris())
        for file in files - self._files:
            found = pl.read_parquet(file, columns=["trace_id"], hive_partitioning=False)["trace_id"]
            for trace in found.unique():
                self.seen.setdefault(trace, now)
            self._files.add(file)
