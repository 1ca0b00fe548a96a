"""Folding beside the drain: what is received must not wait for the second that a large file takes to be written.

One group of small files is folded at a time, by a thread that sees nothing but their bytes. The drain's own thread says
what is due and commits what is done, between two batches, so that a table has one writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from aftertrace.store import compaction
from aftertrace.store.compaction import Folded
from aftertrace.store.layout import Layout
from aftertrace.store.tables import TableWriter


class Folding:
    """The folds of one drain, whose thread calls all of this."""

    def __init__(self, layout: Layout, fold_at: int) -> None:
        """Fold partitions with more than `fold_at` small files."""
        self._layout = layout
        self._fold_at = fold_at
        self._grown: set[str] = set()
        """Tables to look at."""
        self._thread = ThreadPoolExecutor(1, "fold")
        self._running: tuple[str, Future[Folded]] | None = None

    def grew(self, tables: Mapping[str, TableWriter], name: str) -> None:
        """Know that a table has more files. With far too many, wait until what is due is done.

        Raises:
            OSError: the disk does not take what is folded.
        """
        self._grown.add(name)
        if tables[name].small_files > 2 * self._fold_at:
            self.finish(tables)

    def go_on(self, tables: Mapping[str, TableWriter]) -> None:
        """Commit what is done, and begin what is due. Waits for nothing.

        Raises:
            OSError: the disk does not take what is folded.
        """
        self._commit(tables, waits=False)
        self._begin(tables)

    def finish(self, tables: Mapping[str, TableWriter]) -> None:
        """Fold all that is due.

        Raises:
            OSError: the disk does not take it.
        """
        while self._running is not None or self._begin(tables):
            self._commit(tables, waits=True)

    def forget(self) -> None:
        """Leave what is being folded as it is: the tables are opened anew. Its file is one that nobody reads."""
        if self._running is not None:
            (name, running), self._running = self._running, None
            self._grown.add(name)
            wait([running])

    def close(self) -> None:
        """End the thread."""
        self.forget()
        self._thread.shutdown()

    def _begin(self, tables: Mapping[str, TableWriter]) -> bool:
        """Begin the next fold that is due, unless one is under way; whether one was begun."""
        if self._running is not None:
            return False
        for name in sorted(self._grown & tables.keys()):
            self._grown.discard(name)
            group = compaction.due(self._layout, tables[name], self._fold_at)
            if group is not None:
                self._running = name, self._thread.submit(compaction.fold, self._layout, group)
                return True
        return False

    def _commit(self, tables: Mapping[str, TableWriter], *, waits: bool) -> None:
        if self._running is None or not (waits or self._running[1].done()):
            return
        (name, running), self._running = self._running, None
        try:
            folded = running.result()
            if compaction.commit(tables[name], folded) or folded.settled:
                # What is left of the table may be due as well: it was one group of one day. A group that came to
                # nothing is not due again.
                self._grown.add(name)
            compaction.vacuum(self._layout, tables[name])
        except BaseException:
            # To be tried again.
            self._grown.add(name)
            raise
