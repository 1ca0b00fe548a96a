"""Which commits of the tables an entry speaks of: all since the entry before, in order."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from aftertrace.store import commits
from aftertrace.store.commits import Commit
from aftertrace.store.ledger.entries import text_of
from aftertrace.store.ledger.state import CommitRange
from aftertrace.store.tables import TableWriter

CATCH_UP: Final = 1000
"""Commits that are read back for a table that others have gone on with; what is behind them is for their ledgers."""
""".replace("from hashlib import sha256\n","from hashlib import sha256\nfrom typing import Final\n")+"""


class Claim:
    """Commits of one table, until they are told of."""

    def __init__(self, table: TableWriter, claimed: int | None) -> None:
        """Begin behind the last version that the ledger speaks of; where it speaks of none, with what comes now.

        Raises:
            Corrupt: a commit is damaged.
            OSError: one cannot be read.
        """
        if claimed is None:
            claimed = -1 if table.version == 0 else table.version
        self._first = self._next = claimed + 1
        self._digests = sha256()
        for version in range(self._next, min(table.version, claimed + CATCH_UP) + 1):
            self._add(commits.read(table.log, version))
        self._has_own = self.count > 0
        table.taken_in = self._take_in

    def _take_in(self, commit: Commit, is_own: bool) -> None:
        self._add(commit)
        self._has_own |= is_own

    def _add(self, commit: Commit) -> None:
        if commit.version != self._next:
            self._first, self._digests = commit.version, sha256()
        self._digests.update(commit.digest)
        self._next = commit.version + 1

    @property
    def count(self) -> int:
        """How many there are."""
        return self._next - self._first

    @property
    def is_due(self) -> bool:
        """Whether they are to be told of although no request came with them. Those of others can wait for one."""
        return self._has_own or self.count >= CATCH_UP

    @property
    def last(self) -> int:
        """The version that the ledger speaks of once they are told."""
        return self._next - 1

    def range(self) -> CommitRange:
        """What to tell."""
        return CommitRange(self._first, self.last, text_of(self._digests.digest()))

    def told(self) -> None:
        """They are in the ledger."""
        self._first, self._digests, self._has_own = self._next, sha256(), False
